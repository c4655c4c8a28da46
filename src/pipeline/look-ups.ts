/**
 * The consents that an answer rests on, from their look-up until its parts are recorded. What is held in between (totals before the records,
 * groups, single records, a page that may go on, a caller that reads slowly) is not released on consents that have changed since.
 */
import { isDeepStrictEqual } from 'node:util';
import { SluiceError } from '../errors.ts';
import { type DataSubjectState, NO_STATE, type States } from '../model/consent.ts';
import type { DisclosurePart, DisclosurePlan } from '../model/disclosure.ts';
import { FRESH } from './fresh.ts';
import type { DecisionEntry } from './record.ts';
import type { Stages } from './stages.ts';

/** ids that are looked up again at once */
const BATCH = 1024;

interface LookUp {
  readonly ids: readonly string[];
  readonly states: States;
  answeredAt: number;
}

export class LookUps {
  readonly #find: DisclosurePlan['consents'];
  readonly #clock: Stages['clock'];
  /** in the order of the calls, without those of parts that were recorded */
  #kept: LookUp[] = [];
  #dropped = 0;

  constructor(stages: Stages, entry: DecisionEntry) {
    this.#find = consentLookup(stages, entry);
    this.#clock = stages.clock;
  }

  /** `consents` of the plan. */
  readonly find: DisclosurePlan['consents'] = (ids) => {
    const states = this.#find(ids);
    if (states instanceof Promise) return states.then((found) => this.#keep(ids, found));
    return this.#keep(ids, states);
  };

  #keep(ids: readonly string[], states: States): States {
    this.#kept.push({ ids, states, answeredAt: this.#clock.micros() });
    return states;
  }

  /**
   * Before a part is recorded: asks again for what it rests on, unless that was asked for just now.
   * @throws SluiceError `consent_changed`, `consent_unavailable`
   */
  confirm({ lookups: { from, to } }: Pick<DisclosurePart, 'lookups'>): void | Promise<void> {
    if (from > this.#dropped) {
      this.#kept.splice(0, from - this.#dropped);
      this.#dropped = from;
    }
    const oldest = this.#kept[0];
    if (to === from || oldest === undefined || this.#clock.micros() - oldest.answeredAt <= FRESH) return;
    return this.#askAgain(this.#kept.slice(0, to - from));
  }

  async #askAgain(lookups: readonly LookUp[]): Promise<void> {
    const known = new Map<string, DataSubjectState>();
    for (const { ids, states } of lookups)
      for (const id of ids) {
        const state = states.get(id) ?? NO_STATE;
        // They may have changed between two look-ups of the same part.
        if (!isSame(known.get(id) ?? state, state)) throw changed();
        known.set(id, state);
      }
    const ids = [...known.keys()];
    for (let at = 0; at < ids.length; at += BATCH) {
      const batch = ids.slice(at, at + BATCH);
      const finding = this.#find(batch);
      const states = finding instanceof Promise ? await finding : finding;
      for (const id of batch) if (!isSame(known.get(id)!, states.get(id) ?? NO_STATE)) throw changed();
    }
    const now = this.#clock.micros();
    for (const lookup of lookups) lookup.answeredAt = now;
  }
}

/** Equal states are mostly the same object. */
const isSame = (a: DataSubjectState, b: DataSubjectState): boolean => a === b || isDeepStrictEqual(a, b);

const changed = (): SluiceError =>
  new SluiceError(
    'consent_changed',
    'The consents of a data subject changed while the answer was on its way. Ask again: the new answer will be made with those now in force.',
  );

/** Each piece of a long answer is decided with what is agreed to when it is read, not when the request came. */
export function consentLookup(
  stages: Pick<Stages, 'clock' | 'consents'>,
  entry: DecisionEntry,
): DisclosurePlan['consents'] {
  const begun = new Date(entry.timestamp);
  return (ids) => {
    const now = stages.clock.now();
    // A clock that is set back makes nothing valid again.
    return stages.consents.lookup(ids, now > begun ? now : begun);
  };
}
