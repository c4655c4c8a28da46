/** Tables in requests (RFC 4180) as `[{ name: text }]`. Only unambiguous tables are accepted: all rows have all columns, and column names are distinct. */
import { unreadable } from './text.ts';

/** `request.options` of CSV, checked at start. */
export interface TableOptions {
  readonly separator: string;
  /** empty: no quoting */
  readonly quote: string;
  /** false: columns are named `#1`, `#2` … */
  readonly header: boolean;
  /** form of a cell without a value, besides the empty cell */
  readonly null: string | null;
}

interface Cell {
  readonly text: string;
  readonly quoted: boolean;
}

/** @throws SluiceError `body_unreadable` */
export function parseTable(text: string, options: TableOptions): unknown {
  const rows = rowsOf(text, options);
  const [first] = rows;
  if (first === undefined) throw unreadable('is a table without a row');
  const names = options.header ? namesOf(first) : first.map((_, k) => `#${k + 1}`);
  return rows.slice(options.header ? 1 : 0).map((row) => {
    if (row.length !== names.length)
      throw unreadable('is a table with a row of more or fewer cells than columns');
    const record: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    for (const [k, { text: value, quoted }] of row.entries())
      record[names[k]!] = !quoted && value === options.null ? null : value;
    return record;
  });
}

function namesOf(header: readonly Cell[]): readonly string[] {
  const names = header.map((cell) => cell.text);
  if (new Set(names).size < names.length) throw unreadable('is a table with two columns of one name');
  for (const name of names) {
    if (name === '' || /^\s|\s$|^\ufeff/.test(name))
      throw unreadable('is a table with a column whose name is empty or padded');
    if (/^#\d+$/.test(name))
      throw unreadable('is a table with a column that is called as a position is written');
  }
  return names;
}

function rowsOf(text: string, { separator, quote }: TableOptions): readonly (readonly Cell[])[] {
  const rows: Cell[][] = [];
  let row: Cell[] = [];
  let at = 0;
  while (at < text.length) {
    const { cell, end } =
      quote !== '' && text[at] === quote ? quotedCell(text, at, quote) : bareCell(text, at, separator, quote);
    row.push(cell);
    at = end;
    if (text[at] === separator) {
      at++;
      // A separator at the end is followed by an empty cell.
      if (at === text.length) row.push({ text: '', quoted: false });
      else continue;
    } else if (text.startsWith('\r\n', at)) at += 2;
    else if (text[at] === '\n') at++;
    else if (at < text.length)
      throw unreadable(
        'is a table with text after a closing quote, or a carriage return without a line feed',
      );
    if (row.length === 1 && row[0]!.text === '' && !row[0]!.quoted)
      throw unreadable('is a table with an empty line');
    rows.push(row);
    row = [];
  }
  return rows;
}

function bareCell(text: string, from: number, separator: string, quote: string): { cell: Cell; end: number } {
  let end = from;
  while (end < text.length && text[end] !== separator && text[end] !== '\n' && text[end] !== '\r') {
    if (quote !== '' && text[end] === quote) throw unreadable('is a table with a quote within a cell');
    end++;
  }
  return { cell: { text: text.slice(from, end), quoted: false }, end };
}

function quotedCell(text: string, from: number, quote: string): { cell: Cell; end: number } {
  let at = from + 1;
  for (;;) {
    const close = text.indexOf(quote, at);
    if (close < 0) throw unreadable('is a table with a quote that is not closed');
    if (text[close + 1] !== quote) {
      const inner = text.slice(from + 1, close).replaceAll(quote + quote, quote);
      return { cell: { text: inner, quoted: true }, end: close + 1 };
    }
    at = close + 2;
  }
}
