/** What an answer says of one line of the catalog, without a body at hand. */
import type { DisclosureAnswer, TreatmentChoice } from '../model/answers.ts';
import { type Catalog, classOf } from '../model/catalog.ts';

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
