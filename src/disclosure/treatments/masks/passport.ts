/** Travel documents: ICAO 9303 gives them at most nine characters; permits such as 回乡证 go to twelve. */
import { onlyKnown } from '../parameters.ts';
import { cellsOf, compact, starredBetween } from './cells.ts';
import { type Mask, type MaskParameters, maskOf } from './mask.ts';
import { NUMBER_WITHIN } from './returned.ts';

export function passport(parameters: MaskParameters): Mask {
  onlyKnown(parameters, []);
  return maskOf(
    'passport',
    'the first character and the last 2 (fewer than 8 characters: the last 1)',
    { pattern: /^[A-Z\p{Nd}]?\*[A-Z\p{Nd}]{0,2}$/iu, sees: 'characters', within: NUMBER_WITHIN },
    (text) => {
      const cells = cellsOf(text);
      const { at, text: number } = compact(cells.shape, ' -');
      if (!/^[A-Z0-9][A-Z0-9*]{5,11}$/i.test(number) || !/(?:[A-Z]*[0-9*]){4}/i.test(number)) return null;
      return starredBetween(cells, at, 1, number.length < 8 ? 1 : 2);
    },
  );
}
