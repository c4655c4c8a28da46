/**
 * Finds identity, telephone and card numbers in a folded text. The text is split into groups of digits; adjacent groups may belong together
 * (`138 1234 5678`). For each group at most nineteen combinations are checked, so that the time is linear.
 */
import {
  hasCardShape,
  hasIdentityCheck,
  hasIdentityShape,
  isLandline,
  isLuhn,
  isMobile,
  isOldIdentity,
} from './checks.ts';
import { documentAt } from './documents.ts';
import { FILLER } from './fold.ts';
import type { Entity, Span } from './span.ts';

interface Group {
  readonly start: number;
  readonly end: number;
  readonly digits: string;
  /** near enough to the previous group to belong to the same number */
  readonly joined: boolean;
}

const FILLING = FILLER.charCodeAt(0);
const FILLERS = new RegExp(FILLER, 'g');
/** fillers between two digits, or after the last */
const MOST_FILLERS = 8;
/** maximum distance between two groups, with and without fillers */
const WIDEST_GAP = 24;
const MOST_BETWEEN = 3;

const isDigit = (unit: number): boolean => unit >= 0x30 && unit <= 0x39;

function groupsOf(text: string): Group[] {
  const groups: Group[] = [];
  let before = -1;
  for (let i = 0; i < text.length; i += 1) {
    if (!isDigit(text.charCodeAt(i))) continue;
    const start = i;
    let last = i;
    let filled = false;
    for (;;) {
      let next = last + 1;
      while (next - last <= MOST_FILLERS && text.charCodeAt(next) === FILLING) next += 1;
      if (isDigit(text.charCodeAt(next))) {
        filled ||= next > last + 1;
        last = next;
        continue;
      }
      i = next - 1;
      break;
    }
    const digits = text.slice(start, last + 1);
    groups.push({
      start,
      end: i + 1,
      digits: filled ? digits.replace(FILLERS, '') : digits,
      joined: before >= 0 && start - before <= WIDEST_GAP && isGap(text, before, start),
    });
    before = i + 1;
  }
  return groups;
}

/** only fillers and up to three separators */
function isGap(text: string, from: number, to: number): boolean {
  let between = 0;
  for (let i = from; i < to; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit === FILLING) continue;
    between += 1;
    if (between > MOST_BETWEEN || !isSeparator(unit)) return false;
  }
  return true;
}

/** blank, tab, `-`, `.`, `(`, `)`, `/`, `_` */
const isSeparator = (unit: number): boolean =>
  unit === 0x20 ||
  unit === 9 ||
  (unit >= 0x28 && unit <= 0x29) ||
  (unit >= 0x2d && unit <= 0x2f) ||
  unit === 0x5f;

const FEWEST = 7;
const LONGEST = 19;

/** usual groupings of the digits of a mobile number, including single digits */
const MOBILE_GROUPS = new Set([
  '11',
  '3,4,4',
  '3,8',
  '7,4',
  '3,3,5',
  '4,4,3',
  '4,7',
  '5,6',
  '6,5',
  '3,2,2,2,2',
  '3,3,2,3',
  '3,2,3,3',
  '3,3,3,2',
  '3,4,2,2',
  '3,5,3',
  '1,1,1,1,1,1,1,1,1,1,1',
]);
const CARD_GROUPS = /^(?:\d\d|4,4,4,[1-4]|4,4,4,4(?:,[1-4])?|4,6,[45]|6,\d\d?|8,8|1(?:,1){12,18})$/;
const OLD_ID_GROUPS = new Set(['15', '6,6,3']);
const LANDLINE_GROUPS = /^(?:1[0-2]|[34],[78]|[34],4,[34]|[34],3,4)$/;
const LOCAL_GROUPS = /^(?:[78]|4,4|3,4|4,3|2,[34],4|2,[78]|5,5)$/;
const NANP_GROUPS = /^(?:1,)?3,3,4$/;
/** numbers of other countries in their usual groupings: with a trunk 0 and a mobile prefix, or with a country code */
const FOREIGN: readonly (readonly [RegExp, RegExp])[] = [
  // Taiwan 09xx-xxx-xxx, Britain 07xxx xxx xxx, Australia 04xx xxx xxx
  [/^(?:0[49]\d{8}|07\d{9})$/, /^(?:4,3,3|4,6|5,6|5,3,3)$/],
  // Japan and Korea 090-xxxx-xxxx, Korea 010-xxxx-xxxx
  [/^0[1789]0\d{8}$/, /^3,4,4$/],
  // Taiwan (02) xxxx-xxxx, France 06 xx xx xx xx
  [/^0[2-8]\d{8}$/, /^2,4,4$/],
  [/^0[67]\d{8}$/, /^2,2,2,2,2$/],
  // Hong Kong and Macau 852-xxxxxxxx
  [/^85[23][2-9]\d{7}$/, /^3,(?:8|4,4)$/],
  // 0044 xxxx xxxxxx: the country code is a separate group
  [/^00[17]\d{10}$/, /^3,/],
  [/^00(?:20|3[0-469]|4[0134-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])\d{8,11}$/, /^4,/],
  [/^00(?:85[23]|886|971|35\d)\d{7,10}$/, /^5,/],
];

/** their first digits */
const FOREIGN_START = /^(?:0|85)/;

const TELEPHONE_LABEL =
  /(?:电话|電話|手机|手機|手提|座机|座機|固话|固話|市话|市話|热线|熱線|传真|傳真|(?<=^|[^\p{L}\p{N}]|[的新旧其]|联系|聯絡)(?:号码|號碼)|tel|phone|call|fax|mobile|mob|cell|whatsapp|(?<=^|[^\p{L}\p{N}\s]\s?|\b(?:my|his|her|the|your|their|new|old|home|office|work|contact)\s)number)(?:[ _-]?(?:no|num|number)\b)?(?:号码|號碼|号|號)?(?:[为是為]| is\b)?[^\p{L}\p{N}]{0,4}$/iu;
/** labels after which any number of a telephone number's length is one */
const MOBILE_LABEL =
  /(?:电话|電話|手机|手機|座机|座機|固话|固話|市话|市話|传真|傳真|(?:mobile|phone|cell|\btel)(?:[ _-]?(?:no|num|number))?|\b(?:lxr?dh|sjhm?|dhhm?|yddh)|(?:dianhua|shouji)(?:hao(?:ma)?)?)(?:号码|號碼|号|號)?(?:[为是為]| is\b)?[^\p{L}\p{N}]{0,4}$/iu;
const ANY_LENGTH = /^(?:1[0-2]|3,3,4|4,3,3|4,6|4,[78]|3,8|3,4,4)$/;
const IDENTITY_LABEL =
  /(?:身份证|身份證|身分證|身分证|证件|證件|税号|稅號|识别号|識別號|\bID)(?:号码|号|號碼|號|字號|no|number)?(?:[为是為]| is\b)?[^\p{L}\p{N}]{0,4}$/iu;
/** labels after which an issuer's prefix and length suffice, whatever the check digit is */
const CARD_LABEL =
  /(?:卡|银联|銀聯|[打款][到至]|转[到至入]|轉[到至入]|汇[到至入]|匯[到至入]|card|visa|master ?card|union ?pay|amex)[^\p{L}\p{N}]{0,4}$/iu;
const LABEL_REACH = 20;

const labelled = (text: string, start: number, label: RegExp): boolean =>
  label.test(text.slice(Math.max(0, start - LABEL_REACH), start));

function identityAt(text: string, digits: string, start: number, end: number): number | null {
  let id = digits;
  let stop = end;
  if (digits.length === 17) {
    const check = /^[\x01 -]{0,3}([Xx])(?![A-Za-z0-9])/.exec(text.slice(end, end + 5));
    if (check === null) return null;
    id += check[1];
    stop += check[0].length;
  }
  if (id.length !== 18 || !hasIdentityShape(id)) return null;
  return hasIdentityCheck(id) || labelled(text, start, IDENTITY_LABEL) ? stop : null;
}

const withoutCountry = (digits: string, plus: boolean): string =>
  digits.startsWith('0086')
    ? digits.slice(4)
    : digits.startsWith('86') && (plus || digits.length > 11)
      ? digits.slice(2)
      : digits;

/** The groups without separate groups of a country prefix: `+86 138 1234 5678`. */
const groupKey = (key: string, digits: string): string => {
  const own = key.split(',').map(Number);
  if (digits.startsWith('0086')) own[0] = own[0]! - 4;
  else if (digits.startsWith('86')) own[0] = own[0]! - 2;
  return (own[0] === 0 ? own.slice(1) : own).join(',');
};

interface Candidate {
  readonly text: string;
  readonly digits: string;
  /** lengths of the groups: `3,4,4` */
  readonly key: string;
  readonly start: number;
  readonly end: number;
  readonly plus: boolean;
}

interface Classified {
  readonly entity: Entity;
  readonly end: number;
  /** indicated only by a label: it may be the start of a longer number */
  readonly weak?: true;
}

function classify(c: Candidate): Classified | null {
  const { text, digits, key, start, end, plus } = c;
  const count = digits.length;
  // the cheapest check first: a text of single digits has nineteen candidates for each of them
  if (count === 17 || count === 18) {
    const stop = identityAt(text, digits, start, end);
    if (stop !== null) return { entity: 'national_id', end: stop };
  }
  const letterBefore = start > 0 && isLetter(text.charCodeAt(start - 1));
  if (count === 15 && OLD_ID_GROUPS.has(key) && !letterBefore && isOldIdentity(digits))
    return { entity: 'national_id', end };
  if (
    count >= 14 &&
    !plus &&
    !letterBefore &&
    hasCardShape(digits) &&
    CARD_GROUPS.test(key) &&
    (isLuhn(digits) || labelled(text, start, CARD_LABEL))
  )
    return { entity: 'bank_card', end };
  const bare = withoutCountry(digits, plus);
  const bareKey = bare === digits ? key : groupKey(key, digits);
  const trunk = bare.length === 12 && bare.startsWith('01') ? bare.slice(1) : bare;
  if (isMobile(trunk) && (trunk !== bare || MOBILE_GROUPS.has(bareKey))) return { entity: 'phone', end };
  if (letterBefore) return null;
  if (isLandline(digits) && LANDLINE_GROUPS.test(key)) return { entity: 'landline', end };
  if (bare !== digits && isLandline(`0${bare}`)) return { entity: 'landline', end };
  if (plus && count >= 8 && count <= 15) return { entity: 'phone', end };
  // 400 and 800 are hotlines, not personal numbers
  if (count >= 10 && count <= 11 && NANP_GROUPS.test(key) && /^1?(?![48]00)[2-9]\d\d[2-9]\d{6}$/.test(digits))
    return { entity: 'phone', end };
  if (FOREIGN_START.test(digits) && FOREIGN.some(([plan, cut]) => plan.test(digits) && cut.test(key)))
    return { entity: 'phone', end };
  if (count >= 10 && count <= 12 && ANY_LENGTH.test(key) && labelled(text, start, MOBILE_LABEL))
    return { entity: 'phone', end, weak: true };
  if (count <= 10 && (LOCAL_GROUPS.test(key) || key === '10') && labelled(text, start, TELEPHONE_LABEL))
    return { entity: 'landline', end, weak: true };
  return null;
}

/** ASCII letters, digits, or `_` */
const isLetter = (unit: number): boolean =>
  (unit >= 0x41 && unit <= 0x5a) || (unit >= 0x61 && unit <= 0x7a) || unit === 0x5f;

/** A number with one or two letters before the digits at `digits`. */
function lettered(text: string, digits: number): Span | null {
  const at = isLetter(text.charCodeAt(digits - 2)) ? digits - 2 : digits - 1;
  const before = text.charCodeAt(at - 1);
  return isLetter(before) || isDigit(before) ? null : documentAt(text, at);
}

/** digit by digit */
const dictated = (key: string, groups: number): boolean => groups > 6 && key.length === 2 * groups - 1;

/** a mobile number directly before or after an identity number */
const GLUED = 29;

function glued({ digits, start, end }: Group, spans: Span[]): boolean {
  for (const cut of [11, 18]) {
    const [mobile, id] =
      cut === 11 ? [digits.slice(0, 11), digits.slice(11)] : [digits.slice(18), digits.slice(0, 18)];
    if (!isMobile(mobile) || !hasIdentityShape(id) || !hasIdentityCheck(id)) continue;
    const [first, second]: readonly Entity[] =
      cut === 11 ? ['phone', 'national_id'] : ['national_id', 'phone'];
    spans.push({ entity: first!, start, end: start + cut }, { entity: second!, start: start + cut, end });
    return true;
  }
  return false;
}

export function findNumbers(text: string, spans: Span[]): void {
  const groups = groupsOf(text);
  for (let i = 0; i < groups.length; i += 1) {
    const first = groups[i]!;
    if (isLetter(text.charCodeAt(first.start - 1))) {
      const found = lettered(text, first.start);
      if (found !== null) {
        spans.push(found);
        while (i + 1 < groups.length && groups[i + 1]!.start < found.end) i += 1;
        continue;
      }
    }
    const alone = groups[i + 1]?.joined !== true;
    if (first.digits.length === GLUED && first.end - first.start === GLUED && glued(first, spans)) continue;
    if (alone && (first.digits.length < FEWEST || first.digits.length > LONGEST)) continue;
    const plus = text[first.start - 1] === '+';
    let digits = '';
    let key = '';
    let best: Span | null = null;
    let weak = false;
    let last = i;
    for (let j = i; j < groups.length; j += 1) {
      const group = groups[j]!;
      if (j > i && !group.joined) break;
      digits += group.digits;
      if (digits.length > LONGEST) break;
      key = j === i ? String(group.digits.length) : `${key},${group.digits.length}`;
      if (digits.length < FEWEST || (dictated(key, j - i + 1) && digits.length < 11)) continue;
      const start = plus ? first.start - 1 : first.start;
      const found = classify({ text, digits, key, start, end: group.end, plus });
      // an identity or card number is more reliable than a telephone number at its start
      if (found === null) continue;
      if (best === null || weak || plus || found.entity === 'national_id' || found.entity === 'bank_card') {
        weak = found.weak === true;
        best = { entity: found.entity, start, end: found.end };
        last = j;
      }
    }
    if (best !== null) {
      spans.push(best);
      i = last;
    }
  }
}
