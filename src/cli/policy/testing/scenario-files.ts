/** Reads scenario files and checks them against their schema; each scenario has its line. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError } from '../../../errors.ts';
import type { YamlDocument } from '../../../documents/yaml.ts';
import { listPolicyFiles, type PolicyFile } from '../../../policy/directory.ts';
import type { Fault } from '../../../documents/faults.ts';
import type { ScenarioFile } from '../../../policy/schemas/scenario.ts';
import { createSnapshot, type LivePolicy } from '../../../policy/snapshot/index.ts';
import { exactJson } from '../../../rego/index.ts';
import { readDocument } from '../check/documents.ts';

export interface ScenarioDocument {
  /** for display */
  readonly file: string;
  readonly content: ScenarioFile;
  /** line of the scenario at this index */
  line(index: number): number;
  readonly document: YamlDocument;
}

export interface ReadScenarios {
  readonly documents: readonly ScenarioDocument[];
  readonly faults: readonly Fault[];
}

export function readScenarios(dir: string, files: readonly PolicyFile[]): ReadScenarios {
  const documents: ScenarioDocument[] = [];
  const faults: Fault[] = [];
  for (const { path, text } of files) {
    const file = join(dir, path);
    const read = readDocument(file, text, 'scenario.schema.json');
    faults.push(...read.faults);
    if (read.document === null || read.faults.length > 0) continue;
    const { document } = read;
    documents.push({
      file,
      content: document.value as ScenarioFile,
      line: (index) => document.fault(['scenarios', index], '').line ?? 1,
      document,
    });
    faults.push(...repeated(document));
  }
  return { documents, faults };
}

/** Names must be unique, since scenarios are selected by name. */
function repeated(document: YamlDocument): Fault[] {
  const seen = new Set<string>();
  return (document.value as ScenarioFile).scenarios.flatMap(({ name }, i) => {
    if (!seen.has(name)) {
      seen.add(name);
      return [];
    }
    return [document.fault(['scenarios', i, 'name'], 'another scenario of this file has the same name')];
  });
}

/** @throws SluiceError `input_invalid` */
export async function scenarioFilesAt(path: string): Promise<{ dir: string; files: PolicyFile[] }> {
  const s = await stat(path).catch(() => null);
  if (s === null)
    throw new SluiceError(
      'input_invalid',
      `There is nothing at ${path}. Name a policy, scenarios, or a directory of them.`,
    );
  if (s.isFile()) return { dir: '', files: [{ path, text: await readFile(path, 'utf8') }] };
  const listed = (await listPolicyFiles(path)).filter((f) => /\.ya?ml$/.test(f.path));
  return {
    dir: path,
    files: await Promise.all(
      listed.map(async (f) => ({ path: f.path, text: await readFile(join(path, f.path), 'utf8') })),
    ),
  };
}

/** A policy with the data of a scenario file; the rules are compiled without data. @throws SluiceError of `createSnapshot` */
export const policyWith = (
  { source }: LivePolicy,
  data: NonNullable<ScenarioFile['data']>,
): Promise<LivePolicy> => {
  const exact = exactJson.parse(source.dataJson) as { readonly [name: string]: unknown };
  return createSnapshot({
    ...source,
    data: { ...source.data, ...data },
    dataJson: exactJson.stringify({ ...exact, ...data }),
  });
};
