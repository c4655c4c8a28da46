/**
 * `scrub`: free text with what identifies a person masked in place: Chinese identity numbers, mobiles and other telephone numbers,
 * bank cards, e-mail addresses, plates, and names that a label or a title points out. `{ entities: [...] }` looks for
 * some of them only. It finds what has a form or a label, not whatever a person may write: measured in bench/RESULTS.md.
 */
import type { TreatmentChoice } from '../../model/answers.ts';
import type { FieldEntry } from '../../model/catalog.ts';
import { createMask } from './masks/kinds.ts';
import { HIDDEN, type Mask } from './masks/mask.ts';
import { withStars } from './masks/returned.ts';
import { fault, onlyKnown } from './parameters.ts';
import { merged, orDrop, orRefuse } from './prepared.ts';
import { findEntities } from './scrub/find.ts';
import { ENTITIES, type Entity } from './scrub/span.ts';
import { isCompoundSurname, isSurname } from './scrub/surnames.ts';
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

/** The text with every entity found masked by the mask of its kind. */
export function scrubText(text: string, entities: ReadonlySet<Entity> = new Set(ENTITIES)): string {
  let out = '';
  let from = 0;
  for (const { entity, start, end } of findEntities(text, entities)) {
    const found = text.slice(start, end);
    // an address whose domain could not be told from the text after it: only its local part is in the span
    const masked = entity === 'email' && !/[@＠]/.test(found) ? HIDDEN : MASKS[entity].apply(found);
    out += text.slice(from, start) + masked;
    from = end;
  }
  return out + text.slice(from);
}

/** emphasis, as people write it: no value of ours begins with one star or two and ends so before a word */
const EMPHASIS = /(?<![\p{L}\p{N}*])(\*{1,2})(?![\s*.])[^*\n]{1,40}(?<![\s*])\1(?![\p{L}\p{N}*])/gu;
/** stars as our masks write them: three or more; two or one after an initial … */
const SCRUBBED = /\*{3}|(?<![\p{L}\p{N}*])\p{Lu}\*{1,2}(?![\p{Script=Latin}\p{N}*])/u;
/** … or after an ideograph that is a word by itself, or a surname: 必填* is neither */
const SCRUBBED_NAME = /(?<=(.)?)(\p{Script=Han})\*{1,2}(?!\*)/gsu;
const IDEOGRAPH = /\p{Script=Han}/u;

function isScrubbed(note: string): boolean {
  const text = note.normalize('NFKC').replace(EMPHASIS, ' ');
  if (SCRUBBED.test(text)) return true;
  for (const [, before = '', last = ''] of text.matchAll(SCRUBBED_NAME))
    if (isSurname(last) || isCompoundSurname(before + last) || !IDEOGRAPH.test(before)) return true;
  return false;
}

/** the same as other clients draw them; a single bullet behind an ideograph begins a line of a list */
const REDRAWN = /\*{3}|\p{Nd}{2} ?\*{2,} ?\p{Nd}{2}|\p{Nd}{2}x{3,}\p{Nd}{2}/iu;

/**
 * UTF-16 units. A hostile text costs up to two microseconds for each, so that a longer one would keep every other request of the
 * process waiting for a quarter of a second.
 */
export const LONGEST_TEXT = 100_000;

export const scrub: Treatment = {
  name: 'scrub',
  prepare: (entry, choice) =>
    orDrop(() => {
      const entities = entitiesFor(entry, choice);
      return (value) => {
        if (value.kind === 'null') return { kind: 'null' };
        if (value.kind === 'container' || value.kind === 'boolean') return 'drop';
        if (value.text.length > LONGEST_TEXT) return 'drop';
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
