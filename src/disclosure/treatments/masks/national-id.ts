/**
 * Identity numbers of mainland China (GB 11643-1999, 18 characters, and its predecessor of 15), Hong Kong, Macau and Taiwan.
 * Check digits are not asked for: a mistyped number is no less secret, and a star has none.
 */
import { onlyKnown } from '../parameters.ts';
import { nationalIdBytes } from './bytes.ts';
import { cellsOf, compact, starredBetween } from './cells.ts';
import { type Mask, type MaskParameters, maskOf } from './mask.ts';
import { NUMBER_WITHIN } from './returned.ts';

const RULES: readonly (readonly [shape: RegExp, first: (found: RegExpExecArray) => number, last: number])[] =
  [
    [/^[0-9*]{17}[0-9X*]$/, () => 6, 4],
    [/^[0-9*]{15}$/, () => 6, 3],
    // Hong Kong: one or two letters, six digits, a check character mostly in brackets
    [/^([A-Z]{1,2})[0-9*]{6}(?:\([0-9A*]\)|[0-9A*])$/, (found) => found[1]!.length + 2, 0],
    // Macau: seven digits and a check digit in brackets
    [/^[1-9][0-9*]{6}\([0-9*]\)$/, () => 1, 0],
    // Taiwan: a letter for the place, sex or kind of residence, eight digits
    [/^[A-Z][0-9A-D][0-9*]{8}$/, () => 2, 3],
  ];

/** of the mainland, spelled plainly: most are, and the rules would say the same of them */
const PLAIN_ID = /^[0-9]{17}[0-9Xx]$/;

export function nationalId(parameters: MaskParameters): Mask {
  onlyKnown(parameters, []);
  const mask = maskOf(
    'national_id',
    'CN: the area code and the last 4 (of 15 digits: 3); HK: letters and 2 digits; Macau: 1 digit; TW: 2 characters and the last 3',
    { pattern: /^[A-Z\p{Nd}]{0,6}\*[X\p{Nd}]{0,4}$/iu, sees: 'characters', within: NUMBER_WITHIN },
    (text) => {
      if (PLAIN_ID.test(text)) return `${text.slice(0, 6)}********${text.slice(14)}`;
      const cells = cellsOf(text);
      const number = compact(cells.shape, ' -');
      const upper = number.text.toUpperCase();
      for (const [shape, first, last] of RULES) {
        const found = shape.exec(upper);
        if (found === null) continue;
        const at = number.at.filter((index) => !'()'.includes(cells.shape[index]!));
        return starredBetween(cells, at, first(found), last);
      }
      return null;
    },
  );
  return { ...mask, bytes: nationalIdBytes };
}
