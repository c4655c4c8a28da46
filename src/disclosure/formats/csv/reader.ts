/**
 * CSV and TSV. A row is a record; a cell is a field by the name (`/phone`) and the position (`/#3`) of its column. A dropped cell becomes
 * empty, so that the others keep their positions. Disclosed cells keep their quotes, spaces and formulas byte for byte.
 *
 * Options of a route's `response`:
 * - `header`: true (default): the first line names the columns. Names that are not in the catalog are emptied, because if the upstream
 *   omits its header, that line is data. `keep`: the line is released unchanged. false: there is no header. `{ exact: [names] }`: exactly
 *   these names in this order, or the body is refused
 * - `trim`: ignore blanks around the names in the header
 * - `null`: spelling of a cell without a value, if it is not the empty cell (MySQL's `\N`)
 * - `separator`, `quote`, `escape`: one character; `quote: ""` for writers that never quote (default for TSV), `escape: "\\"` for writers
 *   that escape by backslash. A first line `sep=;` (Excel) states the separator if the route does not, and is kept
 * - `skip`: the number of lines before the header (titles), which are removed
 * - `ragged`: how to treat a row whose number of cells differs from the header's, since an extra separator may have moved a value into
 *   another column, or which has fewer cells than the catalog's positions, since the separator may be another one: `drop` its values
 *   (default), `refuse` the body, `keep` counting from the left
 */
import { SluiceError } from '../../../errors.ts';
import { type Charset, charsetOf, codeAt, MARK_LENGTH, unitOf } from '../shared/charsets.ts';
import { CsvLexer, type Dialect, type Row } from './lexer.ts';
import { Header, RaggedRow, TableRow } from './row.ts';
import { Table } from './table.ts';
import type { BodyReader, Format, FormatSetup, FramePiece, Output, Piece, RecordPiece } from '../format.ts';
import { LineEnds } from '../shared/line-ends.ts';
import { character, choice, onlyOptions, integer, texts, word } from '../shared/options.ts';

export const csv: Format = {
  name: 'csv',
  layout: 'rows',
  media: { types: ['text/csv', 'application/csv'], declaresCharset: true, charsetParameter: 'if_stated' },
  open: (setup) => new CsvReader(setup, ',', '"'),
};
/** text/tab-separated-values (IANA) has no quotes: interpreting one could hide the tabs after it */
export const tsv: Format = {
  name: 'tsv',
  layout: 'rows',
  media: { types: ['text/tab-separated-values'], declaresCharset: true, charsetParameter: 'if_stated' },
  open: (setup) => new CsvReader(setup, '\t', ''),
};

const EMPTY = new Uint8Array(0);
const MAX_SKIP = 1000;
/** the first line of Excel, which states the separator; some writers quote it */
const SEPARATOR_LINE = /^("?)sep=([\t !#-/:-@[-`{-~])\1(?=[\r\n]|$)/i;
const LONGEST_START = MARK_LENGTH + 2 * '"sep=;"\r'.length;

class CsvReader implements BodyReader {
  readonly #setup: FormatSetup;
  #dialect: Dialect;
  readonly #header: boolean | 'keep';
  /** the required names of the header */
  readonly #exact: readonly string[] | null;
  readonly #trim: boolean;
  readonly #null: string | null;
  readonly #ragged: 'drop' | 'refuse' | 'keep';
  #head: Uint8Array = EMPTY;
  #lexer: CsvLexer | null = null;
  #table: Table | null = null;
  #lines = 0;
  #skip: number;
  /** the next row is the line with the separator */
  #preamble = false;
  readonly #ends: LineEnds | null;

  constructor(setup: FormatSetup, separator: string, quote: string) {
    const { options } = setup;
    onlyOptions('csv', options, ['header', 'separator', 'quote', 'escape', 'null', 'ragged', 'skip', 'trim']);
    this.#setup = setup;
    this.#ends = setup.uniform === true ? new LineEnds() : null;
    this.#dialect = dialectOf(options, separator, quote);
    this.#exact = exactHeader(options);
    // names that the route states are no data
    this.#header =
      this.#exact === null
        ? choice<boolean | 'keep'>(options, 'header', true, [true, false, 'keep'])
        : 'keep';
    this.#trim = choice(options, 'trim', false, [true, false]);
    this.#null = nullText(options, this.#dialect);
    this.#ragged = choice(options, 'ragged', 'drop', ['drop', 'refuse', 'keep'] as const);
    this.#skip = integer(options, 'skip', MAX_SKIP);
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
    if (this.#ends !== null) pieces.push(this.#ends.end());
    return pieces;
  }

  #take(chunk: Uint8Array, pieces: Piece[], final: boolean): void {
    if (this.#lexer !== null) {
      this.#lexer.push(chunk, (row) => this.#row(row, pieces));
      return;
    }
    this.#head = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
    if (this.#head.length < LONGEST_START && !final) return;
    const { charset, mark } = charsetOf(this.#setup.charset || null, this.#head);
    this.#separator(this.#head.subarray(mark), charset);
    this.#lexer = new CsvLexer(this.#dialect, charset, this.#setup.limits);
    this.#table = new Table(this.#dialect, charset, this.#setup.matcher, this.#null);
    if (mark > 0) pieces.push(copied(this.#head, 0, mark));
    this.#lexer.push(this.#head.subarray(mark), (row) => this.#row(row, pieces));
    this.#head = EMPTY;
  }

  /**
   * Reads the line with the separator. Without a header the line could be data and is treated as a row.
   * @throws SluiceError `response_malformed` if it is treated as a row and states another separator
   */
  #separator(start: Uint8Array, charset: Charset): void {
    const found = SEPARATOR_LINE.exec(asciiOf(start, charset))?.[2]?.charCodeAt(0);
    if (found === undefined || found === this.#dialect.quote || found === this.#dialect.escape) return;
    const said = this.#setup.options['separator'] !== undefined;
    if (this.#header === false) {
      if (said || found === this.#dialect.separator || this.#ragged === 'keep') return;
      throw new SluiceError(
        'response_malformed',
        'The table begins with a line that states another separator (sep=) than the one it is read with. Set the option separator on the route.',
      );
    }
    this.#preamble = true;
    if (!said) this.#dialect = { ...this.#dialect, separator: found };
  }

  #row(row: Row, pieces: Piece[]): void {
    const table = this.#table!;
    this.#lines += 1;
    const blank = row.count === 1 && row.ends[row.first] === row.start;
    if (this.#preamble) {
      this.#preamble = false;
      pieces.push(this.#line(row, copied(row.bytes, row.start, row.end)));
    } else if (this.#skip > 0) {
      this.#skip--;
      pieces.push(SKIPPED);
    } else if (blank) pieces.push(this.#line(row, copied(row.bytes, row.start, row.end)));
    else if (table.columns === 0) {
      if (this.#header === false) {
        table.open(Array.from({ length: row.count }, () => null));
        this.#record(row, pieces);
      } else {
        table.open(this.#namesIn(row, table));
        const header =
          this.#header === 'keep' ? copied(row.bytes, row.start, row.end) : new Header(table, row);
        pieces.push(this.#line(row, header));
      }
    } else this.#record(row, pieces);
  }

  /** @throws SluiceError `response_malformed` if the header is not the one that the route requires */
  #namesIn(row: Row, table: Table): readonly (string | null)[] {
    const names = Array.from({ length: row.count }, (_, k) => {
      const name = table.text(row, k);
      return this.#trim && name !== null ? name.trim() : name;
    });
    const exact = this.#exact;
    if (exact !== null && (names.length !== exact.length || names.some((name, k) => name !== exact[k])))
      throw new SluiceError(
        'response_malformed',
        'The header of the table is not the one that the route requires (response.options.header.exact).',
      );
    return names;
  }

  /** wraps a piece that is a line, so that its line end is written by `LineEnds` */
  #line(row: Row, piece: FramePiece | RecordPiece): FramePiece | RecordPiece {
    const ends = this.#ends;
    if (ends === null) return piece;
    const { bytes, end } = row;
    const close = row.ends[row.first + row.count - 1]!;
    ends.complete = end > close;
    const line = (out: Output): Output => {
      ends.before(out);
      ends.after(bytes.subarray(close, end));
      return {
        bytes: (source, from, to) => out.bytes(source, from, source === bytes && to === end ? close : to),
        text: (text) => out.text(text),
        json: (text) => out.json(text),
      };
    };
    if (piece.kind === 'frame')
      return { kind: 'frame', render: (out, counter) => piece.render(line(out), counter) };
    return {
      kind: 'record',
      size: piece.size,
      scopes: piece.scopes,
      render: (out, rendering) => {
        if (rendering !== null) piece.render(line(out), rendering);
      },
      group: (rendering) => piece.group(rendering),
    };
  }

  #record(row: Row, pieces: Piece[]): void {
    const table = this.#table!;
    if (this.#ragged === 'keep' || (row.count === table.columns && row.count >= table.described()))
      pieces.push(this.#line(row, new TableRow(table, row)));
    else if (this.#ragged === 'drop') pieces.push(this.#line(row, new RaggedRow(table, row)));
    else if (row.count !== table.columns)
      throw new SluiceError('response_malformed', {
        message: 'A line of the table does not have as many cells as the first.',
        place: `line ${this.#lines}: ${row.count} cells, not ${table.columns}`,
      });
    else
      throw new SluiceError('response_malformed', {
        message: `The table has fewer columns than the catalog addresses (#${table.described()}). Check the separator of the route.`,
        place: `${row.count} columns`,
      });
  }
}

/** The first characters of a body up to the first that is not ASCII, as many as the line with the separator can have. */
function asciiOf(bytes: Uint8Array, charset: Charset): string {
  const unit = unitOf(charset);
  const code = codeAt(charset);
  let text = '';
  for (let i = 0; i + unit <= Math.min(bytes.length, LONGEST_START - MARK_LENGTH); i += unit) {
    const c = code(bytes, i);
    if (c > 0x7e) return `${text}\u0080`;
    text += String.fromCharCode(c);
  }
  return text;
}

/** a line before the header belongs to no field */
const SKIPPED: FramePiece = {
  kind: 'frame',
  render: (_, counter) => counter.withheld('/#0', 'uncatalogued'),
};

const copied = (bytes: Uint8Array, start: number, end: number): FramePiece => ({
  kind: 'frame',
  render: (out) => out.bytes(bytes, start, end),
});

/** @throws SluiceError `config_invalid` */
function exactHeader(options: FormatSetup['options']): readonly string[] | null {
  const { header } = options;
  if (typeof header !== 'object' || header === null) return null;
  onlyOptions('csv', header as FormatSetup['options'], ['exact']);
  return texts(header as FormatSetup['options'], 'exact');
}

/** @throws SluiceError `config_invalid` for a spelling that an unquoted cell cannot have */
function nullText(options: FormatSetup['options'], { separator, quote }: Dialect): string | null {
  const text = word(options, 'null');
  for (const code of [separator, quote])
    if (text !== null && code !== null && text.includes(String.fromCharCode(code)))
      throw new SluiceError('config_invalid', 'The option null must not contain the separator or the quote.');
  return text;
}

function dialectOf(options: FormatSetup['options'], separator: string, quote: string): Dialect {
  const dialect = {
    separator: character(options, 'separator', separator) ?? separator.charCodeAt(0),
    quote: character(options, 'quote', quote),
    escape: character(options, 'escape', ''),
  };
  if (dialect.separator === dialect.quote || dialect.separator === dialect.escape)
    throw new SluiceError(
      'config_invalid',
      'The separator of a table must differ from its quote and its escape.',
    );
  return dialect.escape === dialect.quote ? { ...dialect, escape: null } : dialect;
}
