/** A cache of results that were computed from files, by their content. */
import { createHash } from 'node:crypto';
import type { PolicyFile } from './directory.ts';

/** Returns the result for the same key from before, or computes it. A watch compiles only what changed. */
export type Keep = <T>(key: string, make: () => Promise<T>) => Promise<T>;

export const KEEP_NOTHING: Keep = (_, make) => make();

export const keyOf = (
  of: string,
  more: readonly unknown[],
  ...files: readonly (readonly PolicyFile[])[]
): string => {
  const named = files.map((some) => some.map((f) => [f.path, f.text]));
  return `${of} ${createHash('sha256')
    .update(JSON.stringify([more, named]))
    .digest('hex')}`;
};
