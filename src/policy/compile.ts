/**
 * A policy directory → bundle. OPA checks and compiles the Rego; this file decides what it is given.
 *
 * The rules are compiled without the data: OPA's optimiser evaluates whatever it knows, and would unroll a loop over a
 * thousand roles into a thousand rules, whose evaluation then costs a thousand times as much. Left as a reference, data
 * is looked up by key.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SluiceError } from '../errors.ts';
import { type Files, readArchive } from './bundle/archive.ts';
import type { EntrypointReads, PolicyBundle } from './bundle/bundle.ts';
import { replacedHelpers } from './bundle/optimized.ts';
import { type PolicyData, policyData } from './data.ts';
import { decidesNothing, type PolicyDirectory, readPolicyDirectory } from './directory.ts';
import { KEEP_NOTHING, type Keep, keyOf } from './keep.ts';
import { numbersKept } from '../rego/index.ts';
import { OPA_VERSION, type Opa, type OpaRun } from './opa/opa.ts';
import { compileError } from './opa/compile-faults.ts';
import { type Plan, readsOfPlan } from './opa/reads.ts';
import { compileUnitTests } from './unit-tests/compile.ts';
import { checkedFault, write } from './unit-tests/list.ts';
import { capabilitiesText } from './opa/refused.ts';

export const ENTRYPOINTS = ['sluice/decision', 'sluice/disclosure'] as const;

export interface CompileOptions {
  readonly opa: Opa;
  /** besides `sluice/decision` and `sluice/disclosure`; instead of them, where no file is of `package sluice` */
  readonly entrypoints?: readonly string[];
  /** instead of all others */
  readonly only?: readonly string[];
  /** default: digest of everything the policy is made of */
  readonly revision?: string;
  /** keep `print()` calls; for `sluice eval` */
  readonly print?: boolean;
  /** of OPA's compiler; default 1 */
  readonly optimize?: 0 | 1;
  /** keeps what is made of the same files, see `Keep` */
  readonly keep?: Keep;
  /** compile its unit tests, too, for whoever tries the policy before it goes live; not of rules that a sidecar refuses */
  readonly tests?: boolean;
}

/** @throws SluiceError `policy_compile_failed`, `policy_builtin_refused`, `policy_data_invalid`, `catalog_invalid`, `bundle_entrypoint_missing`, `policy_unavailable` */
export const compilePolicy = async (dir: string, options: CompileOptions): Promise<PolicyBundle> =>
  compileFiles(await readPolicyDirectory(dir), options);

export const compileFiles = async (
  files: PolicyDirectory,
  options: CompileOptions,
): Promise<PolicyBundle> => {
  if (files.rego.length === 0)
    throw new SluiceError('policy_compile_failed', {
      message: `${files.dir}: no Rego file in the policy directory. Put its rules there: those of the default policy are policies/sluice.`,
      at: { file: files.dir },
    });
  const data = await policyData(files, options.opa, options.keep);
  const testing = withTests(files, options)
    ? compileUnitTests(options.opa, files, undefined, data.json)
    : Promise.resolve(null);
  // What is wrong with the rules is told before what is wrong with the tests.
  testing.catch(() => undefined);
  const compiled = await compileRules(files, data, options);
  const tests = await testing;
  const sources = Object.fromEntries(
    [files.rego, files.tests, files.data, files.catalogs, files.scenarios]
      .flat()
      .map((f) => [f.path, f.text]),
  );
  const revision = options.revision ?? digestOf(sources, compiled.entrypoints);
  const plain = numbersKept.plain(data.exact) as { readonly [name: string]: unknown };
  return {
    name: files.dir,
    revision,
    wasm: compiled.wasm,
    data: plain,
    dataJson: data.json,
    reads: compiled.reads,
    catalogs: data.catalogs,
    sources,
    approvals: [],
    ...(tests === null ? {} : { tests }),
    ...(compiled.unoptimized === undefined ? {} : { unoptimized: compiled.unoptimized }),
    manifest: {
      revision,
      roots: [''],
      wasm: compiled.entrypoints.map((entrypoint) => ({ entrypoint, module: '/policy.wasm' })),
      metadata: {
        sluice: {
          format: 1,
          opa: OPA_VERSION,
          wasm_sha256: createHash('sha256').update(compiled.wasm).digest('hex'),
          entrypoints: Object.fromEntries(compiled.reads),
        },
      },
    },
  };
};

const digestOf = (sources: { readonly [path: string]: string }, entrypoints: readonly string[]): string => {
  const hash = createHash('sha256').update(`${OPA_VERSION}\0${entrypoints.join('\0')}`);
  // Tests and scenarios do not change what the policy answers.
  for (const path of Object.keys(sources).sort())
    if (!decidesNothing(path))
      hash.update(
        `\0${Buffer.byteLength(path)} ${path}\0${Buffer.byteLength(sources[path]!)} ${sources[path]}`,
      );
  return hash.digest('hex').slice(0, 32);
};

type Level = 0 | 1;
/** why a policy is not optimised */
type Unoptimized = string;
const MISSING = /undefined entrypoint (data\.\S+)|entrypoint "([^"]+)" does not refer to a rule/;
const OURS = /^\s*package\s+sluice\s*(?:#.*)?$/m;

const entrypointsOf = (files: PolicyDirectory, { entrypoints = [], only }: CompileOptions): string[] => {
  if (only !== undefined) return [...only];
  // Rules of another make, for another use than a sidecar's: it refuses them when it loads them.
  const foreign = entrypoints.length > 0 && !files.rego.some((f) => OURS.test(f.text));
  return [...new Set([...(foreign ? [] : ENTRYPOINTS), ...entrypoints])];
};

/** Rules of another make never go live, so that nobody would run their tests. */
const withTests = (files: PolicyDirectory, options: CompileOptions): boolean =>
  options.tests === true && ENTRYPOINTS.every((e) => entrypointsOf(files, options).includes(e));

interface CompiledRules {
  readonly wasm: Uint8Array<ArrayBuffer>;
  readonly reads: ReadonlyMap<string, EntrypointReads>;
  readonly entrypoints: readonly string[];
  readonly unoptimized: Unoptimized | undefined;
}

/** Of the data they depend on nothing but whether some of it stands where rules stand. */
const compileRules = async (
  files: PolicyDirectory,
  data: PolicyData,
  options: CompileOptions,
): Promise<CompiledRules> => {
  const { opa, print = false, optimize = 1, keep = KEEP_NOTHING } = options;
  const entrypoints = entrypointsOf(files, options);
  const roots = rootsOf(files);
  const mixed = roots.find((r) => r === '' || Object.hasOwn(data.exact, r));
  return keep(keyOf('rules', [files.dir, entrypoints, print, optimize, mixed], files.rego), async () => {
    const stage = await mkdtemp(join(tmpdir(), 'sluice-policy-'));
    try {
      return await compileRego(opa, files, stage, { entrypoints, roots, mixed, print, optimize });
    } finally {
      await rm(stage, { recursive: true, force: true });
    }
  });
};

const rootsOf = (files: PolicyDirectory): string[] => [
  ...new Set(files.rego.map((f) => /^\s*package\s+([A-Za-z_]\w*)/m.exec(f.text)?.[1] ?? '')),
];

interface RegoOptions {
  readonly entrypoints: readonly string[];
  /** first steps of the packages' names */
  readonly roots: readonly string[];
  /** the first of them that data may stand in, too */
  readonly mixed: string | undefined;
  readonly print: boolean;
  readonly optimize: Level;
}

const compileRego = async (
  opa: Opa,
  files: PolicyDirectory,
  stage: string,
  { entrypoints, roots, mixed, print, optimize }: RegoOptions,
): Promise<CompiledRules> => {
  const rego = join(stage, 'rego');
  await write(rego, files.rego);
  const capabilities = join(stage, 'capabilities.json');
  await writeFile(capabilities, await capabilitiesText(opa));
  await writeFile(join(rego, '.manifest'), JSON.stringify({ roots }));
  /** what it builds, or how it failed */
  const build = async (target: 'wasm' | 'plan', level: Level): Promise<Files | OpaRun> => {
    const out = join(stage, `${target}.tar.gz`);
    const flags = print && target === 'wasm' ? ['--wasm-include-print'] : [];
    const asked = entrypoints.flatMap((e) => ['-e', e]);
    const run = await opa.run(
      [
        'build',
        '--bundle',
        // A rule that refers to an entrypoint is not made one itself: a function cannot be.
        '--prune-unused',
        '--capabilities',
        capabilities,
        '-O',
        String(level),
        '-t',
        target,
        ...flags,
        ...asked,
        '-o',
        out,
        '.',
      ],
      { cwd: rego },
    );
    return run.code === 0 ? readArchive(await readFile(out), out) : run;
  };
  /** why rules that pass the check do not build without the optimiser */
  const buildError = async (run: OpaRun): Promise<SluiceError> => {
    const missing = MISSING.exec(`${run.stderr}${run.stdout}`);
    if (missing === null) return compileError(opa, files, run, null);
    const rule = (missing[1] ?? missing[2]!.replaceAll('/', '.')).replace(/^(?!data\.)/, 'data.');
    return new SluiceError('bundle_entrypoint_missing', {
      message: `${files.dir}: no rule ${rule}${
        ENTRYPOINTS.some((e) => rule === `data.${e.replace('/', '.')}`)
          ? `; Sluice asks ${ENTRYPOINTS.join(' and ')}. To build rules for another use, name theirs with --entrypoint`
          : ''
      }.`,
      at: { file: files.dir },
    });
  };
  const both = async (level: Level): Promise<{ bundle: Files; planned: Files } | Unoptimized> => {
    const [bundle, planned] = await Promise.all([build('wasm', level), build('plan', level)]);
    if (!('code' in bundle) && !('code' in planned))
      return level === 1 && [bundle, planned].some((b) => replacedHelpers(b) !== undefined)
        ? 'it would take a negation of one entrypoint for that of another'
        : { bundle, planned };
    // It checks no more than a build does, and tells more.
    const fault = await checkedFault(opa, files, rego, ['--capabilities', capabilities]);
    if (fault !== null) throw fault;
    // What fails is the optimiser (it panics, or takes away functions that are still called).
    if (level === 1) return 'it fails on these rules';
    throw await buildError('code' in bundle ? bundle : (planned as OpaRun));
  };
  // Data beside rules of the same package would lie in the roots, so the optimiser would take it for absent.
  const optimized =
    optimize === 0
      ? undefined
      : mixed === undefined
        ? await both(1)
        : `data and rules may both stand in data${mixed && `.${mixed}`}, and it would take the data for absent`;
  const unoptimized = typeof optimized === 'string' ? optimized : undefined;
  const built = typeof optimized === 'object' ? optimized : await both(0);
  // Without the optimiser a build succeeds or throws.
  if (typeof built === 'string') throw new Error(built);
  const { bundle, planned } = built;
  const plan = JSON.parse(new TextDecoder().decode(planned.get('plan.json'))) as Plan;
  const reads = new Map(entrypoints.map((e) => [e, readsOfPlan(plan, e)]));
  return { wasm: new Uint8Array(bundle.get('policy.wasm')!), reads, entrypoints, unoptimized };
};
