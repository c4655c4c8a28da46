/** Passports and travel permits such as 回乡证, by the table of documents. */
import { onlyKnown } from '../parameters.ts';
import { cellsOf, compact, starredBetween } from './cells.ts';
import { documentsOf } from './documents.ts';
import { type Mask, type MaskParameters, maskOf } from './mask.ts';
import { NUMBER_WITHIN } from './returned.ts';

const KINDS = documentsOf('passport');

export function passport(parameters: MaskParameters): Mask {
  onlyKnown(parameters, []);
  return maskOf(
    'passport',
    'the first character and the last 2 (fewer than 8 characters: the last 1)',
    { pattern: /^[A-Z\p{Nd}]?\*[A-Z\p{Nd}]{0,2}$/iu, sees: 'characters', within: NUMBER_WITHIN },
    (value) => {
      const cells = cellsOf(value);
      const { at, text } = compact(cells.shape, ' -');
      const number = text.toUpperCase();
      const kind = KINDS.find(({ shape }) => shape.test(number));
      return kind === undefined ? null : starredBetween(cells, at, kind.first(number), kind.last(number));
    },
  );
}
