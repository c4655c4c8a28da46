/**
 * CSV and TSV. A row is a record, a cell a field by its column's name (`/phone`) and position (`/#3`). A dropped cell leaves an
 * empty one, so that the others keep their places; what is disclosed keeps its quotes, spaces and formulas to the byte.
 *
 * Options of a route's `response`:
 * - `header`: true (default): the first line names the columns, and the names that the catalog does not know are emptied, because
 *   where the upstream forgot its header that line is somebody's data; `keep`: it leaves as it is; false: there is none
 * - `separator`, `quote`, `escape`: one character; `quote: ""` for writers that never quote (TSV's default), `escape: "\\"`
 *   for those that put a backslash before it
 * - `ragged`: what to do with a row that is shorter or longer than the header, where a stray separator may have moved one
 *   column's value into another: `drop` its values (default), `refuse` the body, `keep` counting from the left
 */
import { SluiceError } from '../../errors.ts';
import { charsetOf, MARK_LENGTH } from '../charsets.ts';
import { CsvLexer, type Dialect, type Row } from './csv-lexer.ts';
import { Header, RaggedRow, TableRow } from './csv-row.ts';
import { Table } from './csv-table.ts';
import type { BodyReader, Format, FormatSetup, FramePiece, Piece } from './format.ts';
import { character, choice, onlyOptions } from './options.ts';

export const csv: Format = { name: 'csv', open: (setup) => new CsvReader(setup, ',', '"') };
/** IANA's tab-separated-values know no quotes: a quote taken for one could swallow the tabs behind it */
export const tsv: Format = { name: 'tsv', open: (setup) => new CsvReader(setup, '\t', '') };

const EMPTY = new Uint8Array(0);

class CsvReader implements BodyReader {
  readonly #setup: FormatSetup;
  readonly #dialect: Dialect;
  readonly #header: boolean | 'keep';
  readonly #ragged: 'drop' | 'refuse' | 'keep';
  #head: Uint8Array = EMPTY;
  #lexer: CsvLexer | null = null;
  #table: Table | null = null;
  #lines = 0;

  constructor(setup: FormatSetup, separator: string, quote: string) {
    const { options } = setup;
    onlyOptions('csv', options, ['header', 'separator', 'quote', 'escape', 'ragged']);
    this.#setup = setup;
    this.#dialect = dialectOf(options, separator, quote);
    this.#header = choice<boolean | 'keep'>(options, 'header', true, [true, false, 'keep']);
    this.#ragged = choice(options, 'ragged', 'drop', ['drop', 'refuse', 'keep'] as const);
  }

  push(chunk: Uint8Array): readonly Piece[] {
    const pieces: Piece[] = [];
    this.#take(chunk, pieces, false);
    return pieces;
  }

  end(): readonly Piece[] {
    const pieces: Piece[] = [];
    this.#take(EMPTY, pieces, true);
    this.#lexer!.end((row) => this.#row(row, pieces));
    return pieces;
  }

  #take(chunk: Uint8Array, pieces: Piece[], final: boolean): void {
    if (this.#lexer !== null) {
      this.#lexer.push(chunk, (row) => this.#row(row, pieces));
      return;
    }
    this.#head = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
    if (this.#head.length < MARK_LENGTH && !final) return;
    const { charset, mark } = charsetOf(this.#setup.charset || null, this.#head);
    this.#lexer = new CsvLexer(this.#dialect, charset, this.#setup.limits);
    this.#table = new Table(this.#dialect, charset, this.#setup.matcher);
    if (mark > 0) pieces.push(copied(this.#head, 0, mark));
    this.#lexer.push(this.#head.subarray(mark), (row) => this.#row(row, pieces));
    this.#head = EMPTY;
  }

  #row(row: Row, pieces: Piece[]): void {
    const table = this.#table!;
    this.#lines += 1;
    const blank = row.count === 1 && row.ends[row.first] === row.start;
    if (blank) pieces.push(copied(row.bytes, row.start, row.end));
    else if (table.columns === 0) {
      if (this.#header === false) {
        table.open(Array.from({ length: row.count }, () => null));
        pieces.push(new TableRow(table, row));
      } else {
        table.open(Array.from({ length: row.count }, (_, k) => table.text(row, k)));
        pieces.push(this.#header === 'keep' ? copied(row.bytes, row.start, row.end) : new Header(table, row));
      }
    } else if (row.count === table.columns || this.#ragged === 'keep') pieces.push(new TableRow(table, row));
    else if (this.#ragged === 'drop') pieces.push(new RaggedRow(table, row));
    else
      throw new SluiceError(
        'response_malformed',
        `Line ${this.#lines} of the table has ${row.count} cells where the first has ${table.columns}.`,
      );
  }
}

const copied = (bytes: Uint8Array, start: number, end: number): FramePiece => ({
  kind: 'frame',
  render: (out) => out.bytes(bytes, start, end),
});

function dialectOf(options: FormatSetup['options'], separator: string, quote: string): Dialect {
  const dialect = {
    separator: character(options, 'separator', separator) ?? separator.charCodeAt(0),
    quote: character(options, 'quote', quote),
    escape: character(options, 'escape', ''),
  };
  if (dialect.separator === dialect.quote || dialect.separator === dialect.escape)
    throw new SluiceError('config_invalid', 'The separator of a table cannot be its quote or its escape.');
  return dialect.escape === dialect.quote ? { ...dialect, escape: null } : dialect;
}
