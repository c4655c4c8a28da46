/**
 * `scrub`: masks identifying parts of a free text: Chinese identity numbers, mobile and other telephone numbers, bank cards, documents, e-mail
 * addresses, plates, and names found by a label, a title or a lexicon. `{ entities: [...] }` selects some of them. It finds what has a form or a
 * label, not everything that a person may write; recall is measured in bench/RESULTS.md.
 */
import type { TreatmentChoice } from '../../model/answers.ts';
import type { FieldEntry } from '../../model/catalog.ts';
import { createMask } from './masks/kinds.ts';
import { HIDDEN, type Mask } from './masks/mask.ts';
import { withStars } from './masks/returned.ts';
import { fault, onlyKnown } from './parameters.ts';
import { merged, orDrop, orRefuse } from './prepared.ts';
import { isTooDeep } from './scrub/decode.ts';
import { type Found, findEntities } from './scrub/find.ts';
import { ENTITIES, type Entity } from './scrub/span.ts';
import { isCompoundSurname, isSurname } from './masks/surnames.ts';
import type { Treatment } from './treatment.ts';

const MASKS = Object.fromEntries(ENTITIES.map((entity) => [entity, createMask(entity)])) as {
  readonly [entity in Entity]: Mask;
};

export function entitiesFor(entry: FieldEntry, choice: TreatmentChoice): ReadonlySet<Entity> {
  const parameters = merged(entry.scrub, choice);
  onlyKnown(parameters, ['entities']);
  const named = parameters['entities'] ?? ENTITIES;
  if (!Array.isArray(named)) throw fault('entities: a list is wanted');
  return new Set(
    named.map((name: unknown) => {
      const entity = ENTITIES.find((known) => known === name);
      if (entity === undefined) throw fault(`entities: only ${ENTITIES.join(', ')} are known`);
      return entity;
    }),
  );
}

/** The replacement of a found value. An address whose domain cannot be delimited is hidden completely. */
const maskedBy = (entity: Entity, found: string): string =>
  entity === 'email' && !/[@＠]/.test(found) ? HIDDEN : MASKS[entity].apply(found);

/**
 * Masks a value that was found in a view, in the original text. If the mask keeps the length, the visible characters keep their encoding and the
 * tags between them; otherwise the masked value is placed before the tags.
 */
function maskedView(
  { entity, view }: Found & { readonly view: NonNullable<Found['view']> },
  text: string,
): string {
  const { of, start, end } = view;
  const found = of.text.slice(start, end);
  const masked = maskedBy(entity, found);
  const kept = masked.length === found.length;
  let out = kept ? '' : masked;
  for (let i = start; i < end; ) {
    // code units of one source are kept or replaced together
    let next = i + 1;
    while (next < end && of.starts[next] === of.starts[i] && of.ends[next] === of.ends[i]) next += 1;
    const units = masked.slice(i - start, next - start);
    if (kept)
      out +=
        units === of.text.slice(i, next) ? text.slice(of.starts[i], of.ends[i]) : '*'.repeat(units.length);
    if (next < end) out += text.slice(of.ends[next - 1], of.starts[next]);
    i = next;
  }
  return out;
}

/** The text with every found entity masked by the mask of its kind. */
export function scrubText(text: string, entities: ReadonlySet<Entity> = new Set(ENTITIES)): string {
  let out = '';
  let from = 0;
  for (const found of findEntities(text, entities)) {
    const { entity, start, end, view, rest } = found;
    out += text.slice(from, start);
    if (rest === true) out += HIDDEN;
    else
      out +=
        view === undefined ? maskedBy(entity, text.slice(start, end)) : maskedView({ ...found, view }, text);
    from = end;
  }
  return out + text.slice(from);
}

/** emphasis by one or two stars around words, which is no mask */
const EMPHASIS = /(?<![\p{L}\p{N}*])(\*{1,2})(?![\s*.])[^*\n]{1,40}(?<![\s*])\1(?![\p{L}\p{N}*])/gu;
/** stars as masks write them: three or more; one or two after an initial … */
const SCRUBBED = /\*{3}|(?<![\p{L}\p{N}*])\p{Lu}\*{1,2}(?![\p{Script=Latin}\p{N}*])/u;
/** … or after an ideograph that is a separate word or a surname, unlike 必填* */
const SCRUBBED_NAME = /(?<=(.)?)(\p{Script=Han})\*{1,2}(?!\*)/gsu;
const IDEOGRAPH = /\p{Script=Han}/u;

function isScrubbed(note: string): boolean {
  const text = note.normalize('NFKC').replace(EMPHASIS, ' ');
  if (SCRUBBED.test(text)) return true;
  for (const [, before = '', last = ''] of text.matchAll(SCRUBBED_NAME))
    if (
      isSurname(last) ||
      '小老阿'.includes(last) ||
      isCompoundSurname(before + last) ||
      !IDEOGRAPH.test(before)
    )
      return true;
  return false;
}

/** the same with the signs of other clients; a single bullet after an ideograph is a list item */
const REDRAWN = /\*{3}|\p{Nd}{2} ?\*{2,} ?\p{Nd}{2}|\p{Nd}{2}x{3,}\p{Nd}{2}/iu;

/** UTF-16 code units. A hostile text costs up to four microseconds for each, so that a longer one would block the process for half a second. */
export const LONGEST_TEXT = 100_000;

export const scrub: Treatment = {
  name: 'scrub',
  prepare: (entry, choice) =>
    orDrop(() => {
      const entities = entitiesFor(entry, choice);
      return (value) => {
        if (value.kind === 'null') return { kind: 'null' };
        if (value.kind === 'container' || value.kind === 'boolean') return 'drop';
        if (value.text.length > LONGEST_TEXT || isTooDeep(value.text)) return 'drop';
        const text = scrubText(value.text, entities);
        return value.kind === 'number' && text === value.text
          ? { kind: 'number', text }
          : { kind: 'string', text };
      };
    }),
  recognise: (entry, choice) =>
    orRefuse(() => {
      entitiesFor(entry, choice);
      return (value) =>
        value.kind === 'string' &&
        (isScrubbed(value.text) || REDRAWN.test(withStars(value.text).replace(/\*\s(?=\*)/g, '*')));
    }),
};
