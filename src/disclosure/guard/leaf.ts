/** The values that a request's body writes. */
import type { FieldEntry, SubjectPlace } from '../../model/catalog.ts';
import type { Scalar } from '../../model/disclosure.ts';

/** a place in a body: names and positions from its root */
export type Place = readonly (string | number)[];

export interface Leaf {
  /** as the catalog spells it; the concrete pointer if the field is in no catalog */
  readonly pointer: string;
  /** pointer of the catalog's line, which differs if an answer added the field */
  readonly base: string;
  readonly entry: FieldEntry | null;
  /** in an embedded resource, which must be written through its own route */
  readonly embedded: boolean;
  /** it is a data subject's id or within the value of one, which is at this depth from the root; null: it is not */
  readonly subject: number | null;
  /** requirements for an id there; null: none */
  readonly places: readonly SubjectPlace[] | null;
  /** an element of a list, or within one */
  readonly listed: boolean;
  /** it is the key of a selector that matched its object: it states which field is written and is no field */
  readonly key: boolean;
  /** null for an empty object or list */
  readonly value: Scalar | null;
  readonly place: Place;
}

export function scalarOf(value: unknown): Scalar | null {
  if (typeof value === 'string') return { kind: 'string', text: value };
  if (typeof value === 'number') return { kind: 'number', text: String(value) };
  if (typeof value === 'boolean') return { kind: 'boolean', text: value ? 'true' : 'false' };
  if (value === null) return { kind: 'null', text: 'null' };
  return null;
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const scalarText = (value: unknown): string | undefined =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined;
