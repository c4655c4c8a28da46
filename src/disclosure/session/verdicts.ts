/** Asks the policy once for each distinct consent state (and distinct attributes), however many records there are. */
import type { DisclosureAnswer } from '../../model/answers.ts';
import type { Catalog } from '../../model/catalog.ts';
import type { Consent, DataSubjectState } from '../../model/consent.ts';
import type { DisclosurePlan } from '../../model/disclosure.ts';
import { withheldBy } from '../../model/verdict.ts';
import { withoutUnasked } from './unasked.ts';

/** entries of one body's caches, which are emptied when full; an attribute with many values may need more */
const MAX_ENTRIES = 1024;

type Attributes = Parameters<DisclosurePlan['ask']>[2];

/** The policy's answers for a scope of a record. Records in the same states with the same attributes share one object. */
export interface Verdict {
  readonly catalog: Catalog;
  /** one for each distinct state; the strictest applies */
  readonly answers: readonly DisclosureAnswer[];
  /** reason codes if an answer withholds the record; null: it may be released */
  readonly withheld: readonly string[] | null;
  /** what was asked, for the decision record */
  readonly stateAnswers: readonly StateAnswer[];
}

/** A state that the policy was asked about, with its answer. */
export interface StateAnswer {
  readonly resource: string;
  /** equal for equal states */
  readonly key: string;
  readonly state: DataSubjectState;
  readonly answer: DisclosureAnswer;
}

/** A state without the ids of its consents and in a fixed order, so that equal states have equal keys. */
interface Canonical {
  readonly key: string;
  readonly state: DataSubjectState;
}

export class Verdicts {
  readonly #plan: DisclosurePlan;
  /** by key; a state object that was seen before needs no key (`#byState`) */
  #verdicts: Map<string, Verdict> | null = null;
  #byState: Map<DataSubjectState, Verdict> | null = null;
  readonly #narrow: (attributes: Attributes) => Attributes;

  constructor(plan: DisclosurePlan) {
    this.#plan = plan;
    this.#narrow = narrowing(plan.attributesRead ?? null);
  }

  ask(catalog: Catalog, states: readonly DataSubjectState[], recorded: Attributes): Verdict {
    const attributes = this.#narrow(recorded);
    if (states.length === 1) return this.#askOne(catalog, states[0]!, attributes);
    const about = attributesKey(attributes);
    const key = states.map((state) => keyOf(catalog, state, about)).join('\n\n');
    let verdict = this.#verdicts?.get(key);
    if (verdict === undefined) {
      verdict = together(
        catalog,
        states.map((state) => this.#askOne(catalog, state, attributes)),
      );
      this.#verdicts = stored(this.#verdicts, key, verdict);
    }
    return verdict;
  }

  #askOne(catalog: Catalog, state: DataSubjectState, attributes: Attributes): Verdict {
    // without attributes, the state object alone identifies the verdict
    const isIdentified = catalog === this.#plan.catalog && isEmpty(attributes);
    const known = isIdentified ? this.#byState?.get(state) : undefined;
    if (known !== undefined) return known;
    const key = keyOf(catalog, state, attributesKey(attributes));
    let verdict = this.#verdicts?.get(key);
    if (verdict === undefined) {
      const canonical = canonicalOf(state);
      verdict = verdictOn(catalog, canonical, this.#answer(catalog, canonical.state, attributes));
      this.#verdicts = stored(this.#verdicts, key, verdict);
    }
    if (isIdentified) this.#byState = stored(this.#byState, state, verdict);
    return verdict;
  }

  #answer(catalog: Catalog, state: DataSubjectState, attributes: Attributes): DisclosureAnswer {
    const { catalog: own, unasked = NONE } = this.#plan;
    const answer = this.#plan.ask(catalog.resource, state, attributes);
    return withoutUnasked(answer, catalog === own ? unasked : NONE);
  }
}

/** The verdict on a scope about several data subjects, from the one on each. */
function together(catalog: Catalog, verdicts: readonly Verdict[]): Verdict {
  return {
    catalog,
    answers: [...new Set(verdicts.flatMap(({ answers }) => answers))],
    withheld: verdicts.some(({ withheld }) => withheld !== null)
      ? verdicts.flatMap(({ withheld }) => withheld ?? [])
      : null,
    stateAnswers: verdicts.flatMap(({ stateAnswers }) => stateAnswers),
  };
}

/** Verdicts for one state, by answer: many bodies get the same answer, and caches that are keyed by the verdict then apply across bodies. */
const VERDICTS = new WeakMap<DisclosureAnswer, Verdict[]>();
const MAX_VERDICTS = 8;

function verdictOn(catalog: Catalog, { key, state }: Canonical, answer: DisclosureAnswer): Verdict {
  let verdicts = VERDICTS.get(answer);
  if (verdicts === undefined) {
    verdicts = [];
    VERDICTS.set(answer, verdicts);
  }
  for (const verdict of verdicts) {
    if (verdict.catalog === catalog && verdict.stateAnswers[0]!.key === key) return verdict;
  }
  const stateAnswers = [{ resource: catalog.resource, key, state, answer }];
  const verdict = { catalog, answers: [answer], withheld: withheldBy(answer), stateAnswers };
  if (verdicts.length >= MAX_VERDICTS) verdicts.length = 0;
  verdicts.push(verdict);
  return verdict;
}

function stored<K, V>(cache: Map<K, V> | null, key: K, value: V): Map<K, V> {
  if (cache === null) return new Map([[key, value]]);
  if (cache.size >= MAX_ENTRIES) cache.clear();
  return cache.set(key, value);
}

/** @param about `attributesKey` */
const keyOf = (catalog: Catalog, state: DataSubjectState, about: string): string =>
  `${catalog.resource}\n${canonicalOf(state).key}\n${about}`;

const NONE: readonly string[] = [];
const NO_ATTRIBUTES: Attributes = Object.freeze({});

const asTheyAre = (attributes: Attributes): Attributes => attributes;
const none = (): Attributes => NO_ATTRIBUTES;

/** Keeps the attributes that an answer may depend on: records that differ only in others need one question. */
function narrowing(names: readonly string[] | null): (attributes: Attributes) => Attributes {
  if (names === null) return asTheyAre;
  if (names.length === 0) return none;
  let last: Attributes = NO_ATTRIBUTES;
  let narrowed: Attributes = NO_ATTRIBUTES;
  return (attributes) => {
    if (attributes === last) return narrowed;
    last = attributes;
    narrowed = Object.fromEntries(
      names.flatMap((name) => (Object.hasOwn(attributes, name) ? [[name, attributes[name]!]] : [])),
    );
    return narrowed;
  };
}

function isEmpty(attributes: Attributes): boolean {
  for (const _ in attributes) return false;
  return true;
}

/** For frozen states only. A consent source returns the same object for many data subjects and bodies. */
const CANONICAL = new WeakMap<DataSubjectState, Canonical>();

function canonicalOf(state: DataSubjectState): Canonical {
  const known = CANONICAL.get(state);
  if (known !== undefined) return known;
  const consents = Object.freeze(state.consents.map(withoutId).sort(byText));
  const flags = Object.freeze([...state.flags].sort());
  const canonical = { key: JSON.stringify([consents, flags]), state: Object.freeze({ consents, flags }) };
  if (isFrozen(state)) CANONICAL.set(state, canonical);
  return canonical;
}

const isFrozen = (state: DataSubjectState): boolean =>
  [state, state.consents, state.flags].every(Object.isFrozen) &&
  state.consents.every((consent) => Object.isFrozen(consent) && Object.isFrozen(consent.categories));

/** The members are in a fixed order, so that equal consents have equal JSON texts. */
function withoutId(consent: Consent): Consent {
  const { purpose, recipient, status, explicit, from, until } = consent;
  return Object.freeze({
    purpose,
    categories: Object.freeze([...consent.categories].sort()),
    recipient,
    status,
    ...(explicit === undefined ? {} : { explicit }),
    ...(from === undefined ? {} : { from }),
    ...(until === undefined ? {} : { until }),
  });
}

function byText(a: Consent, b: Consent): number {
  const [x, y] = [JSON.stringify(a), JSON.stringify(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/**
 * Unambiguous: each text is preceded by its length and type. Attributes in another order give another key: the policy is then asked once more,
 * and its own cache answers.
 */
function attributesKey(attributes: Attributes): string {
  let key = '';
  for (const name of Object.keys(attributes)) {
    const value = attributes[name];
    const text = String(value);
    key += `${name.length}:${name}${typeof value}${text.length}:${text}`;
  }
  return key;
}
