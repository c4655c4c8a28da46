/**
 * Finds numbers of documents and accounts by their label in a folded text: `护照E12345678`, `卡号：…` with a wrong digit. A label is a stronger
 * indication than a check digit, so that a number after one is masked whatever its digits are.
 */
import { DOCUMENTS, IDENTITY_WORDS, SERVICE_WORDS, TRAVEL_WORDS } from '../masks/documents.ts';
import type { Entity, Span } from './span.ts';
import { Words } from './words.ts';

type Kind = 'identity' | 'travel' | 'service' | 'account';

const ACCOUNT_WORDS =
  '卡号|卡號|银行卡|銀行卡|信用卡|借记卡|储蓄卡|账号|賬號|帐号|帳號|账户|帐户|賬戶|帳戶|存折|存摺';

const LABELS = new Words(
  (
    [
      ['identity', IDENTITY_WORDS],
      ['travel', TRAVEL_WORDS],
      ['service', SERVICE_WORDS],
      ['account', ACCOUNT_WORDS],
    ] as const
  ).flatMap(([kind, words]) =>
    words.split('|').map((word): { word: string; kind: Kind } => ({ word, kind })),
  ),
);
/** first characters of labels */
export const LABEL_CHARS = LABELS.first;

/** words for a number, in a label or a key */
const NUMBERED = '(?=[ _-]?(?:card|no|num|doc|code|hao))';
/** English labels and keys of members: `Passport No`, `idNumber`, `card_no`; pinyin and its initials, as in legacy systems */
const KEYS: Readonly<Record<'travel' | 'identity' | 'account', readonly string[]>> = {
  travel: [
    `passport|PP${NUMBERED}`,
    'travel[ _-]?(?:doc(?:ument)?|permit)',
    'return[ _-]?permit',
    'mainland[ _-]?travel[ _-]?permit',
    `visa${NUMBERED}`,
    '(?:huzhao(?:hao(?:ma)?)?|hzhm?|txz(?:hm?)?|tongxingzheng(?:hao(?:ma)?)?)(?![a-z])',
  ],
  identity: [
    'residen(?:ce|t)[ _-]?(?:permit|card|ID|registration)',
    `identity${NUMBERED}`,
    'identification',
    '(?:military|national|macau|macao|card)[ _-]?id(?![a-z])',
    'HKID|NRIC|SSN(?![a-z])|aadhaar',
    `(?:id|FIN|cert(?:ificate)?)${NUMBERED}`,
    'social[ _-]?(?:security|insurance)|national[ _-]?insurance',
    "driv(?:er'?s?|ing)[ _-]?licen[cs]e",
    '(?:sfz(?:hm?)?|zjhm?|gmsfz?hm|shenfenzheng(?:hao(?:ma)?)?|zhengjian(?:hao(?:ma)?)?|sb[kz]h|ybkh)(?![a-z])',
  ],
  account: [
    'IBAN',
    `acc(?:oun)?t(?![a-z])|(?:acc(?:oun)?t?|a/c|card)${NUMBERED}`,
    '(?:credit|debit|bank)[ _-]?card',
    '(?:yhkh?|yhzh(?:hm)?|skzh|khzh|kahao|yinhangka(?:hao)?|zhanghao|yinhangzhanghao)(?![a-z])',
  ],
};
const ENGLISH = new RegExp(
  Object.entries(KEYS)
    .map(([kind, keys]) => `(?<${kind}>${keys.join('|')})`)
    .join('|'),
  'iy',
);
/** the first two letters of English labels and keys */
const BEGINNINGS = new Set(
  'pa pp tr re ma vi hu hz tx to id mi na ca hk nr ss aa fi ce so dr sf zj gm sh zh sb yb ib ac a/ cr de ba yh sk kh ka yi'
    .split(' ')
    .map((pair) => (pair.charCodeAt(0) << 8) | pair.charCodeAt(1) | 0x20),
);
const isLetter = (unit: number): boolean => (unit | 0x20) >= 0x61 && (unit | 0x20) <= 0x7a;

/** labels that are no identity documents: `order id no` */
const NOT_IDENTITY =
  /(?:order|product|item|device|session|ticket|case|claim|transaction|user|app|serial|tracking|gift|policy)[ _-]?$/i;
/** labels that are no bank accounts */
const NOT_BANK = /(?:购物|礼品|储值|加油|公交|门禁|充值|礼品)$/;

/** between a label and its number */
const LINK =
  /(?:证|證)?(?:档案|檔案)?(?:[（(][^（）()0-9\n]{1,12}[）)])?[ \u3000，,]?(?:号码|號碼|编号|編號|字号|字號|号|號)?(?:[ _-]?(?:[Cc]ard|CARD|[Dd]ocument|[Pp]ermit))?(?: ?\([^()0-9\n]{1,12}\))?(?:[ _-]?(?:[Nn]umber|NUMBER|[Nn]um|[Nn]o|NO|[Nn]r|[Cc]ode|#)\b\.?)?(?:[^\p{L}\p{N}\n]{0,4}(?:为|是|為|is\b))?[^\p{L}\p{N}\n]{0,6}/uy;
const RUN = /(?:[A-Z]{1,2}[ -]|[A-Za-z]{0,3})[0-9][A-Za-z0-9]*(?:\([0-9A-Za-z]\)|\/[0-9](?![0-9]))?/y;
const MORE = /\x01{0,8}[ -]\x01{0,8}([0-9]+[Xx]?(?:\([0-9A-Za-z]\))?)(?![A-Za-z0-9])/y;
const IN_FRONT = /(?<![A-Za-z0-9])([A-Za-z]{0,3}[0-9]{5,17}[0-9A-Za-z]?) ?[（(]$/;
/** dates of issue or expiry in the place of the number */
const DATE = /(?:19|20)[0-9]{2}(?:年|[-./][01]?[0-9][-./][0-3]?[0-9](?![0-9]))/y;
const SERVICE = /(?:\p{Script=Han}{1,3}字?)?第? ?[A-Z]{0,2}[0-9]{4,12}(?:-[0-9]{2,8}){0,3}(?![0-9年月])号?/uy;
/** 军字第1234567号, after a label for any document */
const WORDED = /\p{Script=Han}{1,3}字第? ?[0-9]{4,12}号?/uy;
const FEWEST_DIGITS = 4;
const LONGEST_RUN = 40;
const MOST_GROUPS = 6;

const execAt = (pattern: RegExp, text: string, at: number): RegExpExecArray | null => {
  pattern.lastIndex = at;
  return pattern.exec(text);
};

const WHOLE: Readonly<Record<'identity' | 'travel' | 'account', (length: number) => boolean>> = {
  identity: (length) => length === 15 || length === 18,
  travel: (length) => length >= 8 && length <= 11,
  account: (length) => length >= 12 && length <= 19,
};
const FEWEST: Readonly<Record<'identity' | 'travel' | 'account', number>> = {
  identity: 6,
  travel: 6,
  account: 12,
};

const isWhole = (kind: keyof typeof WHOLE, number: string): boolean =>
  WHOLE[kind](number.replace(/[()]/g, '').length);

/** The end of the number at `at`, with its letters and digits; null: too short for its kind. */
function numberAt(
  text: string,
  at: number,
  kind: 'identity' | 'travel' | 'account',
): { readonly end: number; readonly number: string } | null {
  const run = execAt(RUN, text, at);
  if (run === null || run[0].length > LONGEST_RUN) return null;
  let end = at + run[0].length;
  let number = run[0].replace(/[ -]/, '');
  let best = number.length >= FEWEST[kind] ? { end, number } : null;
  for (let n = 0; n < MOST_GROUPS; n += 1) {
    const more = execAt(MORE, text, end);
    if (more === null) break;
    end += more[0].length;
    number += more[1]!;
    if (number.length > 19) break;
    // a part after a dash belongs to an incomplete number: 900101-1234567
    const joined = best !== null && more[0].includes('-') && !isWhole(kind, best.number);
    if (best === null || joined || isWhole(kind, number))
      best = number.length >= FEWEST[kind] ? { end, number } : best;
  }
  if (best === null || (best.number.match(/[0-9]/g)?.length ?? 0) < FEWEST_DIGITS) return null;
  return best;
}

/** An identity number has its own mask, whatever the label is; a value without a known form is hidden completely. */
function entityOf(kind: 'identity' | 'travel' | 'account', number: string): Entity {
  if (kind === 'account') return 'bank_card';
  const upper = number.toUpperCase();
  const first = kind === 'identity' ? 'national_id' : 'passport';
  const fits = DOCUMENTS.filter(({ shape }) => shape.test(upper)).map(({ mask }) => mask);
  return fits.length === 0 || fits.includes(first) ? first : fits[0]!;
}

function behind(text: string, label: number, at: number, kind: Kind, spans: Span[]): void {
  if (kind === 'account' && NOT_BANK.test(text.slice(Math.max(0, label - 2), label))) return;
  const start = at + (execAt(LINK, text, at)?.[0].length ?? 0);
  if (execAt(DATE, text, start) !== null) return;
  if (kind === 'service') {
    const found = execAt(SERVICE, text, start);
    if (found !== null) spans.push({ entity: 'passport', start, end: start + found[0].length });
    return;
  }
  const found = numberAt(text, start, kind);
  if (found !== null) {
    spans.push({ entity: entityOf(kind, found.number), start, end: found.end });
    return;
  }
  const worded = kind === 'account' ? null : execAt(WORDED, text, start);
  if (worded !== null) {
    spans.push({ entity: 'passport', start, end: start + worded[0].length });
    return;
  }
  // E12345678（护照）
  const inFront = IN_FRONT.exec(text.slice(Math.max(0, label - 24), label));
  if (inFront === null || kind === 'account') return;
  const end = label - (inFront[0].length - inFront[1]!.length);
  spans.push({ entity: entityOf(kind, inFront[1]!), start: end - inFront[1]!.length, end });
}

/** @param first first possible position of a Chinese label; -1: none */
export function findLabelled(text: string, first: number, latin: boolean, spans: Span[]): void {
  if (first >= 0)
    for (let i = first; i < text.length; i += 1) {
      const label = LABELS.at(text, i);
      if (label === null) continue;
      behind(text, i, i + label.word.length, label.kind, spans);
      i += label.word.length - 1;
    }
  if (latin) behindEnglish(text, spans);
}

function behindEnglish(text: string, spans: Span[]): void {
  let before = 0x20;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    // at the start of a word, or of a word within a key: cardNo, cert_no, customerIdNo
    const begins = isLetter(unit) && (!isLetter(before) || (unit < 0x61 && before >= 0x61));
    before = unit;
    if (!begins || !BEGINNINGS.has(((unit | 0x20) << 8) | (text.charCodeAt(i + 1) | 0x20))) continue;
    const found = execAt(ENGLISH, text, i);
    if (found === null) continue;
    const { travel, account } = found.groups!;
    const kind = travel !== undefined ? 'travel' : account !== undefined ? 'account' : 'identity';
    if (kind === 'identity' && NOT_IDENTITY.test(text.slice(Math.max(0, i - 12), i))) continue;
    behind(text, i, i + found[0].length, kind, spans);
  }
}
