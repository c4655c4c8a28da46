/**
 * Names that applications use for parameters whose value names fields: conditions, full text, sort orders, groups, projections. Such a
 * value can use any field of the upstream, so a route must say how it is read.
 */

const words = (...lines: readonly string[]): ReadonlySet<string> =>
  new Set(lines.flatMap((line) => line.split(' ')));

/** The set of records, their order or their counts depend on the fields that the value names. */
const SEARCHES = words(
  // conditions
  'where filter filters filterby rsql fiql criteria criterion condition conditions expr expression cql cqlfilter jql soql sosl',
  'sql kql dsl predicate predicates selector searchcriteria advancedsearch sysparmquery superqueryparams datascope',
  // full text, which is often a language of its own
  'q qs fq qf query queries queryfilter querystring search searches searchquery searchstring searchterm searchterms searchtext',
  'searchfield searchfields searchby searchin keyword keywords fulltext freetext',
  // order
  'sort sorts sorting sortby sortfield sortfields sortcolumn sortcol sortname sortkey sortproperty sortprop sortorder sortdir',
  'sortdirection sidx sord order orders orderby orderbycolumn ordering orderfield ordercolumn ordername orderkey orderdir',
  'orderdirection isasc ascs descs column',
  // groups and counts
  'groupby groupfield having distinct distincton uniqueby facet facets facetfield facetfields facetquery facetpivot agg aggs',
  'aggregate aggregates aggregation aggregations apply compute pivot rollup statsfield countby sumby',
  // FHIR
  'has',
);

/** The value selects returned fields. The catalog handles them, unless the value renames a field or follows a relation. */
const PROJECTIONS = words(
  'select fields fl columns cols projection returnfields outfields sysparmfields',
  'expand include includes includefields revinclude populate embed relations join joins',
);

/** Names of the member that holds a clause's field: `order[0][column]`, `filters[field]`, `q[s]`. */
const MEMBERS = words('field fields column by property attribute direction dir expression s');

export type LanguageName = 'search' | 'projection';

/** Only letters are compared: `sort_by`, `sortBy` and `$orderby`. */
const letters = (name: string): string => name.toLowerCase().replace(/[^a-z]/g, '');

const kindOf = (name: string): LanguageName | null => {
  const text = letters(name);
  return SEARCHES.has(text) ? 'search' : PROJECTIONS.has(text) ? 'projection' : null;
};

/**
 * Also recognizes lists (`sort[]`, `filter[0]`), clauses (`order[0][column]`) and members (`params[sort]`, `page.sort`). Returns null for
 * other names, and for names whose brackets hold the field (`filter[phone][_eq]`).
 */
export function languageName(name: string): LanguageName | null {
  const base = /^[^[]*/.exec(name)![0];
  const inner = [...name.slice(base.length).matchAll(/\[([^[\]]*)\]/g)].map((m) => m[1]!);
  const steps = inner.filter((step) => !/^\d*$/.test(step));
  const own = kindOf(base) ?? kindOf(base.slice(base.lastIndexOf('.') + 1));
  const last = steps.at(-1);
  if (last === undefined) return own;
  if (own === null) return kindOf(last);
  return /^\d*$/.test(inner[0]!) || MEMBERS.has(letters(last)) ? 'search' : null;
}

const DIRECTION = /^(?:|asc|desc|ascending|descending|true|false|none)$/i;
/** Names and paths, without characters by which a value renames, computes or filters. */
const PLAIN_LIST = /^-?[\p{L}_*][\p{L}\p{N}_.*-]*(?:,-?[\p{L}_*][\p{L}\p{N}_.*-]*)*$/u;

/** True if a value of such a parameter uses no field: a direction, or a plain list of returned fields. */
export const isHarmless = (kind: LanguageName, value: unknown): boolean =>
  typeof value === 'boolean' ||
  (typeof value === 'string' && (DIRECTION.test(value) || (kind === 'projection' && PLAIN_LIST.test(value))));

const RELATIONS = words('expand include includes revinclude populate embed relations join joins');
const ORDERS = /^(?:sort(?!dir)|order(?!dir)|sidx|ordering)/;
const WORDS = words(
  'q qs query search searches searchquery searchstring searchterm searchterms searchtext keyword keywords fulltext freetext',
);

/**
 * The line of `query_grammar` or `request.grammar` that a message suggests for such a parameter.
 * @param key the key of the grammar, if it differs from the name
 * @returns null if no grammar reads it; its values can only be listed
 */
export function grammarHint(name: string, key?: string): string | null {
  if (key === undefined && name.startsWith('$')) return `"*": { grammar: odata, ${FIELDS} }`;
  if (key === undefined && name.startsWith('_')) return `"*": { grammar: fhir, ${FIELDS} }`;
  const base = name.replace(/\[\d*\]$/, '');
  if (base.includes('[')) return null;
  const text = letters(base.slice(base.lastIndexOf('.') + 1));
  const at = key ?? (/^[\w-]+$/.test(base) ? base : JSON.stringify(base));
  if (kindOf(text) === 'projection')
    return RELATIONS.has(text) ? `${at}: { grammar: include, ${FIELDS} }` : `${at}: { grammar: select }`;
  if (ORDERS.test(text)) return `${at}: { grammar: sort, ${FIELDS} }`;
  if (WORDS.has(text)) return `${at}: { grammar: text, ${FIELDS} }`;
  return `${at}: { grammar: …, ${FIELDS} }`;
}

/** Each upstream name, with the catalog's pointer. */
const FIELDS = 'fields: { name: /name }';
