/**
 * Finds English names after a title (`Mr. Smith`) or a label (`Name: John Smith`). Titles and labels are words, so that patterns are applied only at
 * word starts that may be one.
 */
import { chineseNameAt, exactNameAt } from './chinese-names.ts';
import { CAPITALISED, LABELS, TITLE_BEFORE, trimmed, uncapitalised, WORD } from './english-words.ts';
import type { Span } from './span.ts';

const TITLED = new RegExp(
  `\\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Sir|Madam|Mister)\\b\\.?[ \\t]{1,2}(${WORD}(?:[ \\t]${WORD}){0,2})`,
  'vy',
);
/** with flags `i` and `u`, ſ matches s and the Kelvin sign matches k; for texts that contain them */
const ODD_LABELS = new RegExp(`\\b(?:${LABELS})\\b`, 'giu');
/** `Name: `, `"name":"`, `<name>`, `name=` */
const AFTER_LABEL = /^(?: is| was)?["'>]?[ \t]*[:：=|-]?[ \t\u3000]{0,3}["“'(]?/i;
/** `product name: …` names no person */
const OTHER_NAMES =
  /(?:\b|_|(?<=[a-z])(?=[A-Z]))(?:product|file|brand|company|model|item|store|shop|plan|user|host|domain|event|campaign|bank|branch|display|class|table|column|field|key|tag|group|role|category|type|dept|department|job|method|function|variable|school|project|street|city|hotel|course|service|package|device|app|account|order)[ _-]?$/i;
/** the index of an ASCII letter in the alphabet, ignoring case; -1 for other characters */
const letterOf = (unit: number): number => {
  const place = (unit | 0x20) - 0x61;
  return unit < 0x80 && place >= 0 && place < 26 ? place : -1;
};

const isWordUnit = (unit: number): boolean =>
  letterOf(unit) >= 0 || (unit >= 0x30 && unit <= 0x39) || unit === 0x5f;

const LETTERS = 26;
/** pairs of characters at the start of labels; all non-letters count as one character */
const pairAt = (text: string, at: number): number => {
  const second = letterOf(text.charCodeAt(at + 1));
  return letterOf(text.charCodeAt(at)) * (LETTERS + 1) + (second < 0 ? LETTERS : second);
};
const BY_PAIR = Map.groupBy(LABELS.split('|'), (label) => pairAt(label, 0));
const CANDIDATES = Array.from({ length: LETTERS * (LETTERS + 1) }, (_, pair) => BY_PAIR.get(pair) ?? null);

/** The end of the label at `at`; -1: none. The caller checks the text before `at`. */
function labelEnd(text: string, at: number): number {
  if (letterOf(text.charCodeAt(at)) < 0) return -1;
  const candidates = CANDIDATES[pairAt(text, at)];
  if (candidates == null) return -1;
  for (const label of candidates) {
    const end = at + label.length;
    if (standsAt(label, text, at) && !(end < text.length && isWordUnit(text.charCodeAt(end)))) return end;
  }
  return -1;
}

/** a pattern for ASCII letters in either case */
function standsAt(label: string, text: string, at: number): boolean {
  if (at + label.length > text.length) return false;
  for (let n = 1; n < label.length; n += 1) {
    const wanted = label.charCodeAt(n);
    const unit = text.charCodeAt(at + n);
    if (unit !== wanted && (wanted < 0x61 || (unit | 0x20) !== wanted)) return false;
  }
  return true;
}

/** first letters of titles */
export const TITLE_LETTERS = 'MDPS';
const isTitleLetter = (unit: number): boolean =>
  unit === 0x4d || unit === 0x44 || unit === 0x50 || unit === 0x53;

function afterTitles(text: string, spans: Span[]): void {
  let inWord = false;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (!inWord && isTitleLetter(unit)) {
      TITLED.lastIndex = i;
      const found = TITLED.exec(text);
      if (found !== null) {
        const start = i + found[0].length - found[1]!.length;
        const length = trimmed(found[1]!);
        if (length > 1) spans.push({ entity: 'person_name', start, end: start + length });
        i += found[0].length - 1;
      }
    }
    inWord = isWordUnit(text.charCodeAt(i));
  }
}

const isCapital = (unit: number): boolean => unit >= 0x41 && unit <= 0x5a;
const isIdeograph = (unit: number): boolean => unit >= 0x3400 && unit <= 0x9fff;

/** `userName` is the name of an account, or of a person if it is in ideographs */
const ACCOUNT = /user[_-]?$/i;

/** The name after a label from `at` to `after`. `inner`: the label is part of a key, such as `customerName` or `cust_name`. */
function named(text: string, at: number, after: number, inner: boolean): Span | null {
  const label = text.slice(at, after).toLowerCase();
  const before = text.slice(Math.max(0, at - 10), at);
  const other = label === 'name' && OTHER_NAMES.test(before);
  if (other && !ACCOUNT.test(before)) return null;
  const link = AFTER_LABEL.exec(text.slice(after, after + 16))![0];
  if (inner && !/[:=>]/.test(link)) return null;
  let start = after + link.length;
  start += TITLE_BEFORE.exec(text.slice(start, start + 8))?.[0].length ?? 0;
  const colon = /[:：=|>]/.test(link);
  if (isIdeograph(text.charCodeAt(start))) {
    const length = other ? exactNameAt(text, start) : chineseNameAt(text, start, colon);
    return length >= 2 ? { entity: 'person_name', start, end: start + length } : null;
  }
  if (other) return null;
  const ahead = text.slice(start, start + 120);
  const capitals = CAPITALISED.exec(ahead)?.[0] ?? '';
  let length = trimmed(capitals);
  if (
    length === 0 &&
    capitals === '' &&
    (label.endsWith('name') || label === 'my name is') &&
    (colon || / is\b/i.test(label + link))
  )
    length = uncapitalised(ahead);
  if (length <= 1) return null;
  const sure =
    colon ||
    / is\b/i.test(link) ||
    label.endsWith('name') ||
    label.startsWith('sp') ||
    label.endsWith('by') ||
    label.endsWith(' as') ||
    label.endsWith(' is');
  return sure || /[ \t]/.test(ahead.slice(0, length))
    ? { entity: 'person_name', start, end: start + length }
    : null;
}

function afterLabels(text: string, spans: Span[]): void {
  let inWord = false;
  let before = 0;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    // a word within a key: customer_name, customerName
    const inner = inWord && (before === 0x5f || (isCapital(unit) && !isCapital(before)));
    const end = inWord && !inner ? -1 : labelEnd(text, i);
    if (end >= 0) {
      const span = named(text, i, end, inner);
      if (span !== null) spans.push(span);
      i = end - 1;
    }
    before = text.charCodeAt(i);
    inWord = isWordUnit(before);
  }
}

/**
 * @param titled the text contains one of `TITLE_LETTERS`
 * @param odd the text contains letters that are Latin only after case folding
 */
export function findEnglishNames(text: string, titled: boolean, odd: boolean, spans: Span[]): void {
  if (titled) afterTitles(text, spans);
  if (!odd) {
    afterLabels(text, spans);
    return;
  }
  for (const found of text.matchAll(ODD_LABELS)) {
    const span = named(text, found.index, found.index + found[0].length, false);
    if (span !== null) spans.push(span);
  }
}
