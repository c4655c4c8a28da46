/**
 * Character sets of response bodies. A body is lexed on its own bytes, never on a transcoded copy, so that what is
 * disclosed stays byte for byte what the upstream sent; `width` tells a lexer where the next character begins, because
 * in GB18030, Big5, Shift_JIS and EUC-KR the second byte of a character may look like `\`, `|` or `@`. iconv-lite maps
 * values to text for treatments and replacements back to bytes.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import iconv from 'iconv-lite';
import { SluiceError } from '../../../errors.ts';

/**
 * - `octets`: every byte below 0x80 is that ASCII character wherever it stands (UTF-8, ISO-8859-x, windows-125x)
 * - `multibyte`: a byte below 0x80 may be the rest of a character
 * - `utf16le`, `utf16be`: two bytes a unit
 */
export type Layout = 'octets' | 'multibyte' | 'utf16le' | 'utf16be';

export interface Charset {
  /** canonical, lower case: what a Content-Type sent on should name */
  readonly name: string;
  readonly layout: Layout;
  /**
   * Bytes of the character at `i`; 0 when `bytes` ends within it; -1 when no character can stand there, so that two
   * readers could disagree about where the next one begins.
   */
  width(bytes: Uint8Array, i: number): number;
  /** Text of whole characters; null if any byte means nothing. A byte order mark is U+FEFF like any other character. */
  decode(bytes: Uint8Array): string | null;
  /** Bytes of a text; what the charset lacks is replaced by `substitute` (default `?`). Never throws. */
  encode(text: string, substitute?: (character: string) => string): Buffer;
}

/** Bytes of one code unit. */
export const unitOf = (charset: Charset): 1 | 2 => (charset.layout.startsWith('utf16') ? 2 : 1);

/** A function that reads the code unit at `i`. Units that are not ASCII are read as some number above 0x7f. */
export function codeAt(charset: Charset): (bytes: Uint8Array, i: number) => number {
  if (charset.layout === 'utf16le') return (bytes, i) => bytes[i]! | (bytes[i + 1]! << 8);
  if (charset.layout === 'utf16be') return (bytes, i) => (bytes[i]! << 8) | bytes[i + 1]!;
  return (bytes, i) => bytes[i]!;
}

type Width = Charset['width'];
const one: Width = () => 1;

/** A two-byte charset; `trail` must be exact: a lead byte before anything else is where parsers disagree. */
const pairs =
  (lead: (b: number) => boolean, trail: (b: number) => boolean): Width =>
  (bytes, i) => {
    const a = bytes[i]!;
    if (!lead(a)) return 1;
    const b = bytes[i + 1];
    return b === undefined ? 0 : trail(b) ? 2 : -1;
  };

const isGbLead = (b: number): boolean => b >= 0x81 && b <= 0xfe;
const isGbTrail = (b: number): boolean => b >= 0x40 && b <= 0xfe && b !== 0x7f;
const gbk = pairs(isGbLead, isGbTrail);

/** GB 18030-2005: GBK, and four bytes where the second is a digit. */
const gb18030: Width = (bytes, i) => {
  const a = bytes[i]!;
  if (!isGbLead(a)) return 1;
  const b = bytes[i + 1];
  if (b === undefined) return 0;
  if (b < 0x30 || b > 0x39) return isGbTrail(b) ? 2 : -1;
  const c = bytes[i + 2];
  if (c === undefined) return 0;
  if (!isGbLead(c)) return -1;
  const d = bytes[i + 3];
  return d === undefined ? 0 : d >= 0x30 && d <= 0x39 ? 4 : -1;
};

const big5 = pairs(isGbLead, (b) => (b >= 0x40 && b <= 0x7e) || (b >= 0xa1 && b <= 0xfe));
const shiftJis = pairs(
  (b) => (b >= 0x81 && b <= 0x9f) || (b >= 0xe0 && b <= 0xfc),
  (b) => b >= 0x40 && b <= 0xfc && b !== 0x7f,
);
/** as every reader takes the label: with Microsoft's extension (code page 949), whose trail bytes may be letters */
const eucKr = pairs(
  isGbLead,
  (b) => (b >= 0x41 && b <= 0x5a) || (b >= 0x61 && b <= 0x7a) || (b >= 0x81 && b <= 0xfe),
);
const eucJp: Width = (bytes, i) => {
  const a = bytes[i]!;
  if (a !== 0x8e && a !== 0x8f && (a < 0xa1 || a > 0xfe)) return 1;
  const last = a === 0x8f ? 2 : 1;
  for (let k = 1; k <= last; k++) {
    const b = bytes[i + k];
    if (b === undefined) return 0;
    if (b < 0xa1 || b > 0xfe) return -1;
  }
  return last + 1;
};

const utf8: Width = (bytes, i) => {
  const a = bytes[i]!;
  const n = a < 0x80 ? 1 : a < 0xc2 ? 1 : a < 0xe0 ? 2 : a < 0xf0 ? 3 : a < 0xf5 ? 4 : 1;
  for (let k = 1; k < n; k++) {
    const b = bytes[i + k];
    if (b === undefined) return 0;
    if ((b & 0xc0) !== 0x80) return k; // a stray byte: ASCII keeps its meaning wherever it stands
  }
  return n;
};

const utf16 =
  (high: 0 | 1): Width =>
  (bytes, i) => {
    if (i + 2 > bytes.length) return 0;
    if ((bytes[i + high]! & 0xfc) !== 0xd8) return 2;
    if (i + 4 > bytes.length) return 0;
    return (bytes[i + 2 + high]! & 0xfc) === 0xdc ? 4 : -1;
  };

const view = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * iconv-lite marks what it cannot map with U+FFFD. Where a charset has that very character it comes back to the same bytes.
 * A pair without a character is followed differently by different readers (some read its second byte again), so it may only
 * ever be decoded inside a value whose ends are certain.
 */
function mapped(bytes: Uint8Array, codec: string): string | null {
  const text = iconv.decode(view(bytes), codec, { stripBOM: false });
  if (!text.includes('\ufffd')) return text;
  return iconv.encode(text, codec, { addBOM: false }).equals(bytes) ? text : null;
}

const unicode = (codec: 'utf-8' | 'utf-16le' | 'utf-16be'): Pick<Charset, 'decode' | 'encode'> => {
  const strict = new TextDecoder(codec, { fatal: true, ignoreBOM: true });
  return {
    decode(bytes) {
      if (codec === 'utf-8') return isUtf8(bytes) ? view(bytes).toString('utf8') : null;
      try {
        return strict.decode(bytes);
      } catch {
        return null;
      }
    },
    encode(text) {
      const whole = text.toWellFormed();
      if (codec === 'utf-8') return Buffer.from(whole, 'utf8');
      const out = Buffer.from(whole, 'utf16le');
      return codec === 'utf-16be' ? out.swap16() : out;
    },
  };
};

const legacy = (codec: string): Pick<Charset, 'decode' | 'encode'> => ({
  // every charset admitted below keeps ASCII where it is
  decode: (bytes) => (isAscii(bytes) ? view(bytes).toString('latin1') : mapped(bytes, codec)),
  encode(text, substitute = () => '?') {
    const out = iconv.encode(text, codec);
    if (iconv.decode(out, codec) === text) return out;
    let kept = '';
    for (const character of text)
      kept +=
        iconv.decode(iconv.encode(character, codec), codec) === character ? character : substitute(character);
    return iconv.encode(kept, codec);
  },
});

const known = new Map<string, Charset>();
const bare = (label: string): string => label.toLowerCase().replace(/[^a-z0-9]/g, '');

function admit(
  name: string,
  layout: Layout,
  width: Width,
  mapping: Pick<Charset, 'decode' | 'encode'>,
  ...labels: string[]
): void {
  const charset: Charset = Object.freeze({ name, layout, width, ...mapping });
  for (const label of [name, ...labels]) known.set(bare(label), charset);
}

admit('utf-8', 'octets', utf8, unicode('utf-8'), 'utf8', 'unicode-1-1-utf-8');
admit('utf-16le', 'utf16le', utf16(1), unicode('utf-16le'), 'ucs-2le');
admit('utf-16be', 'utf16be', utf16(0), unicode('utf-16be'), 'ucs-2be');
admit('us-ascii', 'octets', one, legacy('us-ascii'), 'ascii', 'iso646-us', 'ANSI_X3.4-1968');
admit('gb18030', 'multibyte', gb18030, legacy('gb18030'), 'gb18030-2005', 'gb18030-2022', 'cp54936');
admit('gbk', 'multibyte', gbk, legacy('gbk'), 'x-gbk', 'cp936', 'ms936', 'windows-936');
// GB 2312 is a subset of GBK, and what carries its label is often the superset
admit('gb2312', 'multibyte', gbk, legacy('gbk'), 'gb_2312-80', 'csgb2312', 'euc-cn', 'chinese', 'iso-ir-58');
admit(
  'big5',
  'multibyte',
  big5,
  legacy('big5-hkscs'),
  'big5-hkscs',
  'cn-big5',
  'csbig5',
  'x-x-big5',
  'cp950',
  'ms950',
);
admit(
  'shift_jis',
  'multibyte',
  shiftJis,
  legacy('shift_jis'),
  'sjis',
  'x-sjis',
  'ms932',
  'cp932',
  'windows-31j',
  'ms_kanji',
);
admit(
  'euc-kr',
  'multibyte',
  eucKr,
  legacy('euc-kr'),
  'ks_c_5601-1987',
  'ksc5601',
  'korean',
  'cp949',
  'ms949',
  'uhc',
);
admit('euc-jp', 'multibyte', eucJp, legacy('euc-jp'), 'x-euc-jp');
for (const n of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16])
  admit(`iso-8859-${n}`, 'octets', one, legacy(`iso-8859-${n}`), `iso8859-${n}`, `8859-${n}`);
for (const n of [874, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258])
  admit(`windows-${n}`, 'octets', one, legacy(`windows-${n}`), `cp${n}`, `x-cp${n}`, `ms-${n}`);
for (const n of [437, 850, 852, 855, 857, 858, 860, 861, 862, 863, 865, 866])
  admit(`ibm${n}`, 'octets', one, legacy(`cp${n}`), `cp${n}`);
admit('koi8-r', 'octets', one, legacy('koi8-r'), 'koi8');
admit('koi8-u', 'octets', one, legacy('koi8-u'));
admit('macintosh', 'octets', one, legacy('macintosh'), 'x-mac-roman');
admit('tis-620', 'octets', one, legacy('tis-620'));
for (const [label, name] of Object.entries({
  latin1: 'iso-8859-1',
  latin2: 'iso-8859-2',
  latin9: 'iso-8859-15',
}))
  known.set(label, known.get(bare(name))!);
known.set('iso88598i', known.get('iso88598')!);

export const UTF8: Charset = known.get('utf8')!;

/** Names of what is supported, for messages, documentation and tests. */
export const charsetNames = (): string[] => [...new Set([...known.values()].map((c) => c.name))];

/** Marks at the head of a body, longest first: UTF-32's begins with UTF-16's. */
const MARKS: readonly { readonly name: string; readonly bytes: readonly number[] }[] = [
  { name: 'utf-32', bytes: [0xff, 0xfe, 0, 0] },
  { name: 'utf-32', bytes: [0, 0, 0xfe, 0xff] },
  { name: 'gb18030', bytes: [0x84, 0x31, 0x95, 0x33] },
  { name: 'utf-8', bytes: [0xef, 0xbb, 0xbf] },
  { name: 'utf-16le', bytes: [0xff, 0xfe] },
  { name: 'utf-16be', bytes: [0xfe, 0xff] },
];
/** bytes that `charsetOf` wants to see at the head of a body */
export const MARK_LENGTH = 4;

/** The byte order mark a body begins with, if any. */
export function byteOrderMark(head: Uint8Array): { readonly name: string; readonly length: number } | null {
  for (const mark of MARKS)
    if (mark.bytes.every((b, i) => head[i] === b)) return { name: mark.name, length: mark.bytes.length };
  return null;
}

/** does a label name a charset that is supported? */
export const isCharset = (label: string): boolean => known.has(bare(label));

/**
 * The charset a label names; `utf-16` alone does not say which way round it is.
 * @throws SluiceError `response_charset_unknown`
 */
export function charset(label: string): Charset {
  const found = known.get(bare(label));
  if (found !== undefined) return found;
  throw new SluiceError('response_charset_unknown', {
    message:
      bare(label) === 'utf16'
        ? 'The body is said to be UTF-16 and has no byte order mark; have the route say utf-16le or utf-16be.'
        : `The charset of the body is not supported. Supported are ${charsetNames().join(', ')}.`,
  });
}

/**
 * The charset of a body from its label (Content-Type or route; null: not said, so UTF-8) and its first bytes, and the
 * length of its byte order mark.
 * @throws SluiceError `response_charset_unknown`, also when the mark contradicts the label: whoever believes the other
 *   one would read other fields
 */
export function charsetOf(label: string | null, head: Uint8Array): { charset: Charset; mark: number } {
  const mark = byteOrderMark(head);
  if (label !== null && bare(label) !== 'utf16') {
    const named = charset(label);
    if (mark === null || mark.name === named.name) return { charset: named, mark: mark?.length ?? 0 };
    // GB18030's mark is ordinary text in GBK
    if (mark.name === 'gb18030') return { charset: named, mark: 0 };
    throw new SluiceError('response_charset_unknown', {
      message: `The body is said to be ${named.name} and begins with the byte order mark of ${mark.name}; correct the label or the route's charset.`,
    });
  }
  if (label === null) {
    if (mark === null) return { charset: UTF8, mark: 0 };
    return { charset: charset(mark.name), mark: mark.length };
  }
  if (mark === null || !mark.name.startsWith('utf-16')) return { charset: charset('utf-16'), mark: 0 };
  return { charset: charset(mark.name), mark: mark.length };
}
