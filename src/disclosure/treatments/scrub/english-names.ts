/**
 * English names: after a title (`Mr. Smith`) or a label (`Name: John Smith`). A title or a label is a word, so the text is asked for them
 * where a word begins; only what may be one is read by the patterns.
 */
import type { Span } from './span.ts';

const PARTICLE =
  '(?:(?:van|von|der|den|de|da|di|du|del|della|la|le|el|al|bin|ibn|ben|ter|ten|dos|das|y)[ \\t])';
const WORD = `${PARTICLE}{0,2}\\p{Lu}[\\p{L}\\p{M}'’-]*\\.?`;
const ANY_WORD = "[\\p{L}][\\p{L}\\p{M}'’-]*\\.?";
const TITLED = new RegExp(
  `\\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Sir|Madam|Mister)\\b\\.?[ \\t]{1,2}(${WORD}(?:[ \\t]${WORD}){0,2})`,
  'uy',
);
const LABELS =
  "my name is|contact person|card holder|cardholder|account holder|policy holder|policyholder|spoke with|spoke to|speaking with|speaking to|called by|signed by|this is|i am|i'm|name|customer|client|caller|contact|recipient|receiver|attn|beneficiary|insured|driver|patient|owner|applicant|claimant|consignee|passenger|spouse|wife|husband|mother|father|son|daughter";
/** with `i` and `u`, ſ is an s and the Kelvin sign a k: for texts that have one */
const ODD_LABELS = new RegExp(`\\b(?:${LABELS})\\b`, 'giu');
const AFTER_LABEL = /^(?: is| was)?[ \t]*[:=-]?[ \t]{0,3}["“'(]?/i;
const CAPITALISED = new RegExp(`^${WORD}(?:[ \\t]${WORD}){0,3}`, 'u');
const ANY_WORDS = new RegExp(`^${ANY_WORD}(?:[ \\t]${ANY_WORD}){0,2}`, 'u');
/** `product name: …` names no person */
const OTHER_NAMES =
  /\b(?:product|file|brand|company|model|item|store|shop|plan|user|host|domain|event|campaign|bank|branch|display|project|street|city|hotel|course|service|package|device|app|account|order)[ _-]?$/i;
const NO_NAME =
  /^(?:The|A|An|Service|Services|Support|Care|Team|Number|No|Id|ID|Phone|Email|Address|Order|Account|Card|Desk|Center|Centre|Details|Info|Information|Us|Called|Says|Said|Wants|Reports|Not|Very|Will|Would|Has|Is|Was|Please|Calling|Regarding|About|Happy|Sorry|Policy|Name|Date|Time|Ticket|Case|Reference|Ref|Customer|Request|Requested|Complaint|Refund|Due|N|Unknown|None|Yes|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|January|February|March|April|May|June|July|August|September|October|November|December|I|We|He|She|They|It|In|On|At|To|For|From|With)(?![\p{L}'’-])/u;
const TITLE_BEFORE = /^(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof)\b\.?[ \t]*/;

/** The words up to the first that is no part of a name. */
function trimmed(words: string): number {
  let end = 0;
  for (const found of words.matchAll(/[^ \t]+/g)) {
    if (end === 0 || found[0].length > 2 ? NO_NAME.test(found[0]) : false) break;
    end = found.index + found[0].length;
    if (found[0].endsWith('.') && found[0].length > 3) {
      end -= 1;
      break;
    }
  }
  return words[end - 1] === '.' && end > 2 ? end - 1 : end;
}

/** ASCII letters by their place in the alphabet, whatever their case; -1 for all else */
const letterOf = (unit: number): number => {
  const place = (unit | 0x20) - 0x61;
  return unit < 0x80 && place >= 0 && place < 26 ? place : -1;
};

const isWordUnit = (unit: number): boolean =>
  letterOf(unit) >= 0 || (unit >= 0x30 && unit <= 0x39) || unit === 0x5f;

const LETTERS = 26;
/** a pair of characters that a label may begin with; what is no letter counts as one */
const pairAt = (text: string, at: number): number => {
  const second = letterOf(text.charCodeAt(at + 1));
  return letterOf(text.charCodeAt(at)) * (LETTERS + 1) + (second < 0 ? LETTERS : second);
};
const BY_PAIR = Map.groupBy(LABELS.split('|'), (label) => pairAt(label, 0));
const CANDIDATES = Array.from({ length: LETTERS * (LETTERS + 1) }, (_, pair) => BY_PAIR.get(pair) ?? null);

/** Where the label at `at` ends; -1: none stands there. What stands before `at` is looked at by the caller. */
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

/** ASCII letters in either case, all else as it is */
function standsAt(label: string, text: string, at: number): boolean {
  if (at + label.length > text.length) return false;
  for (let n = 1; n < label.length; n += 1) {
    const wanted = label.charCodeAt(n);
    const unit = text.charCodeAt(at + n);
    if (unit !== wanted && (wanted < 0x61 || (unit | 0x20) !== wanted)) return false;
  }
  return true;
}

/** what a title begins with */
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

/** The name behind a label that stands from `at` to before `after`. */
function named(text: string, at: number, after: number): Span | null {
  const label = text.slice(at, after).toLowerCase();
  if (label === 'name' && OTHER_NAMES.test(text.slice(Math.max(0, at - 10), at))) return null;
  const link = AFTER_LABEL.exec(text.slice(after, after + 16))![0];
  let start = after + link.length;
  start += TITLE_BEFORE.exec(text.slice(start, start + 8))?.[0].length ?? 0;
  const ahead = text.slice(start, start + 120);
  const colon = /[:=]/.test(link);
  const capitals = CAPITALISED.exec(ahead)?.[0] ?? '';
  let length = trimmed(capitals);
  if (length === 0 && capitals === '' && label.endsWith('name') && colon)
    length = ANY_WORDS.exec(ahead)?.[0].length ?? 0;
  if (length <= 1) return null;
  const sure =
    colon ||
    / is\b/i.test(link) ||
    label.endsWith('name') ||
    label.startsWith('sp') ||
    label.endsWith('by') ||
    label === 'my name is';
  return sure || /[ \t]/.test(ahead.slice(0, length))
    ? { entity: 'person_name', start, end: start + length }
    : null;
}

function afterLabels(text: string, spans: Span[]): void {
  let inWord = false;
  for (let i = 0; i < text.length; i += 1) {
    const end = inWord ? -1 : labelEnd(text, i);
    if (end >= 0) {
      const span = named(text, i, end);
      if (span !== null) spans.push(span);
      i = end - 1;
    }
    inWord = isWordUnit(text.charCodeAt(i));
  }
}

/**
 * @param titled the text has one of `TITLE_LETTERS`
 * @param odd the text has letters that only case folding makes Latin ones
 */
export function findEnglishNames(text: string, titled: boolean, odd: boolean, spans: Span[]): void {
  if (titled) afterTitles(text, spans);
  if (!odd) {
    afterLabels(text, spans);
    return;
  }
  for (const found of text.matchAll(ODD_LABELS)) {
    const span = named(text, found.index, found.index + found[0].length);
    if (span !== null) spans.push(span);
  }
}
