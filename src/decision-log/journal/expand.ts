/** Makes the complete record again from a payload and the shared documents of its segment: the inverse of `compact.ts`. */
import type { DecisionRecordDraft } from '../../model/record.ts';
import type { DocumentKind, Members, Payload } from './compact.ts';

/** Finds a document of the segment. @throws if it is not there, or has another kind */
export type Find = (kind: DocumentKind, ref: unknown) => Members;

/** The shared documents that a payload refers to. */
export interface Shared {
  readonly access: Members;
  readonly subject?: Members | undefined;
  readonly fields?: Members | undefined;
  readonly answers?: readonly Members[] | undefined;
}

/** null: the payload holds the entire record. @throws what `find` throws */
export function sharedBy(own: Payload, find: Find): Shared | null {
  if (own.record !== undefined) return null;
  const { answers, fields, subject } = own;
  return {
    access: find('access', own.access),
    subject: subject === undefined ? undefined : find('subject', subject),
    fields: fields === undefined ? undefined : find('fields', fields[0]),
    answers:
      fields === undefined || answers === undefined ? undefined : answers.map(([ref]) => find('answer', ref)),
  };
}

/** documents that have been found to have the members that `expand` needs */
const sound = new WeakSet<object>();
function isSound(document: Members, check: (document: Members) => boolean): boolean {
  if (sound.has(document)) return true;
  const is = check(document);
  if (is) sound.add(document);
  return is;
}

/** @param fields a document of the kind `fields` */
export const areSoundFields = (fields: Members): boolean =>
  isSound(
    fields,
    ({ by_class, withheld }) =>
      Array.isArray(withheld) &&
      Array.isArray(by_class) &&
      by_class.every((row) => Array.isArray(row) && row.length === 2 && Array.isArray(row[1])),
  );

/** @param access a document of the kind `access` */
export const isSoundAccess = (access: Members): boolean =>
  isSound(
    access,
    ({ asked, request, timings_us }) =>
      Array.isArray(timings_us) &&
      (request === undefined || isObject(request)) &&
      (asked === undefined || (isObject(asked) && isObject(request))),
  );

const isObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * True if `expand` makes a record of it: a reader that needs only some members need not make all. False where that can only be
 * tried.
 */
export function isExpandable(own: Payload, { access, fields }: Shared): boolean {
  const { data_subjects: ids, fields: counts, resource_id: id } = own;
  return (
    typeof own.decision_id === 'string' &&
    typeof own.timestamp === 'string' &&
    isSoundAccess(access) &&
    Array.isArray(own.timings_us) &&
    (ids === undefined || Array.isArray(ids)) &&
    (typeof id !== 'number' || (ids !== undefined && id < ids.length)) &&
    (fields === undefined ||
      (ids !== undefined &&
        Array.isArray(counts) &&
        Array.isArray(counts[1]) &&
        Array.isArray(counts[2]) &&
        areSoundFields(fields)))
  );
}

/** The record without its link. @throws what `find` throws, and errors for a payload that `compact` does not write */
export function expand(own: Payload, find: Find): DecisionRecordDraft {
  if (own.record !== undefined) return own.record as DecisionRecordDraft;
  const a = find('access', own.access);
  const subject = own.subject === undefined ? null : find('subject', own.subject);
  const request =
    a['request'] === undefined ? null : { client_ip: own.client_ip, ...(a['request'] as Members) };
  const id = typeof own.resource_id === 'number' ? own.data_subjects![own.resource_id] : own.resource_id;
  const resource =
    a['resource'] === undefined
      ? null
      : { ...(id === undefined ? {} : { id }), ...(a['resource'] as Members) };
  const justification = own.justification ?? null;
  const names = a['timings_us'] as readonly string[];
  return {
    action: a['action'],
    ...(a['agent'] === undefined ? {} : { agent: a['agent'] }),
    ...(a['claimed'] === undefined ? {} : { claimed: a['claimed'] }),
    decision_id: own.decision_id,
    disclosure: own.fields === undefined ? null : disclosureOf(own, find),
    grant_id: own.grant_id ?? null,
    input: inputOf(),
    justification,
    kind: a['kind'],
    labels: a['labels'],
    outcome: a['outcome'],
    part: own.part ?? { last: true, number: 1 },
    policy: a['policy'],
    purpose: a['purpose'],
    reasons: a['reasons'],
    recipient: a['recipient'],
    request,
    resource,
    response: a['status'] === undefined ? null : { bytes: own.bytes, status: a['status'] },
    subject,
    tier: a['tier'],
    timestamp: own.timestamp,
    timings_us: objectOf(names.map((name, i) => [name, own.timings_us![i]])),
    trace_id: own.trace_id ?? null,
    upstream: a['upstream'],
  } as unknown as DecisionRecordDraft;

  function inputOf(): unknown {
    const asked = a['asked'] as Members | undefined;
    if (asked === undefined) return own.input ?? null;
    const { path: _, ...from } = request as unknown as Members;
    const context = {
      ...(a['agent'] === undefined ? {} : { agent: a['agent'] }),
      grants: own.grants ?? [],
      justification,
      purpose: a['purpose'],
      ...(own.quota === undefined ? {} : { quota: own.quota }),
      recipient: a['recipient'],
      request: { ...from, route: from['route'] ?? '' },
      tier: asked['tier'],
      time: own.timestamp,
    };
    return { action: asked['action'], context, resource, subject };
  }
}

function disclosureOf(own: Payload, find: Find): Members {
  const [ref, withheld, classes, records, records_withheld] = own.fields!;
  const fields = find('fields', ref);
  let next = 0;
  const rows = fields['withheld'] as readonly Members[];
  const byClass = fields['by_class'] as readonly (readonly [string, readonly string[]])[];
  return {
    ...(own.answers === undefined
      ? {}
      : { answers: own.answers.map(([ref, count]) => ({ ...find('answer', ref), count })) }),
    ...(own.answers_omitted === undefined ? {} : { answers_omitted: own.answers_omitted }),
    by_class: objectOf(
      byClass.map(([cls, treatments]) => [
        cls,
        objectOf(treatments.map((treatment) => [treatment, classes[next++]])),
      ]),
    ),
    ...(own.consents === undefined ? {} : { consents: own.consents }),
    data_subjects: own.data_subjects,
    records,
    records_withheld,
    released: fields['released'],
    withheld: rows.map((row, i) => ({ ...row, count: withheld[i] })),
    ...(own.withheld_reasons === undefined ? {} : { withheld_reasons: own.withheld_reasons }),
  };
}

/** Like `Object.fromEntries`, which also makes a member of the name `__proto__`. */
const objectOf = (entries: readonly (readonly [string, unknown])[]): Members => Object.fromEntries(entries);
