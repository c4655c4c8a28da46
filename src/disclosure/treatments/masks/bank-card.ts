/**
 * Payment cards (ISO/IEC 7812: 12 to 19 digits here) and IBANs (ISO 13616). PCI DSS 4.0 req. 3.4.1 lets at most the first
 * six (eight for PANs of 16 digits and more) and the last four be shown; the default shows the last four alone. The Luhn digit
 * is not checked: many domestic account numbers have none, and a mistyped number is as sensitive.
 */
import { oneOf, onlyKnown } from '../parameters.ts';
import { cardBytes } from './bytes.ts';
import { cellsOf, compact, starredBetween } from './cells.ts';
import { type Mask, type MaskParameters, maskOf } from './mask.ts';
import { NUMBER_WITHIN } from './returned.ts';

/** fast path for digits only, with the same result as the general rule */
const PLAIN_NUMBER = /^[0-9]{12,19}$/;

export function bankCard(parameters: MaskParameters): Mask {
  onlyKnown(parameters, ['keep_first']);
  const keep = oneOf(parameters, 'keep_first', 0, [0, 6, 8]);
  const first = (digits: number): number => (digits >= 16 ? keep : digits === 15 ? Math.min(keep, 6) : 0);
  const mask = maskOf(
    'bank_card',
    keep === 0 ? 'the last 4 digits (IBAN: the country too)' : `the first ${keep} and the last 4 digits`,
    {
      // an IBAN keeps its country
      pattern: new RegExp(`^[A-Z\\p{Nd}]{0,${Math.max(keep, 2)}}\\*[A-Z\\p{Nd}]{0,4}$`, 'iu'),
      sees: 'characters',
      within: NUMBER_WITHIN,
    },
    (text) => {
      if (PLAIN_NUMBER.test(text)) {
        const shown = first(text.length);
        return text.slice(0, shown) + '*'.repeat(text.length - shown - 4) + text.slice(-4);
      }
      const cells = cellsOf(text);
      const { at, text: number } = compact(cells.shape, ' -');
      if (/^[0-9*]{12,19}$/.test(number)) return starredBetween(cells, at, first(number.length), 4);
      if (/^[A-Z]{2}[0-9*]{2}[A-Z0-9*]{11,30}$/i.test(number)) return starredBetween(cells, at, 2, 4);
      return null;
    },
  );
  return { ...mask, bytes: cardBytes(first) };
}
