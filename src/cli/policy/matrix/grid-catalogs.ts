/** Differences between the catalogs of two policies, line by line, including those that no query about a field shows. */
import type { Catalog, CatalogEntry, EnvelopeRole } from '../../../model/catalog.ts';
import type { PolicySnapshot } from '../../../model/policy.ts';

export interface CatalogChange {
  readonly resource: string;
  /** of a field or of the envelope; null: about the resource */
  readonly pointer: string | null;
  /** `class`, a property of the line, `envelope`, `data_subject`, … */
  readonly what: string;
  /** null: absent before, or after */
  readonly before: string | null;
  readonly after: string | null;
  /** more may be released, whatever the answers are */
  readonly wider: boolean;
}

export function catalogChanges(before: PolicySnapshot, after: PolicySnapshot): CatalogChange[] {
  const resources = new Set([...before.catalogs.keys(), ...after.catalogs.keys()]);
  const found = [...resources].sort().flatMap((resource) => {
    const [a, b] = [before.catalogs.get(resource), after.catalogs.get(resource)];
    if (a === undefined || b === undefined)
      return [change(resource, null, 'catalog', a && 'present', b && 'present', a === undefined)];
    return [...aboutResource(a, b), ...aboutFields(a, b), ...aboutEnvelope(a, b)];
  });
  const [from, to] = [before.data['identifiers'], after.data['identifiers']].map(spelled);
  return from === to ? found : [...found, change('*', null, 'identifiers', from, to, true)];
}

/** No answer about a field and no decision record shows these. */
export const isUnanswered = ({ what }: CatalogChange): boolean =>
  LET_OUT.has(what) || ABOUT_ALL.has(what) || what === 'envelope';

/** about all fields of a resource, or of all resources */
const ABOUT_ALL: ReadonlySet<string> = new Set(['data_subject', 'attributes', 'variants', 'identifiers']);

const change = (
  resource: string,
  pointer: string | null,
  what: string,
  before: string | undefined,
  after: string | undefined,
  wider: boolean,
): CatalogChange => ({ resource, pointer, what, before: before ?? null, after: after ?? null, wider });

const spelled = (value: unknown): string | undefined =>
  value === undefined ? undefined : typeof value === 'string' ? value : JSON.stringify(value);

/** whose a record is, what the policy looks at in it and what type it is decide about all of its fields */
function aboutResource(a: Catalog, b: Catalog): CatalogChange[] {
  const about = (c: Catalog) => ({
    data_subject: c.subject_places ?? c.data_subject,
    attributes: c.attributes,
    variants: c.variants,
  });
  const [before, after] = [about(a), about(b)];
  return (['data_subject', 'attributes', 'variants'] as const).flatMap((what) => {
    const [from, to] = [spelled(before[what]), spelled(after[what])];
    return from === to ? [] : [change(a.resource, null, what, from, to, true)];
  });
}

const classed = (entry: CatalogEntry | undefined): string | undefined =>
  entry === undefined
    ? undefined
    : 'resource' in entry
      ? `resource ${entry.resource}`
      : `${entry.category}/${entry.grade}`;

/** what says how a value is treated shows in the treatments; of these the answers show nothing */
const LET_OUT: ReadonlySet<string> = new Set(['whole', 'parse', 'quasi_identifier', 'write']);

function aboutFields(a: Catalog, b: Catalog): CatalogChange[] {
  const { resource } = a;
  return [...new Set([...Object.keys(a.fields), ...Object.keys(b.fields)])].flatMap((pointer) => {
    const [from, to] = [own(a.fields, pointer), own(b.fields, pointer)];
    const found: CatalogChange[] = [];
    if (classed(from) !== classed(to))
      found.push(change(resource, pointer, 'class', classed(from), classed(to), false));
    if (from === undefined || to === undefined) return found;
    const [x, y] = [propertiesOf(from), propertiesOf(to)];
    for (const what of new Set([...Object.keys(x), ...Object.keys(y)]))
      if (spelled(x[what]) !== spelled(y[what]))
        found.push(change(resource, pointer, what, spelled(x[what]), spelled(y[what]), LET_OUT.has(what)));
    return found;
  });
}

const own = <T>(table: { readonly [name: string]: T }, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;

function propertiesOf(entry: CatalogEntry): { readonly [name: string]: unknown } {
  if ('resource' in entry) return {};
  const { category: _category, grade: _grade, description: _description, ...rest } = entry;
  return rest;
}

const LEAVES: readonly EnvelopeRole[] = ['record', 'record_count', 'total', 'status'];

function aboutEnvelope(a: Catalog, b: Catalog): CatalogChange[] {
  return [...new Set([...Object.keys(a.envelope), ...Object.keys(b.envelope)])].flatMap((pointer) => {
    const [from, to] = [own(a.envelope, pointer)?.is, own(b.envelope, pointer)?.is];
    if (from === to) return [];
    return [change(a.resource, pointer, 'envelope', from, to, to !== undefined && LEAVES.includes(to))];
  });
}
