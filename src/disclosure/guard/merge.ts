/**
 * Merges a write with the stored record for a caller who is shown only a part of it. Three records are compared: the stored one, what the
 * caller is shown of it, and what the caller sends.
 *
 *   sent as it is shown     the stored value is kept
 *   sent treated            the stored value is kept
 *   sent otherwise          the value is written, if it may be
 *   not sent                the stored value is kept; a null erases it
 *
 * A list is stored as it is sent, so that its elements must be matched with the stored ones: by a member that the caller is shown and nobody
 * may write, by an identifier, or by equality with what is shown. Each element that the caller is shown only in part must be matched.
 */
import { SluiceError } from '../../errors.ts';
import { identifies } from '../../model/identifiers.ts';
import { type Exact, isSame } from './exact.ts';
import type { Place } from './leaf.ts';

export interface Merging {
  readonly stored: Exact;
  /** what the caller is shown; undefined: nothing */
  readonly shown: Exact | undefined;
  readonly sent: Exact;
  /** the place of the record in the body */
  readonly place: Place;
  /** the upstream erases what a body omits */
  readonly replaces: boolean;
  /** whether the value at a place of the body is the result of a treatment */
  isDisguised(place: Place): boolean;
  /** whether the value at a place of the body is a document whose fields have catalog lines (`parse`) */
  isDocument(place: Place): boolean;
  /** whether nobody may write the value at a place of the body */
  isFixed(place: Place): boolean;
  /** whether the value at a place of the body is the mask of a stored scalar, spelled as JSON */
  disguises(place: Place, stored: string): boolean;
}

export interface Merged {
  readonly record: Exact;
  /** places of the body, as JSON, whose stored values are kept */
  readonly kept: ReadonlySet<string>;
  /** number of members and elements that the caller omitted or sent treated */
  readonly filled: number;
}

/** @throws SluiceError `masked_value_refused` for a list whose elements cannot be matched; `write_erases` */
export function mergeRecord(merging: Merging): Merged {
  const merger = new Merger(merging);
  const record = merger.value(merging.stored, merging.shown, merging.sent, merging.place, false);
  return { record, kept: merger.kept, filled: merger.filled };
}

class Merger {
  readonly kept = new Set<string>();
  filled = 0;
  readonly #of: Merging;

  constructor(of: Merging) {
    this.#of = of;
  }

  value(
    stored: Exact | undefined,
    shown: Exact | undefined,
    sent: Exact,
    place: Place,
    listed: boolean,
  ): Exact {
    if (stored === undefined) return sent;
    if (sent.kind === 'object' && stored.kind === 'object')
      return this.#object(stored.members, membersOf(shown), sent.members, place);
    if (sent.kind === 'list' && stored.kind === 'list')
      return { kind: 'list', items: this.#list(stored.items, shown, sent, place) };
    if (shown !== undefined && isSame(sent, shown)) return this.#keep(stored, shown, sent, place);
    if (!listed && sent.kind === 'scalar' && this.#of.isDisguised(place))
      return this.#keep(stored, shown, sent, place);
    // a replacement would erase more than the caller is shown
    const holds = stored.kind !== 'scalar' || this.#of.isDocument(place);
    if (holds && (shown === undefined || !isSame(stored, shown))) throw overwritten(place);
    return sent;
  }

  #object(
    stored: ReadonlyMap<string, Exact>,
    shown: ReadonlyMap<string, Exact>,
    sent: ReadonlyMap<string, Exact>,
    place: Place,
  ): Exact {
    const members = new Map<string, Exact>();
    for (const [name, value] of sent)
      members.set(name, this.value(stored.get(name), shown.get(name), value, [...place, name], false));
    // an upstream that merges records may not merge nested objects
    if (this.#of.replaces || place.length > this.#of.place.length)
      for (const [name, value] of stored)
        if (!sent.has(name)) {
          members.set(name, value);
          this.filled += 1;
        }
    return { kind: 'object', members };
  }

  #list(stored: readonly Exact[], shown: Exact | undefined, sent: Exact, place: Place): readonly Exact[] {
    const items = sent.kind === 'list' ? sent.items : [];
    if (shown !== undefined && isSame(sent, shown)) {
      this.#keep({ kind: 'list', items: stored }, shown, sent, place);
      return stored;
    }
    if (shown?.kind !== 'list') {
      if (stored.some((item) => item.kind !== 'scalar')) throw overwritten(place);
      // nothing of the list is shown: the policy decides whether it may be written
      return items;
    }
    if (shown.items.length !== stored.length) throw unknowable(place);
    const isFixed = (name: string): boolean =>
      items.every((item, i) => !membersOf(item).has(name) || this.#of.isFixed([...place, i, name]));
    const key = keyOf(stored, shown.items, items, isFixed);
    const taken = new Set<number>();
    const merged = items.map((item, i) => {
      const at = [...place, i];
      const n = this.#indexOf(item, i, at, key, stored, shown.items);
      if (n === null) return item;
      if (taken.has(n)) throw unknowable(place);
      taken.add(n);
      if (isSame(item, shown.items[n]!)) return this.#keep(stored[n]!, shown.items[n], item, at);
      return item.kind === 'scalar'
        ? this.#keep(stored[n]!, shown.items[n], item, at)
        : this.value(stored[n], shown.items[n], item, at, true);
    });
    // an element that the caller is not shown unchanged would be erased
    if (stored.some((item, n) => !taken.has(n) && !isSame(item, shown.items[n]!))) throw unknowable(place);
    return merged;
  }

  /** the index of the stored element that a sent one is; null: it is new */
  #indexOf(
    item: Exact,
    i: number,
    at: Place,
    key: string | null,
    stored: readonly Exact[],
    shown: readonly Exact[],
  ): number | null {
    const among = (fits: (n: number) => boolean): number | null => {
      const found = shown.flatMap((_, n) => (fits(n) ? [n] : []));
      const [first] = found;
      if (first === undefined) return null;
      if (found.includes(i)) return i;
      if (found.some((n) => !isSame(stored[n]!, stored[first]!))) throw unknowable(at.slice(0, -1));
      return first;
    };
    if (key !== null) {
      const own = membersOf(item).get(key);
      return own === undefined ? null : among((n) => isSame(membersOf(shown[n]).get(key)!, own));
    }
    const same = among((n) => isSame(item, shown[n]!));
    if (same !== null || item.kind !== 'scalar' || !this.#of.isDisguised(at)) return same;
    // a mask from a colleague who is shown less: it may be compared only with values that this caller is shown unchanged
    return among((n) => {
      const value = stored[n]!;
      return value.kind === 'scalar' && isSame(value, shown[n]!) && this.#of.disguises(at, value.spelled);
    });
  }

  #keep(stored: Exact, shown: Exact | undefined, sent: Exact, place: Place): Exact {
    for (const leaf of placesOf(sent, place)) this.kept.add(JSON.stringify(leaf));
    if (shown === undefined || !isSame(stored, shown) || !isSame(stored, sent)) this.filled += 1;
    return stored;
  }
}

const NONE: ReadonlyMap<string, Exact> = new Map();
const membersOf = (value: Exact | undefined): ReadonlyMap<string, Exact> =>
  value?.kind === 'object' ? value.members : NONE;

function* placesOf(value: Exact, place: Place): Generator<Place> {
  if (value.kind === 'object' && value.members.size > 0)
    for (const [name, member] of value.members) yield* placesOf(member, [...place, name]);
  else if (value.kind === 'list' && value.items.length > 0)
    for (const [i, item] of value.items.entries()) yield* placesOf(item, [...place, i]);
  else yield place;
}

/** A member that identifies the elements of a list: shown unchanged and unique, preferably one that nobody may write. */
function keyOf(
  stored: readonly Exact[],
  shown: readonly Exact[],
  sent: readonly Exact[],
  isFixed: (name: string) => boolean,
): string | null {
  const first = membersOf(shown[0]);
  const spelled = (items: readonly Exact[], name: string): (string | null)[] =>
    items.map((item) => {
      const value = membersOf(item).get(name);
      return value?.kind === 'scalar' ? String(JSON.parse(value.spelled)) : null;
    });
  const isKey = (name: string): boolean => {
    const [ours, real] = [spelled(shown, name), spelled(stored, name)];
    // a new element has no key yet
    const theirs = spelled(sent, name).filter((value) => value !== null);
    return (
      theirs.length > 0 &&
      ours.every((value, n) => value !== null && value === real[n]) &&
      new Set(ours).size === ours.length &&
      new Set(theirs).size === theirs.length
    );
  };
  const names = [...first.keys()].filter(isKey);
  return names.find(isFixed) ?? names.find(identifies) ?? null;
}

const pathOf = (place: Place): string =>
  `/${place.map((step) => (typeof step === 'number' ? '*' : step)).join('/')}`;

const overwritten = (place: Place): SluiceError => {
  const path = pathOf(place);
  return new SluiceError('write_erases', {
    message: `The request replaces a stored value of which the caller is not shown everything: ${path}. Omit it to keep it, or send its members.`,
    paths: [path],
  });
};

const unknowable = (place: Place): SluiceError => {
  const path = pathOf(place);
  return new SluiceError('masked_value_refused', {
    message: `The request writes a list of which the caller is not shown everything, and its elements cannot be matched with the stored ones: ${path}. Omit the list to keep it, send it as it was read, or send each element with its identifier.`,
    paths: [path],
  });
};
