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
import { dirname, join } from 'node:path';
import { SluiceError } from '../errors.ts';
import { readArchive } from './bundle/archive.ts';
import type { EntrypointReads, PolicyBundle } from './bundle/bundle.ts';
import { replacedHelpers } from './bundle/optimized.ts';
import { classesOf, readCatalogs } from './catalog.ts';
import type { Catalog } from '../model/catalog.ts';
import { decidesNothing, type PolicyDirectory, type PolicyFile, readPolicyDirectory } from './directory.ts';
import { isObject, readYaml } from '../documents/yaml.ts';
import { numbersKept } from '../rego/numbers.ts';
import { OPA_VERSION, type Opa, type OpaRun } from './opa/opa.ts';
import { compileError } from './opa/compile-faults.ts';
import { faultError, faultsOf, type PolicyFault } from './opa/faults.ts';
import { type Plan, readsOfPlan } from './reads.ts';
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
  const stage = await mkdtemp(join(tmpdir(), 'sluice-policy-'));
  try {
    const data = await policyData(files, options.opa);
    const testing = withTests(files, options)
      ? compileUnitTests(options.opa, files, undefined, data.json)
      : Promise.resolve(null);
    // What is wrong with the rules is told before what is wrong with the tests.
    testing.catch(() => undefined);
    const compiled = await compileRego(files, data, stage, options);
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
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
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

export interface PolicyData {
  /** every number as it is spelled */
  readonly exact: { readonly [name: string]: unknown };
  readonly catalogs: ReadonlyMap<string, Catalog>;
  readonly json: string;
}

/** The base document of a policy: its data files, catalogs and classes. @throws SluiceError `policy_data_invalid`, `catalog_invalid` */
export const policyData = async (files: PolicyDirectory, opa: Opa): Promise<PolicyData> => {
  const { exact, catalogs } = withCatalogs(files, await mergedData(files, opa));
  return { exact, catalogs, json: numbersKept.stringify(exact) };
};

/** Places come from our reader, values from OPA's: it reads YAML 1.1, where `yes` is true, and its rules for merging count. */
const mergedData = async (files: PolicyDirectory, opa: Opa): Promise<{ [name: string]: unknown }> => {
  const faults: PolicyFault[] = [];
  for (const f of files.data) {
    const read = readYaml(join(files.dir, f.path), f.text);
    if ('faults' in read) faults.push(...read.faults);
    else if (!isObject(read.document.value))
      faults.push(read.document.fault([], 'a data file is a mapping; its top-level keys become data.<key>'));
  }
  if (faults.length > 0) throw faultError('policy_data_invalid', faults);
  if (files.data.length === 0) return Object.create(null);
  // A file's own name may hold a colon, which OPA takes for a prefix: it sees numbers instead.
  const names = files.data.map(
    (f, i) => `${String(i).padStart(5, '0')}${f.path.endsWith('.json') ? '.json' : '.yaml'}`,
  );
  const stage = await mkdtemp(join(tmpdir(), 'sluice-data-'));
  let run: OpaRun;
  try {
    await Promise.all(files.data.map((f, i) => writeFile(join(stage, names[i]!), f.text)));
    const placed = names.map((name, i) => `${prefixOf(files.data[i]!)}${name}`);
    run = await opa.run(['eval', '--format', 'json', ...placed.flatMap((n) => ['-d', n]), 'data'], {
      cwd: stage,
    });
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
  if (run.code !== 0) {
    const original = (text: string): string =>
      names.reduce((t, n, i) => t.replaceAll(n, join(files.dir, files.data[i]!.path)), text);
    /** OPA says of some faults only in their text which file they are in */
    const fileOf = (text: string): { file?: string } => {
      const first = names.findIndex((n) => text.includes(n));
      return first < 0 ? {} : { file: join(files.dir, files.data[first]!.path) };
    };
    throw faultError(
      'policy_data_invalid',
      faultsOf({ ...run, stderr: '', stdout: run.stdout || run.stderr }, '').map((f) => ({
        ...f,
        ...(f.file === undefined ? fileOf(f.message) : { file: original(f.file) }),
        message: original(f.message).replace(
          'merge error',
          'merge error: two data files give the same key different values',
        ),
      })),
    );
  }
  const answer = numbersKept.parse(run.stdout) as {
    result: [{ expressions: [{ value: { [name: string]: unknown } }] }];
  };
  return answer.result[0].expressions[0].value;
};

/** Where a base document belongs: one that lies in a folder of rules below the name of that folder. */
const prefixOf = ({ path }: PolicyFile): string => {
  const folder = path.startsWith('data/') ? '.' : dirname(path);
  return folder === '.' ? '' : `${folder.replaceAll('/', '.')}:`;
};

const withCatalogs = (files: PolicyDirectory, merged: { [name: string]: unknown }) => {
  for (const key of ['catalog', 'classes'])
    if (Object.hasOwn(merged, key))
      throw faultError('policy_data_invalid', [
        {
          file: join(files.dir, 'data'),
          message: `the key "${key}" is made from catalog/*.yaml; name yours differently`,
        },
      ]);
  const list = readCatalogs(files.catalogs.map((f) => ({ file: join(files.dir, f.path), text: f.text })));
  const catalogs = new Map(list.map((c) => [c.resource, c]));
  const exact = {
    ...merged,
    catalog: Object.fromEntries(catalogs),
    classes: Object.fromEntries(list.map((c) => [c.resource, classesOf(c)])),
  };
  return { exact, catalogs };
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

const compileRego = async (
  files: PolicyDirectory,
  data: PolicyData,
  stage: string,
  options: CompileOptions,
): Promise<{
  wasm: Uint8Array<ArrayBuffer>;
  reads: Map<string, EntrypointReads>;
  entrypoints: string[];
  unoptimized: Unoptimized | undefined;
}> => {
  const { opa, print = false, optimize = 1 } = options;
  const entrypoints = entrypointsOf(files, options);
  const rego = join(stage, 'rego');
  await write(rego, files.rego);
  const capabilities = join(stage, 'capabilities.json');
  await writeFile(capabilities, await capabilitiesText(opa));

  const fault = await checkedFault(opa, files, rego, ['--capabilities', capabilities]);
  if (fault !== null) throw fault;

  const roots = [...new Set(files.rego.map((f) => /^\s*package\s+([A-Za-z_]\w*)/m.exec(f.text)?.[1] ?? ''))];
  await writeFile(join(rego, '.manifest'), JSON.stringify({ roots }));
  const build = async (
    target: 'wasm' | 'plan',
    level: Level,
  ): Promise<ReadonlyMap<string, Uint8Array> | Unoptimized> => {
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
    if (run.code === 0) {
      const bundle = await readArchive(await readFile(out), out);
      return level === 1 && replacedHelpers(bundle) !== undefined
        ? 'it would take a negation of one entrypoint for that of another'
        : bundle;
    }
    // The policy was checked: what fails is the optimiser (it panics, or takes away functions that are still called).
    if (level === 1) return 'it fails on these rules';
    const missing = MISSING.exec(`${run.stderr}${run.stdout}`);
    if (missing === null) throw await compileError(opa, files, run, null);
    const rule = (missing[1] ?? missing[2]!.replaceAll('/', '.')).replace(/^(?!data\.)/, 'data.');
    throw new SluiceError('bundle_entrypoint_missing', {
      message: `${files.dir}: no rule ${rule}${
        ENTRYPOINTS.some((e) => rule === `data.${e.replace('/', '.')}`)
          ? `; Sluice asks ${ENTRYPOINTS.join(' and ')}. To build rules for another use, name theirs with --entrypoint`
          : ''
      }.`,
      at: { file: files.dir },
    });
  };
  const both = async (level: Level) => {
    const [bundle, planned] = await Promise.all([build('wasm', level), build('plan', level)]);
    if (typeof bundle === 'string') return bundle;
    return typeof planned === 'string' ? planned : { bundle, planned };
  };
  // Data beside rules of the same package would lie in the roots, so the optimiser would take it for absent.
  const mixed = roots.find((r) => r === '' || Object.hasOwn(data.exact, r));
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
