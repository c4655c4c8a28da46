/**
 * An element of a list that a selector picks (`/fields/[name=Mobile]/value`) is checked as the field that its `name` says. An upstream that
 * goes by its `id` would write another one. So everything that a written element says beside its values must be a key of the selector.
 */
import { looksAlike } from '../../model/identifiers.ts';
import type { Pick } from '../fields/automaton.ts';
import { escapeToken } from '../fields/pointer.ts';
import { type Leaf, scalarText } from './leaf.ts';

interface Element {
  readonly node: { readonly [name: string]: unknown };
  /** the selectors that may pick it */
  readonly picks: readonly Pick[];
  /** all that stands in it */
  readonly leaves: readonly Leaf[];
  readonly around: { readonly path: string; readonly place: readonly (string | number)[] };
  readonly isJson: boolean;
}

/** Pointers of what may name another field than the one that was checked; empty: nothing does. */
export function pickFaults({ node, picks, leaves, around, isJson }: Element): readonly string[] {
  const sibling = (key: string): string | undefined =>
    Object.hasOwn(node, key) ? exactly(node[key]) : undefined;
  const to = (name: string): string => `${around.path}/${escapeToken(name)}`;
  // In a map the member's own name says which field it is; in XML a name is that of every element.
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
  // No selector picks it, so that a line with `*` covers it: that must hold for the upstream too.
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

/** A number that JavaScript rounds is none that the upstream reads. */
const exactly = (value: unknown): string | undefined =>
  typeof value === 'number' && !Number.isSafeInteger(value) ? undefined : scalarText(value);
