/**
 * Withholds a record that was found by a field which the caller may not see in it: that it was found reveals the field's value. The guard
 * refuses searches by fields that are hidden in every record; this is for fields that only the consents or attributes of one record hide.
 */
import type { Verdict } from './verdicts.ts';
import { choiceOf } from '../fields/program.ts';

const HIDDEN: readonly string[] = ['query_field_withheld'];

export class Searched {
  readonly #pointers: readonly string[];
  readonly #known = new WeakMap<Verdict, boolean>();

  /** @param pointers of fields that the request searched, filtered or sorted by */
  constructor(pointers: readonly string[]) {
    this.#pointers = pointers;
  }

  /** reason codes for which records of this verdict are withheld; null: every searched field is disclosed */
  withheldBy(verdict: Verdict): readonly string[] | null {
    let hidden = this.#known.get(verdict);
    if (hidden === undefined) {
      const { catalog, answers } = verdict;
      hidden = this.#pointers.some((pointer) =>
        answers.some((answer) => choiceOf(catalog, answer, pointer).do !== 'disclose'),
      );
      this.#known.set(verdict, hidden);
    }
    return hidden ? HIDDEN : null;
  }
}
