/** Lists and reads the files of a policy directory, by purpose. */
import { isUtf8 } from 'node:buffer';
import { type Stats, statSync } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError } from '../errors.ts';
import { readStable, stampOf } from '../observability/stable.ts';
import { faultError } from '../documents/faults.ts';

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
const GONE: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR']);
const DOCUMENT = /\.(?:ya?ml|json)$/;

export interface ListedFile {
  /** with forward slashes, relative to the directory */
  readonly path: string;
  /** bytes */
  readonly size: number;
  /** path without links, so that a link that changes during the read does not mix two versions */
  readonly real: string;
  readonly stamp: string;
}

/**
 * Lists the files. Follows links, because a Kubernetes ConfigMap is a directory of links; skips names that start with a dot.
 * @throws SluiceError `policy_unavailable`, `policy_compile_failed`
 */
export const listPolicyFiles = async (dir: string): Promise<ListedFile[]> => {
  const found: ListedFile[] = [];
  const walk = async (relative: string, directory: string, depth: number): Promise<void> => {
    if (depth > 20)
      throw new SluiceError(
        'policy_compile_failed',
        `${join(dir, relative)}: nested more than 20 directories deep, or a link leads back.`,
      );
    const entries = await readdir(directory, { withFileTypes: true }).catch((e: NodeJS.ErrnoException) => {
      // Listed a moment ago: the directory is being replaced, and the next listing differs.
      if (depth > 0 && GONE.has(e.code)) return [];
      throw e;
    });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const { name } = entry;
      if (name.startsWith('.') || name === 'node_modules') continue;
      const path = relative === '' ? name : `${relative}/${name}`;
      const readable = name.endsWith('.rego') || DOCUMENT.test(name);
      if (entry.isFile() && !readable) continue;
      // Only links are resolved: the directory is listed every two seconds, and to resolve each file took most of what an idle process does.
      const plain = entry.isFile() || entry.isDirectory();
      const real = plain ? join(directory, name) : await realpath(join(directory, name)).catch(() => null);
      const s = real === null ? null : statOf(real);
      if (real !== null && s?.isDirectory()) await walk(path, real, depth + 1);
      else if (!readable) continue;
      else if (real !== null && s?.isFile()) found.push({ path, size: s.size, real, stamp: stampOf(real) });
      // A dangling link is a file that cannot be read, and not a missing file.
      else if (real === null) found.push({ path, size: 0, real: join(directory, name), stamp: 'nowhere' });
      if (found.length > MAX_FILES)
        throw new SluiceError('policy_compile_failed', `${dir}: more than ${MAX_FILES} policy files.`);
    }
  };
  try {
    // Resolved once, since a link to the directory may change to another version during the read.
    await walk('', await realpath(dir), 0);
  } catch (cause) {
    throw unavailable(dir, dir, cause);
  }
  return found;
};

const statOf = (path: string): Stats | null => {
  try {
    return statSync(path);
  } catch {
    return null;
  }
};

const unavailable = (dir: string, what: string, cause?: unknown): SluiceError =>
  cause instanceof SluiceError
    ? cause
    : new SluiceError('policy_unavailable', {
        message: `${what === dir ? `The policy directory ${dir}` : what} cannot be read.`,
        ...(cause === undefined ? {} : { cause }),
        at: { file: what },
      });

/** attempts to read a directory that changes during the read, and the pause between them */
const TRIES = 20;
const PAUSE_MS = 50;

/** attempts in which the directory may be missing: it is, between two renames that replace it */
const ABSENT_TRIES = 3;

/** null: the directory is not there, and may be in a moment. @throws SluiceError as `listPolicyFiles` does */
const whileThere = async (dir: string, absences: { count: number }): Promise<ListedFile[] | null> => {
  try {
    return await listPolicyFiles(dir);
  } catch (e) {
    const { code } = ((e as SluiceError).cause ?? {}) as NodeJS.ErrnoException;
    if (GONE.has(code) && absences.count++ < ABSENT_TRIES) return null;
    throw e;
  }
};

/**
 * Reads one consistent version of the directory. Starts again if a file changed during the read.
 * @throws SluiceError `policy_unavailable`, `policy_compile_failed`
 */
export const readPolicyDirectory = async (dir: string): Promise<PolicyDirectory> => {
  const absences = { count: 0 };
  for (let tries = 0; tries < TRIES; tries++) {
    if (tries > 0) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    const listed = await whileThere(dir, absences);
    if (listed === null) continue;
    if (listed.reduce((n, f) => n + f.size, 0) > MAX_BYTES)
      throw new SluiceError('policy_compile_failed', `${dir}: more than ${MAX_BYTES} bytes of policy files.`);
    const files: PolicyFile[] = [];
    let failure: SluiceError | null = null;
    for (const { path, real } of listed) {
      try {
        files.push({ path, text: textOf(join(dir, path), readStable(real, MAX_BYTES).bytes) });
      } catch (cause) {
        failure ??= unavailable(dir, join(dir, path), cause);
      }
    }
    // A file that cannot be read may belong to a version that is being replaced.
    const after = await whileThere(dir, absences);
    if (after === null || !sameFiles(listed, after)) continue;
    if (failure !== null) throw failure;
    return byPurpose(dir, files);
  }
  throw new SluiceError('policy_unavailable', {
    message: `The policy directory ${dir} keeps changing while it is read.`,
    at: { file: dir },
  });
};

/** keeps a byte order mark, which is part of the file */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Refuses text that is not UTF-8, since it could be read as other names. @throws SluiceError `policy_compile_failed` */
const textOf = (file: string, bytes: Uint8Array): string => {
  try {
    return utf8.decode(bytes);
  } catch {
    const lines = Buffer.from(bytes).toString('latin1').split('\n');
    const line = lines.findIndex((l) => !isUtf8(Buffer.from(l, 'latin1'))) + 1;
    throw faultError('policy_compile_failed', [
      { file, ...(line > 0 ? { line } : {}), message: 'this is not UTF-8. Save the file as UTF-8' },
    ]);
  }
};

const sameFiles = (a: readonly ListedFile[], b: readonly ListedFile[]): boolean =>
  a.length === b.length &&
  a.every((f, i) => f.path === b[i]!.path && f.real === b[i]!.real && f.stamp === b[i]!.stamp);

/** Data files outside of `data/`, as in OPA's bundles: `lib/data.json` is `data.lib`. */
const BESIDE_RULES = /^(?!(?:data|catalog|scenarios)\/)(?:.*\/)?data\.(?:json|ya?ml)$/;

const isTest = (path: string): boolean => path.endsWith('_test.rego');
const isScenario = (path: string): boolean => path.startsWith('scenarios/') && DOCUMENT.test(path);

/** Files that do not change the policy's answers. A Rego file in the folder of scenarios is a rule. */
export const decidesNothing = (path: string): boolean => isTest(path) || isScenario(path);

/** groups the files by purpose, from their names */
export const byPurpose = (dir: string, files: readonly PolicyFile[]): PolicyDirectory => {
  const below = (folder: string): PolicyFile[] =>
    files.filter((f) => f.path.startsWith(`${folder}/`) && DOCUMENT.test(f.path));
  const rego = files.filter((f) => f.path.endsWith('.rego'));
  return {
    dir,
    rego: rego.filter((f) => !isTest(f.path)),
    tests: rego.filter((f) => isTest(f.path)),
    data: [...below('data'), ...files.filter((f) => BESIDE_RULES.test(f.path))],
    catalogs: below('catalog'),
    scenarios: files.filter((f) => isScenario(f.path)),
  };
};
