import type { TreatBytes } from '../treatment.ts';
import { isReturned, type Shape } from './returned.ts';

/**
 * Requirements for every mask:
 * - it is total: any string gives a string, in linear time;
 * - the output equals the input only if the input is empty or the output of the same mask;
 * - a value without the form of its kind is hidden completely (`****`);
 * - it accepts `*` at every position where it writes one, so that it is idempotent. A masked value in a write is recognised by that; one that a
 *   client changed is recognised by its `Shape` (`returned.ts`).
 */
export interface Mask {
  readonly kind: string;
  /** the part of the value that is visible at most, for the documentation */
  readonly reveals: string;
  apply(text: string): string;
  /** the same as `apply` for texts with the usual spelling, from bytes to bytes */
  readonly bytes?: TreatBytes;
  /** whether the text has the form of `apply`'s output, unchanged or changed by a client */
  recognises(text: string): boolean;
}

export type MaskParameters = { readonly [parameter: string]: unknown };
export type MaskFactory = (parameters: MaskParameters) => Mask;

/** The replacement of a completely hidden value. Its width is fixed, so that it does not reveal the length. */
export const HIDDEN = '****';

/** No value is longer; a longer text is hidden completely without being parsed. */
const LONGEST = 1024;

/** Code points that are always a grapheme each: ASCII, CJK ideographs and punctuation, full-width forms. */
const PLAIN = /^[\x20-\x7e\xb7\u3000-\u3002\u3400-\u4dbf\u4e00-\u9fff\uff01-\uff5e]*$/;

const isPlain = (text: string): boolean => PLAIN.test(text);

const segmenter = new Intl.Segmenter('und', { granularity: 'grapheme' });

/** The graphemes of a text (UAX 29), so that no part of an emoji or accented character is kept alone. */
export const graphemes = (text: string): string[] =>
  isPlain(text) ? text.split('') : Array.from(segmenter.segment(text), (part) => part.segment);

/**
 * Creates a mask from the rule of its kind, which returns null for a value of another form. In texts with combining characters, kept characters may
 * combine with a star; an output that the rule would mask further is hidden completely. `shape` is the form of the output in writes. `stable`: the
 * rule is known to be idempotent, so that this is not checked.
 */
export function maskOf(
  kind: string,
  reveals: string,
  shape: Shape,
  rule: (text: string) => string | null,
  stable: RegExp = PLAIN,
): Mask {
  const once = (text: string): string => (text.length > LONGEST ? HIDDEN : (rule(text) ?? HIDDEN));
  const apply = (text: string): string => {
    if (text === '') return '';
    const masked = once(text);
    return stable.test(masked) || once(masked) === masked ? masked : HIDDEN;
  };
  return {
    kind,
    reveals,
    apply,
    recognises(text) {
      if (isReturned(text, shape)) return true;
      const plain = text.trim().replaceAll('＊', '*');
      if (!plain.includes('*') || plain.length > 4 * LONGEST) return false;
      return [plain, plain.normalize('NFKC')].some((form) => apply(form) === form);
    },
  };
}
