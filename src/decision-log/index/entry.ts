/**
 * A record as both indexes store it: the payload of the journal, in which references are numbers of documents of the index, and the keys that it is
 * found by. A document is stored once a day, so that a day can be deleted as a whole.
 */
import { hash, randomUUID } from 'node:crypto';
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
  /** JSON, before, between and behind the numbers of the documents */
  readonly payload: readonly string[];
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

/** null for a record that is not one that Sluice writes. */
export function indexable(copy: Copy): Entry | null {
  const { decision_id, timestamp } = copy.parts?.own ?? copy.record;
  if (!UUID.test(decision_id!) || Number.isNaN(Date.parse(timestamp!))) return null;
  try {
    return entryOf(copy);
  } catch {
    // Its members have other types. It must not keep those behind it from the index.
    return null;
  }
}

function entryOf(copy: Copy): Entry {
  const parts = copy.parts ?? partsOf(copy.record);
  const { own, shared } = parts;
  const { hash, prev_hash, seq } = copy.link ?? copy.record;
  const { decision_id, timestamp } = shared === null ? copy.record : own;
  const decision = decision_id!;
  return {
    day: dayOf(decision),
    decision,
    seq,
    hashes: prev_hash + hash,
    delay: Date.parse(timestamp!) - timeOf(decision),
    keys: shared === null ? keysOf(copy.record) : keysBy(own, shared),
    profile:
      shared === null || own.part !== undefined ? textOf(profileOf(copy.record)) : profileOnce(copy, shared),
    documents: shared === null ? [] : textsOf(shared),
    // A record that has not the usual members shares nothing.
    payload: shared === null ? [JSON.stringify(own)] : (piecesOf(own, parts.text) ?? written(own, shared)),
  };
}

/** In the order of their references in a payload. */
function textsOf({ access, answers, fields, subject }: Shared): readonly Text[] {
  const found = [textOnce(access, 'access')];
  if (answers !== undefined) for (const answer of answers) found.push(textOnce(answer, 'answer'));
  if (fields !== undefined) found.push(textOnce(fields, 'fields'));
  if (subject !== undefined) found.push(textOnce(subject, 'subject'));
  return found;
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isCount = (value: unknown): boolean => typeof value === 'number';

/**
 * The payload as in the journal without the decision's id and the references, which costs less than to write it again. Members are in
 * alphabetical order, and no text holds an unescaped quote: so a reference is found by its name where only texts and numbers are around it.
 * @returns null if something else is there
 */
function piecesOf(own: Payload, text: string | null): readonly string[] | null {
  const { access, answers, consents, decision_id, fields, subject, withheld_reasons } = own;
  if (
    text === null ||
    (answers !== undefined && fields === undefined) ||
    !(consents === undefined || (Array.isArray(consents) && consents.every(isText))) ||
    !(withheld_reasons === undefined || Object.values(withheld_reasons as object).every(isCount))
  )
    return null;
  const pieces: string[] = [];
  let at = 0;
  let piece = '';
  /** The next member, or what is at `from`, becomes the border of two pieces. */
  const border = (before: string, ref: string | undefined, from: number): boolean => {
    const quoted = from + before.length;
    if (from < at || !text.startsWith(before, from) || !text.startsWith(`"${ref}"`, quoted)) return false;
    pieces.push(piece + text.slice(at, quoted));
    piece = '';
    at = quoted + ref!.length + 2;
    return true;
  };
  if (!border('{"access":', access, 0)) return null;
  for (const [i, [ref, count]] of (answers ?? []).entries()) {
    if (!border(i === 0 ? ',"answers":[[' : `,${answers![i - 1]![1]}],[`, ref, at)) return null;
    if (!isCount(count)) return null;
  }
  const id = `,"decision_id":"${decision_id}"`;
  const start = text.indexOf(id, at);
  if (start === -1) return null;
  piece = text.slice(at, start);
  at = start + id.length;
  if (fields !== undefined && !border(',"fields":[', fields[0], at)) return null;
  if (subject !== undefined && !border(',"subject":', subject, text.lastIndexOf(`,"subject":"${subject}"`)))
    return null;
  pieces.push(piece + text.slice(at));
  return pieces;
}

/** No caller can know it, and write it into a record. */
const GAP = randomUUID();

/** The same for any payload. */
const written = (own: Payload, { answers, fields, subject }: Shared): readonly string[] =>
  JSON.stringify({
    ...own,
    access: GAP,
    answers: answers?.map((_, i) => [GAP, own.answers![i]![1]]),
    decision_id: undefined,
    fields: fields === undefined ? undefined : [GAP, ...own.fields!.slice(1)],
    subject: subject === undefined ? undefined : GAP,
  }).split(`"${GAP}"`);

/** The payload to store. @param numbers of the documents, in their order */
export function payloadOf({ payload }: Entry, numbers: readonly number[]): string {
  let text = payload[0]!;
  for (let i = 1; i < payload.length; i++) text += `${numbers[i - 1]}${payload[i]}`;
  return text;
}

/** A record of version 1 is separated as the journal does it now. */
function partsOf({ origin: _o, seq: _s, prev_hash: _p, hash: _h, ...draft }: DecisionRecord): {
  readonly own: Payload;
  readonly text: null;
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
  return { own, text: null, shared: sharedBy(own, (_kind, ref) => documents[Number(ref)]!) };
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
