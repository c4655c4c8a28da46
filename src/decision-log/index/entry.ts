/**
 * A record as both indexes store it: the payload of the journal, in which references are numbers of documents of the index, and the keys that it is
 * found by. A document is stored once a day, so that a day can be deleted as a whole.
 */
import { hash } from 'node:crypto';
import type { DecisionRecord } from '../../model/record.ts';
import {
  answerDocument,
  compact,
  fieldsDocument,
  fieldsWith,
  type Members,
  type Payload,
} from '../journal/compact.ts';
import { expand, type Shared, sharedBy } from '../journal/expand.ts';
import { profileOf, type Text, textOf } from './profile.ts';
import type { Copy } from './store.ts';

export const DAY = 86_400_000;

export interface Entry {
  /** days since 1970, by the time in the decision's id */
  readonly day: number;
  readonly decision: string;
  readonly seq: number;
  /** of the record before and of this one, hex */
  readonly hashes: string;
  /** milliseconds from the time in the decision's id to that of the record */
  readonly delay: number;
  readonly keys: readonly number[];
  readonly profile: Text;
  /** the shared documents that it refers to */
  readonly documents: readonly Text[];
  /** @param numbers of the documents, in the same order */
  payload(numbers: readonly number[]): string;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const isDecisionId = (text: string): boolean => UUID.test(text);
/** milliseconds since 1970 (RFC 9562 §5.7) */
const timeOf = (decision: string): number =>
  Number.parseInt(decision.slice(0, 8) + decision.slice(9, 13), 16);
export const dayOf = (decision: string): number => Math.floor(timeOf(decision) / DAY);
/** The least id of a decision of this time. */
export function idAt(ms: number): string {
  const time = Math.min(Math.max(0, Math.ceil(ms)), 2 ** 48 - 1)
    .toString(16)
    .padStart(12, '0'); // prettier-ignore
  return `${time.slice(0, 8)}-${time.slice(8)}-0000-0000-000000000000`;
}
export const dayAt = (ms: number): number => Math.floor(ms / DAY);
export const startOf = (day: number): number => day * DAY;
export const dateOf = (day: number): string => new Date(startOf(day)).toISOString().slice(0, 10);

/**
 * A value by which records are found. Two values may have the same key: it only narrows. Numbers of profiles are keys, too, and
 * less than 2^31.
 */
export const keyOf = (kind: 'subject' | 'id' | 'grant', value: string): number =>
  hash('sha256', `${kind} ${value}`, 'buffer').readUIntBE(0, 6) + 2 ** 31;

/** False for a record whose id or time is not one that Sluice writes. */
export function isIndexable(copy: Copy): boolean {
  const { decision_id, timestamp } = copy.parts?.own ?? copy.record;
  return UUID.test(decision_id!) && !Number.isNaN(Date.parse(timestamp!));
}

export function entryOf(copy: Copy): Entry {
  const { own, shared } = copy.parts ?? partsOf(copy.record);
  const { hash, prev_hash, seq } = copy.link ?? copy.record;
  if (shared === null) return entryOfWhole(copy.record, own);
  const { access, answers, fields, subject } = shared;
  const documents = [textOnce(access, 'access')];
  if (subject !== undefined) documents.push(textOnce(subject, 'subject'));
  if (fields !== undefined) documents.push(textOnce(fields, 'fields'));
  if (answers !== undefined) for (const answer of answers) documents.push(textOnce(answer, 'answer'));
  const decision = own.decision_id!;
  return {
    day: dayOf(decision),
    decision,
    seq,
    hashes: prev_hash + hash,
    delay: Date.parse(own.timestamp!) - timeOf(decision),
    keys: keysBy(own, shared),
    profile: own.part === undefined ? profileOnce(copy, shared) : textOf(profileOf(copy.record)),
    documents,
    payload: (numbers) => {
      let at = 0;
      const next = (): number => numbers[at++]!;
      // In the order of `documents`.
      return JSON.stringify({
        ...own,
        decision_id: undefined,
        access: next(),
        subject: subject === undefined ? undefined : next(),
        fields: fields === undefined ? undefined : [next(), ...own.fields!.slice(1)],
        answers: answers?.map((_, i) => [next(), own.answers![i]![1]]),
      });
    },
  };
}

/** A record that has not the usual members shares nothing. */
function entryOfWhole(record: DecisionRecord, own: Payload): Entry {
  const { decision_id: decision, hash, prev_hash, seq } = record;
  return {
    day: dayOf(decision),
    decision,
    seq,
    hashes: prev_hash + hash,
    delay: Date.parse(record.timestamp) - timeOf(decision),
    keys: keysOf(record),
    profile: textOf(profileOf(record)),
    documents: [],
    payload: () => JSON.stringify(own),
  };
}

/** A record of version 1 is separated as the journal does it now. */
function partsOf({ origin: _o, seq: _s, prev_hash: _p, hash: _h, ...draft }: DecisionRecord): {
  readonly own: Payload;
  readonly shared: Shared | null;
} {
  const documents: Members[] = [];
  const add = (document: object): string => String(documents.push(document as Members) - 1);
  const own = compact(draft, {
    access: add,
    subject: add,
    fields: (d) => fieldsWith(add(fieldsDocument(d)), d),
    answer: (state) => [add(answerDocument(state)), state.count],
  });
  return { own, shared: sharedBy(own, (_kind, ref) => documents[Number(ref)]!) };
}

function keysOf(r: DecisionRecord): readonly number[] {
  const id = r.resource?.id;
  return keysFor(r.disclosure?.data_subjects ?? [], id, r.subject?.id, r.grant_id ?? undefined);
}

/** The same of a record that is not made. */
function keysBy(
  { data_subjects: ids = [], grant_id, resource_id }: Payload,
  shared: Shared,
): readonly number[] {
  const { access, fields, subject } = shared;
  const id = typeof resource_id === 'number' ? ids[resource_id] : resource_id;
  return keysFor(
    fields === undefined ? [] : ids,
    access['resource'] === undefined ? undefined : id,
    subject?.['id'] as string | undefined,
    (grant_id ?? undefined) as string | undefined,
  );
}

function keysFor(
  people: readonly string[],
  id: string | undefined,
  subject: string | undefined,
  grant: string | undefined,
): readonly number[] {
  const keys = new Set<number>();
  for (const person of people) keys.add(keyOf('id', person));
  if (id !== undefined && !people.includes(id)) keys.add(keyOf('id', id));
  if (subject !== undefined) keys.add(subjectKey(subject));
  if (grant !== undefined) keys.add(keyOf('grant', grant));
  return [...keys];
}

let subjectKeys = new Map<string, number>();
function subjectKey(id: string): number {
  const known = subjectKeys.get(id);
  if (known !== undefined) return known;
  if (subjectKeys.size >= 10_000) subjectKeys = new Map();
  const key = keyOf('subject', id);
  subjectKeys.set(id, key);
  return key;
}

/** The records of a segment share the documents as objects. */
const texts = new WeakMap<object, Text>();
function textOnce(document: object, kind: string): Text {
  const known = texts.get(document);
  if (known !== undefined) return known;
  const text = textOf(document, kind);
  texts.set(document, text);
  return text;
}

/** A profile depends on two shared documents and on whether the record is a part. */
const profiles = new WeakMap<object, WeakMap<object, Text>>();
const NONE = {};
function profileOnce(copy: Copy, { access, fields = NONE }: Shared): Text {
  const byFields = profiles.get(access) ?? new WeakMap<object, Text>();
  profiles.set(access, byFields);
  const known = byFields.get(fields);
  if (known !== undefined) return known;
  const text = textOf(profileOf(copy.record));
  byFields.set(fields, text);
  return text;
}

/** The numbers of the documents that a stored payload refers to. */
export const numbersIn = (own: Payload): readonly number[] =>
  [own.access, own.subject, own.fields?.[0], ...(own.answers ?? []).map(([n]) => n)].filter(
    (n) => n !== undefined,
  ) as unknown as number[];

/** The record again. @param find by the number in the payload */
export function recordOf(
  row: { readonly decision: string; readonly origin: string; readonly seq: number; readonly hashes: string },
  own: Payload,
  find: (number: number) => Members,
): DecisionRecord {
  const { decision, origin, seq, hashes } = row;
  const draft = expand({ ...own, decision_id: decision }, (_kind, number) => find(number as number));
  return { ...draft, origin, seq, prev_hash: hashes.slice(0, 64), hash: hashes.slice(64) };
}

/** What the records of one transaction add to the days and the profiles. */
export class Totals {
  readonly #days = new Map<number, { day: number; records: number; low: number; high: number }>();
  readonly #counts = new Map<string, { day: number; profile: number; records: number }>();

  add({ day, delay }: Entry, profile: number): void {
    const known = this.#days.get(day);
    if (known === undefined) this.#days.set(day, { day, records: 1, low: delay, high: delay });
    else {
      known.records++;
      known.low = Math.min(known.low, delay);
      known.high = Math.max(known.high, delay);
    }
    const name = `${day} ${profile}`;
    const count = this.#counts.get(name);
    if (count === undefined) this.#counts.set(name, { day, profile, records: 1 });
    else count.records++;
  }

  /** Both are sorted, so that two transactions take the locks of rows in the same order. */
  days = () => [...this.#days.values()].sort((a, b) => a.day - b.day);
  counts = () => [...this.#counts.values()].sort((a, b) => a.profile - b.profile || a.day - b.day);
}

export interface Posting {
  readonly key: number;
  readonly decision: string;
  readonly profile: number;
}

/** A stored record and the number of its profile. */
export interface Stored {
  readonly record: DecisionRecord;
  readonly profile: number;
}

/** The postings of removed records that no record of the same decisions has which are left. */
export function postingsOfNone(removed: readonly Stored[], left: readonly Stored[]): Posting[] {
  const named = (list: readonly Stored[]): Map<string, Posting> =>
    new Map(
      list.flatMap(({ record, profile }) =>
        [profile, ...keysOf(record)].map((key) => [
          `${key} ${record.decision_id} ${profile}`,
          { key, decision: record.decision_id, profile },
        ]),
      ),
    );
  const kept = named(left);
  return [...named(removed)].filter(([name]) => !kept.has(name)).map(([, posting]) => posting);
}
