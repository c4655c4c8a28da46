/** Drops fields that Sluice requested from the upstream although the caller did not select them. */
import type { DisclosureAnswer, TreatmentChoice } from '../../model/answers.ts';

const UNASKED: TreatmentChoice = Object.freeze({ do: 'drop', because: 'not_asked_for' });
/** Other caches are keyed by the answer object, so equal inputs must give the same object. */
const WITHOUT = new WeakMap<DisclosureAnswer, Map<string, DisclosureAnswer>>();

export function withoutUnasked(answer: DisclosureAnswer, pointers: readonly string[]): DisclosureAnswer {
  if (pointers.length === 0) return answer;
  let known = WITHOUT.get(answer);
  if (known === undefined) {
    known = new Map();
    WITHOUT.set(answer, known);
  }
  const key = pointers.join('\n');
  let without = known.get(key);
  if (without === undefined) {
    const fields = { ...answer.fields, ...Object.fromEntries(pointers.map((pointer) => [pointer, UNASKED])) };
    without = Object.freeze({ ...answer, fields });
    known.set(key, without);
  }
  return without;
}
