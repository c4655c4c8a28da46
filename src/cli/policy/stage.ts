/** A staging directory for OPA: rules under `rego/`, all data in one document, catalogs and classes included. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { PolicyDirectory } from '../../policy/directory.ts';

export interface Staged {
  readonly dir: string;
  /** relative to `dir` */
  readonly rego: string;
  readonly data: string;
  /** file name of OPA → path relative to the policy's directory */
  relative(file: string): string;
  /** file name of OPA → path as the policy names it */
  original(file: string): string;
  remove(): Promise<void>;
}

const REGO = 'rego';
const DATA = 'data.json';

export async function stage(
  files: PolicyDirectory,
  dataJson: string,
  { tests = false }: { readonly tests?: boolean } = {},
): Promise<Staged> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-stage-'));
  const rego = tests ? [...files.rego, ...files.tests] : files.rego;
  for (const sub of new Set(rego.map((f) => dirname(f.path))))
    await mkdir(join(dir, REGO, sub), { recursive: true });
  await Promise.all(rego.map((f) => writeFile(join(dir, REGO, f.path), f.text)));
  await writeFile(join(dir, DATA), dataJson);
  // Replace only the first occurrence: a policy may have a folder of that name, too.
  const relative = (file: string): string => {
    const inside = file.startsWith(`${dir}/`) ? file.slice(dir.length + 1) : file;
    return inside.startsWith(`${REGO}/`) ? inside.slice(REGO.length + 1) : inside;
  };
  return {
    dir,
    rego: REGO,
    data: DATA,
    relative,
    original: (file) => join(files.dir, relative(file)),
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}
