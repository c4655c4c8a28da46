/**
 * What a decision may demand besides, and what fulfils it: the one registry. An obligation is fulfilled or the request is denied (design §7.9).
 */
import { READS } from './actions.ts';
import type { DecisionAnswer, Obligations, Reason } from './answers.ts';
import type { Catalog } from './catalog.ts';
import type { PolicyInput } from './input.ts';
import { isRetention, type RetentionRule, resolvedRetention } from './retention.ts';
import { isRecordFilter, type RecordFilter, resolvedFilter, resourcesOf } from './record-filter.ts';

import { acceptedMethods, areMethods, lackingProof, type VerificationMethod } from './verification.ts';

const isCount = (value: unknown): boolean =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0;

interface Known {
  readonly isValid: (value: unknown) => boolean;
  /** null: nothing in this version, so that a request that it is demanded of is denied */
  readonly fulfilledBy: string | null;
}

export const OBLIGATIONS: { readonly [name: string]: Known } = Object.freeze(
  Object.assign(Object.create(null) as object, {
    max_records: { isValid: isCount, fulfilledBy: 'disclosure: the answer ends there' },
    min_group_size: { isValid: isCount, fulfilledBy: 'disclosure: smaller groups are withheld' },
    record_filter: {
      isValid: isRecordFilter,
      fulfilledBy: 'disclosure: every other record is withheld',
    },
    retention: {
      isValid: isRetention,
      fulfilledBy: 'disclosure: of older records, fields of the category are dropped',
    },
    review: {
      isValid: (value: unknown) => typeof value === 'boolean',
      fulfilledBy: 'reviews: one is opened before the upstream is asked',
    },
    step_up: {
      isValid: (value: unknown) => typeof value === 'string' && value !== '',
      fulfilledBy: 'the refusal, which asks for it',
    },
    subject_verification: {
      isValid: areMethods,
      fulfilledBy:
        'authorize: the request brings such a proof; disclosure: other people’s records are withheld',
    },
    watermark: { isValid: (value: unknown) => typeof value === 'boolean', fulfilledBy: null },
  }),
);

/** Null and false demand nothing, whatever the name. */
export const isDemanded = (value: unknown): boolean =>
  value !== null && value !== undefined && value !== false;

/** Names of those that are demanded and that nothing fulfils: known ones without a component, and unknown ones. */
const unfulfilled = (obligations: Obligations): readonly string[] =>
  Object.keys(obligations).filter(
    (name) => isDemanded(obligations[name]) && (OBLIGATIONS[name]?.fulfilledBy ?? null) === null,
  );

/**
 * The answer with its obligations heeded: what is allowed on a condition that nothing fulfils is denied, with the reason
 * `obligation_unfulfillable`, and what is allowed after a stronger authentication is denied until then.
 */
export function heeding(answer: DecisionAnswer): DecisionAnswer {
  if (!answer.allow) return answer;
  const { obligations } = answer;
  for (const name in obligations)
    if (isDemanded(obligations[name]) && (OBLIGATIONS[name]?.fulfilledBy ?? null) === null)
      return refusing(answer, unfulfilled(obligations).map(reasonFor));
  return isDemanded(obligations.step_up) ? refusing(answer, [STEP_UP]) : answer;
}

export interface Proven {
  readonly answer: DecisionAnswer;
  /** whom the caller has proven to deal with, where a proof is demanded; null: none is */
  readonly provenSubject: string | null;
}

/** The answer, denied where the request lacks a proof that the policy or the route demands. */
export function proving(
  answer: DecisionAnswer,
  asked: PolicyInput,
  ofRoute: readonly VerificationMethod[] | null,
): Proven {
  const methods = answer.allow ? acceptedMethods(answer, ofRoute) : null;
  if (methods === null) return { answer, provenSubject: null };
  const lacking = lackingProof(methods, asked.context);
  if (lacking !== null) return { answer: refusing(answer, [lacking]), provenSubject: null };
  return { answer, provenSubject: asked.context.subject_verification?.data_subject ?? '' };
}

export interface Limited {
  readonly answer: DecisionAnswer;
  /** null: all records, as far as the policy discloses them */
  readonly filter: RecordFilter | null;
  /** categories that are dropped in older records */
  readonly retention: readonly RetentionRule[];
}

const NO_RULES: readonly RetentionRule[] = Object.freeze([]);

/** The answer with its `record_filter` and `retention` as they hold for this request: denied where it cannot be applied. */
export function limiting(
  answer: DecisionAnswer,
  asked: PolicyInput,
  catalogs: ReadonlyMap<string, Catalog>,
): Limited {
  const unlimited = (reasons: readonly Reason[]): Limited => ({
    answer: reasons.length === 0 ? answer : refusing(answer, reasons),
    filter: null,
    retention: NO_RULES,
  });
  if (!answer.allow) return unlimited([]);
  const { record_filter = null, retention: conditions = null } = answer.obligations;
  const retention = conditions === null ? NO_RULES : resolvedRetention(conditions, asked, catalogs);
  if ('code' in retention) return unlimited([retention]);
  if (record_filter === null) return { answer, filter: null, retention };
  const filter = resolvedFilter(record_filter, asked, catalogs);
  if ('code' in filter) return unlimited([filter]);
  if (READS.has(asked.action.name)) return { answer, filter, retention };
  // What a write changes, or a token stands for, has no attributes that could be looked at.
  const own = resourcesOf(asked.resource.type, catalogs);
  return filter.some(({ resource }) => own.has(resource))
    ? unlimited([ONLY_READS])
    : { answer, filter, retention };
}

const ONLY_READS: Reason = Object.freeze({
  code: 'record_filter_undetermined',
  message:
    'The policy limits which records this purpose may have. Whether the one that this action is about is among them is not known before it is read.',
});

const refusing = (answer: DecisionAnswer, reasons: readonly Reason[]): DecisionAnswer =>
  Object.freeze({ ...answer, allow: false, reasons: Object.freeze([...reasons]) });

const reasonFor = (name: string): Reason => ({
  code: 'obligation_unfulfillable',
  message: `Nothing here fulfils the obligation ${JSON.stringify(name)}.`,
});

const STEP_UP: Reason = Object.freeze({
  code: 'step_up_required',
  message: 'Only after a stronger authentication.',
});
