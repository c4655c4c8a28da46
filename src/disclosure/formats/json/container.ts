/** What stands in place of a container that is one value: treated whole, or element by element, or disclosed without the objects in it. */
import { DISCLOSE, type FieldId, type Matcher, type Program, type StateId, type Treated } from '../format.ts';
import { ARRAY, MIXED, OPEN_ARRAY } from './entries.ts';
import { kindAt, scalarAt, stringEnd, valueEnd } from './text.ts';

/** An object or array met by a treatment, or disclosed where no line covers objects: what stands in its place, or null if it goes. */
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

/** as JSON spells it; null: it is left out */
export function spelled(treated: Treated): string | null {
  if (treated === 'drop') return null;
  if (treated.kind === 'null') return 'null';
  return treated.kind === 'number' ? treated.text : JSON.stringify(treated.text);
}

/** whether an object stands in a valid value */
export function holdsObject(source: Buffer, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    if (source[at] === 0x7b) return true;
    at = source[at] === 0x22 ? stringEnd(source, at) : at + 1;
  }
  return false;
}

/** An array without the objects in it; the rest as it is spelled. The text is known to be valid. */
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

/** where the next element of an array begins, or its bracket stands */
function elementAt(source: Buffer, from: number): number {
  let at = from;
  while (source[at]! <= 0x20 || source[at] === 0x2c) at++;
  return at;
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
