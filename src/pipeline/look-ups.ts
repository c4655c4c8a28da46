/**
 * The consents that an answer rests on, and the ids that they were looked up by, from their look-up until its parts are recorded. What is held in
 * between (totals before the records, groups, single records, a page that may go on, a caller that reads slowly) is not released on consents that
 * have changed since, nor on those of a person whom an alias no longer names.
 */
import { isDeepStrictEqual } from 'node:util';
import { SluiceError } from '../errors.ts';
import { aliasKey, type DataSubjectState, NO_STATE, type States } from '../model/consent.ts';
import type { DisclosurePart, DisclosurePlan, TypedId } from '../model/disclosure.ts';
import { FRESH } from './fresh.ts';
import type { Access } from './plan.ts';
import type { DecisionEntry } from './record.ts';
import type { Stages } from './stages.ts';

/** ids and values that are looked up again at once */
const BATCH = 1024;

type Identify = NonNullable<DisclosurePlan['identify']>;
type Identified = ReadonlyMap<string, string>;

/** Values that identify people, with the ids that were found for them. */
interface Naming {
  readonly values: readonly TypedId[];
  readonly ids: Identified;
  readonly answeredAt: number;
}

interface LookUp {
  readonly ids: readonly string[];
  readonly states: States;
  /** null: the ids are those that the records have */
  readonly naming: Naming | null;
  answeredAt: number;
}

export class LookUps {
  readonly #find: DisclosurePlan['consents'];
  readonly #identify: Identify;
  readonly #resolved: Access['resolved'];
  readonly #subject: string | null;
  readonly #clock: Stages['clock'];
  /** in the order of the calls, without those of parts that were recorded */
  #kept: LookUp[] = [];
  #dropped = 0;
  /** of the next look-up */
  #naming: Naming | null = null;
  #resolvedAt: number;

  constructor({ dataSubject, resolved, snapshot }: Access, entry: DecisionEntry, stages: Stages) {
    this.#find = consentLookup(stages, entry);
    this.#identify = (values) => stages.identities.identify(snapshot.data, values);
    this.#subject = dataSubject;
    this.#resolved = resolved;
    this.#resolvedAt = resolved?.at ?? 0;
    this.#clock = stages.clock;
  }

  /** `identify` of the plan, which calls it before the look-up that needs its ids. */
  readonly identify: Identify = (values) => {
    const ids = this.#identify(values);
    if (ids instanceof Promise) return ids.then((found) => this.#name(values, found));
    return this.#name(values, ids);
  };

  #name(values: readonly TypedId[], ids: Identified): Identified {
    this.#naming = { values, ids, answeredAt: this.#clock.micros() };
    return ids;
  }

  /** `consents` of the plan. */
  readonly find: DisclosurePlan['consents'] = (ids) => {
    const naming = this.#naming;
    this.#naming = null;
    const states = this.#find(ids);
    if (states instanceof Promise) return states.then((found) => this.#keep(ids, found, naming));
    return this.#keep(ids, states, naming);
  };

  #keep(ids: readonly string[], states: States, naming: Naming | null): States {
    this.#kept.push({ ids, states, naming, answeredAt: naming?.answeredAt ?? this.#clock.micros() });
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
    if (to === from || oldest === undefined) return;
    const since = this.#clock.micros() - FRESH;
    const isResolved = this.#resolved === null || this.#resolvedAt >= since;
    if (isResolved && oldest.answeredAt >= since) return;
    return this.#askAgain(this.#kept.slice(0, to - from));
  }

  async #askAgain(lookups: readonly LookUp[]): Promise<void> {
    const now = this.#clock.micros();
    if (this.#resolved !== null && (await this.#resolved.again()) !== this.#subject) throw changed();
    await this.#nameAgain(lookups);
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
    this.#resolvedAt = now;
    for (const lookup of lookups) lookup.answeredAt = now;
  }

  /** A value that named nobody may name somebody now: its record was withheld, and stays so. */
  async #nameAgain(lookups: readonly LookUp[]): Promise<void> {
    const known = new Map<string, string>();
    const values = new Map<string, TypedId>();
    for (const { naming } of lookups)
      for (const value of naming?.values ?? []) {
        const key = aliasKey(value);
        const id = naming!.ids.get(key);
        if (id === undefined) continue;
        if ((known.get(key) ?? id) !== id) throw changed();
        known.set(key, id);
        values.set(key, value);
      }
    const asked = [...values.values()];
    for (let at = 0; at < asked.length; at += BATCH) {
      const batch = asked.slice(at, at + BATCH);
      const ids = await this.#identify(batch);
      for (const value of batch) if (ids.get(aliasKey(value)) !== known.get(aliasKey(value))) throw changed();
    }
  }
}

/** The look-ups of an answer; of a stream, those of what has arrived last. */
export class CurrentLookUps {
  readonly #entry: DecisionEntry;
  readonly #stages: Stages;
  #current: LookUps;

  constructor(access: Access, entry: DecisionEntry, stages: Stages) {
    this.#entry = entry;
    this.#stages = stages;
    this.#current = new LookUps(access, entry, stages);
  }

  /** What was looked up before is recorded, or no longer needed. */
  begin(access: Access): void {
    this.#current = new LookUps(access, this.#entry, this.#stages);
  }

  readonly identify: Identify = (values) => this.#current.identify(values);
  readonly find: DisclosurePlan['consents'] = (ids) => this.#current.find(ids);
  readonly confirm = (part: Pick<DisclosurePart, 'lookups'>): void | Promise<void> =>
    this.#current.confirm(part);
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
