/**
 * Paths of members that are in no catalog, made presentable for decision records. Cached by state and spelling, so that a name that occurs in
 * every record costs one comparison. Bounded, since the upstream chooses the names.
 */
import type { Matcher } from '../format.ts';
import { presentable } from '../shared/presentable.ts';
import { stringEnd, textAt } from './text.ts';
import { escapeToken } from '../../../model/pointer.ts';

const PER_STATE = 64;
const STATES = 1024;

interface Known {
  /** the name with quotes, as the upstream spelled it */
  readonly spelled: Buffer;
  readonly path: string;
}

class UnknownNames {
  readonly #pathOf: (state: number) => string;
  readonly #elements = new Map<number, string>();
  readonly #known = new Map<number, Known[]>();

  /** @param pathOf the path of a state, from the record's root */
  constructor(pathOf: (state: number) => string) {
    this.#pathOf = pathOf;
  }

  /** the path of an element of the array at a state */
  element(state: number): string {
    let path = this.#elements.get(state);
    if (path === undefined) {
      path = presentable(`${this.#pathOf(state)}/*`);
      this.#elements.set(state, path);
    }
    return path;
  }

  /** the path of a member of the object at a state; the opening quote of its name is at `start` */
  member(state: number, source: Buffer, start: number): string {
    let known = this.#known.get(state);
    if (known === undefined) {
      known = [];
      if (this.#known.size < STATES) this.#known.set(state, known);
    }
    for (const { spelled, path } of known) if (stands(source, start, spelled)) return path;
    const end = stringEnd(source, start);
    const name = textAt(source, start, end, source.subarray(start, end).includes(0x5c));
    const path = presentable(`${this.#pathOf(state)}/${escapeToken(name)}`);
    if (known.length < PER_STATE && end - start <= 128)
      known.push({ spelled: Buffer.from(source.subarray(start, end)), path });
    return path;
  }
}

function stands(source: Buffer, start: number, spelled: Buffer): boolean {
  // from the end: the closing quote rules out most other names at once
  for (let n = spelled.length - 1; n > 0; n--) if (source[start + n] !== spelled[n]) return false;
  return true;
}

const BY_MATCHER = new WeakMap<Matcher, UnknownNames>();

export type { UnknownNames };

export function unknownNamesOf(matcher: Matcher): UnknownNames {
  let names = BY_MATCHER.get(matcher);
  if (names === undefined) {
    names = new UnknownNames((state) => matcher.pathOf(state));
    BY_MATCHER.set(matcher, names);
  }
  return names;
}
