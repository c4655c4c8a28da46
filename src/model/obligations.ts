/**
 * What a decision may demand besides, and what fulfils it: the one registry. An obligation is fulfilled or the request is denied (design §7.9).
 */
import type { DecisionAnswer, Obligations, Reason } from './answers.ts';

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
    review: {
      isValid: (value: unknown) => typeof value === 'boolean',
      fulfilledBy: 'reviews: one is opened before the upstream is asked',
    },
    step_up: {
      isValid: (value: unknown) => typeof value === 'string' && value !== '',
      fulfilledBy: 'the refusal, which asks for it',
    },
    watermark: { isValid: (value: unknown) => typeof value === 'boolean', fulfilledBy: null },
  }),
);

/** Null and false demand nothing, whatever the name. */
export const isDemanded = (value: unknown): boolean =>
  value !== null && value !== undefined && value !== false;

/** Names of those that are demanded and that nothing fulfils: known ones without a component, and unknown ones. */
export const unfulfilled = (obligations: Obligations): readonly string[] =>
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
