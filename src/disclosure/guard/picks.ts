/**
 * Checks list elements that selectors match (`/fields/[name=Mobile]/value`). Such an element is checked as the field that its `name` states,
 * but an upstream that uses its `id` could write another field. So every other member of the element must be a key of the selector.
 */
import { looksAlike } from '../../model/identifiers.ts';
import type { Pick } from '../fields/automaton.ts';
import { escapeToken } from '../fields/pointer.ts';
import { type Leaf, scalarText } from './leaf.ts';

interface Element {
  readonly node: { readonly [name: string]: unknown };
  /** the selectors that may match it */
  readonly picks: readonly Pick[];
  /** all its leaves */
  readonly leaves: readonly Leaf[];
  readonly around: { readonly path: string; readonly place: readonly (string | number)[] };
  readonly isJson: boolean;
}

/** Pointers of members that may name another field than the one that was checked. */
export function pickFaults({ node, picks, leaves, around, isJson }: Element): readonly string[] {
  const sibling = (key: string): string | undefined =>
    Object.hasOwn(node, key) ? exactly(node[key]) : undefined;
  const to = (name: string): string => `${around.path}/${escapeToken(name)}`;
  // in a map the member's own name states the field; in XML every element has a name
  if (isJson && typeof around.place.at(-1) === 'string') return [around.path];
  const depth = around.place.length;
  const memberOf = (leaf: Leaf): string => String(leaf.place[depth]);
  const strangers = (may: (leaf: Leaf) => boolean): readonly string[] =>
    leaves.filter((leaf) => !may(leaf)).map((leaf) => to(memberOf(leaf)));
  const isKeyOf = (pick: Pick, leaf: Leaf): boolean =>
    leaf.place.length === depth + 1 && pick.wants.some(({ key }) => key === memberOf(leaf));

  const met = picks.filter(({ wants }) => wants.every(({ key, value }) => sibling(key) === value));
  if (met.length > 0) {
    const faults = met.map((pick) =>
      strangers((leaf) => isKeyOf(pick, leaf) || leaf.pointer.startsWith(`${pick.pointer}/`)),
    );
    return faults.reduce((fewest, of) => (of.length < fewest.length ? of : fewest));
  }
  // no selector matches, so that a line with `*` applies; that must hold for the upstream too
  const wants = picks.flatMap((pick) => pick.wants);
  const unnamed = wants.filter(({ key }) => sibling(key) === undefined).map(({ key }) => to(key));
  const nearly = wants
    .filter(({ key, value }) => looksAlike(sibling(key) ?? '', value))
    .map(({ key }) => to(key));
  const members = new Set(picks.flatMap((pick) => pick.members));
  const others = strangers(
    (leaf) => picks.some((pick) => isKeyOf(pick, leaf)) || members.has(memberOf(leaf)),
  );
  return [...new Set([...unnamed, ...nearly, ...others])];
}

/** The text of a scalar; undefined for a number that JavaScript rounds, since the upstream reads another one. */
const exactly = (value: unknown): string | undefined =>
  typeof value === 'number' && !Number.isSafeInteger(value) ? undefined : scalarText(value);
