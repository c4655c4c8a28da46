/**
 * An answer of the policy compiled for one scope of an automaton: field → what to do. Fail closed throughout: a class the answer does not
 * name, a treatment nobody has, parameters that cannot be prepared: dropped.
 */
import { SluiceError } from '../../errors.ts';
import type { DisclosureAnswer, TreatmentChoice } from '../../model/answers.ts';
import { type Catalog, classOf, type FieldEntry } from '../../model/catalog.ts';
import { type Addressed, choiceIn, stricter } from '../../model/verdict.ts';
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
} from '../formats/format.ts';
import { parsePointer } from './pointer.ts';
import type { Treat, TreatBytes, Treatment, TreatmentContext } from '../treatments/treatment.ts';
import { Trie } from './trie.ts';

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
  readonly takesContainers: Uint8Array;
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
    this.takesContainers = Uint8Array.from(this.choices, (choice, n) =>
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
    const reached = !automaton.through(state) || this.takesContainers[field - this.firstField] === 1;
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

const choicesOf = (automaton: Automaton, first: number, count: number, answer: DisclosureAnswer) =>
  automaton.all.slice(first, first + count).map((field) => choiceFor(answer, addressed(automaton, field)));

function addressed(automaton: Automaton, field: Field): Addressed {
  const pointers = [field.pointer];
  let last = field;
  while (!last.closed && last.base >= 0) {
    last = automaton.all[last.base]!;
    pointers.push(last.pointer);
  }
  return { pointers, cls: last.cls, embedded: field.closed };
}

/** by answer: an answer is read for many fields, and many times */
const NAMED = new WeakMap<DisclosureAnswer, ReadonlyMap<string, TreatmentChoice>>();

/** What an answer says of a field that it names, or its class. @throws SluiceError `policy_answer_malformed` */
export const choiceFor = (answer: DisclosureAnswer, field: Addressed): TreatmentChoice =>
  choiceIn(answer, namedIn(answer), field);

/** A value in a body, by the line of the catalog that covers it. */
interface Covered {
  /** the path that an answer names, or that of the line */
  readonly pointer: string;
  /** of the line */
  readonly base: string;
  readonly entry: FieldEntry | null;
}

/** The same for a value in a body. An answer may name it though the catalog has no line for it, within a line that is `whole`. */
export const choiceAt = (answer: DisclosureAnswer, { pointer, base, entry }: Covered): TreatmentChoice =>
  choiceFor(answer, { pointers: [pointer, base], cls: entry === null ? null : classOf(entry) });

/** The same for a line of a catalog. @param pointer as the catalog writes it */
export function choiceOf(catalog: Catalog, answer: DisclosureAnswer, pointer: string): TreatmentChoice {
  const entry = Object.hasOwn(catalog.fields, pointer) ? catalog.fields[pointer] : undefined;
  return choiceFor(answer, {
    pointers: [canonicalPointer(pointer)],
    cls: entry === undefined || 'resource' in entry ? null : classOf(entry),
    embedded: entry !== undefined && 'resource' in entry,
  });
}

/** The fields that an answer names, each by the one spelling of its pointer; named twice, the stricter holds. */
function namedIn(answer: DisclosureAnswer): ReadonlyMap<string, TreatmentChoice> {
  const known = NAMED.get(answer);
  if (known !== undefined) return known;
  const named = new Map<string, TreatmentChoice>();
  for (const [pointer, choice] of Object.entries(answer.fields)) {
    const canonical = canonicalPointer(pointer);
    const other = named.get(canonical);
    named.set(canonical, other === undefined ? choice : stricter(other, choice));
  }
  NAMED.set(answer, named);
  return named;
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
