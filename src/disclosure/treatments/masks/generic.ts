import { natural, onlyKnown } from '../parameters.ts';
import { hiddenBytes } from './bytes.ts';
import { graphemes, HIDDEN, type Mask, type MaskParameters, maskOf } from './mask.ts';
import type { Shape } from './returned.ts';

const MOST_KEPT = 16;
const NOTHING = /(?!)/u;
/** a control, format or unassigned character, a lone surrogate, or a combining mark */
const UNFIT = /^[\p{M}\p{C}]|[\p{Cc}\p{Cs}*＊]/u;

const fits = (parts: readonly string[]): boolean =>
  parts.every((part) => part.length <= 8 && !UNFIT.test(part));

/**
 * `{ keep_first, keep_last }` (default 0): keeps the ends of the value around four stars. At most half of the characters are kept; a shorter value
 * is hidden completely.
 */
export function generic(parameters: MaskParameters): Mask {
  onlyKnown(parameters, ['keep_first', 'keep_last']);
  const first = natural(parameters, 'keep_first', 0, MOST_KEPT);
  const last = natural(parameters, 'keep_last', 0, MOST_KEPT);
  const reveals =
    first + last === 0
      ? 'nothing'
      : `the first ${first} and last ${last} characters, of at least ${2 * (first + last)}`;
  const some = (most: number): string => `(?:[^\\p{M}*]\\p{M}*){0,${most}}`;
  const shape: Shape = {
    pattern: new RegExp(`^${some(first)}\\*${some(last)}$`, 'u'),
    sees: 'words',
    fewestX: HIDDEN.length,
    // a completely hidden value is only stars, so that a text with other characters is a new value
    within:
      first + last === 0
        ? NOTHING
        : new RegExp(
            `(?<![\\p{L}\\p{N}*])(?:[\\p{L}\\p{N}]\\p{M}*){${first}}\\*{4,}(?:[\\p{L}\\p{N}]\\p{M}*){${last}}(?![\\p{L}\\p{N}*])`,
            'u',
          ),
  };
  const mask = maskOf('generic', reveals, shape, (text) => {
    if (first + last === 0) return HIDDEN;
    const parts = graphemes(text.trim());
    const head = parts.slice(0, first);
    const tail = last === 0 ? [] : parts.slice(-last);
    const masked =
      parts.length === first + last + HIDDEN.length && parts.slice(first, first + 4).join('') === HIDDEN;
    if (!masked && parts.length < 2 * (first + last)) return null;
    return fits(head) && fits(tail) ? head.join('') + HIDDEN + tail.join('') : null;
  });
  return first + last === 0 ? { ...mask, bytes: hiddenBytes } : mask;
}
