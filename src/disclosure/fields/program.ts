/**
 * Compiles answers of the policy for one scope of an automaton: field → action. Fails closed: a field is dropped if the answer does not name
 * its class, the treatment is unknown or its parameters are invalid.
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

/** For a document (`parse`): treating the whole text could be milder than a line below requires. */
const UNPARSED: TreatmentChoice = { do: 'drop', because: 'not_applicable' };
const UNTREATABLE: TreatmentChoice = { do: 'drop', because: 'treatment_unknown' };

const NO_ENTRY: FieldEntry = { category: 'unknown', grade: 5 };

export interface TreatmentSet {
  readonly byName: ReadonlyMap<string, Treatment>;
  readonly context: TreatmentContext;
}

/** One or several answers, compiled for the fields of one scope. */
export class Instructions {
  readonly automaton: Automaton;
  readonly scope: number;
  readonly firstField: number;
  readonly actions: Uint8Array;
  readonly choices: readonly TreatmentChoice[];
  /** by field, 1: its treatment takes containers as a unit */
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
    // what is disclosed of a document is decided by the lines below it
    this.actions = Uint8Array.from(this.choices, (choice, n) =>
      isParsed(n) && actionOf(choice) === DISCLOSE ? TREAT : actionOf(choice),
    );
    this.takesContainers = Uint8Array.from(this.choices, (choice, n) =>
      !isParsed(n) && treatments.byName.get(choice.do)?.containers === true ? 1 : 0,
    );
    this.#treatments = treatments;
    this.#treats = new Array(choices.length).fill(undefined);
  }

  /** `Program.codes`, extended when the automaton has new states. */
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

/** Compiles the answers for one scope, the strictest choice for each field. None of the answers may withhold the record. */
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

const NAMED = new WeakMap<DisclosureAnswer, ReadonlyMap<string, TreatmentChoice>>();

/** The choice of an answer for a field, by its pointer or class. @throws SluiceError `policy_answer_malformed` */
const choiceFor = (answer: DisclosureAnswer, field: Addressed): TreatmentChoice =>
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

/** The same for a catalog line. @param pointer as the catalog spells it */
export function choiceOf(catalog: Catalog, answer: DisclosureAnswer, pointer: string): TreatmentChoice {
  const entry = Object.hasOwn(catalog.fields, pointer) ? catalog.fields[pointer] : undefined;
  return choiceFor(answer, {
    pointers: [canonicalPointer(pointer)],
    cls: entry === undefined || 'resource' in entry ? null : classOf(entry),
    embedded: entry !== undefined && 'resource' in entry,
  });
}

/** The fields that an answer names, by canonical pointer. If one is named twice, the stricter choice applies. */
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

/** @throws SluiceError `policy_answer_malformed` for an invalid pointer: it may have been intended to hide a field */
export function canonicalPointer(pointer: string): string {
  try {
    parsePointer(pointer);
  } catch (cause) {
    throw new SluiceError('policy_answer_malformed', {
      message: 'the answer names a field by an invalid pointer',
      cause,
      paths: [pointer],
    });
  }
  return new Trie().at(pointer).pointer;
}
