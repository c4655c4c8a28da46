/** What an answer says of a field: of a line of the catalog, without a body at hand, or of what a body writes. */
import type { DisclosureAnswer, TreatmentChoice } from '../model/answers.ts';
import { type Catalog, classOf } from '../model/catalog.ts';
import type { Leaf } from './leaf.ts';
import { canonicalPointer } from './program.ts';

const UNKNOWN: TreatmentChoice = { do: 'drop', because: 'uncatalogued' };
const UNNAMED: TreatmentChoice = { do: 'drop', because: 'class_not_named' };

/** @param pointer of the field, as the catalog writes it */
export function choiceOf(catalog: Catalog, answer: DisclosureAnswer, pointer: string): TreatmentChoice {
  if (!answer.disclose) return { do: 'drop', because: answer.reasons[0]?.code ?? 'record_withheld' };
  const named = Object.hasOwn(answer.fields, pointer) ? answer.fields[pointer] : undefined;
  if (named) return named;
  const entry = Object.hasOwn(catalog.fields, pointer) ? catalog.fields[pointer] : undefined;
  if (!entry || 'resource' in entry) return UNKNOWN;
  const cls = classOf(entry);
  return (Object.hasOwn(answer.classes, cls) ? answer.classes[cls] : undefined) ?? UNNAMED;
}

/** What an answer says of a leaf, which it may name where the catalog has no line, within one that is whole. */
export function choiceFor(
  answer: DisclosureAnswer,
  { pointer, base, entry }: Pick<Leaf, 'pointer' | 'base' | 'entry'>,
): TreatmentChoice {
  if (!answer.disclose) return { do: 'drop', because: answer.reasons[0]?.code ?? 'record_withheld' };
  const named = new Map(Object.entries(answer.fields).map(([name, of]) => [canonicalPointer(name), of]));
  const choice = named.get(pointer) ?? named.get(base);
  if (choice !== undefined) return choice;
  const cls = entry === null ? '' : classOf(entry);
  return (Object.hasOwn(answer.classes, cls) ? answer.classes[cls] : undefined) ?? UNNAMED;
}
