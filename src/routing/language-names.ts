/** Names that applications give to parameters whose value is written in a search language. */

const NAMES: ReadonlySet<string> = new Set([
  // conditions
  ...[
    'where',
    'filter',
    'filters',
    '$filter',
    '_filter',
    'rsql',
    'fiql',
    'criteria',
    'condition',
    'conditions',
  ],
  ...['expr', 'expression', 'cql', 'cql_filter', 'jql', 'soql', 'sql', 'kql', 'predicate', 'selector'],
  // full text, which is often a language too
  ...['q', 'query', 'search', '$search', '_query', 'fq', 'searchquery', 'querystring'],
  // order
  ...[
    'sort',
    'sorts',
    '_sort',
    'sortby',
    'sort_by',
    'sort-by',
    'order',
    'orders',
    'orderby',
    '$orderby',
    'order_by',
  ],
  ...['order-by', 'ordering', 'sortfield', 'sort_field', 'sortcolumn', 'sort_column'],
  // what comes back, by names that can be changed, and what is followed
  ...[
    '$select',
    'select',
    'fields',
    '_fields',
    'fl',
    '$expand',
    'expand',
    'include',
    'includes',
    'populate',
    'embed',
  ],
  ...['_include', '_revinclude', '_has', '$apply', '$compute', 'aggregate', 'groupby', 'group_by', 'having'],
]);

/** Also as a list: `sort[]`, `filter[0]`. A name whose brackets say the field (`filter[phone][_eq]`) is none. */
export const isLanguageName = (name: string): boolean =>
  NAMES.has(
    name
      .replace(/(?:\[\d*\])+$/, '')
      .trim()
      .toLowerCase(),
  );
