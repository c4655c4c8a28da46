/**
 * Telephone numbers, for the kinds `phone` and `landline`: first by the numbering plan of mainland China (MIIT 2017), other numbers by ITU-T
 * E.164. Separators, prefixes and the script of the digits are kept; an extension is hidden.
 */
import { type Cells, cellsOf, compact, starred } from './cells.ts';
import { NUMBER_WITHIN, type Shape } from './returned.ts';

/** prefixes, area and country codes; the end; an extension */
export const TELEPHONE: Shape = {
  pattern: /^(?:00)?\p{Nd}{0,6}\*\p{Nd}{0,4}(?:(?:x|ext|extension|[转轉分机機]{1,2})?\*)?$/iu,
  sees: 'characters',
  list: true,
  within: NUMBER_WITHIN,
};

const SEPARATORS = ' -().';
const EXTENSION = /^(.*?[0-9*)])[ ,-]*(?:ext\.?|extension|[x#])[ .:-]*([0-9*]{1,6}) *$/i;
/** `010-12345678-803`: an extension after a complete landline number */
const DASHED = /^(.*[0-9*])-([0-9*]{1,6}) *$/;

/** number of digits of prefix, area and end that are kept; the rest is hidden */
type Rule = (
  digits: string,
  plus: boolean,
  cuts: readonly number[],
) => { readonly head: number; readonly tail: number } | null;

const MOBILE = /^(86|0086|0)?1[3-9][0-9*]{9}$/;
/** trunk 0 and area code, or the area code after +86; two digits for 10 and 2x, else three */
const LANDLINE = /^((?:00)?86|0)(10|2[0-9]|[3-9][0-9]{2})[0-9*]{7,8}$/;
const TRUNK_AFTER_COUNTRY = /^((?:00)?860)(10|2[0-9]|[3-9][0-9]{2})[0-9*]{7,8}$/;
const TOLL_FREE = /^[48]00[0-9*]{7}$/;
const COUNTRY =
  /^(?:1|7|2[1-69][0-9]|3[578][0-9]|42[0-9]|5[09][0-9]|6[789][0-9]|8[0578][0-9]|9[679][0-9]|[2-9][0-9])/;

/** At least four digits are hidden, whatever the length. */
const tailOf = (subscriber: number): number => Math.min(4, subscriber - 4);

/** 1-312-555-0123, a North American number: mobile numbers of the mainland are not grouped like that */
const isNorthAmerican = (digits: string, cuts: readonly number[]): boolean =>
  digits.length === 11 && cuts.includes(1) && cuts.includes(4) && cuts.includes(7) && cuts.length === 3;

const mobile: Rule = (digits, plus, cuts) => {
  const found = MOBILE.exec(digits);
  if (found === null || isNorthAmerican(digits, cuts)) return null;
  const prefix = found[1] ?? '';
  return plus && prefix !== '86' ? null : { head: prefix.length + 3, tail: 4 };
};

const landline: Rule = (digits, plus, cuts) => {
  const found = LANDLINE.exec(digits) ?? TRUNK_AFTER_COUNTRY.exec(digits);
  if (found !== null && (!plus || found[1]!.startsWith('86'))) {
    const head = found[1]!.length + found[2]!.length;
    // a number grouped differently than after its area code is of another plan: 090-1234-5678 is not in area 901
    if (cuts.length === 0 || cuts.includes(head)) return { head, tail: tailOf(digits.length - head) };
    return null;
  }
  if (plus) return null;
  if (TOLL_FREE.test(digits)) return { head: 3, tail: 3 };
  return /^[0-9*]{7,8}$/.test(digits) ? { head: 0, tail: tailOf(digits.length) } : null;
};

const foreign: Rule = (digits, plus) => {
  const access = !plus && digits.startsWith('00') ? 2 : 0;
  if (plus || access > 0) {
    const country = COUNTRY.exec(digits.slice(access));
    if (country === null) return null;
    const head = access + country[0].length;
    const subscriber = digits.length - head;
    return subscriber >= 6 && digits.length - access <= 15 ? { head, tail: tailOf(subscriber) } : null;
  }
  return digits.length >= 7 && digits.length <= 12 ? { head: 0, tail: tailOf(digits.length) } : null;
};

/** The numbers of digits before each separator. */
function cutsOf(at: readonly number[]): number[] {
  const cuts: number[] = [];
  for (let i = 1; i < at.length; i += 1) if (at[i]! > at[i - 1]! + 1) cuts.push(i);
  return cuts;
}

function one(cells: Cells, shape: string, rule: Rule): readonly number[] | null {
  const { at, text } = compact(shape, SEPARATORS);
  const plus = text.startsWith('+');
  const digits = plus ? text.slice(1) : text;
  if (!/^[0-9*]+$/.test(digits)) return null;
  const found = rule(digits, plus, cutsOf(plus ? at.slice(1) : at));
  if (found === null) return null;
  const rest = [];
  for (let i = shape.length; i < cells.shape.length; i += 1) if (/[0-9*]/.test(cells.shape[i]!)) rest.push(i);
  return [...at.slice((plus ? 1 : 0) + found.head, at.length - found.tail), ...rest];
}

/**
 * Whether the part before a dash can be a complete number with an extension after it: more digits than a local number, or a local number without
 * another separator. 0912-345-678 and 415-555-2671 are complete numbers of other plans.
 */
const mayHaveExtension = (shape: string): boolean =>
  shape.replace(/[^0-9*]/g, '').length > 8 || /^ *[2-9*][0-9*]{6,7} *$/.test(shape);

const LEADS = '转轉分机機';

/** `转`, `轉`, `分机`, `分機` precede an extension, as `x` does. */
function marked({ chars, shape }: Cells): Cells {
  let leads = shape;
  for (let i = 0; i < chars.length; i += 1)
    if (shape[i] === '?' && LEADS.includes(chars[i]!)) leads = `${leads.slice(0, i)}x${leads.slice(i + 1)}`;
  return { chars, shape: leads.includes('xx') ? leads.replaceAll('xx', 'x ') : leads };
}

function masked(text: string, rules: readonly Rule[]): string | null {
  const cells = marked(cellsOf(text));
  const { shape } = cells;
  let parts: { readonly base: string | undefined; readonly dashed: string | undefined } | null = null;
  for (const rule of rules) {
    let hidden: readonly number[] | null = one(cells, shape, rule);
    if (hidden === null) {
      parts ??= { base: EXTENSION.exec(shape)?.[1], dashed: DASHED.exec(shape)?.[1] };
      const { base, dashed } = parts;
      if (base !== undefined) hidden = one(cells, base, rule);
      if (hidden === null && dashed !== undefined && rule !== foreign && mayHaveExtension(dashed))
        hidden = one(cells, dashed, rule);
    }
    if (hidden !== null) return starred(cells, hidden);
  }
  return null;
}

const LIST = /([,;/|\n、，；])/;

/** Masks one number, or several with separators between them; null if one of them is no number. */
export function telephones(text: string, first: 'mobile' | 'landline'): string | null {
  const rules = first === 'mobile' ? [mobile, landline, foreign] : [landline, mobile, foreign];
  const whole = masked(text, rules);
  if (whole !== null || !LIST.test(text)) return whole;
  const parts: string[] = [];
  let numbers = 0;
  for (const part of text.split(LIST)) {
    if (LIST.test(part) || part.trim() === '') {
      parts.push(part);
      continue;
    }
    const number = masked(part, rules);
    if (number === null) return null;
    numbers += 1;
    parts.push(number);
  }
  return numbers === 0 ? null : parts.join('');
}
