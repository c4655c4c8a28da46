/**
 * Compiles a policy directory to a bundle. OPA checks and compiles the Rego; this file prepares its input.
 *
 * The rules are compiled without the data. With the data, OPA's optimizer would unroll a loop over a thousand roles into a
 * thousand rules, which are much slower to evaluate. Without it, data is looked up by key.
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
import { exactJson } from '../rego/index.ts';
import { OPA_VERSION, type Opa, type OpaRun } from './opa/opa.ts';
import { compileError } from './opa/compile-faults.ts';
import { refuseLostRules } from './opa/lost-rules.ts';
import { type Plan, readsOfPlan } from './opa/reads.ts';
import { LOG } from '../model/policy.ts';
import { ADMIN } from './settings.ts';
import { compileUnitTests } from './unit-tests/compile.ts';
import { checkedFault, write } from './unit-tests/list.ts';
import { capabilitiesText } from './opa/refused.ts';

export const ENTRYPOINTS = ['sluice/decision', 'sluice/disclosure'] as const;

export interface CompileOptions {
  readonly opa: Opa;
  /** in addition to `sluice/decision` and `sluice/disclosure`; instead of them if no file is of `package sluice` */
  readonly entrypoints?: readonly string[];
  /** the only entrypoints, instead of all others */
  readonly only?: readonly string[];
  /** default: digest of all files of the policy */
  readonly revision?: string;
  /** keep `print()` calls; for `sluice eval` */
  readonly print?: boolean;
  /** optimization level of OPA's compiler; default 1 */
  readonly optimize?: 0 | 1;
  /** cache of results for the same files, see `Keep` */
  readonly keep?: Keep;
  /** compile its unit tests, too, to run them before the policy goes live; ignored for rules without Sluice's entrypoints */
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
  // An error in the rules is reported before an error in the tests.
  testing.catch(() => undefined);
  const compiled = await compileRules(files, data, options);
  const tests = await testing;
  const sources = Object.fromEntries(
    [files.rego, files.tests, files.data, files.catalogs, files.scenarios]
      .flat()
      .map((f) => [f.path, f.text]),
  );
  const revision = options.revision ?? digestOf(sources, compiled.entrypoints);
  const plain = exactJson.plain(data.exact) as { readonly [name: string]: unknown };
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
  // Tests and scenarios do not change the policy's answers.
  for (const path of Object.keys(sources).sort())
    if (!decidesNothing(path))
      hash.update(
        `\0${Buffer.byteLength(path)} ${path}\0${Buffer.byteLength(sources[path]!)} ${sources[path]}`,
      );
  return hash.digest('hex').slice(0, 32);
};

type Level = 0 | 1;
/** the reason why a policy is not optimized */
type Unoptimized = string;
const MISSING = /undefined entrypoint (data\.\S+)|entrypoint "([^"]+)" does not refer to a rule/;
const OURS = /^\s*package\s+sluice\s*(?:#.*)?$/m;
/** entrypoints that a policy need not have */
const OPTIONAL = [ADMIN, LOG];
const hasRule = (entrypoint: string): RegExp =>
  new RegExp(
    `^(?:default\\s+)?${entrypoint.slice('sluice/'.length)}(?=\\s*(?::=|=|if\\b|contains\\b|[.[]))`,
    'm',
  );

const entrypointsOf = (files: PolicyDirectory, { entrypoints = [], only }: CompileOptions): string[] => {
  if (only !== undefined) return [...only];
  // Rules for another purpose. A sidecar refuses them when it loads the bundle.
  const foreign = entrypoints.length > 0 && !files.rego.some((f) => OURS.test(f.text));
  const has = (entrypoint: string): boolean =>
    files.rego.some((f) => OURS.test(f.text) && hasRule(entrypoint).test(f.text));
  const ours = [...ENTRYPOINTS, ...OPTIONAL.filter(has)];
  return [...new Set([...(foreign ? [] : ours), ...entrypoints])];
};

/** Rules without Sluice's entrypoints never go live, so their tests would not be run. */
const withTests = (files: PolicyDirectory, options: CompileOptions): boolean =>
  options.tests === true && ENTRYPOINTS.every((e) => entrypointsOf(files, options).includes(e));

interface CompiledRules {
  readonly wasm: Uint8Array<ArrayBuffer>;
  readonly reads: ReadonlyMap<string, EntrypointReads>;
  readonly entrypoints: readonly string[];
  readonly unoptimized: Unoptimized | undefined;
}

/** The result depends on the data only in so far as data and rules may share a root. */
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
  /** first steps of the package names */
  readonly roots: readonly string[];
  /** the first of them that may also contain data */
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
  /** runs `opa build` @returns the files, or the failed run */
  const build = async (target: 'wasm' | 'plan', level: Level): Promise<Files | OpaRun> => {
    const out = join(stage, `${target}.tar.gz`);
    const flags = print && target === 'wasm' ? ['--wasm-include-print'] : [];
    const asked = entrypoints.flatMap((e) => ['-e', e]);
    const run = await opa.run(
      [
        'build',
        '--bundle',
        // Otherwise rules that refer to an entrypoint become entrypoints, which a function cannot be.
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
  /** the error of rules that pass the check, but do not build without the optimizer */
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
  // A build checks less: not the arguments of `print`, which it removes, and not the schemas in annotations.
  const checked = checkedFault(opa, files, rego, ['--capabilities', capabilities]);
  const both = async (level: Level): Promise<{ bundle: Files; planned: Files } | Unoptimized> => {
    const [fault, bundle, planned] = await Promise.all([checked, build('wasm', level), build('plan', level)]);
    if (fault !== null) throw fault;
    if (!('code' in bundle) && !('code' in planned))
      return level === 1 && [bundle, planned].some((b) => replacedHelpers(b) !== undefined)
        ? 'it would take a negation of one entrypoint for that of another'
        : { bundle, planned };
    // The optimizer failed: it panics, or removes functions that are still called.
    if (level === 1) return 'it fails on these rules';
    throw await buildError('code' in bundle ? bundle : (planned as OpaRun));
  };
  // Data in the same package as rules would lie within the roots, and the optimizer would assume that it is absent.
  const optimized =
    optimize === 0
      ? undefined
      : mixed === undefined
        ? await both(1)
        : `data and rules may both stand in data${mixed && `.${mixed}`}, and it would take the data for absent`;
  const unoptimized = typeof optimized === 'string' ? optimized : undefined;
  const built = typeof optimized === 'object' ? optimized : await both(0);
  // Without the optimizer a build succeeds or throws.
  if (typeof built === 'string') throw new Error(built);
  const { bundle, planned } = built;
  const plan = JSON.parse(new TextDecoder().decode(planned.get('plan.json'))) as Plan;
  await refuseLostRules(opa, plan, files, files.rego, rego);
  const reads = new Map(entrypoints.map((e) => [e, readsOfPlan(plan, e)]));
  return { wasm: new Uint8Array(bundle.get('policy.wasm')!), reads, entrypoints, unoptimized };
};
