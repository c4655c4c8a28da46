/**
 * Writes one record from its index: bytes that are disclosed are copied in the longest runs there are, the rest is cut out with its comma
 * or replaced. Longer than others: one loop with its cases, kept together because their order is what makes the commas right.
 */
import type { Automaton } from '../automaton.ts';
import type { Container } from '../treatments/treatment.ts';
import {
  ACTION_BITS,
  DISCLOSE,
  EMBEDS,
  type FieldId,
  INNER,
  type Matcher,
  NULLIFY,
  type Output,
  type Program,
  type Rendering,
  type StateId,
  TREAT,
  UNKNOWN,
} from './format.ts';
import {
  ARRAY,
  CLOSE,
  ESCAPED,
  FALSE,
  NULL,
  NUMBER,
  OBJECT,
  OPEN_ARRAY,
  OPEN_OBJECT,
  OPEN_SCOPE,
  STRIDE,
  STRING,
  TRUE,
} from './json-index.ts';
import { scalarAt, stringEnd } from './json-text.ts';

/** One container that is being written. */
interface Level {
  /** the state that the names in it were stepped from */
  state: StateId;
  array: boolean;
  positional: boolean;
  /** members written so far */
  kept: number;
  /** end of the member before, written or not */
  before: number;
  program: Program;
  codes: Uint8Array;
}

export class JsonRenderer {
  readonly #levels: Level[] = [];
  #source: Buffer = Buffer.alloc(0);

  /**
   * @param first the record's first entry
   * @param begins where the record's embedded scopes begin, in order
   */
  render(
    source: Buffer,
    entries: Int32Array,
    first: number,
    begins: readonly number[],
    rendering: Rendering,
    out: Output,
  ): void {
    const matcher = rendering.matcher as Automaton;
    const root = rendering.program(0, 0);
    if (root === null) return;
    this.#source = source;
    const start = first * STRIDE;
    const rootOpens = (entries[start]! & 0xff) >= OPEN_OBJECT;
    const last = rootOpens ? entries[start + 3]! : first;
    const end = rootOpens ? entries[last * STRIDE + 3]! : entries[start + 3]!;
    let depth = 0;
    let level = this.#open(0, 0, false, false, root, 0);
    let { codes, program } = level;
    let counts = program.counts;
    let copied = entries[start + 2]!;
    let n = first;
    while (n <= last) {
      const o = n * STRIDE;
      const tag = entries[o]!;
      const kind = tag & 0xff;
      if (kind === CLOSE) {
        level = this.#levels[--depth]!;
        level.kept++;
        level.before = entries[o + 3]!;
        if (level.program !== program) {
          program = level.program;
          counts = program.counts;
        }
        codes = level.codes;
        n++;
        continue;
      }
      const state = tag >> 8;
      const code = codes[state]!;
      const opens = kind >= OPEN_OBJECT;
      if (code === DISCLOSE && !opens) {
        counts[state]!++;
        level.kept++;
        level.before = entries[o + 3]!;
        n++;
        continue;
      }
      const value = entries[o + 2]!;
      const link = entries[o + 3]!;
      const close = opens ? entries[link * STRIDE + 3]! : link;
      let entered: Program | null = null;
      /** what stands in its place; null: it stays; undefined: it goes */
      let instead: string | null | undefined;
      /** `instead` is a text that has yet to be spelled as JSON */
      let plain = false;
      if ((code & EMBEDS) !== 0) {
        if (kind === OPEN_SCOPE) {
          const scope = begins.indexOf(value) + 1;
          entered = scope === 0 ? null : rendering.program(scope, matcher.scope(state));
          if (entered === null) program.account.scopeWithheld(matcher.pointer(state));
        } else if (kind === OPEN_ARRAY) entered = program;
        else program.account.unknownAt(this.#name(matcher, level, entries[o + 1]!));
        instead = entered === null ? undefined : null;
      } else if (opens && (code & INNER) !== 0) {
        entered = program;
        instead = null;
      } else {
        const action = code & ACTION_BITS;
        if (action === UNKNOWN) {
          // a record that is null says nothing
          if (depth > 0) program.account.unknownAt(this.#name(matcher, level, entries[o + 1]!));
          else if (kind !== NULL) program.account.unknown(() => '');
          instead = undefined;
        } else if (action === TREAT) {
          if (kind <= NULL) {
            const treated = program.treat(state, scalarAt(source, kind, value, close));
            plain = treated !== 'drop' && treated.kind === 'string';
            instead = treated === 'drop' ? undefined : treated.kind === 'null' ? 'null' : treated.text;
          } else instead = this.#treated(program, matcher, matcher.field(state), state, kind, value, close);
        } else {
          counts[state]!++;
          instead = action === DISCLOSE ? null : action === NULLIFY ? 'null' : undefined;
        }
      }
      if (instead === undefined && (level.positional || depth === 0)) instead = kind === NULL ? null : 'null';
      if (entered !== null) {
        const array = kind === OPEN_ARRAY;
        const embedded = (code & EMBEDS) !== 0;
        depth++;
        level = this.#open(
          depth,
          kind === OPEN_SCOPE ? matcher.entry(matcher.scope(state)) : state,
          array,
          array && !embedded && matcher.positional(state),
          entered,
          value + 1,
        );
        codes = level.codes;
        program = entered;
        counts = program.counts;
        n++;
        continue;
      }
      const next = opens ? link + 1 : n + 1;
      if (instead === undefined) {
        if (level.kept > 0) {
          out.bytes(source, copied, level.before);
          copied = close;
        } else {
          out.bytes(source, copied, entries[o + 1]!);
          const follows = (entries[next * STRIDE]! & 0xff) !== CLOSE;
          copied = follows ? entries[next * STRIDE + 1]! : close;
        }
      } else {
        level.kept++;
        if (instead !== null) {
          out.bytes(source, copied, value);
          if (plain) out.json(instead);
          else out.text(instead);
          copied = close;
        }
      }
      level.before = close;
      n = next;
    }
    out.bytes(source, copied, end);
  }

  /** the values of quasi-identifiers as they would leave; see `RecordPiece.group` */
  group(source: Buffer, entries: Int32Array, first: number, rendering: Rendering): string {
    const matcher = rendering.matcher as Automaton;
    const program = rendering.program(0, 0)!;
    const values = new Map<FieldId, string[]>(matcher.quasi.map((field) => [field, []]));
    this.#source = source;
    const opens = (entries[first * STRIDE]! & 0xff) >= OPEN_OBJECT;
    const last = opens ? entries[first * STRIDE + 3]! : first;
    for (let n = first; n <= last; n++) {
      const o = n * STRIDE;
      const kind = entries[o]! & 0xff;
      const state = entries[o]! >> 8;
      if (kind === CLOSE || kind >= OPEN_OBJECT) continue;
      const field = matcher.field(state);
      const into = values.get(field);
      if (into === undefined) continue;
      const action = program.action(field);
      if (action === DISCLOSE) into.push(source.toString('latin1', entries[o + 2]!, entries[o + 3]!));
      else if (action === TREAT)
        into.push(
          this.#treated(program, matcher, field, state, kind, entries[o + 2]!, entries[o + 3]!) ?? '',
        );
    }
    return JSON.stringify([...values.values()]);
  }

  #open(
    depth: number,
    state: StateId,
    array: boolean,
    positional: boolean,
    program: Program,
    before: number,
  ): Level {
    const codes = program.codes();
    const level = this.#levels[depth];
    if (level === undefined) {
      const made: Level = { state, array, positional, kept: 0, before, program, codes };
      this.#levels[depth] = made;
      return made;
    }
    level.state = state;
    level.array = array;
    level.positional = positional;
    level.kept = 0;
    level.before = before;
    level.program = program;
    level.codes = codes;
    return level;
  }

  #treated(
    program: Program,
    matcher: Matcher,
    field: FieldId,
    state: StateId,
    kind: number,
    start: number,
    end: number,
  ): string | undefined {
    const source = this.#source;
    if (kind === ARRAY || kind === OPEN_ARRAY) {
      if (program.elements(field) && !matcher.through(state))
        return elementsTreated(source, start, end, state, program, matcher.positional(state));
    }
    const value =
      kind >= OBJECT
        ? ({ kind: 'container', text: source.toString('utf8', start, end) } satisfies Container)
        : scalarAt(source, kind, start, end);
    return spelled(program.treat(state, value));
  }

  /** the path of a member that no catalog knows */
  #name(matcher: Automaton, level: Level, member: number): string {
    const { unknownNames } = matcher;
    return level.array
      ? unknownNames.element(level.state)
      : unknownNames.member(level.state, this.#source, member);
  }
}

function spelled(treated: ReturnType<Program['treat']>): string | undefined {
  if (treated === 'drop') return undefined;
  if (treated.kind === 'null') return 'null';
  return treated.kind === 'number' ? treated.text : JSON.stringify(treated.text);
}

/** An array of scalars, treated one by one; spelled anew, since nothing of it is disclosed. The text is known to be valid. */
function elementsTreated(
  source: Buffer,
  start: number,
  end: number,
  state: StateId,
  program: Program,
  positional: boolean,
): string {
  const kept: string[] = [];
  let at = start + 1;
  while (at < end - 1) {
    const c = source[at]!;
    if (c <= 0x20 || c === 0x2c) {
      at++;
      continue;
    }
    const close = valueEnd(source, at);
    let text: string | undefined;
    if (c === 0x5b) text = elementsTreated(source, at, close, state, program, positional);
    else if (c === 0x7b)
      text = spelled(program.treat(state, { kind: 'container', text: source.toString('utf8', at, close) }));
    else text = spelled(program.treat(state, scalarAt(source, kindOf(source, at, close), at, close)));
    if (text !== undefined) kept.push(text);
    else if (positional) kept.push('null');
    at = close;
  }
  return `[${kept.join(',')}]`;
}

function kindOf(source: Buffer, start: number, end: number): number {
  const c = source[start]!;
  if (c === 0x22) return source.subarray(start, end).includes(0x5c) ? ESCAPED : STRING;
  if (c === 0x74) return TRUE;
  if (c === 0x66) return FALSE;
  return c === 0x6e ? NULL : NUMBER;
}

/** where a valid value ends */
function valueEnd(source: Buffer, start: number): number {
  const c = source[start]!;
  if (c === 0x22) return stringEnd(source, start);
  let depth = 0;
  let at = start;
  while (at < source.length) {
    const d = source[at]!;
    if (d === 0x22) {
      at = stringEnd(source, at);
      continue;
    }
    if (d === 0x7b || d === 0x5b) depth++;
    else if (d === 0x7d || d === 0x5d) {
      if (depth === 0) return at;
      if (--depth === 0) return at + 1;
    } else if (depth === 0 && (d === 0x2c || d <= 0x20)) return at;
    at++;
  }
  return at;
}
