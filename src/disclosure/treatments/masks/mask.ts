import type { TreatBytes } from '../treatment.ts';
import { isReturned, type Shape } from './returned.ts';

/**
 * What every mask keeps to:
 * - total: any string in, a string out, in time linear in its length;
 * - nothing secret survives: the output is the input only where the input was empty or already masked by the same mask;
 * - a value that has not the shape of its kind is hidden whole (`****`): more hidden rather than less;
 * - a mask takes `*` wherever it writes one, so applying it to its own output changes nothing. That is also how a masked
 *   value that comes back in a write is recognised; one that was changed on its way is by its `Shape` (`returned.ts`).
 */
export interface Mask {
  readonly kind: string;
  /** what may be seen of the value at most, for the documentation */
  readonly reveals: string;
  apply(text: string): string;
  /** what `apply` does to a text in the usual spelling, from bytes to bytes */
  readonly bytes?: TreatBytes;
  /** whether the text has the shape that `apply` gives, as it is or changed on its way */
  recognises(text: string): boolean;
}

export type MaskParameters = { readonly [parameter: string]: unknown };
export type MaskFactory = (parameters: MaskParameters) => Mask;

/** What stands for a value that is hidden whole: of fixed width, so that not even the length is told. */
export const HIDDEN = '****';

/** No value of any kind is longer; a text that is gets hidden whole without being looked at. */
const LONGEST = 1024;

/** Code points that are a grapheme each whatever stands beside them: ASCII, CJK ideographs and punctuation, full-width forms. */
const PLAIN = /^[\x20-\x7e\xb7\u3000-\u3002\u3400-\u4dbf\u4e00-\u9fff\uff01-\uff5e]*$/;

export const isPlain = (text: string): boolean => PLAIN.test(text);

const segmenter = new Intl.Segmenter('und', { granularity: 'grapheme' });

/** What a reader takes for one character each (UAX 29), so that half an emoji or a bare accent is never left standing. */
export const graphemes = (text: string): string[] =>
  isPlain(text) ? text.split('') : Array.from(segmenter.segment(text), (part) => part.segment);

/**
 * A mask from the rule of its kind; the rule answers null for a value of another shape.
 * Outside plain text, what is kept may combine anew with a star beside it; an output that would be masked further is hidden whole.
 * `shape` is its output's, as it may come back. `stable` spares the second look where the rule is known to leave its output alone.
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
