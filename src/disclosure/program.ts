/**
 * An answer of the policy compiled for one scope of an automaton: field → what to do. Fail closed throughout: a class the answer does not
 * name, a treatment nobody has, parameters that cannot be prepared: dropped.
 */
import { SluiceError } from '../errors.ts';
import type { DisclosureAnswer, TreatmentChoice, TreatmentName } from '../model/answers.ts';
import type { FieldEntry } from '../model/catalog.ts';
import type { Automaton, Field } from './automaton.ts';
import {
  type Action,
  DISCLOSE,
  DROP,
  EMBEDS,
  type FieldId,
  INNER,
  NULLIFY,
  POSITIONAL,
  type StateId,
  TREAT,
  UNKNOWN,
  WHOLE,
} from './formats/format.ts';
import { parsePointer } from './pointer.ts';
import type { Treat, TreatBytes, Treatment, TreatmentContext } from './treatments/treatment.ts';
import { Trie } from './trie.ts';

/**
 * From the one that tells a recipient most to the one that tells least, in the order of the default policy
 * (`policies/sluice/treatment`), so that "the strictest" is one thing. `encrypt` stands next to `disclose`: it hides the value from everybody but
 * the recipient, who is the one the policy is about. `tokenize` can be reversed by asking, `pseudonymize` cannot.
 */
const STRICTNESS: readonly TreatmentName[] = [
  'disclose',
  'encrypt',
  'scrub',
  'generalize',
  'mask',
  'tokenize',
  'pseudonymize',
  'nullify',
  'drop',
];
const strictness = (choice: TreatmentChoice) => STRICTNESS.indexOf(choice.do);

const UNNAMED: TreatmentChoice = { do: 'drop', because: 'class_not_named' };
const UNCATALOGUED: TreatmentChoice = { do: 'drop', because: 'uncatalogued' };
const DIFFERS: TreatmentChoice = { do: 'drop', because: 'answers_differ' };
const EMBEDDED: TreatmentChoice = { do: 'drop', because: 'embedded_resource' };

/** A treatment of the text as one would be milder than what a line below asks for. */
const UNPARSED: TreatmentChoice = { do: 'drop', because: 'not_applicable' };
const UNTREATABLE: TreatmentChoice = { do: 'drop', because: 'treatment_unknown' };

const NO_ENTRY: FieldEntry = { category: 'unknown', grade: 5 };

export interface TreatmentSet {
  readonly byName: ReadonlyMap<string, Treatment>;
  readonly context: TreatmentContext;
}

/** What one or several answers say about the fields of one scope. */
export class Instructions {
  readonly automaton: Automaton;
  readonly scope: number;
  readonly firstField: number;
  readonly actions: Uint8Array;
  readonly choices: readonly TreatmentChoice[];
  /** 1: its treatment takes containers whole */
  readonly whole: Uint8Array;
  readonly #treatments: TreatmentSet;
  readonly #treats: (Treat | undefined)[];
  readonly #bytes: (TreatBytes | null | undefined)[] = [];
  #codes = new Uint8Array(0);

  constructor(
    automaton: Automaton,
    scope: number,
    choices: readonly TreatmentChoice[],
    treatments: TreatmentSet,
  ) {
    this.automaton = automaton;
    this.scope = scope;
    this.firstField = automaton.scopes[scope]!.firstField;
    const isParsed = (n: number): boolean => automaton.all[this.firstField + n]?.entry?.parse !== undefined;
    this.choices = choices.map((choice, n) => {
      if (!isKnown(choice, treatments)) return UNTREATABLE;
      return isParsed(n) && actionOf(choice) === TREAT ? UNPARSED : choice;
    });
    // what is disclosed of a document is for the lines below it to say
    this.actions = Uint8Array.from(this.choices, (choice, n) =>
      isParsed(n) && actionOf(choice) === DISCLOSE ? TREAT : actionOf(choice),
    );
    this.whole = Uint8Array.from(this.choices, (choice, n) =>
      !isParsed(n) && treatments.byName.get(choice.do)?.containers === true ? 1 : 0,
    );
    this.#treatments = treatments;
    this.#treats = new Array(choices.length).fill(undefined);
  }

  /** `Program.codes`: worked out for all states at once, and again when there are more of them */
  codes(): Uint8Array {
    const { states } = this.automaton;
    const known = this.#codes.length;
    if (known === states.length) return this.#codes;
    const codes = new Uint8Array(states.length);
    codes.set(this.#codes);
    for (let id = known; id < states.length; id++) {
      const { field, inner, embeds, positional } = states[id]!;
      const action = field < 0 ? UNKNOWN : (this.actions[field - this.firstField] ?? DROP);
      const beside =
        (inner ? INNER : 0) |
        (embeds >= 0 ? EMBEDS : 0) |
        (positional ? POSITIONAL : 0) |
        (this.automaton.whole(id) ? WHOLE : 0);
      codes[id] = action | beside;
    }
    this.#codes = codes;
    return codes;
  }

  /** `Program.bytes` of a state */
  bytes(state: StateId): TreatBytes | null {
    const known = this.#bytes[state];
    if (known !== undefined) return known;
    const { automaton } = this;
    const field = automaton.field(state);
    if (automaton.all[field]?.entry?.parse !== undefined) {
      this.#bytes[state] = null;
      return null;
    }
    const reached = !automaton.through(state) || this.whole[field - this.firstField] === 1;
    const bytes = (reached ? this.treat(field).bytes : undefined) ?? null;
    this.#bytes[state] = bytes;
    return bytes;
  }

  treat(field: FieldId): Treat {
    const at = field - this.firstField;
    const known = this.#treats[at];
    if (known) return known;
    const choice = this.choices[at]!;
    const entry = this.automaton.all[field]!.entry ?? NO_ENTRY;
    const treat = this.#treatments.byName.get(choice.do)!.prepare(entry, choice, this.#treatments.context);
    this.#treats[at] = treat;
    return treat;
  }
}

const isKnown = (choice: TreatmentChoice, treatments: TreatmentSet) =>
  actionOf(choice) !== TREAT || treatments.byName.has(choice.do);

function actionOf(choice: TreatmentChoice): Action {
  if (choice.do === 'disclose') return DISCLOSE;
  if (choice.do === 'nullify') return NULLIFY;
  return choice.do === 'drop' ? DROP : TREAT;
}

/** Compiles the answers for one scope; with several the strictest choice of each field. None of them may withhold the record. */
export function instruct(
  automaton: Automaton,
  scope: number,
  answers: readonly DisclosureAnswer[],
  treatments: TreatmentSet,
): Instructions {
  const { firstField, fieldCount } = automaton.scopes[scope]!;
  let choices: TreatmentChoice[] | null = null;
  for (const answer of answers) {
    const mine = choicesOf(automaton, firstField, fieldCount, answer);
    choices = choices === null ? mine : choices.map((choice, n) => stricter(choice, mine[n]!));
  }
  return new Instructions(automaton, scope, choices ?? [], treatments);
}

function choicesOf(automaton: Automaton, first: number, count: number, answer: DisclosureAnswer) {
  const named = new Map<string, TreatmentChoice>();
  for (const [pointer, choice] of Object.entries(answer.fields)) {
    const canonical = canonicalPointer(pointer);
    const other = named.get(canonical);
    named.set(canonical, other === undefined ? choice : stricter(other, choice));
  }
  // a base has a smaller or greater id than what falls back to it: resolve by recursion, not by order
  const choiceOf = (field: Field): TreatmentChoice => {
    const own = named.get(field.pointer);
    if (field.closed) return own?.do === 'drop' || own?.do === 'nullify' ? own : EMBEDDED;
    if (own !== undefined) return own;
    if (field.base >= 0) return choiceOf(automaton.all[field.base]!);
    if (field.cls === null) return UNCATALOGUED;
    return Object.hasOwn(answer.classes, field.cls) ? answer.classes[field.cls]! : UNNAMED;
  };
  return automaton.all.slice(first, first + count).map(choiceOf);
}

function stricter(a: TreatmentChoice, b: TreatmentChoice): TreatmentChoice {
  const [ra, rb] = [strictness(a), strictness(b)];
  if (ra < 0) return a; // no treatment we know: drops
  if (rb < 0) return b;
  if (ra !== rb) return ra > rb ? a : b;
  return JSON.stringify(a.with ?? {}) === JSON.stringify(b.with ?? {}) ? a : DIFFERS;
}

/** @throws SluiceError `policy_answer_malformed` for what is no pointer: it might have been meant to hide something */
export function canonicalPointer(pointer: string): string {
  try {
    parsePointer(pointer);
  } catch (cause) {
    throw new SluiceError('policy_answer_malformed', {
      message: 'the answer names a field by something that is no pointer',
      cause,
      paths: [pointer],
    });
  }
  return new Trie().at(pointer).pointer;
}
