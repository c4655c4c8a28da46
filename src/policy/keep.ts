/** What is made of files and kept for the next time, by their content. */
import { createHash } from 'node:crypto';
import type { PolicyFile } from './directory.ts';

/** Answers with what was made for the same key before, or makes it: whoever compiles again and again compiles what changed. */
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
