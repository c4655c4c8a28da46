/** The class of each field of each resource, and its mask (design §5.4). */

import { LISTS, WRITES } from './actions.ts';
import type { LayoutOf } from './disclosure.ts';

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
  /** the text is a document in this format, disclosed by the entries below this field */
  readonly parse?: string;
  /** covers everything below the field, including objects; otherwise the field is a scalar or an array of scalars */
  readonly whole?: boolean;
  /** who may write it; absent: as the policy's data says for its category, else `as_read` */
  readonly write?: WriteMode;
  /** used to count groups of records for `min_group_size` */
  readonly quasi_identifier?: boolean;
  readonly description?: string;
}

/** `never`: nobody; `as_read`: callers who may see it unchanged or scrubbed; `always`: also callers who may not see it. */
export const WRITE_MODES = ['never', 'as_read', 'always'] as const;
export type WriteMode = (typeof WRITE_MODES)[number];

/** A field whose value is another resource (or a list of them), with its own catalog and data subject. */
export interface EmbeddedEntry {
  readonly resource: string;
}

export type CatalogEntry = FieldEntry | EmbeddedEntry;

/** The meaning of a response field outside the records. */
export type EnvelopeRole =
  | 'record' // a record, in addition to those that the route names
  | 'records' // the records (a route's `records` takes precedence)
  | 'record_count' // number of records in this response: recomputed
  | 'total' // number of records that match: removed when records were withheld
  | 'link' // refers to other pages or to the upstream: removed
  | 'status' // describes the call and no data subject: kept
  | 'drop';

export interface EnvelopeEntry {
  readonly is: EnvelopeRole;
}

/** Where a record names its data subject, and the form of the value. */
export interface SubjectPlace {
  readonly at: string;
  /** from `identifiers` in the policy's data; null: any text is an id */
  readonly type: string | null;
  /** RE2; matches the entire value, its first group is the id; null: the entire value is the id */
  readonly pattern: string | null;
  /** places with the same number name one person; null: each value names a person */
  readonly person: number | null;
}

/** Records of several types in one place, distinguished by the value of a member. */
export interface Variants {
  /** pointer of one step to that member; `/{key}`: the record's own name (of its member or XML element) */
  readonly by: string;
  /** value → the resource whose catalog applies; any other value withholds the record */
  readonly of: { readonly [value: string]: string };
}

export interface Catalog {
  readonly resource: string;
  /** such a catalog has no fields of its own */
  readonly variants?: Variants;
  /** pointers within a record to the id(s) of its data subjects; if there are several, the strictest answer applies */
  readonly data_subject: readonly string[];
  /** all of `data_subject`, if any has a type or a pattern, or names a person together with another */
  readonly subject_places?: readonly SubjectPlace[];
  /** name → pointer: attributes of a record that the policy may read */
  readonly attributes: { readonly [name: string]: string };
  readonly fields: { readonly [pointer: string]: CatalogEntry };
  readonly envelope: { readonly [pointer: string]: EnvelopeEntry };
}

/** The members of a route that describe its responses. */
export interface AnswersOf {
  readonly action: string;
  readonly records?: string | undefined;
  readonly id?: string | undefined;
  readonly path_fields: { readonly [name: string]: unknown };
  readonly response: { readonly format?: string | undefined };
}

/**
 * True if a response that may hold data of several people is one record to its catalog (`data_subject` has a `*`): one person who objects
 * withholds all of it.
 */
export function isPageOfOne(
  { data_subject, envelope }: Catalog,
  route: AnswersOf,
  layoutOf: LayoutOf,
): boolean {
  const { action, records, id, path_fields, response } = route;
  const layout = layoutOf(response.format ?? null);
  if (WRITES.has(action) || records !== undefined || layout === 'rows') return false;
  // The body is not parsed: it names no data subject.
  if (response.format === 'whole') return false;
  if (
    LISTS.has(action) &&
    layout !== 'elements' &&
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
 * The write mode of a field, whatever a policy answers: that of its catalog entry, else that of its category in the policy's data
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

/** Categories of the fields of these catalogs, sorted. */
export const categoriesOf = (catalogs: ReadonlyMap<string, Catalog>): readonly string[] =>
  [
    ...new Set(
      [...catalogs.values()].flatMap(({ fields }) =>
        Object.values(fields).flatMap((entry) => ('category' in entry ? [entry.category] : [])),
      ),
    ),
  ].sort();
