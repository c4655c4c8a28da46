/**
 * Queries of the decision log. Three sources answer them: the journal (scan.ts), SQLite and PostgreSQL. Each narrows the
 * candidates as far as it can. Only `matches` decides whether a decision is a result, so all three return the same ones.
 */
import { didYouMean } from '../../documents/near-name.ts';
import { SluiceError } from '../../errors.ts';
import type { DecisionRecord } from '../../model/record.ts';
import type { DataSubjectHasher } from '../data-subject.ts';
import type { Decision } from './decision.ts';
import type { MaskRules } from '../mask.ts';

export interface DecisionQuery {
  /** RFC 3339; `since` is inclusive, `until` exclusive. The time of a decision is that of its first record. */
  readonly since?: string;
  readonly until?: string;
  readonly decision_id?: string;
  /** id of the subject */
  readonly subject?: string;
  /** id of the agent that acted */
  readonly agent?: string;
  /** as in the log: `hmac:<key id>:<hex>` */
  readonly data_subject?: string;
  readonly purpose?: string;
  readonly recipient?: string;
  readonly action?: string;
  readonly resource_type?: string;
  /** as in the log */
  readonly resource_id?: string;
  readonly outcome?: string;
  readonly kind?: string;
  /** path of a field, released or withheld, e.g. `/id_number` */
  readonly path?: string;
  /** `category/grade`, released or withheld, e.g. `identity/4` */
  readonly class?: string;
  /** with `path` or `class`: only decisions that released it unchanged */
  readonly released?: boolean;
  /** code of a reason */
  readonly reason?: string;
  readonly grant_id?: string;
  /** revision of the policy that decided, or how it begins */
  readonly policy?: string;
  readonly origin?: string;
  /** 1 to 1000; 50 if not given */
  readonly limit?: number;
  /** of the previous page */
  readonly cursor?: string;
}

export interface DecisionPage {
  /** newest first (by decision id, which sorts by time) */
  readonly decisions: readonly Decision[];
  /** null: there are no more */
  readonly cursor: string | null;
}

export interface QueryInterface {
  /** @throws SluiceError `input_invalid` for an invalid query */
  query(query: DecisionQuery): Promise<DecisionPage>;
  get(decisionId: string): Promise<Decision | null>;
  /** Every result once, in any order, without pages; absent: pages are as good. Ignores `limit` and `cursor`. */
  all?(query: DecisionQuery): AsyncIterable<Decision>;
}

/**
 * The query with ids as the log stores them: plain ids of data subjects and resources become HMACs.
 * @throws SluiceError `input_invalid` for a text that is none: its HMAC would be that of another text
 */
export function pseudonymous(
  query: DecisionQuery,
  hasher: DataSubjectHasher,
  rules: MaskRules,
): DecisionQuery {
  requireText(query);
  const { data_subject, resource_id } = query;
  const hidden = rules.pseudonymize.includes('/resource/id') && !rules.keep.includes('/resource/id');
  return {
    ...query,
    ...(data_subject === undefined ? {} : { data_subject: hasher(data_subject) }),
    ...(resource_id === undefined ? {} : { resource_id: hidden ? hasher(resource_id) : resource_id }),
  };
}

export type { Decision } from './decision.ts';

/** A query with its times as numbers and its bounds checked. */
export interface ReadyQuery extends Omit<DecisionQuery, 'since' | 'until' | 'limit'> {
  readonly from: number;
  readonly to: number;
  readonly limit: number;
}

/** Values that a record can hold; a query for another value is rejected, since it can have no result. */
export const RECORD_NAMES = {
  outcome: ['allowed', 'modified', 'denied', 'observed', 'error'],
  kind: ['disclosure', 'authzen', 'mcp', 'admin', 'consent', 'grant', 'policy', 'erasure', 'share'],
} as const;

/** As `by_class` of a disclosure has them. */
const CLASS = /^[^/]+\/\d+$/;

/** A JSON Pointer (RFC 6901) as in records; `*` stands for any element. */
const POINTER = /^(?:\/(?:[^~/]|~[01])*)+$/;

/** False for what PostgreSQL does not store, and JSON in UTF-8 does not have. */
export const isText = (text: string): boolean => !text.includes('\0') && text.isWellFormed();

function requireText(query: DecisionQuery): void {
  for (const [name, value] of Object.entries(query))
    if (typeof value === 'string' && !isText(value))
      throw new SluiceError('input_invalid', `${name} contains U+0000 or half a surrogate pair.`);
}
/** the id of a decision */
const CURSOR = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** @throws SluiceError `input_invalid` */
export function readyQuery(query: DecisionQuery): ReadyQuery {
  requireText(query);
  const { since, until, limit = 50, ...rest } = query;
  for (const name of ['outcome', 'kind'] as const) {
    const value = rest[name];
    const known: readonly string[] = RECORD_NAMES[name];
    if (value !== undefined && !known.includes(value))
      throw new SluiceError(
        'input_invalid',
        `${name} must be one of ${known.join(', ')}${didYouMean(value, known) || '.'}`,
      );
  }
  if (rest.path !== undefined && !POINTER.test(rest.path))
    throw new SluiceError(
      'input_invalid',
      'path must be a JSON Pointer as in the catalog, such as /id_number or /orders/*/amount; "/" in a name is written ~1, "~" ~0.',
    );
  if (rest.class !== undefined && !CLASS.test(rest.class))
    throw new SluiceError('input_invalid', 'class must be a category and a grade, such as identity/4.');
  if (rest.policy === '')
    throw new SluiceError(
      'input_invalid',
      'policy must be a revision as records have it, or how one begins.',
    );
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
    throw new SluiceError('input_invalid', 'limit must be an integer from 1 to 1000.');
  if (rest.cursor !== undefined && !CURSOR.test(rest.cursor))
    throw new SluiceError('input_invalid', 'cursor must be the cursor that the previous page returned.');
  return {
    ...rest,
    limit,
    from: since === undefined ? Number.NEGATIVE_INFINITY : instant(since, 'since'),
    to: until === undefined ? Number.POSITIVE_INFINITY : instant(until, 'until'),
  };
}

function instant(text: string, name: string): number {
  const at = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/i.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(at))
    throw new SluiceError('input_invalid', `${name} must be an RFC 3339 time, such as 2026-11-22T08:00:00Z.`);
  return at;
}

/** Maximum milliseconds between the first and the last record of one decision. */
export const MAX_DURATION_MS = 6 * 3_600_000;

/** True if the decision is a result of the query. */
export function matches(d: Decision, q: ReadyQuery): boolean {
  const at = Date.parse(d.timestamp);
  return (
    at >= q.from &&
    at < q.to &&
    is(q.decision_id, d.decision_id) &&
    is(q.subject, d.subject?.id) &&
    is(q.agent, d.agent?.id) &&
    is(q.purpose, d.purpose) &&
    is(q.recipient, d.recipient) &&
    is(q.action, d.action) &&
    is(q.resource_type, d.resource?.type) &&
    is(q.resource_id, d.resource?.id) &&
    is(q.outcome, d.outcome) &&
    is(q.kind, d.kind) &&
    is(q.grant_id, d.grant_id) &&
    (q.policy === undefined || (d.policy?.revision.startsWith(q.policy) ?? false)) &&
    (q.origin === undefined || d.chain.some((c) => c.origin === q.origin)) &&
    (q.reason === undefined || d.reasons.some((r) => r.code === q.reason)) &&
    (q.data_subject === undefined || concerns(d, q.data_subject)) &&
    (q.path === undefined || holdsPath(d, q.path, q.released ?? false)) &&
    (q.class === undefined || holdsClass(d, q.class, q.released ?? false))
  );
}

/** False only if no decision with this record can be a result. */
export function mayMatch(r: DecisionRecord, q: ReadyQuery): boolean {
  return (
    Date.parse(r.timestamp) >= q.from &&
    is(q.decision_id, r.decision_id) &&
    is(q.subject, r.subject?.id) &&
    is(q.purpose, r.purpose) &&
    is(q.kind, r.kind) &&
    (q.data_subject === undefined || concerns(r, q.data_subject))
  );
}

/**
 * Texts that a line must contain for `mayMatch` to be true; other lines need not be parsed. This works because canonical
 * JSON has exactly one form of each string.
 */
export const needles = (q: ReadyQuery): readonly string[] =>
  [q.decision_id, q.subject, q.purpose, q.kind, q.data_subject]
    .filter((text) => text !== undefined)
    .map((text) => JSON.stringify(text));

/** The same for a line of version 2: what shared documents hold is not in the line. */
export const ownNeedles = (q: ReadyQuery): readonly string[] =>
  [q.decision_id, q.data_subject].filter((text) => text !== undefined).map((text) => JSON.stringify(text));

const is = (wanted: string | undefined, actual: string | null | undefined): boolean =>
  wanted === undefined || wanted === actual;

/** A denied request for one customer disclosed no data subject, but still concerns that customer. */
const concerns = (d: Pick<Decision, 'disclosure' | 'resource'>, hashed: string): boolean =>
  (d.disclosure?.data_subjects.includes(hashed) ?? false) || d.resource?.id === hashed;

const holdsPath = (d: Decision, path: string, released: boolean): boolean =>
  d.disclosure !== null &&
  (d.disclosure.released.includes(path) || (!released && d.disclosure.withheld.some((w) => w.path === path)));

const holdsClass = ({ disclosure }: Decision, cls: string, released: boolean): boolean => {
  if (disclosure === null || !Object.hasOwn(disclosure.by_class, cls)) return false;
  return !released || (disclosure.by_class[cls]!['disclose'] ?? 0) > 0;
};

/** Filters candidates, newest first, until a page is full. */
export async function page(
  query: DecisionQuery,
  /** returns up to `n` decisions that may match and whose id is less than `before`, newest first */
  candidates: (q: ReadyQuery, before: string | null, n: number) => Promise<readonly Decision[]>,
): Promise<DecisionPage> {
  const q = readyQuery(query);
  const found: Decision[] = [];
  let before = q.cursor ?? null;
  for (;;) {
    const n = Math.max(q.limit + 1, 64);
    const batch = await candidates(q, before, n);
    for (const decision of batch) {
      before = decision.decision_id;
      if (!matches(decision, q)) continue;
      if (found.length === q.limit) return { decisions: found, cursor: found.at(-1)!.decision_id };
      found.push(decision);
    }
    if (batch.length < n) return { decisions: found, cursor: null };
  }
}
