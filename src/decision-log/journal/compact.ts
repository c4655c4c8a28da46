/**
 * Version 2 of a record: what many records share is in shared documents, and a record's payload holds the rest and says nothing
 * twice. `expand(compact(record))` is the record (`expand.ts`). `compact` depends on the record alone, so that a complete record can be
 * verified by doing it again.
 */
import type { DecisionRecordDraft, DisclosureSummary } from '../../model/record.ts';
import { isConstant } from './serialize.ts';

/**
 * access: what is the same for the requests of one route with one result; answer: one state the policy was asked about;
 * fields: paths, treatments and reasons of a disclosure; subject: a caller
 */
export const DOCUMENT_KINDS = ['access', 'answer', 'fields', 'subject'] as const;
export type DocumentKind = (typeof DOCUMENT_KINDS)[number];

export interface Members {
  readonly [member: string]: unknown;
}

type State = NonNullable<DisclosureSummary['answers']>[number];

/** Gives each shared document its reference, and writes those that are new. */
export interface Documents {
  /** @param near documents with the same text are likely to be equal */
  access(document: Members, near: string): string;
  subject(subject: object): string;
  fields(d: DisclosureSummary): Fields;
  /** reference and count */
  answer(state: State): readonly [string, number];
}

/** reference, counts of `withheld` and of `by_class` in the order of the shared document, records, records withheld */
export type Fields = readonly [
  ref: string,
  withheld: readonly number[],
  byClass: readonly number[],
  records: number,
  recordsWithheld: number,
];

/** What only this record holds; `record` alone for a record that has not the usual members. */
export interface Payload {
  readonly record?: unknown;
  readonly access?: string;
  readonly answers?: readonly (readonly [string, number])[];
  readonly answers_omitted?: unknown;
  readonly bytes?: unknown;
  readonly client_ip?: unknown;
  readonly consents?: unknown;
  readonly data_subjects?: readonly string[];
  readonly decision_id?: string;
  readonly fields?: Fields;
  readonly grant_id?: unknown;
  readonly grants?: unknown;
  readonly input?: unknown;
  readonly justification?: unknown;
  readonly part?: unknown;
  readonly quota?: unknown;
  /** a number is an index of `data_subjects` */
  readonly resource_id?: string | number;
  readonly subject?: string;
  readonly timestamp?: string;
  readonly timings_us?: readonly unknown[];
  readonly trace_id?: unknown;
  readonly withheld_reasons?: unknown;
}

const MEMBERS: readonly (keyof DecisionRecordDraft)[] = [
  'decision_id',
  'timestamp',
  'kind',
  'outcome',
  'subject',
  'action',
  'resource',
  'purpose',
  'tier',
  'recipient',
  'justification',
  'grant_id',
  'reasons',
  'disclosure',
  'request',
  'upstream',
  'response',
  'policy',
  'input',
  'timings_us',
  'trace_id',
  'labels',
  'part',
];

/** @param draft its strings are well-formed and its numbers finite, or the serializer rejects the payload afterwards */
export function compact(d: DecisionRecordDraft, documents: Documents): Payload {
  if (!isUsual(d)) return { record: d };
  const { disclosure, request, resource, response, subject, part } = d;
  const asked = askedOf(d);
  const names = sorted(d.timings_us);
  const access: Members = {
    action: d.action,
    agent: d.agent,
    asked: asked === null ? undefined : { action: asked.action, tier: asked.tier },
    claimed: d.claimed,
    kind: d.kind,
    labels: d.labels,
    outcome: d.outcome,
    policy: d.policy,
    purpose: d.purpose,
    reasons: d.reasons,
    recipient: d.recipient,
    request:
      request === null ? undefined : { method: request.method, path: request.path, route: request.route },
    resource: resource === null ? undefined : { properties: resource.properties, type: resource.type },
    status: response === null ? undefined : response.status,
    tier: d.tier,
    timings_us: names,
    upstream: d.upstream,
  };
  const grants = asked === null || asked.grants.length === 0 ? undefined : asked.grants;
  // An object literal in canonical order: sorting the names would cost as much as hashing.
  return {
    access: documents.access(access, request?.route ?? d.kind),
    answers: disclosure?.answers?.map((state) => documents.answer(state)),
    answers_omitted: disclosure?.answers_omitted,
    bytes: response === null ? undefined : response.bytes,
    client_ip: request === null ? undefined : request.client_ip,
    consents: disclosure?.consents,
    data_subjects: disclosure?.data_subjects,
    decision_id: d.decision_id,
    fields: disclosure === null ? undefined : documents.fields(disclosure),
    grant_id: d.grant_id ?? undefined,
    grants,
    input: asked === null ? (d.input ?? undefined) : undefined,
    justification: d.justification ?? undefined,
    part: part.number === 1 && part.last === true && count(part) === 2 ? undefined : part,
    quota: asked?.quota,
    resource_id: resourceId(d),
    subject: subject === null ? undefined : documents.subject(subject),
    timestamp: d.timestamp,
    timings_us: names.map((name) => d.timings_us[name]),
    trace_id: d.trace_id ?? undefined,
    withheld_reasons: disclosure?.withheld_reasons,
  } as Payload;
}

function resourceId({ resource, disclosure }: DecisionRecordDraft): string | number | undefined {
  if (resource?.id === undefined || disclosure === null) return resource?.id;
  const at = disclosure.data_subjects.indexOf(resource.id);
  return at === -1 ? resource.id : at;
}

/** The documents as they are hashed. `count` of a row is its own; the rest is shared. */
export const answerDocument = ({ count: _, ...shared }: State): Members => shared;

export const fieldsDocument = (d: DisclosureSummary): Members => ({
  by_class: sorted(d.by_class).map((cls) => [cls, sorted(d.by_class[cls]!)]),
  released: d.released,
  withheld: d.withheld.map(({ count: _, ...shared }) => shared),
});

export const fieldsWith = (ref: string, d: DisclosureSummary): Fields => [
  ref,
  d.withheld.map((row) => row.count),
  sorted(d.by_class).flatMap((cls) => {
    const row = d.by_class[cls]!;
    return sorted(row).map((treatment) => row[treatment]!);
  }),
  d.records,
  d.records_withheld,
];

/** Names of the defined members, in canonical order. */
function sorted(object: object): string[] {
  const names: string[] = [];
  let isSorted = true;
  for (const name in object) {
    if ((object as Members)[name] === undefined) continue;
    if (names.length > 0 && name < names.at(-1)!) isSorted = false;
    names.push(name);
  }
  return isSorted ? names : names.sort();
}

/** What of the policy's input the record does not state elsewhere; null if the input is not the usual one. */
function askedOf(d: DecisionRecordDraft): {
  readonly action: unknown;
  readonly tier: unknown;
  readonly grants: readonly unknown[];
  readonly quota: unknown;
} | null {
  const { input, request } = d;
  if (input === null || request === null || count(input) !== 4) return null;
  const { action, context: c, resource, subject } = input as { readonly [member: string]: Members };
  if (!isObject(action) || !isObject(c) || !isObject(c['request'])) return null;
  const { quota } = c;
  const { agent } = c;
  const more = (quota === undefined ? 0 : 1) + (agent === undefined ? 0 : 1);
  if (count(c) !== 7 + more || quota === null) return null;
  const from = c['request'] as Members;
  const isSame =
    c['purpose'] === d.purpose &&
    c['recipient'] === d.recipient &&
    c['justification'] === d.justification &&
    c['time'] === d.timestamp &&
    c['tier'] !== undefined &&
    Array.isArray(c['grants']) &&
    count(from) === 3 &&
    from['client_ip'] === request.client_ip &&
    from['method'] === request.method &&
    from['route'] === (request.route ?? '') &&
    (agent === undefined ? d.agent === undefined : d.agent !== undefined && alike(agent, d.agent)) &&
    alike(subject, d.subject) &&
    alike(resource, d.resource);
  return isSame ? { action, tier: c['tier'], grants: c['grants'] as unknown[], quota } : null;
}

/** True if every member has the form that `expand` restores. */
function isUsual(d: DecisionRecordDraft): boolean {
  const { disclosure, request, resource, response } = d;
  for (let i = 0; i < MEMBERS.length; i++) if (d[MEMBERS[i]!] === undefined) return false;
  return (
    count(d) === MEMBERS.length + (d.claimed === undefined ? 0 : 1) + (d.agent === undefined ? 0 : 1) &&
    isObject(d.part) &&
    everyMember(d.timings_us, isNumber) &&
    (request === null ||
      (isObject(request) &&
        count(request) === 4 &&
        request.method !== undefined &&
        request.path !== undefined &&
        request.route !== undefined &&
        request.client_ip !== undefined)) &&
    (response === null ||
      (isObject(response) &&
        count(response) === 2 &&
        response.status !== undefined &&
        response.bytes !== undefined)) &&
    (resource === null ||
      (isObject(resource) &&
        resource.type !== undefined &&
        resource.properties !== undefined &&
        (resource.id === undefined
          ? count(resource) === 2
          : count(resource) === 3 && typeof resource.id === 'string'))) &&
    (d.subject === null || isObject(d.subject)) &&
    (disclosure === null || isUsualDisclosure(disclosure))
  );
}

function isUsualDisclosure(d: DisclosureSummary): boolean {
  if (!isObject(d)) return false;
  let members = 6;
  for (const name of ['answers', 'answers_omitted', 'consents', 'withheld_reasons'] as const)
    if (d[name] !== undefined) members++;
  return (
    count(d) === members &&
    typeof d.records === 'number' &&
    typeof d.records_withheld === 'number' &&
    Array.isArray(d.data_subjects) &&
    Array.isArray(d.released) &&
    Array.isArray(d.withheld) &&
    passes(d.withheld, areCounted) &&
    passes(d.by_class, areNumbers) &&
    (d.answers === undefined || (Array.isArray(d.answers) && d.answers.every(isCounted)))
  );
}

/** Frozen objects that passed their test: most disclosures have the same lists, and the tests cost as much as hashing. */
const passed = new WeakSet<object>();

function passes<T>(value: T, test: (value: T) => boolean): boolean {
  if (!isObjectOrList(value)) return false;
  if (passed.has(value)) return true;
  const isPassed = test(value);
  if (isPassed && isConstant(value)) passed.add(value);
  return isPassed;
}

const isObjectOrList = (value: unknown): value is object => typeof value === 'object' && value !== null;
const areCounted = (rows: readonly unknown[]): boolean => rows.every(isCounted);
const areNumbers = (classes: unknown): boolean => everyMember(classes, (row) => everyMember(row, isNumber));

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isCounted = (row: unknown): boolean =>
  isObject(row) && typeof (row as { count?: unknown }).count === 'number';

const isNumber = (value: unknown): boolean => typeof value === 'number';

/** True if the defined members of an object pass a test. */
function everyMember(object: unknown, test: (member: unknown) => boolean): boolean {
  if (!isObject(object)) return false;
  for (const name in object) {
    const member = (object as Members)[name];
    if (member !== undefined && !test(member)) return false;
  }
  return true;
}

/** Number of defined members. */
function count(object: object): number {
  let n = 0;
  for (const name in object) if ((object as Members)[name] !== undefined) n++;
  return n;
}

/** True if two values have the same JSON. */
export function alike(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    // In a list undefined is null.
    for (let i = 0; i < a.length; i++) if (!alike(a[i] ?? null, b[i] ?? null)) return false;
    return true;
  }
  if (Array.isArray(b) || 'toJSON' in a || 'toJSON' in b) return false;
  let members = 0;
  for (const name in a) {
    const member = (a as Members)[name];
    if (member === undefined) continue;
    if (!Object.hasOwn(b, name) || !alike(member, (b as Members)[name])) return false;
    members++;
  }
  return members === count(b);
}
