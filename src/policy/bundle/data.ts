/** The base documents of a bundle: its data files merged, each below the path of its folder, and checked against its roots. */
import { SluiceError } from '../../errors.ts';
import type { Files } from './archive.ts';
import { isObject, parseBundled } from '../../documents/yaml.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

export const mergeData = (
  files: Files,
  json: (path: string) => unknown,
  fail: (message: string, cause?: unknown) => never,
): { [name: string]: unknown } => {
  const root: { [name: string]: unknown } = Object.create(null);
  for (const path of [...files.keys()].sort()) {
    const [, dir = '', file] = /^(?:(.*)\/)?([^/]+)$/.exec(path)!;
    if (dir.startsWith('.sluice')) continue;
    let value: unknown;
    if (file === 'data.json') value = json(path);
    else if (file === 'data.yaml' || file === 'data.yml') {
      try {
        value = parseBundled(utf8.decode(files.get(path)));
      } catch (cause) {
        fail(`${path} is not YAML.`, cause);
      }
    } else continue;
    let target = root;
    for (const step of dir === '' ? [] : dir.split('/')) {
      target[step] ??= Object.create(null);
      if (!isObject(target[step])) fail(`${path} lies below a value of another data file.`);
      target = target[step] as { [name: string]: unknown };
    }
    if (!isObject(value)) return fail(`${path} does not hold an object.`);
    if (!merge(target, value)) fail(`${path} contradicts another data file.`);
  }
  return root;
};

/** @returns false if both documents have a value at the same path and one of them is not an object */
const merge = (into: { [name: string]: unknown }, from: { readonly [name: string]: unknown }): boolean =>
  Object.entries(from).every(([key, value]) => {
    if (!(key in into)) {
      into[key] = value;
      return true;
    }
    const there = into[key];
    return isObject(there) && isObject(value) && merge(there as { [name: string]: unknown }, value);
  });

/** Checks the roots, which are the parts of `data` that the bundle owns: no root may contain another, and no data may lie outside. */
export const checkRoots = (
  roots: readonly string[],
  data: { readonly [name: string]: unknown },
  name: string,
): void => {
  const clean = roots.map((r) => r.replace(/^\/+|(?<!\/)\/+$/g, ''));
  for (const [i, a] of clean.entries())
    for (const b of clean.slice(i + 1))
      if (a === b || a === '' || b === '' || a.startsWith(`${b}/`) || b.startsWith(`${a}/`))
        throw new SluiceError(
          'bundle_roots_overlap',
          `${name}: .manifest: the roots "${a}" and "${b}" overlap.`,
        );
  if (clean.includes('')) return;
  const outside = (value: { readonly [name: string]: unknown }, at: string): string | null => {
    for (const [key, v] of Object.entries(value)) {
      const path = at === '' ? key : `${at}/${key}`;
      if (clean.some((r) => path === r || path.startsWith(`${r}/`))) continue;
      if (!clean.some((r) => r.startsWith(`${path}/`)) || !isObject(v)) return path;
      const deeper = outside(v, path);
      if (deeper !== null) return deeper;
    }
    return null;
  };
  const stray = outside(data, '');
  if (stray !== null)
    throw new SluiceError(
      'bundle_malformed',
      `${name}: data at "${stray}" lies outside the roots of .manifest.`,
    );
};
