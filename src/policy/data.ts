/** The base document of a policy: its data files merged, and its catalogs. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isObject, readYaml } from '../documents/yaml.ts';
import type { Catalog } from '../model/catalog.ts';
import { exactJson } from '../rego/index.ts';
import { classesOf } from './catalog/classes.ts';
import { readCatalogs } from './catalog/read.ts';
import type { PolicyDirectory, PolicyFile } from './directory.ts';
import { KEEP_NOTHING, type Keep, keyOf } from './keep.ts';
import { type Fault, faultError } from '../documents/faults.ts';
import { faultsOf } from './opa/faults.ts';
import type { Opa, OpaRun } from './opa/opa.ts';

export interface PolicyData {
  /** without loss of precision */
  readonly exact: { readonly [name: string]: unknown };
  readonly catalogs: ReadonlyMap<string, Catalog>;
  readonly json: string;
}

/** The base document of a policy: its data files, catalogs and classes. @throws SluiceError `policy_data_invalid`, `catalog_invalid` */
export const policyData = async (
  files: PolicyDirectory,
  opa: Opa,
  keep: Keep = KEEP_NOTHING,
): Promise<PolicyData> =>
  keep(keyOf('data', [files.dir], files.data, files.catalogs), async () => {
    const { exact, catalogs } = withCatalogs(files, await mergedData(files, opa));
    return { exact, catalogs, json: exactJson.stringify(exact) };
  });

/** Faults and their places come from our YAML reader, values from OPA, whose YAML version (1.1, where `yes` is true) and merge rules apply. */
const mergedData = async (files: PolicyDirectory, opa: Opa): Promise<{ [name: string]: unknown }> => {
  const faults: Fault[] = [];
  for (const f of files.data) {
    const read = readYaml(join(files.dir, f.path), f.text);
    if ('faults' in read) faults.push(...read.faults);
    else if (!isObject(read.document.value))
      faults.push(read.document.fault([], 'a data file is a mapping; its top-level keys become data.<key>'));
  }
  if (faults.length > 0) throw faultError('policy_data_invalid', faults);
  if (files.data.length === 0) return Object.create(null);
  // OPA reads a colon in a file name as a prefix, so the files are given numbers as names.
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
    /** some of OPA's errors name the file in their text only */
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
  const answer = exactJson.parse(run.stdout) as {
    result: [{ expressions: [{ value: { [name: string]: unknown } }] }];
  };
  return answer.result[0].expressions[0].value;
};

/** OPA's prefix for a data file: a file in a folder of rules belongs below the name of that folder. */
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
