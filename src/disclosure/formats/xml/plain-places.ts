/**
 * Walks a record in the index by the states of the matcher, which are asked once for each state and name. `readIndex` finds the scopes of a record,
 * as `readTree` of `shared/tree.ts` does.
 */
import type { Scalar } from '../../../model/disclosure.ts';
import type { FieldId, Mark, Matcher, RecordScope, StateId } from '../format.ts';
import { ScopeBuilder } from '../shared/scope.ts';
import { textMarks, textState } from '../shared/tree.ts';
import { contentOf } from './plain.ts';
import {
  CLOSE,
  NAME,
  NEXT,
  type PlainIndex,
  type PlainNames,
  SCOPE,
  STRIDE,
  TAG_END,
} from './plain-index.ts';
import { withinBlanks } from './tree.ts';

const CONTENT = '#text';

/** A state of the matcher, and what it says about an element. */
export interface Place {
  readonly id: StateId;
  readonly inner: boolean;
  /** an element here is walked into while reading */
  readonly walked: boolean;
  readonly selectors: boolean;
  readonly marks: readonly Mark[];
  readonly scope: number;
  /** where the members of the embedded resource begin; null: none is embedded */
  entry: Place | null;
  /** of an element that has elements */
  readonly field: FieldId;
  readonly whole: boolean;
  /** of an element that has a text */
  readonly text: StateId;
  readonly textField: FieldId;
  /** by the number of the name */
  readonly next: (Place | undefined)[];
}

/** The places of a matcher, for elements of numbered names. */
export class Places {
  readonly matcher: Matcher;
  readonly #names: PlainNames;
  readonly #byState = new Map<StateId, Place>();

  constructor(matcher: Matcher, names: PlainNames) {
    this.matcher = matcher;
    this.#names = names;
  }

  begin(name: number): Place {
    return this.#at(this.matcher.begin(this.#names.names[name]![0]!));
  }

  step(from: Place, name: number): Place {
    let place = from.next[name];
    if (place === undefined) {
      place = this.#at(this.matcher.step(from.id, this.#names.names[name]![0]!));
      // no holes, which would make a dictionary of it
      while (from.next.length < name) from.next.push(undefined);
      from.next[name] = place;
    }
    return place;
  }

  #at(id: StateId): Place {
    const known = this.#byState.get(id);
    if (known !== undefined) return known;
    const { matcher } = this;
    const text = textState(matcher, id, CONTENT);
    const scope = matcher.scope(id);
    const place: Place = {
      id,
      inner: matcher.inner(id),
      walked: matcher.inner(id) || matcher.marked(id),
      selectors: matcher.selectors(id),
      marks: textMarks(matcher, id, CONTENT),
      scope,
      entry: null,
      field: matcher.field(id),
      whole: matcher.whole(id),
      text,
      textField: matcher.field(text),
      next: [],
    };
    this.#byState.set(id, place);
    // a resource can embed itself
    if (scope >= 0) place.entry = this.#at(matcher.entry(scope));
    return place;
  }
}

export interface PlainSource {
  readonly index: PlainIndex;
  readonly names: PlainNames;
  readonly places: Places;
  readonly bytes: Buffer;
  readonly base: number;
  /** start of the white space before the record */
  readonly lead: number;
}

/** Reading is given up: the catalog selects by a value in the record, which only trees do. */
export const SELECTS = Symbol('selects');

/** The scalar of a text, as trees have it (`tree.ts`). */
export const scalarOf = (bytes: Buffer, start: number, end: number): Scalar => {
  const text = contentOf(bytes, start, end);
  const trimmed = text.slice(...withinBlanks(text));
  return trimmed === '' ? { kind: 'null', text: 'null' } : { kind: 'string', text: trimmed };
};

/** Finds the scopes of the record that was scanned last. */
export function readIndex({
  index,
  names,
  places,
  bytes,
  base,
}: PlainSource): readonly RecordScope[] | typeof SELECTS {
  const { words, first } = index;
  const { matcher } = places;
  const scopes: ScopeBuilder[] = [];
  const open = (id: number, name: number): number => {
    const key = matcher.key(Math.max(id, 0));
    const scope = new ScopeBuilder(id);
    if (key !== null) scope.addKey(key.mark, names.names[name]![0]!);
    return scopes.push(scope) - 1;
  };
  const visit = (row: number, place: Place, chain: readonly number[]): boolean => {
    const word = first + row * STRIDE;
    const next = words[word + NEXT]!;
    if (next === row + 1) {
      for (const mark of place.marks) {
        const scope = scopes[chain[chain.length - 1 - mark.up] ?? -1];
        if (scope)
          scope.add(mark, scalarOf(bytes, base + words[word + TAG_END]!, base + words[word + CLOSE]!));
      }
      return true;
    }
    if (place.selectors) return false;
    let from = place;
    let around = chain;
    if (place.entry !== null) {
      const scope = open(place.scope, words[word + NAME]!);
      words[word + SCOPE] = scope + 1;
      from = place.entry;
      around = [...chain, scope];
    } else if (!place.walked) return true;
    for (let child = row + 1; child < next; child = words[first + child * STRIDE + NEXT]!)
      if (!visit(child, places.step(from, words[first + child * STRIDE + NAME]!), around)) return false;
    return true;
  };
  const root = words[first + NAME]!;
  if (!visit(0, places.begin(root), [open(-1, root)])) return SELECTS;
  for (const scope of scopes) scope.close();
  return scopes;
}
