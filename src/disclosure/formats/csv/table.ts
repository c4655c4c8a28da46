/** The columns of one table: their fields, the actions of a program for them, and how cells are read and written. */
import { SluiceError } from '../../../errors.ts';
import type { SubjectPlace } from '../../../model/catalog.ts';
import { type Charset, codeAt, unitOf } from '../shared/charsets.ts';
import { type Dialect, MAX_COLUMNS, type Row } from './lexer.ts';
import { columnName } from '../../../model/pointer.ts';
import { type NamedSubject, namedSubject } from '../shared/scope.ts';
import { Speller, single, textOf, unescaped } from './text.ts';
import {
  type Action,
  DISCLOSE,
  DROP,
  type FieldId,
  type Matcher,
  type Output,
  type Program,
  type RecordScope,
  type StateId,
} from '../format.ts';

export interface Column {
  readonly state: StateId;
  readonly field: FieldId;
}

export interface Plan {
  readonly columns: readonly Column[];
  readonly actions: readonly Action[];
  /** every cell is disclosed */
  readonly untouched: boolean;
}

/** a column with attributes for the policy */
interface Attributed {
  readonly column: number;
  readonly names: readonly string[];
}

/** the highest position that a matcher knows */
const HIGHEST = new WeakMap<Matcher, number>();

export class Table {
  readonly dialect: Dialect;
  readonly charset: Charset;
  readonly unit: 1 | 2;
  readonly #matcher: Matcher;
  readonly #code: (bytes: Uint8Array, i: number) => number;
  readonly #columns = new WeakMap<Matcher, readonly Column[]>();
  readonly #plans = new WeakMap<Program, Plan>();
  readonly #separator: Uint8Array;
  readonly #speller: Speller;
  readonly #mark: string;
  /** spelling of a cell without a value, in addition to the empty cell */
  readonly #null: Buffer | null;
  #names: readonly (string | null)[] = [];
  /** columns that share a name of the catalog, so that it is ambiguous */
  #ambiguous: ReadonlySet<number> = new Set();
  #described = -1;
  /** columns with ids of data subjects */
  #subjects: readonly number[] = [];
  /** the same for ids that have a type or are part of the cell */
  #places: readonly { readonly column: number; readonly place: SubjectPlace }[] = [];
  #attributed: readonly Attributed[] = [];
  #last: { readonly row: Row; readonly attributes: RecordScope['attributes'] } | null = null;

  constructor(dialect: Dialect, charset: Charset, matcher: Matcher, nullText: string | null = null) {
    this.dialect = dialect;
    this.charset = charset;
    this.unit = unitOf(charset);
    this.#matcher = matcher;
    this.#code = codeAt(charset);
    this.#separator = charset.encode(String.fromCharCode(dialect.separator));
    this.#speller = new Speller(dialect, charset);
    this.#mark = dialect.quote === null ? '' : String.fromCharCode(dialect.quote);
    this.#null = nullText === null ? null : charset.encode(nullText);
  }

  get columns(): number {
    return this.#names.length;
  }

  /**
   * The highest position that the catalog addresses, if no column is known by name. A table with fewer columns is not the one that the catalog
   * describes; it may have another separator.
   */
  described(): number {
    if (this.#described < 0)
      this.#described = this.#names.some((_, k) => this.named(k)) ? 0 : highestOf(this.#matcher);
    return this.#described;
  }

  /**
   * @param names of the columns; null: only the position is known. A name that looks like a position is no position.
   * @throws SluiceError `response_malformed` if a duplicate name is that of an attribute
   */
  open(names: readonly (string | null)[]): void {
    this.#names = names.map((name) => (name === null ? null : columnName(name)));
    this.#ambiguous = this.#sharedNames();
    const marked = this.#at(this.#matcher).flatMap(({ state }, column) =>
      this.#matcher
        .marks(state)
        .filter(({ up }) => up === 0)
        .map(({ subject, places, attributes }) => ({ column, subject, places, names: attributes })),
    );
    this.#subjects = marked.filter((m) => m.subject && m.places === null).map(({ column }) => column);
    this.#places = marked.flatMap(({ column, places }) => (places ?? []).map((place) => ({ column, place })));
    this.#attributed = marked.filter(({ names }) => names.length > 0);
  }

  #at(matcher: Matcher): readonly Column[] {
    const known = this.#columns.get(matcher);
    if (known !== undefined) return known;
    const columns = this.#names.map((name, k): Column => {
      const position = `#${k + 1}`;
      const state = this.#ambiguous.has(k)
        ? matcher.nothing
        : name === null
          ? matcher.step(matcher.root, position)
          : matcher.step(matcher.root, name, position);
      return { state, field: matcher.field(state) };
    });
    this.#columns.set(matcher, columns);
    return columns;
  }

  #sharedNames(): ReadonlySet<number> {
    const first = new Map<string, number>();
    const shared = new Set<number>();
    for (const [k, name] of this.#names.entries()) {
      if (name === null || !this.named(k)) continue;
      const other = first.get(name);
      if (other === undefined) first.set(name, k);
      else {
        // the policy would not see the attribute, with unknown effect
        const marks = this.#matcher.marks(this.#matcher.step(this.#matcher.root, name));
        if (marks.some(({ attributes }) => attributes.length > 0))
          throw new SluiceError(
            'response_malformed',
            'The header of the table has a duplicate name that is an attribute in the catalog.',
          );
        shared.add(other).add(k);
      }
    }
    return shared;
  }

  /** Whether the catalog has the column's name. */
  named(k: number): boolean {
    const name = this.#names[k] ?? null;
    if (name === null) return false;
    const state = this.#matcher.step(this.#matcher.root, name);
    return this.#matcher.field(state) >= 0 || this.#matcher.marks(state).length > 0;
  }

  plan(program: Program, matcher: Matcher): Plan {
    return this.#plans.get(program) ?? this.#planOf(program, matcher);
  }

  #planOf(program: Program, matcher: Matcher): Plan {
    const columns = this.#at(matcher);
    const actions = columns.map(({ field }) => (field < 0 ? DROP : program.action(field)));
    const plan = { columns, actions, untouched: actions.every((a) => a === DISCLOSE) };
    this.#plans.set(program, plan);
    return plan;
  }

  start(row: Row, k: number): number {
    return k === 0 ? row.start : row.ends[row.first + k - 1]! + this.unit;
  }

  end(row: Row, k: number): number {
    return row.ends[row.first + k]!;
  }

  /** The text of a cell without quotes; null if the bytes are not in the charset. */
  text(row: Row, k: number): string | null {
    return this.textOf(row.bytes, this.start(row, k), this.end(row, k));
  }

  /** the same for the cell from `start` to `end` */
  textOf(bytes: Buffer, start: number, end: number): string | null {
    const back = this.dialect.escape;
    let text: string | null;
    if (this.quoted(bytes, start, end)) {
      const raw = textOf(this.charset, bytes, start + this.unit, end - this.unit);
      text = raw === null ? null : single(raw, this.#mark);
    } else text = textOf(this.charset, bytes, start, end);
    return back === null || text === null ? text : unescaped(text, String.fromCharCode(back));
  }

  /** Whether a cell has no value: it is empty or spelled as the route's `null`. A quoted empty text `""` is a value. */
  empty(row: Row, k: number): boolean {
    return this.isNull(row.bytes, this.start(row, k), row.ends[row.first + k]!);
  }

  /** the same for the cell from `start` to `end` */
  isNull(bytes: Buffer, start: number, end: number): boolean {
    if (start === end) return true;
    const spelled = this.#null;
    return spelled !== null && end - start === spelled.length && spelled.compare(bytes, start, end) === 0;
  }

  /** Writes the null of the table. @returns false: the null is the empty cell, so nothing was written */
  writeNull(out: Output): boolean {
    if (this.#null === null) return false;
    out.bytes(this.#null, 0, this.#null.length);
    return true;
  }

  /** Whether the cell from `start` to `end` is quoted. */
  quoted(bytes: Buffer, start: number, end: number): boolean {
    return end > start && this.#code(bytes, start) === this.dialect.quote;
  }

  /** Writes a value in the charset of the body, quoted if the original was or if necessary. */
  write(out: Output, text: string, quoted: boolean): void {
    this.#speller.write(out, text, quoted);
  }

  separate(out: Output): void {
    out.bytes(this.#separator, 0, this.#separator.length);
  }

  /** @throws SluiceError `response_malformed` if two columns have different values for an attribute */
  scopes(row: Row): readonly RecordScope[] {
    const subjects: string[] = [];
    for (const column of this.#subjects) {
      if (column >= row.count || this.empty(row, column)) continue;
      const text = this.text(row, column);
      if (text !== null && text !== '' && !subjects.includes(text)) subjects.push(text);
    }
    return [{ scope: -1, subjects, named: this.#named(row), attributes: this.#attributesOf(row) }];
  }

  #named(row: Row): readonly NamedSubject[] | undefined {
    if (this.#places.length === 0) return undefined;
    const named: NamedSubject[] = [];
    for (const { column, place } of this.#places) {
      if (column >= row.count || this.empty(row, column)) continue;
      const text = this.text(row, column);
      // a cell that cannot be decoded names an unknown person
      const found = text === null ? { place, text } : namedSubject(place, { kind: 'string', text });
      if (found !== null) named.push(found);
    }
    return named;
  }

  /** Returns the object of the previous row if the bytes are equal, so that caches by attributes apply. */
  #attributesOf(row: Row): RecordScope['attributes'] {
    const last = this.#last;
    if (last !== null && this.#attributed.every(({ column }) => sameCell(this, row, last.row, column)))
      return last.attributes;
    const attributes: Record<string, string | null> = {};
    for (const { column, names } of this.#attributed) {
      if (column >= row.count) continue;
      const text = this.empty(row, column) ? null : this.text(row, column);
      for (const name of names) {
        if (Object.hasOwn(attributes, name) && attributes[name] !== text)
          throw new SluiceError(
            'response_malformed',
            `A row has two columns for the attribute ${name} that differ.`,
          );
        attributes[name] = text;
      }
    }
    this.#last = { row, attributes: Object.freeze(attributes) };
    return attributes;
  }
}

/** Whether both rows have the cell with equal bytes, or neither has it. */
function sameCell(table: Table, a: Row, b: Row, column: number): boolean {
  if (column >= a.count || column >= b.count) return column >= a.count && column >= b.count;
  const end = a.ends[a.first + column]!;
  let i = table.start(a, column);
  let j = table.start(b, column);
  if (end - i !== b.ends[b.first + column]! - j) return false;
  for (; i < end; i++, j++) if (a.bytes[i] !== b.bytes[j]) return false;
  return true;
}

function highestOf(matcher: Matcher): number {
  let highest = HIGHEST.get(matcher);
  if (highest === undefined) {
    // there is no column 0: it leads where every position leads that no path has
    const other = matcher.step(matcher.root, '#0');
    highest = MAX_COLUMNS;
    while (highest > 0 && matcher.step(matcher.root, `#${highest}`) === other) highest--;
    HIGHEST.set(matcher, highest);
  }
  return highest;
}
