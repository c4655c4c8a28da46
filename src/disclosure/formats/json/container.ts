/** The replacement of a container that is one value: treated as a unit or by element, or disclosed without its objects. */
import { DISCLOSE, type FieldId, type Matcher, type Program, type StateId, type Treated } from '../format.ts';
import { ARRAY, MIXED, OPEN_ARRAY } from './entries.ts';
import { kindAt, scalarAt, stringEnd, valueEnd } from './text.ts';

/** The replacement of an object or array that is treated, or disclosed by a line that does not cover objects; null: it is dropped. */
export function containerTreated(
  program: Program,
  matcher: Matcher,
  source: Buffer,
  state: StateId,
  kind: number,
  start: number,
  end: number,
): string | null {
  const field = matcher.field(state);
  const disclosed = program.action(field) === DISCLOSE;
  if ((kind === ARRAY || kind === MIXED || kind === OPEN_ARRAY) && !matcher.through(state)) {
    if (disclosed) return elementsDisclosed(source, start, end, field, program, matcher.positional(state));
    if (program.elements(field))
      return elementsTreated(source, start, end, state, program, matcher.positional(state));
  }
  const taken = disclosed || !program.elements(field);
  if (taken && !matcher.whole(state) && holdsObject(source, start, end)) {
    program.counter.notWhole(field);
    return null;
  }
  return spelled(program.treat(state, { kind: 'container', text: source.toString('utf8', start, end) }));
}

/** The JSON spelling of a treated value; null: it is dropped. */
export function spelled(treated: Treated): string | null {
  if (treated === 'drop') return null;
  if (treated.kind === 'null') return 'null';
  return treated.kind === 'number' ? treated.text : JSON.stringify(treated.text);
}

/** Whether a valid value contains an object. */
export function holdsObject(source: Buffer, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    if (source[at] === 0x7b) return true;
    at = source[at] === 0x22 ? stringEnd(source, at) : at + 1;
  }
  return false;
}

/** A valid array without its objects; the rest keeps its spelling. */
function elementsDisclosed(
  source: Buffer,
  start: number,
  end: number,
  field: FieldId,
  program: Program,
  positional: boolean,
): string {
  const spelling = (from: number, to: number) => source.toString('utf8', from, to);
  let at = elementAt(source, start + 1);
  let before = at;
  let out = spelling(start, at);
  let kept = 0;
  while (at < end - 1) {
    const close = valueEnd(source, at);
    let text: string | null = null;
    if (source[at] === 0x7b) {
      program.counter.notWhole(field);
      if (positional) text = 'null';
    } else if (source[at] === 0x5b && holdsObject(source, at, close))
      text = elementsDisclosed(source, at, close, field, program, positional);
    else {
      program.counter.released(field);
      text = spelling(at, close);
    }
    if (text !== null) {
      if (kept > 0) out += spelling(before, at);
      out += text;
      kept++;
    }
    before = close;
    at = elementAt(source, close);
  }
  return out + spelling(before, end);
}

/** The start of the next element of an array, or its closing bracket. */
function elementAt(source: Buffer, from: number): number {
  let at = from;
  while (source[at]! <= 0x20 || source[at] === 0x2c) at++;
  return at;
}

/** A valid array of scalars with each treated. It is reserialized, since nothing of it is disclosed. */
function elementsTreated(
  source: Buffer,
  start: number,
  end: number,
  state: StateId,
  program: Program,
  positional: boolean,
): string {
  const kept: string[] = [];
  let close = start + 1;
  for (let at = elementAt(source, close); at < end - 1; at = elementAt(source, close)) {
    const c = source[at]!;
    close = valueEnd(source, at);
    let text: string | null;
    if (c === 0x5b) text = elementsTreated(source, at, close, state, program, positional);
    else if (c === 0x7b)
      text = spelled(program.treat(state, { kind: 'container', text: source.toString('utf8', at, close) }));
    else text = spelled(program.treat(state, scalarAt(source, kindAt(source, at, close), at, close)));
    if (text !== null) kept.push(text);
    else if (positional) kept.push('null');
  }
  return `[${kept.join(',')}]`;
}
