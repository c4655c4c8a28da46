/** Lists the values of a document in a text that a request writes, by means of a program that collects every value. */
import { type Counter, DROP, type FieldId, type Program, type StateId, TREAT } from '../formats/format.ts';
import type { Automaton } from '../fields/automaton.ts';
import type { Scalar } from '../../model/disclosure.ts';
import { MAX_NESTED } from './format.ts';
import { INNER_FORMATS } from './registry.ts';
import { matcherAt } from './view.ts';

export interface InnerValue {
  /** the field of the line that covers it; -1: none */
  readonly field: FieldId;
  /** null: not a scalar */
  readonly value: Scalar | null;
}

/** @returns null: the text is not such a document */
export function innerValues(
  parse: string,
  text: string,
  automaton: Automaton,
  state: StateId,
  nested = 1,
): readonly InnerValue[] | null {
  const format = INNER_FORMATS.get(parse);
  if (format === undefined || nested > MAX_NESTED) return null;
  const found: InnerValue[] = [];
  let isSound = true;
  const unknown = (): void => void found.push({ field: -1, value: null });
  const counter: Counter = {
    released: () => {},
    withheld: () => {},
    inapplicable: unknown,
    notWhole: unknown,
    unknown,
    unknownAt: unknown,
    scopeWithheld: unknown,
  };
  const program: Program = {
    action: (field) => (field < 0 ? DROP : TREAT),
    treat(at, value) {
      const field = automaton.field(at);
      if (value.kind === 'container') {
        found.push({ field: -1, value: null });
        return { kind: 'null' };
      }
      found.push({ field, value });
      const inside = automaton.all[field]?.entry?.parse;
      if (inside !== undefined && at !== state) {
        const deeper =
          value.kind === 'string' ? innerValues(inside, value.text, automaton, at, nested + 1) : null;
        if (deeper === null) isSound = false;
        else for (const leaf of deeper) found.push(leaf);
      }
      return value.kind === 'string' || value.kind === 'number' ? value : { kind: 'null' };
    },
    bytes: () => null,
    elements: () => true,
    counter,
    codes: () => new Uint8Array(0),
    counts: [],
  };
  const segments = format.disclose(text, matcherAt(automaton, state), program);
  return segments === null || !isSound ? null : found;
}
