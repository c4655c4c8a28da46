/**
 * Writes records from their index. The WebAssembly module (`assembly/scan.ts`, `render`) copies the disclosed ranges and cuts out the rest with
 * its commas. This is its host: programs, treatments and counts.
 */
import { QuasiValues } from '../shared/quasi-values.ts';
import { writeJsonString, writeUtf8 } from '../shared/utf8.ts';
import {
  DISCLOSE,
  isUntouched,
  LONGER,
  type Matcher,
  type Output,
  type Program,
  type Rendering,
  type StateId,
  TREAT,
  type TreatBytes,
} from '../format.ts';
import {
  CLOSE,
  type JsonPage,
  NULL,
  OPEN_ARRAY,
  OPEN_OBJECT,
  OPEN_SCOPE,
  STRIDE,
  STRING,
} from './entries.ts';
import { jsonScanner, type Scribe } from './scan.ts';
import { containerTreated, spelled } from './container.ts';
import { JSON_SPELLING, respelled } from '../shared/respell.ts';
import { scalarAt, stringEnd } from './text.ts';
import { unknownNamesOf } from './unknown-names.ts';

const GONE = 0;
const NULLED = 1;
const QUOTE = 0x22;
const NONE: readonly number[] = [];

class Renderer implements Scribe {
  readonly #scanner = jsonScanner();
  /** by the number that the module uses */
  readonly #programs: Program[] = [];
  #page: JsonPage | null = null;
  #begins: readonly number[] = NONE;
  #rendering: Rendering | null = null;
  #matcher: Matcher | null = null;
  #out: Output | null = null;

  /**
   * @param first the record's first entry in its page
   * @param begins offsets of the record's embedded scopes, in order
   */
  render(page: JsonPage, first: number, begins: readonly number[], rendering: Rendering, out: Output): void {
    const root = rendering.program(0, 0);
    if (root === null) return;
    const scanner = this.#scanner;
    scanner.bring(page);
    scanner.tidy();
    scanner.scribe = this;
    this.#page = page;
    this.#begins = begins;
    this.#rendering = rendering;
    this.#matcher = rendering.matcher;
    this.#out = out;
    this.#programs.length = 0;
    const end = scanner.render(first, this.#codesOf(root));
    out.bytes(scanner.bytes, scanner.output, end);
    let { counts } = root;
    for (let n = 0; n < scanner.logged; n++) {
      const word = scanner.log(n);
      if (word < 0) counts = this.#programs[word & 0x7fffffff]!.counts;
      else counts[word]!++;
    }
    // release the references to the body
    this.#page = null;
    this.#begins = NONE;
    this.#rendering = null;
    this.#out = null;
  }

  treat(number: number, entry: number, at: number): number {
    const scanner = this.#scanner;
    const tag = scanner.word(entry, 0);
    const kind = tag & 0xff;
    const start = scanner.word(entry, 2);
    const last = scanner.word(entry, 3);
    const end = kind >= OPEN_OBJECT ? scanner.word(last, 3) : last;
    const program = this.#programs[number]!;
    const { source } = this.#page!;
    if (kind === STRING) {
      const bytes = program.bytes(tag >> 8);
      const to = bytes === null ? -1 : this.#inBytes(bytes, source, start, end, at);
      if (to >= 0) {
        program.counts[tag >> 8]!++;
        return to;
      }
    }
    if (kind > NULL) {
      const text = containerTreated(program, this.#matcher!, source, tag >> 8, kind, start, end);
      return text === null ? GONE : this.#write(text, false, at);
    }
    const value = scalarAt(source, kind, start, end);
    const treated = program.treat(tag >> 8, value);
    if (treated === 'drop') return GONE;
    if (treated.kind === 'null') return NULLED;
    if (isUntouched(value, treated)) return this.#write(source.toString('utf8', start, end), false, at);
    if (treated.kind === 'string' && treated.document !== undefined) {
      const { before, segments } = treated.document;
      const kept = respelled(source.toString('utf8', start + 1, end - 1), before, segments, JSON_SPELLING);
      if (kept !== null) return this.#write(`"${kept}"`, false, at);
    }
    return this.#write(treated.text, treated.kind === 'string', at);
  }

  /** @returns the end of the string, or -1 */
  #inBytes(treat: TreatBytes, source: Buffer, start: number, end: number, at: number): number {
    const { bytes, outputEnd, slack } = this.#scanner;
    if (at + end - start + LONGER + slack > outputEnd) return -1;
    const to = treat(source, start + 1, end - 1, bytes, at + 1);
    if (to < 0) return -1;
    bytes[at] = QUOTE;
    bytes[to] = QUOTE;
    return to + 1;
  }

  #write(text: string, json: boolean, at: number): number {
    const scanner = this.#scanner;
    // a code unit takes at most six bytes (\u0000)
    const most = (json ? 6 : 3) * text.length + 2;
    let from = at;
    if (from + most + scanner.slack > scanner.outputEnd) {
      from = this.flush(from);
      if (from + most + scanner.slack > scanner.outputEnd) {
        if (json) this.#out!.json(text);
        else this.#out!.text(text);
        return from;
      }
    }
    return json ? writeJsonString(text, scanner.bytes, from) : writeUtf8(text, scanner.bytes, from);
  }

  flush(to: number): number {
    const scanner = this.#scanner;
    this.#out!.bytes(scanner.bytes, scanner.output, to);
    return scanner.output;
  }

  unknown(number: number, state: StateId, entry: number, element: number): void {
    const { counter } = this.#programs[number]!;
    if (state < 0) {
      counter.unknown(() => '');
      return;
    }
    const matcher = this.#matcher!;
    const unknownNames = unknownNamesOf(matcher);
    if (element !== 0) counter.unknownAt(unknownNames.element(state));
    else {
      const scope = matcher.scope(state);
      const names = scope < 0 ? state : matcher.entry(scope);
      counter.unknownAt(unknownNames.member(names, this.#page!.source, this.#scanner.word(entry, 1)));
    }
  }

  scope(number: number, entry: number): number {
    const scanner = this.#scanner;
    const matcher = this.#matcher!;
    const state = scanner.word(entry, 0) >> 8;
    const scope = placeOf(this.#begins, scanner.word(entry, 2)) + 1;
    const program = scope === 0 ? null : this.#rendering!.program(scope, matcher.scope(state));
    if (program !== null) return this.#codesOf(program);
    this.#programs[number]!.counter.scopeWithheld(matcher.pointer(state));
    return 0;
  }

  /**
   * Computes the group key (`RecordPiece.group`).
   * @param begins offsets of the record's embedded scopes, in order
   */
  group(page: JsonPage, first: number, begins: readonly number[], rendering: Rendering): string {
    const matcher = rendering.matcher;
    const values = new QuasiValues();
    const { source } = page;
    const entries = this.#scanner.entriesOf(page);
    const word = (entry: number, slot: number) => entries[entry * STRIDE + slot]!;
    const last = (word(first, 0) & 0xff) >= OPEN_OBJECT ? word(first, 3) : first;
    /** the containers around the current entry */
    const around: Around[] = [];
    const outermost: Around = {
      program: rendering.program(0, 0)!,
      end: last,
      place: '',
      array: false,
      index: 0,
    };
    for (let n = first; n <= last; n++) {
      const kind = word(n, 0) & 0xff;
      const state = word(n, 0) >> 8;
      const start = word(n, 2);
      const end = word(n, 3);
      if (kind === CLOSE) {
        around.pop();
        continue;
      }
      const container = around.at(-1) ?? outermost;
      const { program } = container;
      const embedded = matcher.scope(state) >= 0;
      let { place } = container;
      if (container.array && (matcher.any(state) || embedded)) place += `/${container.index}`;
      else if (matcher.any(state))
        place += `/${source.toString('latin1', word(n, 1), stringEnd(source, word(n, 1)))}`;
      container.index++;
      if (kind >= OPEN_OBJECT) {
        const inside =
          kind === OPEN_SCOPE && embedded
            ? rendering.program(placeOf(begins, start) + 1, matcher.scope(state))
            : program;
        if (inside === null) n = end;
        else around.push({ program: inside, end, place, array: kind === OPEN_ARRAY, index: 0 });
        continue;
      }
      const field = matcher.field(state);
      if (!matcher.isQuasi(field)) continue;
      const action = program.action(field);
      const path = matcher.path(field);
      // a path with a selector means the same at any position of its list
      const leaves = (text: string) =>
        values.add(path, path.includes('/[') && !path.includes('*') ? '' : place, text);
      if (kind > NULL && (action === TREAT || (action === DISCLOSE && !matcher.whole(state))))
        leaves(containerTreated(program, matcher, source, state, kind, start, end) ?? '');
      else if (action === DISCLOSE) leaves(source.toString('latin1', start, end));
      else if (action === TREAT)
        leaves(spelled(program.treat(state, scalarAt(source, kind, start, end))) ?? '');
    }
    return values.toString();
  }

  /** Loads the codes of a program into the module's memory and numbers the program. */
  #codesOf(program: Program): number {
    let number = this.#programs.indexOf(program);
    if (number < 0) number = this.#programs.push(program) - 1;
    return this.#scanner.codes(program.codes(), number);
  }
}

interface Around {
  readonly program: Program;
  readonly end: number;
  readonly place: string;
  readonly array: boolean;
  index: number;
}

export type JsonRenderer = Renderer;

let renderer: Renderer | null = null;

/** One renderer for the process: rendering a record is never interrupted. */
export function jsonRenderer(): Renderer {
  renderer ??= new Renderer();
  return renderer;
}

/** The index of a number in a sorted array; -1: it is not contained. */
function placeOf(numbers: readonly number[], wanted: number): number {
  let from = 0;
  let to = numbers.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (numbers[middle]! < wanted) from = middle + 1;
    else to = middle;
  }
  return numbers[from] === wanted ? from : -1;
}
