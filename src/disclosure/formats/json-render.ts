/**
 * Writes one record from its index: bytes that are disclosed are copied in the longest runs there are, the rest is cut out with its comma
 * or replaced. Longer than others: one loop with its cases, kept together because their order is what makes the commas right.
 */
import { escapeToken } from '../pointer.ts';
import type { Container } from '../treatments/treatment.ts';
import {
  DISCLOSE,
  DROP,
  type FieldId,
  type Matcher,
  NULLIFY,
  type Output,
  type Program,
  type Rendering,
  type StateId,
} from './format.ts';
import {
  ARRAY,
  CLOSE,
  ESCAPED,
  FALSE,
  type JsonIndex,
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
import { scalarAt, textAt } from './json-text.ts';

/** One container that is being written. */
interface Level {
  /** its OPEN entry */
  entry: number;
  array: boolean;
  positional: boolean;
  /** members written so far */
  kept: number;
  /** end of the member before, written or not */
  before: number;
  program: Program;
  /** it begins its program's scope */
  scope: boolean;
}

export class JsonRenderer {
  readonly #levels: Level[] = [];
  #index: JsonIndex | null = null;
  #source: Buffer = Buffer.alloc(0);

  /**
   * @param scopeAt the record's scope that begins at an offset, -1 if none does
   */
  render(
    source: Buffer,
    index: JsonIndex,
    rendering: Rendering,
    scopeAt: (start: number) => number,
    out: Output,
  ): void {
    const { matcher } = rendering;
    const { entries } = index;
    this.#index = index;
    this.#source = source;
    const count = entries.length / STRIDE;
    const first = entries[2]!;
    const root = rendering.program(0, 0);
    if (root === null) return;
    let level = this.#open(0, -1, false, false, root, true);
    let depth = 0;
    let copied = first;
    let n = 0;
    while (n < count) {
      const o = n * STRIDE;
      const tag = entries[o]!;
      const kind = tag & 0xff;
      if (kind === CLOSE) {
        level = this.#levels[--depth]!;
        level.kept++;
        level.before = entries[o + 3]!;
        n++;
        continue;
      }
      const state = tag >> 8;
      const value = entries[o + 2]!;
      const opens = kind >= OPEN_OBJECT;
      const link = entries[o + 3]!;
      const end = opens ? entries[link * STRIDE + 3]! : link;
      const program = level.program;
      const embedded = matcher.scope(state);
      let entered: Program | null = null;
      /** what stands in its place; null: it stays; undefined: it goes */
      let instead: string | null | undefined;
      if (embedded >= 0) {
        if (kind === OPEN_SCOPE) {
          const scope = scopeAt(value);
          entered = scope < 0 ? null : rendering.program(scope, embedded);
          if (entered === null) program.account.scopeWithheld(this.#path(n, depth));
        } else if (kind === OPEN_ARRAY) entered = program;
        else program.account.unknown(() => this.#path(n, depth));
        instead = entered === null ? undefined : null;
      } else if (opens && matcher.inner(state)) {
        entered = program;
        instead = null;
      } else {
        const field = matcher.field(state);
        if (field < 0) {
          // a record that is null says nothing
          if (depth > 0 || kind !== NULL) program.account.unknown(() => this.#path(n, depth));
          instead = undefined;
        } else {
          const action = program.action(field);
          if (action === DISCLOSE) {
            program.account.released(field);
            instead = null;
          } else if (action === DROP) {
            program.account.withheld(field);
            instead = undefined;
          } else if (action === NULLIFY) {
            program.account.withheld(field);
            instead = 'null';
          } else instead = this.#treated(program, matcher, field, state, kind, value, end);
        }
      }
      if (instead === undefined && (level.positional || depth === 0)) instead = kind === NULL ? null : 'null';
      if (entered !== null) {
        const array = kind === OPEN_ARRAY;
        depth++;
        const positional = array && embedded < 0 && matcher.positional(state);
        level = this.#open(depth, n, array, positional, entered, kind === OPEN_SCOPE);
        level.before = value + 1;
        n++;
        continue;
      }
      const next = opens ? link + 1 : n + 1;
      if (instead === undefined) {
        if (level.kept > 0) {
          out.bytes(source, copied, level.before);
          copied = end;
        } else {
          out.bytes(source, copied, entries[o + 1]!);
          const follows = (entries[next * STRIDE]! & 0xff) !== CLOSE;
          copied = follows ? entries[next * STRIDE + 1]! : end;
        }
      } else {
        level.kept++;
        if (instead !== null) {
          out.bytes(source, copied, value);
          out.text(instead);
          copied = end;
        }
      }
      level.before = end;
      n = next;
    }
    const last = entries[0]! & 0xff;
    const end = last >= OPEN_OBJECT ? entries[entries[3]! * STRIDE + 3]! : entries[3]!;
    out.bytes(source, copied, end);
  }

  /** the values of quasi-identifiers as they would leave; see `RecordPiece.group` */
  group(source: Buffer, index: JsonIndex, rendering: Rendering): string {
    const { matcher } = rendering;
    const program = rendering.program(0, 0)!;
    const values = new Map<FieldId, string[]>(matcher.quasi.map((field) => [field, []]));
    const { entries } = index;
    for (let o = 0; o < entries.length; o += STRIDE) {
      const kind = entries[o]! & 0xff;
      const state = entries[o]! >> 8;
      if (kind === CLOSE || kind >= OPEN_OBJECT) continue;
      const field = matcher.field(state);
      const into = values.get(field);
      if (into === undefined) continue;
      const action = program.action(field);
      if (action === DISCLOSE) into.push(source.toString('latin1', entries[o + 2]!, entries[o + 3]!));
      else if (action !== DROP && action !== NULLIFY) {
        this.#index = index;
        this.#source = source;
        const text = this.#treated(program, matcher, field, state, kind, entries[o + 2]!, entries[o + 3]!);
        into.push(text ?? '');
      }
    }
    return JSON.stringify([...values.values()]);
  }

  #open(
    depth: number,
    entry: number,
    array: boolean,
    positional: boolean,
    program: Program,
    scope: boolean,
  ): Level {
    const level = this.#levels[depth];
    if (level === undefined) {
      const made = { entry, array, positional, kept: 0, before: 0, program, scope };
      this.#levels[depth] = made;
      return made;
    }
    level.entry = entry;
    level.array = array;
    level.positional = positional;
    level.kept = 0;
    level.before = 0;
    level.program = program;
    level.scope = scope;
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

  /** the pointer of an entry within its scope, as the upstream spelled it, indices as `*` */
  #path(entry: number, depth: number): string {
    if (entry === 0) return '';
    const tokens = [this.#token(entry, this.#levels[depth]!.array)];
    for (let d = depth; d > 0 && this.#levels[d]!.entry > 0 && !this.#levels[d]!.scope; d--)
      tokens.push(this.#token(this.#levels[d]!.entry, this.#levels[d - 1]!.array));
    return `/${tokens.reverse().join('/')}`;
  }

  #token(entry: number, element: boolean): string {
    if (element) return '*';
    const key = this.#index!.entries[entry * STRIDE + 1]!;
    const source = this.#source;
    const close = keyEnd(source, key);
    return escapeToken(textAt(source, key, close, source.subarray(key, close).includes(0x5c)));
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

/** where a valid string ends */
function keyEnd(source: Buffer, start: number): number {
  let at = start + 1;
  while (at < source.length && source[at] !== 0x22) at += source[at] === 0x5c ? 2 : 1;
  return at + 1;
}

/** where a valid value ends */
function valueEnd(source: Buffer, start: number): number {
  const c = source[start]!;
  if (c === 0x22) return keyEnd(source, start);
  let depth = 0;
  let at = start;
  while (at < source.length) {
    const d = source[at]!;
    if (d === 0x22) {
      at = keyEnd(source, at);
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
