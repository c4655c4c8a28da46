/** The files of a policy directory, by what they are for. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError } from '../errors.ts';

export interface PolicyFile {
  /** with forward slashes, relative to the directory */
  readonly path: string;
  readonly text: string;
}

export interface PolicyDirectory {
  readonly dir: string;
  readonly rego: readonly PolicyFile[];
  readonly tests: readonly PolicyFile[];
  readonly data: readonly PolicyFile[];
  readonly catalogs: readonly PolicyFile[];
  readonly scenarios: readonly PolicyFile[];
}

const MAX_FILES = 10_000;
const MAX_BYTES = 64 * 1024 * 1024;
const DOCUMENT = /\.(?:ya?ml|json)$/;

/** Follows links, because a Kubernetes ConfigMap is a directory of links; skips names that start with a dot. */
export const listPolicyFiles = async (
  dir: string,
): Promise<{ path: string; size: number; mtimeMs: number }[]> => {
  const found: { path: string; size: number; mtimeMs: number }[] = [];
  const walk = async (relative: string, depth: number): Promise<void> => {
    if (depth > 20)
      throw new SluiceError(
        'policy_compile_failed',
        `${join(dir, relative)}: nested more than 20 directories deep, or a link leads back.`,
      );
    for (const name of (await readdir(join(dir, relative))).sort()) {
      if (name.startsWith('.') || name === 'node_modules') continue;
      const path = relative === '' ? name : `${relative}/${name}`;
      const s = await stat(join(dir, path)).catch(() => null);
      if (s?.isDirectory()) await walk(path, depth + 1);
      else if (s?.isFile() && (name.endsWith('.rego') || DOCUMENT.test(name)))
        found.push({ path, size: s.size, mtimeMs: s.mtimeMs });
      if (found.length > MAX_FILES)
        throw new SluiceError('policy_compile_failed', `${dir}: more than ${MAX_FILES} policy files.`);
    }
  };
  try {
    await walk('', 0);
  } catch (cause) {
    if (cause instanceof SluiceError) throw cause;
    throw new SluiceError('policy_unavailable', {
      message: `The policy directory ${dir} cannot be read.`,
      cause,
      at: { file: dir },
    });
  }
  return found;
};

/** @throws SluiceError `policy_unavailable`, `policy_compile_failed` */
export const readPolicyDirectory = async (dir: string): Promise<PolicyDirectory> => {
  const listed = await listPolicyFiles(dir);
  if (listed.reduce((n, f) => n + f.size, 0) > MAX_BYTES)
    throw new SluiceError('policy_compile_failed', `${dir}: more than ${MAX_BYTES} bytes of policy files.`);
  const files: PolicyFile[] = [];
  for (const { path } of listed) {
    try {
      files.push({ path, text: await readFile(join(dir, path), 'utf8') });
    } catch (cause) {
      throw new SluiceError('policy_unavailable', {
        message: `${join(dir, path)} cannot be read.`,
        cause,
        at: { file: join(dir, path) },
      });
    }
  }
  const below = (folder: string): PolicyFile[] =>
    files.filter((f) => f.path.startsWith(`${folder}/`) && DOCUMENT.test(f.path));
  const rego = files.filter((f) => f.path.endsWith('.rego'));
  return {
    dir,
    rego: rego.filter((f) => !f.path.endsWith('_test.rego')),
    tests: rego.filter((f) => f.path.endsWith('_test.rego')),
    data: below('data'),
    catalogs: below('catalog'),
    scenarios: below('scenarios'),
  };
};
