/** A value as Rego source: what `sprintf("%v")` prints for collections (Go's ast.Term.String). */
import { compare, sorted } from '../../order.ts';
import { isNumber, numberText, type RegoValue } from '../../values.ts';

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;
const SHORT: { readonly [char: string]: string } = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

const hex = (n: number, width: number): string => n.toString(16).padStart(width, '0');

const escapeRune = (ch: string, ascii: boolean): string => {
  const code = ch.codePointAt(0) as number;
  const short = SHORT[ch];
  if (short !== undefined) return short;
  if (code >= 0xdc80 && code <= 0xdcff && ch.length === 1) return `\\x${hex(code - 0xdc00, 2)}`;
  if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`;
  if (code < 0x7f || (!ascii && PRINTABLE.test(ch))) return ch;
  return code > 0xffff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`;
};

/** Go's strconv.Quote; `ascii`: QuoteToASCII */
export const quote = (text: string, ascii = false): string => {
  let out = '"';
  for (const ch of text) out += ch === '"' || ch === '\\' ? `\\${ch}` : escapeRune(ch, ascii);
  return `${out}"`;
};

/** Go's %q of one rune */
export const quoteRune = (ch: string, ascii = false): string =>
  `'${ch === "'" || ch === '\\' ? `\\${ch}` : escapeRune(ch, ascii)}'`;

/** Go's strconv.CanBackquote */
export const canBackquote = (text: string): boolean =>
  text.isWellFormed() && !/[\u0000-\u0008\u000a-\u001f`\u007f\ufeff]/.test(text);

export const spell = (v: RegoValue): string => {
  if (v === null) return 'null';
  if (typeof v === 'boolean') return String(v);
  if (typeof v === 'string') return quote(v);
  if (isNumber(v)) return numberText(v);
  if (Array.isArray(v)) return `[${v.map(spell).join(', ')}]`;
  if (v instanceof Set) return v.size === 0 ? 'set()' : `{${sorted(v).map(spell).join(', ')}}`;
  const members = [...v]
    .sort(([a], [b]) => compare(a, b))
    .map(([key, value]) => `${spell(key)}: ${spell(value)}`);
  return `{${members.join(', ')}}`;
};
