/**
 * A record that is found by a field which this caller does not see in it tells what the field holds. The guard refuses a search by
 * fields that are hidden in everybody's records (`guard.ts`); here are those that only this one's consents or attributes hide.
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

  /** codes of the reasons why records of this verdict are withheld; null: each field is shown as it is */
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
