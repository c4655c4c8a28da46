/**
 * Decoded views of a text, so that the text that a reader of the page or nested document sees is searched too: character references, escapes of JSON
 * and JavaScript (nested to any depth), percent-encoding (UTF-8 or GBK), quoted-printable, and tags. Each code unit of a view is mapped to its range
 * in the source.
 */
import { isUtf8 } from 'node:buffer';

export interface View {
  readonly text: string;
  /** for each code unit of `text`, the start and end of its source; units of the same source have equal ranges */
  readonly starts: ArrayLike<number>;
  readonly ends: ArrayLike<number>;
}

/** characters that every encoding or tag has */
const MAYBE =
  /&[#A-Za-z]|\\["'/\\bfnrtux]|%u?[0-9A-Fa-f]{2}|=[0-9A-F]{2}=[0-9A-F]{2}|=[^\s&=]*\+|<[A-Za-z/!?]/;

/** a run of backslashes is matched as one, so that a long one is read once */
const ENCODED =
  /&(?:#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8});?|(?<!\\)\\{1,64}(?:u\{[0-9a-fA-F]{1,6}\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|["'/bfnrt])|%u[0-9a-fA-F]{4}|(?:%[0-9a-fA-F]{2})+|(?:=[0-9A-F]{2}){2,}|(?<=[?&=][^\s&?]{0,80})\+|<!\[CDATA\[|\]\]>/g;

const LATIN_1 =
  'Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml';
const NAMED: ReadonlyMap<string, string> = new Map([
  ...LATIN_1.split(' ').map((name, i): [string, string] => [name, String.fromCharCode(0xc0 + i)]),
  ...Object.entries({
    amp: '&',
    AMP: '&',
    lt: '<',
    LT: '<',
    gt: '>',
    GT: '>',
    quot: '"',
    QUOT: '"',
    apos: "'",
    nbsp: '\u00a0',
    ensp: '\u2002',
    emsp: '\u2003',
    thinsp: '\u2009',
    zwnj: '\u200c',
    zwj: '\u200d',
    shy: '\u00ad',
    commat: '@',
    period: '.',
    comma: ',',
    colon: ':',
    semi: ';',
    hyphen: '\u2010',
    dash: '\u2010',
    ndash: '\u2013',
    mdash: '\u2014',
    minus: '\u2212',
    lowbar: '_',
    num: '#',
    plus: '+',
    equals: '=',
    sol: '/',
    lpar: '(',
    rpar: ')',
    middot: '\u00b7',
    bull: '\u2022',
    Tab: '\t',
    NewLine: '\n',
  }),
]);
const ESCAPES: { readonly [letter: string]: string } = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/** limit of nested encodings; deeper ones are no accident */
const MOST_LAYERS = 8;

class Builder {
  text = '';
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  readonly #from: View;

  constructor(from: View) {
    this.#from = from;
  }

  copy(start: number, end: number): void {
    this.text += this.#from.text.slice(start, end);
    for (let i = start; i < end; i += 1) {
      this.starts.push(this.#from.starts[i]!);
      this.ends.push(this.#from.ends[i]!);
    }
  }

  /** Maps `made` to the source from `start` to `end`. */
  put(made: string, start: number, end: number): void {
    this.text += made;
    for (let i = 0; i < made.length; i += 1) {
      this.starts.push(this.#from.starts[start]!);
      this.ends.push(this.#from.ends[end - 1]!);
    }
  }
}

const character = (point: number): string | null =>
  point > 0 && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff) ? String.fromCodePoint(point) : null;

/** The character of a reference or an escape; null: unknown. */
function meant(found: string): string | null {
  if (found[0] === '+') return ' ';
  if (found[0] === '<' || found[0] === ']') return '';
  if (found[0] === '&') {
    const name = found.slice(1, found.endsWith(';') ? -1 : undefined);
    if (name[0] !== '#') return NAMED.get(name) ?? null;
    return character(/^#[xX]/.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1)));
  }
  const escaped = found.replace(/^(?:\\+|%)/, '');
  if (escaped.length === 1) return ESCAPES[escaped] ?? escaped;
  const hex = escaped.replace(/^[ux]\{?|\}$/g, '');
  // a surrogate is added as it is: the other half follows
  return escaped.length === 5
    ? String.fromCharCode(Number.parseInt(hex, 16))
    : character(Number.parseInt(hex, 16));
}

const GBK = new TextDecoder('gbk');

/** Decodes bytes that are spelled `%E5` or `=E5`. */
function decodeBytes(run: string, at: number, into: Builder): void {
  const byte = (i: number): number => Number.parseInt(run.slice(3 * i + 1, 3 * i + 3), 16);
  const count = run.length / 3;
  const utf8 = isUtf8(Uint8Array.from({ length: count }, (_, i) => byte(i)));
  for (let i = 0; i < count; ) {
    const lead = byte(i);
    let width =
      !utf8 && lead >= 0x80
        ? 0
        : lead < 0x80
          ? 1
          : lead >= 0xf0
            ? 4
            : lead >= 0xe0
              ? 3
              : lead >= 0xc2
                ? 2
                : 0;
    let point = width === 1 ? lead : lead & (0x7f >> width);
    for (let n = 1; n < width; n += 1) {
      const next = i + n < count ? byte(i + n) : 0;
      if ((next & 0xc0) !== 0x80) width = 0;
      point = (point << 6) | (next & 0x3f);
    }
    let char = width === 0 ? null : character(point);
    if (char === null && lead >= 0x81 && i + 1 < count) {
      char = GBK.decode(Uint8Array.of(lead, byte(i + 1)));
      width = 2;
      if (char.includes('\ufffd')) char = null;
    }
    if (char === null) {
      width = 1;
      into.copy(at + 3 * i, at + 3 * i + 3);
    } else into.put(char, at + 3 * i, at + 3 * (i + width));
    i += width;
  }
}

function onceDecoded(view: View): View | null {
  let built: Builder | null = null;
  let from = 0;
  for (const { 0: found, index } of view.text.matchAll(ENCODED)) {
    const bytes = (found[0] === '%' && found[1] !== 'u') || found[0] === '=';
    const made = bytes ? null : meant(found);
    if (!bytes && made === null) continue;
    built ??= new Builder(view);
    built.copy(from, index);
    from = index + found.length;
    if (made === null) decodeBytes(found, index, built);
    else built.put(made, index, from);
  }
  if (built === null) return null;
  built.copy(from, view.text.length);
  return built.text === view.text ? null : built;
}

/** `[^<>]` within tags, so that an unclosed tag is read once */
const TAGS =
  /(?:<!--[^<>]*-->|<!\[CDATA\[|\]\]>|<[!/?]?[A-Za-z][^<>]*>)(?:\s{0,64}(?:<!--[^<>]*-->|<!\[CDATA\[|\]\]>|<[!/?]?[A-Za-z][^<>]*>))*/g;
const CELL = /<\/?(?:td|th|dt|dd|div|label|option)\b/i;
const BLOCK = /<\/?(?:p|li|tr|h[1-6]|table|ul|ol|dl|section|article|tbody|thead|body|html)\b/i;
const BREAK = /<(?:br|hr)\b/i;

/** removes tags: cells become a bar, blocks a line break, other tags nothing */
function untagged(view: View): View | null {
  let built: Builder | null = null;
  let from = 0;
  for (const { 0: found, index } of view.text.matchAll(TAGS)) {
    built ??= new Builder(view);
    built.copy(from, index);
    from = index + found.length;
    const left = CELL.test(found) ? '|' : BLOCK.test(found) ? '\n' : BREAK.test(found) ? ' ' : '';
    built.put(left, index, from);
  }
  if (built === null) return null;
  built.copy(from, view.text.length);
  return built;
}

/** unambiguous encodings: a complete character reference, an escaped quote or slash */
const UNDOUBTED = /^(?:&[#0-9A-Za-z]+;|\\+["'/])$/;

export interface Views {
  /** decoded views, with and without tags; none for a text without encodings and tags */
  readonly views: readonly View[];
  /** the first view contains everything that the text does */
  readonly covered: boolean;
}

export function viewsOf(text: string): Views {
  if (!MAYBE.test(text)) return { views: [], covered: false };
  const { view, layers } = decoded(text);
  const bare = untagged(view);
  if (layers === 0) return { views: bare === null ? [] : [bare], covered: false };
  // the second layer is known only after decoding the first: &#37;13812345678
  const covered = layers === 1 && [...text.matchAll(ENCODED)].every(([found]) => UNDOUBTED.test(found));
  return { views: bare === null ? [view] : [view, bare], covered };
}

/** Whether a text has more layers of encoding than are decoded, so that its content is unknown. */
export const isTooDeep = (text: string): boolean => MAYBE.test(text) && decoded(text).layers > MOST_LAYERS;

/** The decoded view of a text, with at most `MOST_LAYERS` layers. */
function decoded(text: string): { readonly view: View; readonly layers: number } {
  const starts = Uint32Array.from({ length: text.length }, (_, i) => i);
  let view: View = { text, starts, ends: starts.map((at) => at + 1) };
  for (let layers = 0; ; layers += 1) {
    const next = onceDecoded(view);
    if (next === null) return { view, layers };
    if (layers === MOST_LAYERS) return { view, layers: layers + 1 };
    view = next;
  }
}
