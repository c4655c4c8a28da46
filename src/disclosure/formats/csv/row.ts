/** The pieces of a table: the header, rows, and rows with a wrong number of cells. */
import type { Scalar } from '../../../model/disclosure.ts';
import type { Row } from './lexer.ts';
import type { Column, Table } from './table.ts';
import {
  DISCLOSE,
  DROP,
  type FramePiece,
  NULLIFY,
  type Output,
  type Program,
  type RecordPiece,
  type RecordScope,
  type Rendering,
  TREAT,
} from '../format.ts';

const NULL: Scalar = { kind: 'null', text: 'null' };

export class Header implements FramePiece {
  readonly kind = 'frame';
  readonly #table: Table;
  readonly #row: Row;
  constructor(table: Table, row: Row) {
    this.#table = table;
    this.#row = row;
  }

  render(out: Output): void {
    const { bytes, ends, first, count } = this.#row;
    let from = this.#row.start;
    for (let k = 0; k < count; k++) {
      if (this.#table.named(k)) continue;
      out.bytes(bytes, from, this.#table.start(this.#row, k));
      from = ends[first + k]!;
    }
    out.bytes(bytes, from, this.#row.end);
  }
}

export class TableRow implements RecordPiece {
  readonly kind = 'record';
  readonly #table: Table;
  readonly #row: Row;
  #scopes: readonly RecordScope[] | null = null;
  constructor(table: Table, row: Row) {
    this.#table = table;
    this.#row = row;
  }

  get size(): number {
    return this.#row.end - this.#row.start;
  }

  get scopes(): readonly RecordScope[] {
    this.#scopes ??= this.#table.scopes(this.#row);
    return this.#scopes;
  }

  render(out: Output, rendering: Rendering | null): void {
    const program = rendering?.program(0, 0) ?? null;
    if (rendering === null || program === null) return;
    const table = this.#table;
    const { bytes, start, end, ends, first, count } = this.#row;
    const { columns, actions, untouched } = table.plan(program, rendering.matcher);
    if (untouched && count === columns.length) {
      for (const { field } of columns) program.counter.released(field);
      out.bytes(bytes, start, end);
      return;
    }
    let from = start;
    let cell = start;
    for (let k = 0; k < count; k++) {
      const stop = ends[first + k]!;
      const column = columns[k];
      if (column !== undefined && actions[k] === DISCLOSE) program.counter.released(column.field);
      else {
        const text = this.#replacement(k, column, program, actions[k] === TREAT, cell, stop);
        if (text !== undefined) {
          out.bytes(bytes, from, cell);
          from = stop;
          if (text !== null) table.write(out, text, table.quoted(bytes, cell, stop));
          else if (actions[k] === NULLIFY && table.writeNull(out)) {
            // the null was written
          }
          // an empty cell alone in its row would be read as an empty line
          else if (count === 1 && table.dialect.quote !== null) table.write(out, '', true);
        }
      }
      cell = stop + table.unit;
    }
    out.bytes(bytes, from, end);
  }

  /** the replacement of a cell; null: none; undefined: the cell is kept */
  #replacement(
    k: number,
    column: Column | undefined,
    program: Program,
    treat: boolean,
    start: number,
    end: number,
  ): string | null | undefined {
    if (column !== undefined && column.field >= 0) {
      if (treat) return this.#treated(column, program, start, end);
      program.counter.withheld(column.field);
    } else program.counter.unknown(() => `/#${k + 1}`);
    return null;
  }

  /** @returns undefined if the treatment changes nothing */
  #treated(column: Column, program: Program, start: number, end: number): string | null | undefined {
    const text = this.#table.textOf(this.#row.bytes, start, end);
    if (text === null) {
      program.counter.inapplicable(column.field);
      return null;
    }
    const isNull = this.#table.isNull(this.#row.bytes, start, end);
    const treated = program.treat(column.state, isNull ? NULL : { kind: 'string', text });
    if (treated === 'drop') return null;
    if (treated.kind === 'null') return isNull ? undefined : null;
    return treated.kind === 'string' && treated.text === text ? undefined : treated.text;
  }

  group(rendering: Rendering): string {
    const program = rendering.program(0, 0);
    if (program === null) return '';
    const { columns, actions } = this.#table.plan(program, rendering.matcher);
    const leaving = (column: Column, k: number): (string | null)[] => {
      if (k >= this.#row.count || (actions[k] ?? DROP) === DROP) return [null];
      if (actions[k] === DISCLOSE) return [this.#raw(k)];
      if (actions[k] !== TREAT) return [null];
      const { ends, first } = this.#row;
      const treated = this.#treated(column, program, this.#table.start(this.#row, k), ends[first + k]!);
      return [treated === undefined ? this.#table.text(this.#row, k) : treated];
    };
    return JSON.stringify(
      rendering.matcher.quasi.map((field) =>
        columns.flatMap((column, k) => (column.field === field ? leaving(column, k) : [])),
      ),
    );
  }

  /** the text of a cell, or its bytes if they are not in the charset: for comparing cells */
  #raw(k: number): string {
    const { bytes, ends, first } = this.#row;
    const text = this.#table.text(this.#row, k);
    if (text !== null) return `=${text}`;
    return bytes.toString('hex', this.#table.start(this.#row, k), ends[first + k]!);
  }
}

/** A row whose values cannot be assigned to columns: it names no data subject, and all its cells are emptied. */
export class RaggedRow implements RecordPiece {
  readonly kind = 'record';
  readonly scopes: readonly RecordScope[] = [{ scope: -1, subjects: [], attributes: {} }];
  readonly #table: Table;
  readonly #row: Row;
  constructor(table: Table, row: Row) {
    this.#table = table;
    this.#row = row;
  }

  get size(): number {
    return this.#row.end - this.#row.start;
  }

  render(out: Output, rendering: Rendering | null): void {
    const program = rendering?.program(0, 0) ?? null;
    if (program === null) return;
    for (let k = 0; k < this.#row.count; k++) program.counter.unknown(() => `/#${k + 1}`);
    for (let k = 1; k < this.#table.columns; k++) this.#table.separate(out);
    out.bytes(this.#row.bytes, this.#row.ends[this.#row.first + this.#row.count - 1]!, this.#row.end);
  }

  group(): string {
    return '';
  }
}
