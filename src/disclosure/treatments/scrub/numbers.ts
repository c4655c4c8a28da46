/**
 * Identity, telephone and card numbers in a folded text. The text is cut into groups of digits; groups that stand near enough
 * may belong together (`138 1234 5678`). For each group at most nineteen combinations are looked at, so the time is linear.
 */
import { hasIdentityCheck, hasIdentityShape, isCard, isLandline, isMobile, isOldIdentity } from './checks.ts';
import { FILLER } from './fold.ts';
import type { Entity, Span } from './span.ts';

interface Group {
  readonly start: number;
  readonly end: number;
  readonly digits: string;
  /** what stands between the group before and this one, without fillers; null: too much to belong together */
  readonly gap: string | null;
}

const GAP = /^[ \t\-.()/_]{1,3}$/;
const FILLERS = new RegExp(FILLER, 'g');

function groupsOf(text: string): Group[] {
  const groups: Group[] = [];
  let before = -1;
  for (const found of text.matchAll(/\d(?:\x01{0,8}\d)*\x01{0,8}/g)) {
    const start = found.index;
    const gap = before >= 0 && start - before <= 24 ? text.slice(before, start).replace(FILLERS, '') : null;
    const end = start + found[0].length;
    groups.push({
      start,
      end,
      digits: found[0].replace(FILLERS, ''),
      gap: gap !== null && (gap === '' || GAP.test(gap)) ? gap : null,
    });
    before = end;
  }
  return groups;
}

const LONGEST = 19;

/** How people group the digits of a mobile, or dictate them one by one. */
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
const LOCAL_GROUPS = /^(?:[78]|4,4|3,4|4,3)$/;
const NANP_GROUPS = /^(?:1,)?3,3,4$/;

const TELEPHONE_LABEL =
  /(?:电话|电話|座机|固话|热线|传真|号码|tel|phone|call|fax|mobile|cell|number)[^\p{L}\p{N}]{0,4}$/iu;
const IDENTITY_LABEL = /(?:身份证|身份證|证件|證件|\bID)(?:号码|号|號碼|號|no|number)?[^\p{L}\p{N}]{0,4}$/iu;
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

/** The groups without those of a country prefix that stand by themselves: `+86 138 1234 5678`. */
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
  /** only a label speaks for it: it may be the beginning of something longer */
  readonly weak?: true;
}

function classify(c: Candidate): Classified | null {
  const { text, digits, key, start, end, plus } = c;
  const count = digits.length;
  if (count === 17 || count === 18) {
    const stop = identityAt(text, digits, start, end);
    if (stop !== null) return { entity: 'national_id', end: stop };
  }
  const letterBefore = /[A-Za-z_]/.test(text[start - 1] ?? '');
  if (count === 15 && OLD_ID_GROUPS.has(key) && !letterBefore && isOldIdentity(digits))
    return { entity: 'national_id', end };
  if (count >= 14 && !plus && !letterBefore && CARD_GROUPS.test(key) && isCard(digits))
    return { entity: 'bank_card', end };
  const bare = withoutCountry(digits, plus);
  const bareKey = bare === digits ? key : groupKey(key, digits);
  const trunk = bare.length === 12 && bare.startsWith('01') ? bare.slice(1) : bare;
  if (isMobile(trunk) && (trunk !== bare || MOBILE_GROUPS.has(bareKey))) return { entity: 'phone', end };
  if (letterBefore) return null;
  if (LANDLINE_GROUPS.test(key) && isLandline(digits)) return { entity: 'landline', end };
  if (bare !== digits && isLandline(`0${bare}`)) return { entity: 'landline', end };
  if (plus && count >= 8 && count <= 15) return { entity: 'phone', end };
  // 400 and 800 are hotlines: nobody's own number
  if (NANP_GROUPS.test(key) && /^1?(?![48]00)[2-9]\d\d[2-9]\d{6}$/.test(digits))
    return { entity: 'phone', end };
  if (count <= 10 && (LOCAL_GROUPS.test(key) || key === '10') && labelled(text, start, TELEPHONE_LABEL))
    return { entity: 'landline', end, weak: true };
  return null;
}

/** digit by digit */
const dictated = (key: string, groups: number): boolean => groups > 6 && key.length === 2 * groups - 1;

export function findNumbers(text: string): Span[] {
  const groups = groupsOf(text);
  const spans: Span[] = [];
  for (let i = 0; i < groups.length; i += 1) {
    const first = groups[i]!;
    const plus = text[first.start - 1] === '+';
    let digits = '';
    let key = '';
    let best: Span | null = null;
    let weak = false;
    let last = i;
    for (let j = i; j < groups.length; j += 1) {
      const group = groups[j]!;
      if (j > i && group.gap === null) break;
      digits += group.digits;
      if (digits.length > LONGEST) break;
      key = j === i ? String(group.digits.length) : `${key},${group.digits.length}`;
      if (digits.length < 7 || (dictated(key, j - i + 1) && digits.length < 11)) continue;
      const start = plus ? first.start - 1 : first.start;
      const found = classify({ text, digits, key, start, end: group.end, plus });
      // an identity number or a card is surer than a telephone number that happens to be its beginning
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
  return spans;
}

const NUMERALS: { readonly [numeral: string]: string } = Object.fromEntries(
  [...'零0〇0○0一1幺1壹1二2两2贰2三3叁3四4肆4五5伍5六6陆6七7柒7八8捌8九9玖9'].flatMap((c, i, all) =>
    i % 2 === 0 ? [[c, all[i + 1]!]] : [],
  ),
);
const NUMERAL = '零〇○一幺壹二两贰三叁四肆五伍六陆七柒八捌九玖';
const SPOKEN = new RegExp(`[${NUMERAL}](?:[ -]?[${NUMERAL}]){10,}|[${NUMERAL}0-9]{11,}`, 'g');

/** Numbers written out in Chinese numerals, or half so: `一三八一二三四五六七八`. */
export function findSpokenNumbers(text: string): Span[] {
  const spans: Span[] = [];
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
  return spans;
}
