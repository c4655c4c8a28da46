/** Counts of decisions by their members: one fold over merged decisions, the same for every source. Exact; memory grows with the counters alone. */
import { didYouMean } from '../../documents/near-name.ts';
import { SluiceError } from '../../errors.ts';
import { isHashed } from '../data-subject.ts';
import { type Decision, hasDisclosed } from './decision.ts';
import type { DecisionPage, DecisionQuery, QueryInterface } from './query.ts';

/** A value of a member, and whether the decision disclosed something of it. */
type Value = readonly [value: string | null, isDisclosed: boolean];

const one = (value: string | null | undefined): readonly Value[] => [[value ?? null, true]];
const each = (values: Iterable<string>): readonly Value[] => {
  const distinct = [...new Set(values)];
  return distinct.length === 0 ? one(null) : distinct.map((value) => [value, true]);
};

/** Of a repeated value, the last flag counts. */
const flagged = (values: readonly (readonly [string, boolean])[]): readonly Value[] =>
  values.length === 0 ? [[null, false]] : [...new Map(values)];

const MEMBERS = {
  subject: (d) => one(d.subject?.id),
  agent: (d) => one(d.agent?.id),
  data_subject: (d) => {
    const ids = d.disclosure?.data_subjects ?? [];
    if (ids.length > 0) return each(ids);
    // A refused request names nobody. It concerns what was asked for, as in a query for a data subject. Of a change, that is a grant or a key.
    const id =
      d.kind === 'disclosure' || d.kind === 'authzen' || d.kind === 'mcp' ? d.resource?.id : undefined;
    return [[id !== undefined && isHashed(id) ? id : null, false]];
  },
  purpose: (d) => one(d.purpose),
  recipient: (d) => one(d.recipient),
  action: (d) => one(d.action),
  resource: (d) => one(d.resource?.type),
  outcome: (d) => one(d.outcome),
  kind: (d) => one(d.kind),
  reason: (d) => each(d.reasons.map(({ code }) => code)),
  class: (d) =>
    flagged(
      Object.entries(d.disclosure?.by_class ?? {}).map(([name, { disclose = 0 }]) => [name, disclose > 0]),
    ),
  path: (d) =>
    flagged([
      ...(d.disclosure?.withheld ?? []).map(({ path }) => [path, false] as const),
      ...(d.disclosure?.released ?? []).map((path) => [path, true] as const),
    ]),
  grant: (d) => one(d.grant_id),
  policy: (d) => one(d.policy?.revision),
  origin: (d) => each(d.chain.map(({ origin }) => origin)),
  day: (d) => one(utc(d).slice(0, 10)),
  hour: (d) => one(utc(d).slice(11, 13)),
} as const satisfies { readonly [name: string]: (d: Decision) => readonly Value[] };

const utc = ({ timestamp }: Decision): string => new Date(timestamp).toISOString();

export type Member = keyof typeof MEMBERS;
export const COUNT_MEMBERS = Object.keys(MEMBERS) as readonly Member[];

export interface CountSpec {
  /** none: one row for all */
  readonly by: readonly Member[];
  /** count its distinct values in each row, too */
  readonly distinct: Member | null;
}

export interface CountRow {
  /** in the order of `by`; null: the decisions have none */
  readonly values: readonly (string | null)[];
  readonly decisions: number;
  /** of them, those whose answers disclosed something; of a path or class: something of it, undisguised */
  readonly disclosed: number;
  /** distinct values of all decisions */
  readonly distinct?: number;
  /** distinct values of which something was disclosed */
  readonly distinct_disclosed?: number;
}

export interface Counts {
  /** by time if `by` begins with it, else the most frequent first */
  readonly rows: readonly CountRow[];
  /** each decision once, although it may be in several rows */
  readonly decisions: number;
  readonly disclosed: number;
}

/** @throws SluiceError `input_invalid` */
export function countSpec(by: readonly string[], distinct: string | null): CountSpec {
  const members = by.map((name) => memberOf(name));
  if (new Set(members).size < members.length)
    throw new SluiceError('input_invalid', 'A member is named twice to count by.');
  return { by: members, distinct: distinct === null ? null : memberOf(distinct) };
}

function memberOf(name: string): Member {
  if (Object.hasOwn(MEMBERS, name)) return name as Member;
  throw new SluiceError(
    'input_invalid',
    `Decisions are counted by ${COUNT_MEMBERS.join(', ')}${didYouMean(name, COUNT_MEMBERS) || '.'}`,
  );
}

interface Row {
  readonly values: readonly (string | null)[];
  decisions: number;
  disclosed: number;
  readonly distinct: Set<string>;
  readonly disclosedDistinct: Set<string>;
}

/**
 * Ignores `limit` and `cursor` of the query.
 * @throws SluiceError `input_invalid`
 */
export async function countDecisions(
  source: QueryInterface,
  query: DecisionQuery,
  { by, distinct }: CountSpec,
): Promise<Counts> {
  const rows = new Map<string, Row>();
  const rowOf = (values: readonly (string | null)[]): Row => {
    const key = JSON.stringify(values);
    let row = rows.get(key);
    if (row === undefined) {
      row = { values, decisions: 0, disclosed: 0, distinct: new Set(), disclosedDistinct: new Set() };
      rows.set(key, row);
    }
    return row;
  };
  if (by.length === 0) rowOf([]);
  let decisions = 0;
  let disclosed = 0;
  for await (const decision of allResults(source, query)) {
    const isDisclosed = hasDisclosed(decision);
    decisions += 1;
    if (isDisclosed) disclosed += 1;
    const wanted = distinct === null ? [] : MEMBERS[distinct](decision);
    for (const [values, hasGroup] of product(by.map((name) => MEMBERS[name](decision)))) {
      const row = rowOf(values);
      row.decisions += 1;
      if (isDisclosed && hasGroup) row.disclosed += 1;
      for (const [value, hasValue] of wanted) {
        if (value === null) continue;
        row.distinct.add(value);
        if (isDisclosed && hasGroup && hasValue) row.disclosedDistinct.add(value);
      }
    }
  }
  const counted = [...rows.values()].map(
    (row): CountRow => ({
      values: row.values,
      decisions: row.decisions,
      disclosed: row.disclosed,
      ...(distinct === null
        ? {}
        : { distinct: row.distinct.size, distinct_disclosed: row.disclosedDistinct.size }),
    }),
  );
  const isByTime = by[0] === 'day' || by[0] === 'hour';
  return { rows: counted.sort(isByTime ? byValues : byFrequency), decisions, disclosed };
}

/** Every combination of values, and whether something of each of them was disclosed. */
function product(members: readonly (readonly Value[])[]): readonly [(string | null)[], boolean][] {
  let found: [(string | null)[], boolean][] = [[[], true]];
  for (const values of members)
    found = found.flatMap(([before, has]) =>
      values.map(([value, is]): [(string | null)[], boolean] => [[...before, value], has && is]),
    );
  return found;
}

const byFrequency = (a: CountRow, b: CountRow): number => b.decisions - a.decisions || byValues(a, b);

/** By UTF-16 code units, so that no locale changes the order; null is last. */
function byValues(a: CountRow, b: CountRow): number {
  for (const [i, x] of a.values.entries()) {
    const y = b.values[i]!;
    if (x === y) continue;
    if (x === null) return 1;
    return y === null || x < y ? -1 : 1;
  }
  return 0;
}

const PAGE = 1000;

/** Every result once, in any order. New decisions have later ids, so pages do not shift while there are more. */
export async function* allResults(
  source: QueryInterface,
  query: DecisionQuery,
): AsyncGenerator<Decision, void, void> {
  const { limit: _limit, cursor: _cursor, ...filters } = query;
  if (source.all !== undefined) return yield* source.all(filters);
  let cursor: string | null = null;
  do {
    const page: DecisionPage = await source.query({
      ...filters,
      limit: PAGE,
      ...(cursor === null ? {} : { cursor }),
    });
    yield* page.decisions;
    cursor = page.cursor;
  } while (cursor !== null);
}
