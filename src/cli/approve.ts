/** `sluice approve`: a reviewer signs that one policy may go live. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { SluiceError } from '../errors.ts';
import {
  contentDigest,
  MAX_APPROVALS,
  readApprovals,
  type Statement,
  signApproval,
} from '../policy/bundle/approval.ts';
import { APPROVAL_ALGORITHMS, type SigningAlgorithm } from '../policy/settings.ts';
import type { Io } from './io.ts';
import { oneOf, refuse } from './options.ts';
import { openPolicy } from './policy/source.ts';
import { replaceFile } from './replace.ts';

interface Options {
  readonly digest?: string;
  readonly reviewer?: string;
  readonly author?: string;
  readonly until?: string;
  readonly key?: string;
  readonly keyId: string;
  readonly alg: SigningAlgorithm;
  readonly output: string;
  readonly json?: boolean;
}

const day = (text: string): string => {
  const time = Date.parse(`${text}T00:00:00Z`);
  if (
    !/^\d{4}-\d{2}-\d{2}$/.test(text) ||
    Number.isNaN(time) ||
    !new Date(time).toISOString().startsWith(text)
  )
    throw new InvalidArgumentError('A day is wanted, e.g. 2026-12-31.');
  return text;
};
const digest = (text: string): string => {
  if (!/^sha256:[0-9a-f]{64}$/.test(text))
    throw new InvalidArgumentError('sha256: and 64 hexadecimal digits are wanted.');
  return text;
};

export function command(io: Io): Command {
  return new Command('approve')
    .description(
      'Sign that a policy may go live (policy.require_approval); without --key, print the digest of its content.',
    )
    .argument('[policy]', 'directory or bundle', 'policies')
    .option(
      '--digest <digest>',
      'digest on the sign-off sheet; a policy with another digest is not approved (required with --key)',
      digest,
    )
    .option('--reviewer <name>', 'who approves it')
    .option('--author <name>', 'who made the change; must not be the reviewer')
    .option('--until <day>', 'last day on which this approval is valid', day)
    .option('--key <file>', "the reviewer's PKCS #8 private key (PEM)")
    .option('--key-id <id>', 'name of the key in policy.require_approval.keys', 'default')
    .option('--alg <name>', 'how it is signed', oneOf(APPROVAL_ALGORITHMS), 'ES256')
    .option('-o, --output <file>', 'file to which the approval is added', 'approvals.json')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  sluice approve policies\n  sluice approve policies --digest sha256:… --reviewer "Li Lei" --author "Han Meimei" --key li.pem --key-id li-2026',
    )
    .action((policy: string, options: Options, command: Command) => {
      if (options.key === undefined)
        refuse(
          command,
          ['reviewer', 'author', 'until', 'keyId', 'alg', 'output'],
          'is of an approval, which is signed with --key.',
        );
      return approve(io, policy, options);
    });
}

async function approve(io: Io, policy: string, options: Options): Promise<void> {
  const { key, reviewer } = options;
  if (key !== undefined) {
    if (reviewer === undefined || reviewer.trim() === '')
      throw new SluiceError('usage_invalid', 'Say who approves it: --reviewer.');
    // The files now at this path may differ from those that were read.
    if (options.digest === undefined)
      throw new SluiceError(
        'usage_invalid',
        `Say what was reviewed: --digest, as it stands on the sign-off sheet. Nothing was approved. (sluice approve ${policy}, without --key, prints the digest of what is there.)`,
      );
  }
  const { bundle } = await openPolicy(policy, io);
  const content = contentDigest(bundle);
  if (options.digest !== undefined && options.digest !== content) {
    io.exitCode = 1;
    io.stderr.write(
      `sluice: ${policy} is not what was reviewed: its content is ${content}. Nothing was approved.\n`,
    );
    return;
  }
  if (key === undefined || reviewer === undefined) {
    io.stdout.write(
      options.json
        ? `${JSON.stringify({ policy, revision: bundle.revision, digest: content }, null, 2)}\n`
        : `${content}  ${policy} (revision ${bundle.revision})\n`,
    );
    return;
  }
  const statement: Statement = {
    digest: content,
    revision: bundle.revision,
    reviewer,
    ...(options.author === undefined ? {} : { author: options.author }),
    approved_at: new Date().toISOString(),
    ...(options.until === undefined ? {} : { until: options.until }),
  };
  const token = await signApproval(statement, {
    kid: options.keyId,
    algorithm: options.alg,
    file: resolve(io.cwd, key),
  });
  const file = resolve(io.cwd, options.output);
  const before = await there(file);
  if (before.length >= MAX_APPROVALS)
    throw new SluiceError(
      'input_invalid',
      `${options.output} holds ${before.length} approvals, and with more than ${MAX_APPROVALS} it is not read: nothing was added. Take out those of contents that will not go live again.`,
    );
  await replaceFile(
    file,
    `${JSON.stringify({ approvals: [...before, token] }, null, 2)}\n`,
    `The approvals ${options.output}`,
  );
  io.stdout.write(
    options.json
      ? `${JSON.stringify({ ...statement, key: options.keyId, file: options.output }, null, 2)}\n`
      : `${options.output}: ${reviewer} approves ${content} (revision ${bundle.revision}) with key ${options.keyId}\n`,
  );
}

async function there(file: string): Promise<readonly string[]> {
  const text = await readFile(file, 'utf8').catch((e: NodeJS.ErrnoException) => {
    if (e.code === 'ENOENT') return null;
    throw new SluiceError('input_invalid', { message: `${file} cannot be read.`, cause: e });
  });
  return text === null ? [] : readApprovals(text, file);
}
