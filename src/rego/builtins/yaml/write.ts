/** A value as go-yaml (version 2) writes its JSON: block style, keys in natural order, lines folded after column 80. */
import { sorted } from '../../order.ts';
import { isNumber, numberText, type RegoNumber, type RegoValue } from '../../values.ts';
import { marshal } from '../json/objects.ts';
import { shortest } from '../text/go-fmt.ts';
import { resolve } from './words.ts';

const WIDTH = 80;
const MAX_KEY_BYTES = 128;
const INDENT = 2;
/** a line break of YAML 1.1 */
const BREAK = /[\n\r\u0085\u2028\u2029]/;

const isLetter = (c: string): boolean => /^\p{L}$/u.test(c);
const isDigit = (c: string): boolean => /^\p{Nd}$/u.test(c);

/** go-yaml's order of keys: runs of digits are compared as numbers; letters sort after other characters */
const naturalOrder = (a: string, b: string): number => {
  const x = [...a];
  const y = [...b];
  for (let i = 0; i < x.length && i < y.length; i++) {
    const p = x[i] as string;
    const q = y[i] as string;
    if (p === q) continue;
    if (isLetter(p) !== isLetter(q)) return isLetter(p) ? 1 : -1;
    if (isLetter(p)) return (p.codePointAt(0) as number) - (q.codePointAt(0) as number);
    const [m, n] = [run(x, i), run(y, i)];
    if (p === '0' || q === '0') {
      // A zero in the middle of a number does not start one.
      let j = i - 1;
      while (j >= 0 && isDigit(x[j] as string)) {
        if (x[j] !== '0') return plainRun(x, y, i);
        j -= 1;
      }
    }
    if (m.value !== n.value) return m.value < n.value ? -1 : 1;
    if (m.length !== n.length) return m.length - n.length;
    return (p.codePointAt(0) as number) - (q.codePointAt(0) as number);
  }
  return x.length - y.length;
};

const run = (runes: readonly string[], from: number): { value: bigint; length: number } => {
  let text = '';
  for (let i = from; i < runes.length && isDigit(runes[i] as string); i++) text += runes[i];
  return { value: /^\d+$/.test(text) ? BigInt(text) : 0n, length: text.length };
};

const plainRun = (x: readonly string[], y: readonly string[], i: number): number => {
  const [m, n] = [run(x, i), run(y, i)];
  return m.length === n.length ? (m.value < n.value ? -1 : 1) : m.length - n.length;
};

/** characters that go-yaml writes unescaped: no tab, nothing beyond the basic plane */
const PRINTABLE = /^[\n\u0020-\u007e\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd]$/;
const INDICATOR = /^[#,[\]{}&*!|>'"%@`]/;

interface Analysis {
  readonly plain: boolean;
  readonly single: boolean;
  readonly block: boolean;
}

const analyze = (text: string): Analysis => {
  if (text === '') return { plain: false, single: true, block: false };
  const indicator =
    /^(?:---|\.\.\.)/.test(text) ||
    INDICATOR.test(text) ||
    /^[?:-](?:[ \t\n]|$)/.test(text) ||
    /:(?:[ \t\n]|$)/.test(text) ||
    /[ \t\n]#/.test(text);
  const special = [...text].some((c) => !PRINTABLE.test(c) || /[\u2028\u2029]/.test(c)) || / \n/.test(text);
  return {
    plain: !indicator && !special && !/^[ \n]|[ \n]$|\n/.test(text),
    single: !special && !/\n /.test(text),
    block: !special && !text.endsWith(' '),
  };
};

const ESCAPES: { readonly [char: string]: string } = {
  '\0': '\\0',
  '\u0007': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\u001b': '\\e',
  '"': '\\"',
  '\\': '\\\\',
  '\u0085': '\\N',
  '\u2028': '\\L',
  '\u2029': '\\P',
};

const escapeRune = (c: string): string => {
  const code = c.codePointAt(0) as number;
  if (ESCAPES[c] !== undefined && (!PRINTABLE.test(c) || /["\\\n\u2028\u2029]/.test(c)))
    return ESCAPES[c] as string;
  if (PRINTABLE.test(c)) return c;
  const [letter, width] = code <= 0xff ? ['x', 2] : code <= 0xffff ? ['u', 4] : ['U', 8];
  return `\\${letter}${code
    .toString(16)
    .toUpperCase()
    .padStart(width as number, '0')}`;
};

interface Place {
  /** column at which the text starts */
  readonly column: number;
  /** indentation of a continued line */
  readonly indent: number;
  readonly key: boolean;
}

/** Breaks lines at single spaces beyond the width. `escaped`: how to write a space at the start of a line, if that is possible. */
const fold = (
  runes: readonly string[],
  { column, indent, key }: Place,
  mayEnd: boolean,
  escaped: boolean,
): string => {
  let out = '';
  let at = column;
  let spaces = false;
  runes.forEach((c, i) => {
    if (c === ' ') {
      const inside = mayEnd || (i > 0 && i < runes.length - 1);
      const next = runes[i + 1] === ' ';
      if (!key && !spaces && at > WIDTH && inside && (escaped || !next)) {
        out += `\n${' '.repeat(indent)}${next ? '\\' : ''}`;
        at = indent;
      } else {
        out += c;
        at += 1;
      }
      spaces = true;
      return;
    }
    out += c;
    at += [...c].length;
    spaces = false;
  });
  return out;
};

const literal = (text: string, indent: number): string => {
  const hint = /^[ \n]/.test(text) ? String(INDENT) : '';
  const chomp = !text.endsWith('\n') ? '-' : text === '\n' || text.endsWith('\n\n') ? '+' : '';
  const lines = (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
  return `|${hint}${chomp}${lines.map((l) => `\n${l === '' ? '' : ' '.repeat(indent) + l}`).join('')}`;
};

const isText = (text: string): boolean => {
  if (isTimestamp(text) || /^[-+]?\d[\d_]*(?::[0-5]?\d)+(?:\.[\d_]*)?$/.test(text)) return false;
  if (text === '<<') return true;
  try {
    return typeof resolve(text) === 'string';
  } catch {
    return false;
  }
};

const scalarText = (text: string, place: Place): string => {
  const { plain, single, block } = analyze(text);
  if (text.includes('\n') && block && !place.key) return literal(text, place.indent);
  if (!text.includes('\n') && isText(text)) {
    if (plain) return fold([...text], place, true, false);
    if (single)
      return `'${fold(
        [...text].map((c) => (c === "'" ? "''" : c)),
        { ...place, column: place.column + 1 },
        false,
        false,
      )}'`;
  }
  return `"${fold([...text].map(escapeRune), { ...place, column: place.column + 1 }, false, true)}"`;
};

const numberYaml = (n: RegoNumber): string => {
  const text = numberText(n);
  if (/^-?\d+$/.test(text)) {
    const whole = BigInt(text);
    if (whole >= -(1n << 63n) && whole < 1n << 64n) return String(whole);
  }
  const double = Number(text);
  // A number that no double holds is written as it is, and read as a string.
  return Number.isFinite(double) ? shortest(double) : text;
};

const write = (v: RegoValue, place: Place): string => {
  if (v === null) return 'null';
  if (typeof v === 'boolean') return String(v);
  if (isNumber(v)) return numberYaml(v);
  if (typeof v === 'string') return scalarText(v, place);
  if (v instanceof Map) return v.size === 0 ? '{}' : mapping(v, place.indent);
  const list = [...v];
  return list.length === 0 ? '[]' : sequence(list, place.indent);
};

const isBlock = (v: RegoValue): boolean => (Array.isArray(v) ? v.length > 0 : v instanceof Map && v.size > 0);

const sequence = (list: readonly RegoValue[], indent: number): string =>
  list
    .map((v) => `- ${write(v, { column: indent + 2, indent: indent + INDENT, key: false })}`)
    .join(`\n${' '.repeat(indent)}`);

const mapping = (object: ReadonlyMap<RegoValue, RegoValue>, indent: number): string =>
  [...object]
    .map(([key, v]) => [typeof key === 'string' ? key : marshal(key), v] as const)
    .sort(([a], [b]) => naturalOrder(a, b))
    .map(([key, v]) => {
      const name = scalarText(key, { column: indent, indent: indent + INDENT, key: true });
      if (Buffer.byteLength(key) > MAX_KEY_BYTES || BREAK.test(key)) {
        const below = { column: indent + INDENT, indent: indent + INDENT, key: false };
        return `? ${scalarText(key, below)}\n${' '.repeat(indent)}: ${write(v, below)}`;
      }
      if (isBlock(v)) {
        // A list is not indented below its key.
        const inner = Array.isArray(v) ? indent : indent + INDENT;
        return `${name}:\n${' '.repeat(inner)}${write(v, { column: inner, indent: inner, key: false })}`;
      }
      const column = indent + [...name].length + 2;
      return `${name}: ${write(v, { column, indent: indent + INDENT, key: false })}`;
    })
    .join(`\n${' '.repeat(indent)}`);

export const yamlText = (v: RegoValue): string =>
  `${write(plain(v), { column: 0, indent: isBlock(v) || v instanceof Set ? 0 : INDENT, key: false })}\n`;

/** replaces sets by sorted arrays */
const plain = (v: RegoValue): RegoValue => {
  if (v instanceof Set) return sorted(v).map(plain);
  if (Array.isArray(v)) return v.map(plain);
  return v instanceof Map ? new Map([...v].map(([k, item]) => [k, plain(item)] as const)) : v;
};

const TIMESTAMP =
  /^(\d{4})-(\d\d?)-(\d\d?)(?:[Tt](\d\d?):(\d\d?):(\d\d?)(?:[.,]\d+)?(?:Z|[-+](?:[01]\d|2[0-4]):[0-5]\d)| (\d\d?):(\d\d?):(\d\d?)(?:[.,]\d+)?)?$/;

/** A text that go-yaml would read as a time, and therefore quotes: one of four layouts, with a valid date. */
const isTimestamp = (text: string): boolean => {
  const parts = TIMESTAMP.exec(text);
  if (parts === null) return false;
  const [year = 0, month = 0, day = 0, ...time] = parts.slice(1).map((p) => Number(p ?? 0));
  const date = new Date(Date.UTC(2000, month - 1, day));
  date.setUTCFullYear(year, month - 1, day);
  return (
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    time.every((n, i) => n < (i % 3 === 0 ? 24 : 60))
  );
};
