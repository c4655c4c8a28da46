/** Data that rules read and no file holds. What depends on it is undefined, so a missing file denies access without a message. */
import type { PolicyDirectory } from '../../../policy/directory.ts';
import type { LivePolicy } from '../../../policy/snapshot/index.ts';
import { type Finding, findings } from './findings.ts';

/** One fault for each name below `data`, even if several rules read it. */
export function absentData({ source }: LivePolicy, { dir, rego }: PolicyDirectory): Finding[] {
  const packages = new Set(
    rego.map(({ text }) => /^\s*package\s+([A-Za-z_]\w*)/m.exec(text)?.[1]).filter((p) => p !== undefined),
  );
  const read = new Set(
    [...(source.reads?.values() ?? [])].flatMap(({ data }) =>
      data.map(([name]) => name).filter((n) => n !== undefined),
    ),
  );
  const absent = [...read].filter((name) => !packages.has(name) && !Object.hasOwn(source.data, name)).sort();
  return findings(
    absent.map((name) => ({
      file: dir,
      message: `the rules read data.${name}, and no file of data/ has it: what depends on it is undefined. Write data/${name}.yaml with the key "${name}", empty ({}) if that is meant`,
    })),
    'data',
  );
}
