/**
 * Differences between the data and rules of two policies, line by line. They also show changes that no answer shows, because their subject was
 * queried in one way only. `grid-catalogs.ts` compares catalogs.
 */
import { isDeepStrictEqual } from 'node:util';
import { isObject } from '../../../documents/yaml.ts';
import type { LivePolicy } from '../../../policy/snapshot/index.ts';

/** A member of the data, or a file of rules. */
export interface SourceChange {
  /** `purposes.claims.mfa`, `sluice/decision.rego` */
  readonly at: string;
  /** JSON of a member of the data, `present` for a file of rules; null: absent before, or after */
  readonly before: string | null;
  readonly after: string | null;
}

/** derived from the catalogs, or compared with them */
const DERIVED: ReadonlySet<string> = new Set(['classes', 'catalog', 'identifiers']);
/** from a bundle without a list of its sources */
const COMPILED = 'compiled rules';

export function sourceChanges(before: LivePolicy, after: LivePolicy): SourceChange[] {
  const data = [before, after].map((p) =>
    Object.fromEntries(Object.entries(p.data).filter(([name]) => !DERIVED.has(name))),
  );
  return [...members([], data[0], data[1]), ...rules(before, after)];
}

function members(path: readonly string[], a: unknown, b: unknown): SourceChange[] {
  if (isDeepStrictEqual(a, b)) return [];
  if (isObject(a) && isObject(b))
    return [...new Set([...Object.keys(a), ...Object.keys(b)])]
      .sort()
      .flatMap((name) => members([...path, name], own(a, name), own(b, name)));
  return [{ at: path.join('.'), before: spelled(a), after: spelled(b) }];
}

const own = (of: { readonly [name: string]: unknown }, name: string): unknown =>
  Object.hasOwn(of, name) ? of[name] : undefined;
const spelled = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));

/** Files of rules that differ; files that compile to the same module count as equal. */
function rules({ source: a }: LivePolicy, { source: b }: LivePolicy): SourceChange[] {
  if (Buffer.compare(a.wasm, b.wasm) === 0) return [];
  const isRule = (path: string): boolean => path.endsWith('.rego') && !path.endsWith('_test.rego');
  const files = [...new Set([...Object.keys(a.sources), ...Object.keys(b.sources)])].filter(isRule).sort();
  const known = [a, b].every(({ sources }) => Object.keys(sources).some(isRule));
  const differing = known ? files.filter((path) => a.sources[path] !== b.sources[path]) : [];
  const names = differing.length > 0 ? differing : [COMPILED];
  const has = ({ sources }: typeof a, path: string): string | null =>
    path === COMPILED || Object.hasOwn(sources, path) ? 'present' : null;
  return names.map((at) => ({ at, before: has(a, at), after: has(b, at) }));
}
