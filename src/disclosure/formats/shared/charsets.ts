/**
 * Character sets of response bodies. Formats scan the original bytes, not a transcoded copy, so that disclosed values stay byte for byte
 * what the upstream sent. `width` tells where the next character begins, because the second byte of a character in GB18030, Big5,
 * Shift_JIS and EUC-KR may equal `\`, `|` or `@`. iconv-lite decodes values for treatments and encodes the replacements.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import iconv from 'iconv-lite';
import { SluiceError } from '../../../errors.ts';

/**
 * - `octets`: a byte below 0x80 is always that ASCII character (UTF-8, ISO-8859-x, windows-125x)
 * - `multibyte`: a byte below 0x80 may be the second byte of a character
 * - `utf16le`, `utf16be`: two bytes for each code unit
 */
export type Layout = 'octets' | 'multibyte' | 'utf16le' | 'utf16be';

export interface Charset {
  /** canonical name in lower case, for a Content-Type */
  readonly name: string;
  readonly layout: Layout;
  /**
   * Length in bytes of the character at `i`; 0 if `bytes` ends within it; -1 if there is no valid character, so that readers could disagree
   * where the next one begins.
   */
  width(bytes: Uint8Array, i: number): number;
  /** Decodes complete characters; null if a byte is invalid. A byte order mark is decoded as U+FEFF. */
  decode(bytes: Uint8Array): string | null;
  /** Encodes a text; a character that the charset lacks is replaced by `substitute` (default `?`). Never throws. */
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

/** A two-byte charset. `trail` must be exact: parsers disagree about a lead byte before any other byte. */
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
/** including Microsoft's extension (code page 949), as readers interpret the label; its second bytes may be letters */
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
    if ((b & 0xc0) !== 0x80) return k; // an invalid sequence: ASCII keeps its meaning
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
 * iconv-lite maps invalid bytes to U+FFFD. If a charset has that character, encoding it gives the same bytes again. Readers differ in how
 * they continue after an invalid pair (some read its second byte again), so only a value with known ends may be decoded.
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
      const wellFormed = text.toWellFormed();
      if (codec === 'utf-8') return Buffer.from(wellFormed, 'utf8');
      const out = Buffer.from(wellFormed, 'utf16le');
      return codec === 'utf-16be' ? out.swap16() : out;
    },
  };
};

const legacy = (codec: string): Pick<Charset, 'decode' | 'encode'> => ({
  // every charset below contains ASCII
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

function define(
  name: string,
  layout: Layout,
  width: Width,
  mapping: Pick<Charset, 'decode' | 'encode'>,
  ...labels: string[]
): void {
  const charset: Charset = Object.freeze({ name, layout, width, ...mapping });
  for (const label of [name, ...labels]) known.set(bare(label), charset);
}

define('utf-8', 'octets', utf8, unicode('utf-8'), 'utf8', 'unicode-1-1-utf-8');
define('utf-16le', 'utf16le', utf16(1), unicode('utf-16le'), 'ucs-2le');
define('utf-16be', 'utf16be', utf16(0), unicode('utf-16be'), 'ucs-2be');
define('us-ascii', 'octets', one, legacy('us-ascii'), 'ascii', 'iso646-us', 'ANSI_X3.4-1968');
define('gb18030', 'multibyte', gb18030, legacy('gb18030'), 'gb18030-2005', 'gb18030-2022', 'cp54936');
define('gbk', 'multibyte', gbk, legacy('gbk'), 'x-gbk', 'cp936', 'ms936', 'windows-936');
// GB 2312 is a subset of GBK, and a body with its label is often GBK
define('gb2312', 'multibyte', gbk, legacy('gbk'), 'gb_2312-80', 'csgb2312', 'euc-cn', 'chinese', 'iso-ir-58');
define(
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
define(
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
define(
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
define('euc-jp', 'multibyte', eucJp, legacy('euc-jp'), 'x-euc-jp');
for (const n of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16])
  define(`iso-8859-${n}`, 'octets', one, legacy(`iso-8859-${n}`), `iso8859-${n}`, `8859-${n}`);
for (const n of [874, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258])
  define(`windows-${n}`, 'octets', one, legacy(`windows-${n}`), `cp${n}`, `x-cp${n}`, `ms-${n}`);
for (const n of [437, 850, 852, 855, 857, 858, 860, 861, 862, 863, 865, 866])
  define(`ibm${n}`, 'octets', one, legacy(`cp${n}`), `cp${n}`);
define('koi8-r', 'octets', one, legacy('koi8-r'), 'koi8');
define('koi8-u', 'octets', one, legacy('koi8-u'));
define('macintosh', 'octets', one, legacy('macintosh'), 'x-mac-roman');
define('tis-620', 'octets', one, legacy('tis-620'));
for (const [label, name] of Object.entries({
  latin1: 'iso-8859-1',
  latin2: 'iso-8859-2',
  latin9: 'iso-8859-15',
}))
  known.set(label, known.get(bare(name))!);
known.set('iso88598i', known.get('iso88598')!);

export const UTF8: Charset = known.get('utf8')!;

/** Names of the supported charsets, for messages, documentation and tests. */
export const charsetNames = (): string[] => [...new Set([...known.values()].map((c) => c.name))];

/** Byte order marks, longest first: the one of UTF-32 begins with that of UTF-16. */
const MARKS: readonly { readonly name: string; readonly bytes: readonly number[] }[] = [
  { name: 'utf-32', bytes: [0xff, 0xfe, 0, 0] },
  { name: 'utf-32', bytes: [0, 0, 0xfe, 0xff] },
  { name: 'gb18030', bytes: [0x84, 0x31, 0x95, 0x33] },
  { name: 'utf-8', bytes: [0xef, 0xbb, 0xbf] },
  { name: 'utf-16le', bytes: [0xff, 0xfe] },
  { name: 'utf-16be', bytes: [0xfe, 0xff] },
];
/** bytes of a body that `charsetOf` needs */
export const MARK_LENGTH = 4;

/** The byte order mark a body begins with, if any. */
export function byteOrderMark(head: Uint8Array): { readonly name: string; readonly length: number } | null {
  for (const mark of MARKS)
    if (mark.bytes.every((b, i) => head[i] === b)) return { name: mark.name, length: mark.bytes.length };
  return null;
}

/** Whether a label names a supported charset. */
export const isCharset = (label: string): boolean => known.has(bare(label));

/**
 * The charset that a label names. `utf-16` alone is refused, since it states no byte order.
 * @throws SluiceError `response_charset_unknown`
 */
export function charset(label: string): Charset {
  const found = known.get(bare(label));
  if (found !== undefined) return found;
  throw new SluiceError('response_charset_unknown', {
    message:
      bare(label) === 'utf16'
        ? 'The body is labelled UTF-16 and has no byte order mark. Set response.charset on the route to utf-16le or utf-16be.'
        : `The charset of the body is not supported. Supported are ${charsetNames().join(', ')}.`,
  });
}

/**
 * The charset of a body by its label (Content-Type or route; null: none, so UTF-8) and its first bytes, with the length of its byte order
 * mark.
 * @throws SluiceError `response_charset_unknown`, also if the mark contradicts the label, since a reader could use either
 */
export function charsetOf(label: string | null, head: Uint8Array): { charset: Charset; mark: number } {
  const mark = byteOrderMark(head);
  if (label !== null && bare(label) !== 'utf16') {
    const named = charset(label);
    if (mark === null || mark.name === named.name) return { charset: named, mark: mark?.length ?? 0 };
    // the mark of GB18030 is ordinary text in GBK
    if (mark.name === 'gb18030') return { charset: named, mark: 0 };
    throw new SluiceError('response_charset_unknown', {
      message: `The body is labelled ${named.name} and begins with the byte order mark of ${mark.name}. Correct the label or the route's charset.`,
    });
  }
  if (label === null) {
    if (mark === null) return { charset: UTF8, mark: 0 };
    return { charset: charset(mark.name), mark: mark.length };
  }
  if (mark === null || !mark.name.startsWith('utf-16')) return { charset: charset('utf-16'), mark: 0 };
  return { charset: charset(mark.name), mark: mark.length };
}
