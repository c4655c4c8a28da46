/** Differences between two policies: one change, the circumstances in which it applies, and which of two outcomes reveals more. */
import { coveringOf, type FieldOutcome, type FieldAt } from '../../../disclosure/fields/outcomes.ts';
import { strictnessOf } from '../../../model/verdict.ts';
import type { LivePolicy } from '../../../policy/snapshot/index.ts';

/** How a field, a limit or an entire request is queried. */
export const DIMENSIONS = [
  'tier',
  'action',
  'kind',
  'department',
  'organization',
  'factor',
  'justification',
  'clearance',
  'state',
] as const;
export type Dimension = (typeof DIMENSIONS)[number];
export type Circumstance = { readonly [D in Dimension]: string };

export type Subject = 'field' | 'write' | 'delete' | 'request' | 'limit';

/** One difference, in one combination. */
export interface Change {
  readonly of: Subject;
  readonly resource: string;
  /** path of the field, name of the limit, '' for the entire request */
  readonly path: string;
  readonly before: FieldOutcome | Limit | Verdict;
  readonly after: FieldOutcome | Limit | Verdict;
  readonly direction: Direction;
}

/** in the order of the output */
export const DIRECTIONS = ['wider', 'other', 'narrower', 'reason'] as const;
export type Direction = (typeof DIRECTIONS)[number];

/** An obligation. */
export interface Limit {
  readonly limit: unknown;
}
/** Of a request, or of the deletion of a record. */
export interface Verdict {
  readonly allow: boolean;
  readonly reasons: readonly string[];
}

export interface Caller {
  readonly role: string;
  readonly purpose: string;
  readonly recipient: string;
}

/** A change with all combinations in which it applies. */
export interface Found {
  readonly change: Change;
  readonly callers: ReadonlyMap<string, { readonly caller: Caller; readonly tuples: Set<string> }>;
}

export interface Compared {
  readonly found: readonly Found[];
  /** caller and resource → circumstances in which either policy allows the request */
  readonly asked: ReadonlyMap<string, ReadonlySet<string>>;
  /** number of fields and queries that were compared */
  readonly cells: number;
  readonly questions: number;
}

export const keyOf = (caller: Caller, resource: string): string =>
  JSON.stringify([caller.role, caller.purpose, caller.recipient, resource]);

export const tupleOf = (c: Circumstance): string => JSON.stringify(DIMENSIONS.map((d) => c[d]));
export const circumstanceOf = (tuple: string): Circumstance => {
  const values = JSON.parse(tuple) as string[];
  return Object.fromEntries(DIMENSIONS.map((d, n) => [d, values[n]])) as unknown as Circumstance;
};

/** obligations of which more is less strict, and of which less is */
const MORE_IS_WIDER: ReadonlySet<string> = new Set(['max_records']);
const LESS_IS_WIDER: ReadonlySet<string> = new Set(['min_group_size']);

export function limitDirection(name: string, from: unknown, to: unknown): Direction {
  if (MORE_IS_WIDER.has(name))
    return size(to, Number.POSITIVE_INFINITY) > size(from, Number.POSITIVE_INFINITY) ? 'wider' : 'narrower';
  if (LESS_IS_WIDER.has(name)) return size(to, 0) < size(from, 0) ? 'wider' : 'narrower';
  // Any other obligation is a condition; removing it is less strict.
  if (name !== 'tier' && isNone(to)) return 'wider';
  if (name !== 'tier' && isNone(from)) return 'narrower';
  return 'other';
}
const isNone = (value: unknown): boolean => value === null || value === false;
const size = (value: unknown, none: number): number => (typeof value === 'number' ? value : none);

/** a field that the catalog does not have */
export const GONE: FieldOutcome = { do: 'drop', because: 'uncatalogued' };

type Side = readonly [LivePolicy, readonly FieldAt[] | null];

/** Differences of a record, field by field. null: the request is denied. */
export function differences(of: 'field' | 'write', resource: string, a: Side, b: Side): Change[] {
  const shared = sharedPaths([a[1], b[1]]);
  const [before, after] = [sideOf(resource, a, shared), sideOf(resource, b, shared)];
  const changes: Change[] = [];
  for (const path of new Set([...after.labels, ...before.labels])) {
    const [from, to] = [before.outcome(path), after.outcome(path)];
    const direction = directionOf(from, to, of);
    if (direction !== null) changes.push({ of, resource, path, before: from, after: to, direction });
  }
  return changes;
}

const DENIED: FieldOutcome = { do: 'withheld', because: 'denied' };

/** A place that records of several types have is told by the type. */
const labelOf = (path: string, resource: string, shared: ReadonlySet<string>): string =>
  shared.has(path) ? `${path} (${resource})` : path;

function sharedPaths(sides: readonly (readonly FieldAt[] | null)[]): ReadonlySet<string> {
  const shared = new Set<string>();
  for (const fields of sides) {
    const seen = new Set<string>();
    for (const { path } of fields ?? []) {
      if (seen.has(path)) shared.add(path);
      seen.add(path);
    }
  }
  return shared;
}

function sideOf(
  resource: string,
  [policy, fields]: Side,
  shared: ReadonlySet<string>,
): { readonly labels: readonly string[]; outcome(label: string): FieldOutcome } {
  if (fields === null) return { labels: [], outcome: () => DENIED };
  const outcomes = new Map(fields.map((f) => [labelOf(f.path, f.resource, shared), f.outcome]));
  const catalog = policy.catalogs.get(resource);
  return {
    labels: [...outcomes.keys()],
    outcome(label) {
      const own = outcomes.get(label);
      if (own !== undefined || catalog === undefined) return own ?? GONE;
      // a place without a line of its own may be within one
      const within = coveringOf(policy.catalogs, catalog, label.replace(/ \([^)]*\)$/, '')).flatMap((c) =>
        c.path === null ? [] : (outcomes.get(labelOf(c.path, c.resource, shared)) ?? []),
      );
      return within.sort((x, y) => openness(y) - openness(x))[0] ?? GONE;
    },
  };
}

/** how much of a value remains: 0 for nothing */
const openness = (outcome: FieldOutcome): number =>
  outcome.do === 'withheld' ? 0 : strictnessOf('drop') - strictnessOf(outcome.do);

/** null: no difference */
export function directionOf(
  from: FieldOutcome,
  to: FieldOutcome,
  of: 'field' | 'write' = 'field',
): Direction | null {
  // A field that is not disclosed completely is not writable, however much of it is shown.
  const open = (outcome: FieldOutcome): number =>
    of === 'field' ? openness(outcome) : Number(outcome.do === 'disclose');
  const [a, b] = [open(from), open(to)];
  if (a !== b) return b > a ? 'wider' : 'narrower';
  if (of === 'write') return from.because === to.because ? null : 'reason';
  const nothing = a === 0;
  if (!nothing && from.do === to.do && JSON.stringify(from.with ?? {}) !== JSON.stringify(to.with ?? {}))
    return 'other';
  return from.because === to.because && from.do === to.do ? null : 'reason';
}
