/** A value that a request's body writes. */
import type { FieldEntry, SubjectPlace } from '../../model/catalog.ts';
import type { Scalar } from '../../model/disclosure.ts';

/** where something stands in a body: names and positions from its root */
export type Place = readonly (string | number)[];

export interface Leaf {
  /** as the catalog writes it; the concrete pointer of a field that no catalog knows */
  readonly pointer: string;
  /** of the catalog's line, where only an answer names the pointer */
  readonly base: string;
  readonly entry: FieldEntry | null;
  /** in an embedded resource, which is written through a route of its own */
  readonly embedded: boolean;
  /** it says whose data the record is, or stands where that is said: at so many steps from the root; null: it does not */
  readonly subject: number | null;
  /** what an id must be there; null: any */
  readonly places: readonly SubjectPlace[] | null;
  /** an element of a list, or within one */
  readonly listed: boolean;
  /** key of a selector that picked the object it stands in: it says which field is written, and is none itself */
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
