/** Asks the policy once a distinct state (and distinct attributes), whatever the number of records. */
import type { DisclosureAnswer } from '../../model/answers.ts';
import type { Catalog } from '../../model/catalog.ts';
import type { Consent, DataSubjectState } from '../../model/consent.ts';
import type { DisclosurePlan } from '../../model/disclosure.ts';
import { withheldBy } from '../../model/verdict.ts';
import { SmallMap } from './small.ts';
import { withoutUnasked } from './unasked.ts';

/** distinct answers of one body that are remembered; an attribute of many values may make more */
const REMEMBERED = 1024;

type Attributes = Parameters<DisclosurePlan['ask']>[2];

/** What the policy says about data subjects in the same states with the same attributes. */
export interface Verdict {
  readonly catalog: Catalog;
  /** one a distinct state; the strictest of them counts */
  readonly answers: readonly DisclosureAnswer[];
  /** codes of the reasons if any of the answers withholds the record; null: it may leave */
  readonly withheld: readonly string[] | null;
  /** what was asked, for the account */
  readonly stateAnswers: readonly StateAnswer[];
}

/** One state that the policy was asked about, and its answer. */
export interface StateAnswer {
  readonly resource: string;
  /** of the state: equal for equal states */
  readonly key: string;
  readonly state: DataSubjectState;
  readonly answer: DisclosureAnswer;
}

/** A state as the policy sees it: without the ids of consents, in an order of its own, so that equal states are one. */
interface Canonical {
  readonly key: string;
  readonly state: DataSubjectState;
}

export class Verdicts {
  readonly #plan: DisclosurePlan;
  // Emptied when full: most bodies are one record, for which a cache that keeps its order would cost more than the answer.
  readonly #answers = new SmallMap<string, DisclosureAnswer>();
  /** by the states (and attributes) asked about; what is found by the very state object needs no key at all */
  readonly #verdicts = new SmallMap<string, Verdict>();
  readonly #byState = new SmallMap<DataSubjectState, Verdict>();
  /** the attributes asked about last, and what was said about them: a table gives one object for rows that are alike */
  #attributes: Attributes | null = null;
  readonly #bySameAttributes = new SmallMap<DataSubjectState, Verdict>();
  readonly #narrow: (attributes: Attributes) => Attributes;

  constructor(plan: DisclosurePlan) {
    this.#plan = plan;
    this.#narrow = narrowing(plan.attributesRead ?? null);
  }

  ask(catalog: Catalog, states: readonly DataSubjectState[], recorded: Attributes): Verdict {
    const attributes = this.#narrow(recorded);
    const only = states.length === 1 && catalog === this.#plan.catalog ? states[0]! : null;
    const memory = only === null ? null : this.#memoryFor(attributes);
    if (only !== null) {
      const known = memory?.get(only);
      if (known !== undefined) return known;
    }
    const about = attributesKey(attributes);
    const keys: string[] = [];
    for (const state of states) keys.push(`${catalog.resource}\n${canonicalOf(state).key}\n${about}`);
    const key = keys.length === 1 ? keys[0]! : keys.join('\n\n');
    let verdict = this.#verdicts.get(key);
    if (verdict === undefined) {
      verdict = this.#judge(catalog, states, keys, attributes);
      remember(this.#verdicts, key, verdict);
    }
    if (only !== null && memory !== null) remember(memory, only, verdict);
    return verdict;
  }

  /** what the very same attributes were answered with, by state; null: they were not those asked about last */
  #memoryFor(attributes: Attributes): SmallMap<DataSubjectState, Verdict> | null {
    if (isEmpty(attributes)) return this.#byState;
    if (attributes === this.#attributes) return this.#bySameAttributes;
    this.#attributes = attributes;
    if (this.#bySameAttributes.size > 0) this.#bySameAttributes.clear();
    return null;
  }

  #judge(
    catalog: Catalog,
    states: readonly DataSubjectState[],
    keys: readonly string[],
    attributes: Attributes,
  ): Verdict {
    if (states.length === 1) {
      const canonical = canonicalOf(states[0]!);
      return verdictOn(catalog, canonical, this.#answer(catalog, canonical.state, keys[0]!, attributes));
    }
    const answers: DisclosureAnswer[] = [];
    const stateAnswers: StateAnswer[] = [];
    let withheld: string[] | null = null;
    for (let n = 0; n < states.length; n++) {
      const { key, state } = canonicalOf(states[n]!);
      const answer = this.#answer(catalog, state, keys[n]!, attributes);
      stateAnswers.push({ resource: catalog.resource, key, state, answer });
      if (!answers.includes(answer)) answers.push(answer);
      const codes = withheldBy(answer);
      if (codes !== null) withheld = [...(withheld ?? []), ...codes];
    }
    return { catalog, answers, withheld, stateAnswers };
  }

  #answer(catalog: Catalog, state: DataSubjectState, key: string, attributes: Attributes): DisclosureAnswer {
    let answer = this.#answers.get(key);
    if (answer === undefined) {
      const { catalog: own, unasked = NONE } = this.#plan;
      answer = withoutUnasked(
        this.#plan.ask(catalog.resource, state, attributes),
        catalog === own ? unasked : NONE,
      );
      remember(this.#answers, key, answer);
    }
    return answer;
  }
}

/** Verdicts on one state each, by their answer: a policy gives many bodies the same one, and what is made of a verdict is remembered by it. */
const VERDICTS = new WeakMap<DisclosureAnswer, Verdict[]>();
const VERDICTS_REMEMBERED = 8;

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
  if (verdicts.length >= VERDICTS_REMEMBERED) verdicts.length = 0;
  verdicts.push(verdict);
  return verdict;
}

function remember<K, V>(memory: SmallMap<K, V>, key: K, value: V): void {
  if (memory.size >= REMEMBERED) memory.clear();
  memory.set(key, value);
}

const NONE: readonly string[] = [];
const NO_ATTRIBUTES: Attributes = Object.freeze({});

const asTheyAre = (attributes: Attributes): Attributes => attributes;
const none = (): Attributes => NO_ATTRIBUTES;

/** Leaves those that an answer may depend on: records that differ in the others are asked about once. */
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

/** Of states that cannot change: a consent source gives many data subjects, and many bodies, the same one. */
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

/** members in one order, so that the text of equal consents is equal */
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
 * Unambiguous: a text says its length, and its type stands before it. Attributes that come in another order have another key: the
 * policy is asked once more, and its own memory answers.
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
