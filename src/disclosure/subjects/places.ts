/**
 * Data subjects by places with a type or a pattern (`{ at: /subject/reference, type: patient_no, pattern: "Patient/(.+)" }`). A value names a
 * person only if it has the form of the type; it is then looked up among the aliases.
 */
import { LRUCache } from 'lru-cache';
import { compilePattern, type Pattern } from '../../documents/pattern.ts';
import type { SubjectPlace } from '../../model/catalog.ts';
import type { Scalar, TypedId } from '../../model/disclosure.ts';
import { idOf } from './spelling.ts';
import { subjectId } from './id.ts';

/** The value of a place. */
export interface NamedSubject {
  readonly place: SubjectPlace;
  /** null: the value cannot be an id */
  readonly text: string | null;
}

/** a longer text is no id */
const LONGEST = 256;

/** @returns null: there is no value, so that nobody is named */
export function namedSubject(place: SubjectPlace, value: Scalar): NamedSubject | null {
  if (value.kind === 'null') return null;
  if (value.kind === 'boolean') return { place, text: null };
  const text = idOf(subjectId(value) ?? '');
  if (text === '') return null;
  return { place, text: text.length > LONGEST ? null : partOf(place, text) };
}

/** The part of a value that is the id: the first group of the place's pattern. */
function partOf({ pattern }: SubjectPlace, text: string): string | null {
  if (pattern === null) return text;
  const matcher = compiled(pattern).matcher(text);
  if (!matcher.matches()) return null;
  const part = matcher.groupCount() > 0 ? matcher.group(1) : text;
  return part === null || part === undefined || idOf(part) === '' ? null : idOf(part);
}

const patterns = new LRUCache<string, Pattern>({ max: 500 });

/** linear in the text, whatever the pattern: the text is the upstream's */
function compiled(pattern: string): Pattern {
  let re = patterns.get(pattern);
  if (re === undefined) {
    re = compilePattern(pattern);
    patterns.set(pattern, re);
  }
  return re;
}

/** a key by type and text; unambiguous, since a type has no line break */
export const keyOf = ({ type, text }: TypedId): string => `${type}\n${text}`;

/** The ids of a scope that must be looked up. */
export function* typedIds(named: readonly NamedSubject[]): Generator<TypedId> {
  for (const { place, text } of named)
    if (text !== null && place.type !== null) yield { type: place.type, text };
}

const idAt = (
  { place: { type }, text }: NamedSubject,
  known: ReadonlyMap<string, string>,
): string | undefined =>
  text === null ? undefined : type === null ? text : known.get(keyOf({ type, text }));

/**
 * The data subjects of a scope, by the values of its places.
 * @param known ids by `keyOf`
 * @returns null: a value names no known person, or places of one person name several
 */
export function canonicalIds(
  named: readonly NamedSubject[],
  known: ReadonlyMap<string, string>,
): readonly string[] | null {
  if (named.length === 1 && named[0]!.place.person === null) {
    const id = idAt(named[0]!, known);
    return id === undefined ? null : [id];
  }
  const ids = new Set<string>();
  const together = new Map<number, Set<string>>();
  const unknown = new Set<number>();
  for (const value of named) {
    const { person } = value.place;
    const id = idAt(value, known);
    if (person === null) {
      if (id === undefined) return null;
      ids.add(id);
    } else if (id === undefined) unknown.add(person);
    else together.set(person, (together.get(person) ?? new Set()).add(id));
  }
  for (const [person, all] of together) {
    if (all.size > 1) return null;
    for (const id of all) ids.add(id);
    unknown.delete(person);
  }
  return unknown.size > 0 ? null : [...ids];
}
