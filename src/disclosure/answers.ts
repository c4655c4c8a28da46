/** Asks the policy once a distinct state (and distinct attributes), whatever the number of records. */
import type { DisclosureAnswer } from '../model/answers.ts';
import type { Catalog } from '../model/catalog.ts';
import type { Consent, DataSubjectState } from '../model/consent.ts';
import type { DisclosurePlan } from '../model/disclosure.ts';

/** distinct answers of one body that are remembered; an attribute of many values may make more */
const REMEMBERED = 1024;

type Attributes = Parameters<DisclosurePlan['ask']>[2];

/** What the policy says about one scope of a record. */
export interface Asked {
  readonly catalog: Catalog;
  readonly subjects: readonly string[];
  /** one a distinct state; the strictest of them counts */
  readonly answers: readonly DisclosureAnswer[];
  /** codes of the reasons if any of the answers withholds the record; null: it may leave */
  readonly withheld: readonly string[] | null;
  /** ids of the consents that the policy looked at */
  readonly consents: readonly string[];
}

/** A state as the policy sees it: without the ids of consents, in an order of its own, so that equal states are one. */
interface Canonical {
  readonly key: string;
  readonly state: DataSubjectState;
}

export class Answers {
  readonly #plan: DisclosurePlan;
  /** emptied when full: most bodies are one record, for which a cache that keeps its order would cost more than the answer */
  readonly #answers = new Map<string, DisclosureAnswer>();
  #serials: WeakMap<DisclosureAnswer, number> | null = null;
  #serial = 0;

  constructor(plan: DisclosurePlan) {
    this.#plan = plan;
  }

  ask(
    catalog: Catalog,
    subjects: readonly string[],
    states: readonly DataSubjectState[],
    attributes: Attributes,
  ): Asked {
    const answers: DisclosureAnswer[] = [];
    const consents: string[] = [];
    let withheld: string[] | null = null;
    for (const state of states) {
      const answer = this.#answer(catalog, state, attributes);
      if (!answers.includes(answer)) answers.push(answer);
      if (answer.disclose !== true) {
        withheld ??= [];
        withheld.push(...(answer.reasons.length > 0 ? answer.reasons.map((r) => r.code) : ['withheld']));
      }
      for (const { id } of state.consents) if (id !== undefined) consents.push(id);
    }
    return { catalog, subjects, answers, withheld, consents };
  }

  /** names an answer within this body */
  serialOf(answer: DisclosureAnswer): number {
    this.#serials ??= new WeakMap();
    let serial = this.#serials.get(answer);
    if (serial === undefined) {
      serial = ++this.#serial;
      this.#serials.set(answer, serial);
    }
    return serial;
  }

  #answer(catalog: Catalog, state: DataSubjectState, attributes: Attributes): DisclosureAnswer {
    const { key, state: canonical } = canonicalOf(state);
    const question = `${catalog.resource}\n${key}\n${attributesKey(attributes)}`;
    let answer = this.#answers.get(question);
    if (answer === undefined) {
      answer = this.#plan.ask(catalog.resource, canonical, attributes);
      if (this.#answers.size >= REMEMBERED) this.#answers.clear();
      this.#answers.set(question, answer);
    }
    return answer;
  }
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

function attributesKey(attributes: Attributes): string {
  const names = Object.keys(attributes);
  return names.length === 0 ? '' : JSON.stringify(names.sort().map((name) => [name, attributes[name]]));
}
