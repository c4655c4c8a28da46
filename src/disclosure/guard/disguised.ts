/**
 * Recognises values of a write that are results of a treatment (masks, tokens …). The caller may have such a value from a colleague, from
 * another purpose or from a longer text, so that not only the treatment that applies to the caller counts.
 */
import type { TreatmentChoice } from '../../model/answers.ts';
import type { FieldEntry } from '../../model/catalog.ts';
import type { Scalar } from '../../model/disclosure.ts';
import { withStars } from '../treatments/masks/returned.ts';
import { maskFor } from '../treatments/mask.ts';
import { TREATMENT_FILES } from '../treatments/registry.ts';
import type { Recognise, Treatment } from '../treatments/treatment.ts';

const TREATMENTS = new Map<string, Treatment>(TREATMENT_FILES.map((t) => [t.name, t]));

/**
 * @param shown the treatment of the field for this caller
 * @param data of the policy, with the treatments of the tiers by category
 */
export function isDisguised(
  entry: FieldEntry,
  shown: TreatmentChoice,
  value: Scalar,
  data: { readonly [name: string]: unknown },
): boolean {
  const recognise = TREATMENTS.get(shown.do)?.recognise;
  if (recognise?.(entry, shown)(value) === true) return true;
  return value.kind === 'string' && shapesOf(entry, data).some((isOne) => isOne(value));
}

/** Whether a value is the mask of a stored value (spelled as JSON) by the field's kind of mask. */
export function isMaskOf(entry: FieldEntry, spelled: string, value: Scalar): boolean {
  const stored: unknown = JSON.parse(spelled);
  if (typeof stored !== 'string' || entry.mask === undefined || value.kind !== 'string') return false;
  const masked = maskFor(entry, { do: 'mask', because: 'catalog' }).apply(stored);
  return masked !== null && bare(masked) === bare(value.text);
}

const bare = (text: string): string => withStars(text).replace(/\*+/g, '*').trim();

/** by catalog line: for fields that some tier scrubs, and for others */
const SCRUBBED = new WeakMap<FieldEntry, readonly Recognise[]>();
const OTHERS = new WeakMap<FieldEntry, readonly Recognise[]>();

/**
 * Recognisers of the treatments whose results cannot be real values. A result of `generalize` or `tokenize` can be one, so these are recognised
 * only if the treatment applies to the caller.
 */
function shapesOf(entry: FieldEntry, data: { readonly [name: string]: unknown }): readonly Recognise[] {
  const scrubbed = entry.scrub !== undefined || isScrubbed(entry.category, data);
  const prepared = scrubbed ? SCRUBBED : OTHERS;
  const known = prepared.get(entry);
  if (known !== undefined) return known;
  const named = [...(entry.mask === undefined ? [] : ['mask']), ...(scrubbed ? ['scrub'] : [])];
  const shapes = [...named, 'pseudonymize', 'encrypt'].map((name) =>
    TREATMENTS.get(name)!.recognise(entry, { do: name as TreatmentChoice['do'], because: 'catalog' }),
  );
  const all = named.length === 0 ? [...shapes, isMaskedText] : shapes;
  prepared.set(entry, all);
  return all;
}

/** Whether some tier of the policy's data scrubs the category: a colleague may then be shown the scrubbed text. */
const isScrubbed = (category: string, { tiers }: { readonly [name: string]: unknown }): boolean =>
  isTable(tiers) &&
  Object.values(tiers).some(
    (tier) => isTable(tier) && isTable(tier['categories']) && tier['categories'][category] === 'scrub',
  );

const isTable = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === 'object' && value !== null;

/** a value that is masked completely; a number or an e-mail address that is masked in the middle */
const MASKED = /^\s*\*{4,}\s*$|[\p{L}\p{N}][ .-]?\*{3,}[ .-]?\p{N}|[\p{L}\p{N}]\*{2,}@/u;

/** A field without a kind of mask may contain a note with a masked number. */
const isMaskedText: Recognise = ({ text }) =>
  text.includes('*') || /[^\p{ASCII}]/u.test(text) ? MASKED.test(withStars(text)) : false;
