/**
 * Whether a value of a write is one that Sluice has disguised. The caller may have it from a colleague, from another purpose or out of a
 * longer text, so that it does not matter what the caller itself is shown.
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
 * @param shown what the caller would be shown of the field
 * @param data of the policy: what tiers do to its category
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

/** Whether a value is the mask of a stored one, spelled as JSON, by the field's own kind of mask. */
export function isMaskOf(entry: FieldEntry, spelled: string, value: Scalar): boolean {
  const stored: unknown = JSON.parse(spelled);
  if (typeof stored !== 'string' || entry.mask === undefined || value.kind !== 'string') return false;
  const masked = maskFor(entry, { do: 'mask', because: 'catalog' }).apply(stored);
  return masked !== null && bare(masked) === bare(value.text);
}

const bare = (text: string): string => withStars(text).replace(/\*+/g, '*').trim();

/** prepared once a line: of texts that some tier scrubs, and of others */
const SCRUBBED = new WeakMap<FieldEntry, readonly Recognise[]>();
const OTHERS = new WeakMap<FieldEntry, readonly Recognise[]>();

/**
 * The treatments whose results look like nothing else: of `generalize` and `tokenize` a result may be a real value, so that they are
 * recognised only where the caller is shown them.
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

/** Some tier of the default policy's data scrubs the category: a colleague may see what this caller reads in clear. */
const isScrubbed = (category: string, { tiers }: { readonly [name: string]: unknown }): boolean =>
  isTable(tiers) &&
  Object.values(tiers).some(
    (tier) => isTable(tier) && isTable(tier['categories']) && tier['categories'][category] === 'scrub',
  );

const isTable = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === 'object' && value !== null;

/** a value that was hidden whole; a number or an address of which the middle was hidden */
const MASKED = /^\s*\*{4,}\s*$|[\p{L}\p{N}][ .-]?\*{3,}[ .-]?\p{N}|[\p{L}\p{N}]\*{2,}@/u;

/** What a field without a kind of mask holds may be a note with a masked number in it. */
const isMaskedText: Recognise = ({ text }) =>
  text.includes('*') || /[^\p{ASCII}]/u.test(text) ? MASKED.test(withStars(text)) : false;
