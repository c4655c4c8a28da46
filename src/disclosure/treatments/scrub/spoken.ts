/** Finds numbers in Chinese numerals, or mixed with digits: `一三八一二三四五六七八`. Searches the original text, since folding does not change numerals. */
import { hasIdentityCheck, hasIdentityShape, isCard, isLandline, isMobile } from './checks.ts';
import type { Span } from './span.ts';

/** the numerals in the order of their digits */
export const NUMERALS: { readonly [numeral: string]: string } = Object.fromEntries(
  [...'零0〇0○0一1幺1壹1二2两2贰2三3叁3四4肆4五5伍5六6陆6七7柒7八8捌8九9玖9'].flatMap((c, i, all) =>
    i % 2 === 0 ? [[c, all[i + 1]!]] : [],
  ),
);
const NUMERAL = '零〇○一幺壹二两贰三叁四肆五伍六陆七柒八捌九玖';
const SPOKEN = new RegExp(`[${NUMERAL}](?:[ -]?[${NUMERAL}]){10,}|[${NUMERAL}0-9]{11,}`, 'g');

export function findSpokenNumbers(text: string, spans: Span[]): void {
  for (const found of text.matchAll(SPOKEN)) {
    if (!/[^0-9 -]/.test(found[0]) || found[0].length > 64) continue;
    const digits = Array.from(found[0], (c) => NUMERALS[c] ?? (/[0-9]/.test(c) ? c : '')).join('');
    const span = { start: found.index, end: found.index + found[0].length };
    if (isMobile(digits)) spans.push({ entity: 'phone', ...span });
    else if (isLandline(digits)) spans.push({ entity: 'landline', ...span });
    else if (digits.length === 18 && hasIdentityShape(digits) && hasIdentityCheck(digits))
      spans.push({ entity: 'national_id', ...span });
    else if (isCard(digits)) spans.push({ entity: 'bank_card', ...span });
  }
}
