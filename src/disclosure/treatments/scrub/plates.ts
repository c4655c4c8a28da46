/** Vehicle plates of mainland China in a folded text (GA 36-2018). */
import { PLATE_PROVINCES } from '../masks/plate.ts';
import type { Span } from './span.ts';

const PLATE = new RegExp(
  `[${PLATE_PROVINCES}][A-HJ-NP-Z][ ·•・.-]?(?:[A-HJ-NP-Z0-9]{5,6}|[A-HJ-NP-Z0-9]{4}[学警港澳挂试超])(?![A-Za-z0-9])`,
  'gi',
);

export function findPlates(text: string, spans: Span[]): void {
  for (const found of text.matchAll(PLATE)) {
    // a plate has at least two digits, unlike a word in capitals
    if ((found[0].match(/[0-9]/g)?.length ?? 0) < 2) continue;
    spans.push({ entity: 'plate', start: found.index, end: found.index + found[0].length });
  }
}
