/** Which field of which resource has which class, and which mask suits it (design §5.4). */

import { LISTS, WRITES } from './actions.ts';

export interface FieldEntry {
  readonly category: string;
  /** 1 public … 5 secret */
  readonly grade: number;
  /** kind of mask, e.g. `phone`, or a kind with parameters */
  readonly mask?: string | { readonly kind: string; readonly [parameter: string]: unknown };
  readonly generalize?: { readonly [parameter: string]: unknown };
  readonly pseudonymize?: { readonly [parameter: string]: unknown };
  readonly tokenize?: { readonly [parameter: string]: unknown };
  readonly encrypt?: { readonly [parameter: string]: unknown };
  readonly scrub?: { readonly [parameter: string]: unknown };
  /** the text that stands here is a document of this format: disclosed by the lines below */
  readonly parse?: string;
  /** covers all that stands below it, objects too; without it a scalar, or an array of scalars */
  readonly whole?: boolean;
  /** who may write it; absent: what the policy's data says of its category, else `as_read` */
  readonly write?: WriteMode;
  /** counted when records are grouped for `min_group_size` */
  readonly quasi_identifier?: boolean;
  readonly description?: string;
}

/** `never`: nobody; `as_read`: whoever may see it undisguised, or scrubbed; `always`: also who may not see it. */
export const WRITE_MODES = ['never', 'as_read', 'always'] as const;
export type WriteMode = (typeof WRITE_MODES)[number];

/** A field whose value is another resource (or a list of them), with its own catalog and data subject. */
export interface EmbeddedEntry {
  readonly resource: string;
}

export type CatalogEntry = FieldEntry | EmbeddedEntry;

/** What a field of the response around the records is. */
export type EnvelopeRole =
  | 'record' // each thing that stands here is a record, besides those where the route says
  | 'records' // where the records are (a route's `records` wins)
  | 'record_count' // number of records in this answer: recomputed
  | 'total' // number of records that match: removed when records were withheld
  | 'link' // leads to other pages or to the upstream: removed
  | 'status' // says how the call went and nothing about a data subject: kept
  | 'drop';

export interface EnvelopeEntry {
  readonly is: EnvelopeRole;
}

/** Where a record says whose it is, with what the value there has to be. */
export interface SubjectPlace {
  readonly at: string;
  /** of `identifiers` in the policy's data; null: any text is an id */
  readonly type: string | null;
  /** RE2; matches the whole value, its first group is the id; null: all of it is */
  readonly pattern: string | null;
  /** places with the same number name one person; null: each value names one of its own */
  readonly person: number | null;
}

/** Records of several types in one place, told apart by what one of their members says. */
export interface Variants {
  /** pointer of one step: the member that says it; `/{key}`: the record's own name (a member's, an XML element's) */
  readonly by: string;
  /** what it says → the resource whose catalog holds; anything else withholds the record */
  readonly of: { readonly [value: string]: string };
}

export interface Catalog {
  readonly resource: string;
  /** such a catalog has no fields of its own */
  readonly variants?: Variants;
  /** pointers within a record to the id(s) of whom it is about; several: the strictest answer wins */
  readonly data_subject: readonly string[];
  /** all of `data_subject`, where any of them has a type or a pattern, or names a person together with another */
  readonly subject_places?: readonly SubjectPlace[];
  /** name → pointer: what the policy may look at, per record */
  readonly attributes: { readonly [name: string]: string };
  readonly fields: { readonly [pointer: string]: CatalogEntry };
  readonly envelope: { readonly [pointer: string]: EnvelopeEntry };
}

/** What of a route says what its answers hold. */
export interface AnswersOf {
  readonly action: string;
  readonly records?: string | undefined;
  readonly id?: string | undefined;
  readonly path_fields: { readonly [name: string]: unknown };
  readonly response: { readonly format?: string | undefined };
}

/** Formats whose whole answer is one record where nothing says where its records are; `undefined`: it may come as one of them. */
const OF_ONE: ReadonlySet<string | undefined> = new Set([undefined, 'json', 'xml', 'form']);

/**
 * Whether answers of a route that may hold the data of several people are one record to its catalog (`data_subject` has a `*`): one of them who objects
 * withholds all.
 */
export function isPageOfOne({ data_subject, envelope }: Catalog, route: AnswersOf): boolean {
  const { action, records, id, path_fields, response } = route;
  if (WRITES.has(action) || records !== undefined || !OF_ONE.has(response.format)) return false;
  if (
    LISTS.has(action) &&
    response.format !== 'xml' &&
    Object.values(envelope).some(({ is }) => is === 'records')
  )
    return false;
  const named = id !== undefined || Object.keys(path_fields).length > 0;
  return data_subject.some(
    (at) => at.startsWith('/*') || ((LISTS.has(action) || !named) && at.split('/').includes('*')),
  );
}

export const classOf = (entry: FieldEntry): string => `${entry.category}/${entry.grade}`;

/**
 * What holds of a field's writes, whatever a policy answers: the line's word, else that of its category in the policy's data
 * (`categories.<name>.write`).
 */
export function writeModeOf(entry: FieldEntry, data: { readonly [name: string]: unknown }): WriteMode {
  const stated = entry.write ?? memberOf(memberOf(data['categories'], entry.category), 'write');
  return WRITE_MODES.find((mode) => mode === stated) ?? (stated === undefined ? 'as_read' : 'never');
}

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as { readonly [name: string]: unknown })[name]
    : undefined;
