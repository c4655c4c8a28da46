/**
 * Identity numbers of mainland China (GB 11643-1999, 18 characters, and its predecessor of 15), Hong Kong, Macau and Taiwan, and of
 * foreigners' permanent residence cards, by the table of documents.
 * Check digits are not checked: a mistyped number is as sensitive.
 */
import { onlyKnown } from '../parameters.ts';
import { nationalIdBytes } from './bytes.ts';
import { cellsOf, compact, starredBetween } from './cells.ts';
import { documentsOf } from './documents.ts';
import { type Mask, type MaskParameters, maskOf } from './mask.ts';
import { NUMBER_WITHIN } from './returned.ts';

const KINDS = documentsOf('national_id');

/** fast path for mainland numbers in the usual spelling, with the same result */
const PLAIN_ID = /^[0-9]{17}[0-9Xx]$/;

export function nationalId(parameters: MaskParameters): Mask {
  onlyKnown(parameters, []);
  const mask = maskOf(
    'national_id',
    'CN: the area code and the last 4 (of 15 digits: 3); a permanent residence card of 15 characters: the country and the last 4; HK: letters and 2 digits; Macau: 1 digit; TW: 2 characters and the last 3',
    { pattern: /^[A-Z\p{Nd}]{0,6}\*[X\p{Nd}]{0,4}$/iu, sees: 'characters', within: NUMBER_WITHIN },
    (text) => {
      if (PLAIN_ID.test(text)) return `${text.slice(0, 6)}********${text.slice(14)}`;
      const cells = cellsOf(text);
      const number = compact(cells.shape, ' -');
      const upper = number.text.toUpperCase();
      const kind = KINDS.find(({ shape }) => shape.test(upper));
      if (kind === undefined) return null;
      const at = number.at.filter((index) => !'()'.includes(cells.shape[index]!));
      return starredBetween(cells, at, kind.first(upper), kind.last(upper));
    },
  );
  return { ...mask, bytes: nationalIdBytes };
}
