/** `sluice build`: a policy directory → a bundle that a sidecar runs without OPA. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { SluiceError } from '../errors.ts';
import { contentDigest, readApprovals } from '../policy/bundle/approval.ts';
import { writeBundle } from '../policy/bundle/bundle.ts';
import { compilePolicy, ENTRYPOINTS } from '../policy/compile.ts';
import { resolveOpa } from '../policy/opa/opa.ts';
import { DEFAULT_LIMITS, SIGNING_ALGORITHMS, type SigningAlgorithm } from '../policy/settings.ts';
import { createRuntime } from '../policy/runtime.ts';
import { createSnapshot } from '../policy/snapshot/index.ts';
import type { Io } from './io.ts';
import { oneOf, refuse } from './options.ts';
import { watching } from './policy/watch.ts';
import { replaceFile } from './replace.ts';

interface Options {
  readonly output: string;
  readonly revision?: string;
  readonly entrypoint?: string[];
  readonly optimize: 0 | 1;
  readonly approvals?: string;
  readonly signingKey?: string;
  readonly signingAlg: SigningAlgorithm;
  readonly signingKeyId: string;
  readonly watch?: boolean;
  readonly json?: boolean;
}

const level = (text: string): 0 | 1 => {
  if (text !== '0' && text !== '1') throw new InvalidArgumentError('0 or 1 is wanted.');
  return text === '0' ? 0 : 1;
};

export function command(io: Io): Command {
  return new Command('build')
    .description('Compile a policy directory (rules, data, catalogs, scenarios) to a bundle.')
    .argument('[dir]', 'policy directory', 'policies')
    .option('-o, --output <file>', 'the bundle', 'bundle.tar.gz')
    .option('--revision <text>', 'name in decision records; default: a digest of the files')
    .option(
      '-e, --entrypoint <rule...>',
      'in addition to sluice/decision and sluice/disclosure, or instead of them if no file has package sluice',
    )
    .option('--optimize <level>', "of OPA's compiler: 0 or 1", level, 1)
    .option('--signing-key <file>', 'sign it: PKCS #8 private key (PEM), or the secret for HS*')
    .option('--signing-alg <name>', 'how', oneOf(SIGNING_ALGORITHMS), 'ES256')
    .option('--signing-key-id <id>', 'name of the key in policy.signing.keys', 'default')
    .option('--approvals <file>', 'signed approvals (sluice approve) to include')
    .option('--watch', 'run again whenever a file changes')
    .option('--json', 'print a summary of the bundle as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  sluice build policies -o bundle.tar.gz\n  sluice build policies -o bundle.tar.gz --revision "$(git rev-parse --short HEAD)" --signing-key key.pem --signing-key-id 2026-a\n  sluice build gatekeeper/src --entrypoint k8sallowedrepos/violation -o repos.tar.gz',
    )
    .action((dir: string, options: Options, command: Command) => {
      if (options.signingKey === undefined)
        refuse(command, ['signingAlg', 'signingKeyId'], 'is of a signature: give --signing-key, too.');
      return options.watch
        ? watching(io, [resolve(io.cwd, dir)], () => build(io, dir, options))
        : build(io, dir, options);
    });
}

async function build(io: Io, dir: string, options: Options): Promise<void> {
  const compiled = await compilePolicy(resolve(io.cwd, dir), {
    opa: await resolveOpa({ env: io.env }),
    tests: true,
    optimize: options.optimize,
    ...(options.revision === undefined ? {} : { revision: options.revision }),
    ...(options.entrypoint === undefined ? {} : { entrypoints: options.entrypoint.map(entrypointOf) }),
  });
  const bundle = { ...compiled, approvals: await approvalsAt(io, options.approvals) };
  // A bundle that cannot be loaded is not written.
  const served = ENTRYPOINTS.every((e) => bundle.manifest.wasm.some((w) => w.entrypoint === e));
  await (served ? createSnapshot(bundle) : createRuntime(bundle, DEFAULT_LIMITS));
  const key =
    options.signingKey === undefined
      ? undefined
      : {
          kid: options.signingKeyId,
          algorithm: options.signingAlg,
          file: resolve(io.cwd, options.signingKey),
        };
  const file = resolve(io.cwd, options.output);
  const bytes = await writeBundle(bundle, key);
  await replaceFile(file, bytes, `The bundle ${options.output}`);
  const size = bytes.length;
  const entrypoints = Object.fromEntries(
    [...(bundle.reads ?? [])].map(([name, reads]) => [
      name,
      { input: reads.input.map((p) => ['input', ...p].join('.')), reads_time: reads.reads_time },
    ]),
  );
  if (options.json) {
    io.stdout.write(
      `${JSON.stringify({ file: options.output, size, revision: bundle.revision, content_digest: contentDigest(bundle), signed_by: key?.kid ?? null, unit_tests: bundle.tests?.tests.length ?? 0, unoptimized: bundle.unoptimized ?? null, entrypoints, resources: [...bundle.catalogs.keys()] }, null, 2)}\n`,
    );
    return;
  }
  io.stdout.write(
    `${options.output}: ${size} bytes, revision ${bundle.revision}, ${key === undefined ? 'not signed' : `signed by ${key.kid} (${key.algorithm})`}\n`,
  );
  if (bundle.unoptimized !== undefined)
    io.stdout.write(
      `note built without OPA's optimizer (--optimize 0), so decisions may take longer: ${bundle.unoptimized}\n`,
    );
  const tests = bundle.tests?.tests ?? [];
  if (tests.length > 0)
    io.stdout.write(
      `${tests.length} unit tests, which a sidecar runs before the policy goes live; "sluice test" runs them now\n`,
    );
  for (const { package: of, name, reason } of tests)
    if (reason !== undefined) io.stdout.write(`note ${of}: ${name}: not run on the engine: ${reason}\n`);
  if (!served)
    io.stdout.write(
      `It answers ${Object.keys(entrypoints).join(', ')}; a sidecar refuses it, for it asks ${ENTRYPOINTS.join(' and ')}.\n`,
    );
  for (const [name, { input, reads_time }] of Object.entries(entrypoints)) {
    io.stdout.write(`${name} reads${reads_time ? ' the time and' : ''}\n`);
    for (const path of input) io.stdout.write(`  ${path}\n`);
  }
}

async function approvalsAt(io: Io, file: string | undefined): Promise<readonly string[]> {
  if (file === undefined) return [];
  const text = await readFile(resolve(io.cwd, file), 'utf8').catch((cause: unknown) => {
    throw new SluiceError('input_invalid', { message: `The approvals ${file} cannot be read.`, cause });
  });
  return readApprovals(text, file);
}

/** normalizes a path: `data.sluice.extra` and `sluice/extra` are the same */
const entrypointOf = (text: string): string => text.replace(/^data\./, '').replaceAll('.', '/');
