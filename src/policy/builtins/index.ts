/** Every built-in that OPA 1.19 leaves to its host, by name. */
import type { Builtin, Family } from './types.ts';

const FAMILIES: readonly Family[] = [];

export const builtins: ReadonlyMap<string, Builtin> = new Map(
  FAMILIES.flatMap((family) => Object.entries(family)),
);
