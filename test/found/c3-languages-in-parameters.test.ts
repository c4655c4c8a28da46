/**
 * Class: a parameter whose value is written in a language. Root cause: a route listed the fields of a parameter by its name, while the
 * value named others (`where={"ssn":…}`, `order=-name`). Every search that can be written with any name is either taken apart to the last
 * name or refused.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isSluiceError } from '../../src/errors.ts';
import { encoded } from '../routing/grammars/table.ts';
import { ask, codeOf, JSON_TYPE, route, routerOf, routesConfig } from '../routing/setup.ts';

const LISTED = ['name', 'phone', 'mail'];
const HIDDEN = ['ssn', 'pin', 'Name', 'name2', 'nam', 'constructor', '__proto__', 'toString'];
const FIELDS = Object.fromEntries(LISTED.map((name) => [name, `/${name}`]));

interface Written {
  readonly text: string;
  readonly names: readonly string[];
}
type Search = fc.Arbitrary<Written>;

const name = fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...LISTED) }, fc.constantFrom(...HIDDEN));
/** What a value may hold: names of other fields, and the signs that the languages are made of. */
const value = fc.oneof(
  fc.constantFrom(
    'x',
    '138',
    'a ssn b',
    'ssn eq 1',
    'a;ssn==1',
    'a,ssn.eq.1',
    "o'n",
    '张三',
    '"',
    ') or (ssn',
  ),
  fc.string({ maxLength: 8 }).filter((s) => !s.includes('\0')),
);
const word = fc.stringMatching(/^[a-z0-9]{1,6}$/);

/** A condition on one name, joined with others to any depth. */
function joined(clause: Search, join: (parts: readonly string[], or: boolean) => string): Search {
  return fc.letrec<{ tree: Written }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      clause,
      fc.tuple(fc.array(tie('tree'), { minLength: 1, maxLength: 3 }), fc.boolean()).map(([parts, or]) => ({
        text: join(
          parts.map((p) => p.text),
          or,
        ),
        names: parts.flatMap((p) => p.names),
      })),
    ),
  })).tree;
}

const clause = (
  values: fc.Arbitrary<string>,
  operators: readonly string[],
  write: (name: string, operator: string, value: string) => string,
): Search =>
  fc
    .tuple(name, fc.constantFrom(...operators), values)
    .map(([n, operator, v]) => ({ text: write(n, operator, v), names: [n] }));

/** `{"__proto__": …}` as JSON.parse makes it: a member like any other. */
const member = (key: string, json: string): string => `{${JSON.stringify(key)}:${json}}`;

const quoted = value.map((v) => `'${v.replaceAll("'", "''")}'`);

const LANGUAGES: { readonly [grammar: string]: { readonly at: string; readonly search: Search } } = {
  sort: {
    at: 'sort',
    search: fc
      .array(fc.tuple(fc.constantFrom('', '-', '+'), name, fc.constantFrom('', ' desc', ':asc')), {
        minLength: 1,
        maxLength: 4,
      })
      .map((items) => ({
        text: `sort=${items.map((i) => i.join('')).join(',')}`,
        names: items.map(([, n]) => n),
      })),
  },
  parse: {
    at: 'where',
    search: joined(
      clause(value, ['', '$eq', '$regex', '$in'], (n, operator, v) => {
        const json = JSON.stringify(operator === '$in' ? [v] : v);
        return member(n, operator === '' ? json : member(operator, json));
      }),
      (parts, or) => member(or ? '$or' : '$and', `[${parts.join()}]`),
    ).map(({ text, names }) => ({ text: `where=${text.replaceAll('&', '\\u0026')}`, names })),
  },
  mongo: {
    at: 'filter',
    search: joined(
      clause(value, ['$gt', '$not'], (n, operator, v) =>
        member(
          n,
          operator === '$not'
            ? member('$not', member('$eq', JSON.stringify(v)))
            : member(operator, JSON.stringify(v)),
        ),
      ),
      (parts, or) => member(or ? '$or' : '$nor', `[${parts.join()}]`),
    ).map(({ text, names }) => ({ text: `filter=${text.replaceAll('&', '\\u0026')}`, names })),
  },
  directus: {
    at: 'filter',
    search: fc
      .array(fc.tuple(name, fc.constantFrom('_eq', '_starts_with'), word), { minLength: 1, maxLength: 3 })
      .map((items) => ({
        text: items.map(([n, operator, v], i) => `filter[_and][${i}][${n}][${operator}]=${v}`).join('&'),
        names: items.map(([n]) => n),
      })),
  },
  odata: {
    at: '*',
    search: joined(
      clause(quoted, ['eq', 'contains', 'not'], (n, operator, v) =>
        operator === 'eq'
          ? `${n} eq ${v}`
          : `${operator === 'not' ? 'not ' : ''}contains(tolower(${n}),${v})`,
      ),
      (parts, or) => `(${parts.join(or ? ' or ' : ' and ')})`,
    )
      .filter(({ text }) => !text.includes('&'))
      .map(({ text, names }) => ({ text: `$filter=${text}`, names })),
  },
  rsql: {
    at: 'filter',
    search: joined(
      clause(
        value.filter((v) => !/["\\&]/.test(v)).map((v) => `"${v}"`),
        ['==', '!=', '=ge='],
        (n, operator, v) => `${n}${operator}${v}`,
      ),
      (parts, or) => `(${parts.join(or ? ',' : ';')})`,
    ).map(({ text, names }) => ({ text: `filter=${text}`, names })),
  },
  postgrest: {
    at: '*',
    search: joined(
      clause(
        value.filter((v) => !/["\\&;]|%/.test(v)).map((v) => `"${v}"`),
        ['eq', 'not.like'],
        (n, operator, v) => `${n}.${operator}.${v}`,
      ),
      (parts, or) => `${or ? 'or' : 'not.and'}(${parts.join()})`,
    ).map(({ text, names }) => ({ text: `and=(${text})`, names })),
  },
  fhir: {
    at: '*',
    search: fc
      .array(fc.tuple(name, fc.constantFrom('', ':exact', ':contains')), { minLength: 1, maxLength: 3 })
      .map((items) => ({
        text: `${items.map(([n, modifier]) => `${n}${modifier}=x`).join('&')}&_sort=${items.map(([n]) => `-${n}`).join()}`,
        names: items.map(([n]) => n),
      })),
  },
};

describe('a search goes by exactly the fields that it names, and one that names another is refused', () => {
  test.each(Object.entries(LANGUAGES))('in %s', (grammar, { at, search }) => {
    const router = routerOf(
      route('GET /c', { action: 'search', query_grammar: { [at]: { grammar, fields: FIELDS } } }),
    );
    fc.assert(
      fc.property(search, ({ text, names }) => {
        const target = `/c?${encoded(text)}`;
        if (names.every((n) => LISTED.includes(n)))
          expect(ask(router, 'GET', target).queryFields).toEqual(
            [...new Set(names.map((n) => `/${n}`))].sort(),
          );
        else expect(codeOf(router, 'GET', target)).toBe('query_parameter_unknown');
      }),
      { numRuns: 300 },
    );
  });
});

describe('a parameter with the name of a language and no grammar is a fault', () => {
  const fault = (more: object): string => {
    try {
      routesConfig([route('GET /c', { action: 'search', ...more })]);
      return 'none';
    } catch (e) {
      return isSluiceError(e) ? e.message : String(e);
    }
  };
  const NAMES =
    'where filter $filter sort order orderby $orderby q query search Sort FILTER sort[] filter[0] _sort fields';
  test.each(NAMES.split(' '))('%s', (parameter) => {
    const said = /has the name of a query-language parameter.*query_grammar/;
    expect(fault({ query_fields: { [parameter]: '/name' } })).toMatch(said);
    expect(fault({ query_params: [parameter] })).toMatch(said);
    expect(fault({ when: { query: { [parameter]: { present: true } } } })).toMatch(said);
    expect(fault({ query_params: [parameter], uninspected: ['x'] })).toMatch(/has no query parameter/);
    expect(fault({ query_params: [parameter], uninspected: true })).toBe('none');
    expect(fault({ query_params: [parameter], uninspected: [parameter] })).toBe('none');
    expect(fault({ query_params: [parameter], query_values: { [parameter]: '.*' } })).toMatch(said);
    expect(fault({ query_grammar: { [parameter]: { grammar: 'sort', fields: FIELDS } } })).toBe('none');
  });
  // Listing the values of a parameter says which searches there are, not by which fields they go.
  const SEARCHES =
    'where filter $filter sort order orderby $orderby q query search Sort sort[] _sort sort_by sortField sort-field sidx orderByColumn isAsc order[0][column] order[0][dir] columns[0][data] q[s] params[sort] pageable.sort searchCriteria[filter_groups][0][filters][0][field] groupby group_by having distinct facet facet.field aggregate keyword searchTerm sysparm_query column'.split(
      ' ',
    );
  test.each(SEARCHES)('%s needs the fields of its values, too, unless they name none', (parameter) => {
    const listed = { query_values: { [parameter]: ['name', '-name'] } };
    const said = /has the name of a query-language parameter, and the listed values may name fields/;
    expect(fault({ query_params: [parameter], ...listed })).toMatch(said);
    expect(fault({ when: { query: { [parameter]: ['name', '-name'] } } })).toMatch(said);
    expect(fault({ when: { query: { [parameter]: 'phone ne null' } } })).toMatch(said);
    expect(fault({ query_fields: { [parameter]: '/name' }, ...listed })).toBe('none');
    expect(
      fault({ query_fields: { [parameter]: '/name' }, when: { query: { [parameter]: ['name'] } } }),
    ).toBe('none');
    expect(fault({ query_params: [parameter], ...listed, uninspected: true })).toBe('none');
    expect(
      fault({ query_params: [parameter], query_values: { [parameter]: ['', 'asc', 'DESC', 'true'] } }),
    ).toBe('none');
    expect(fault({ query_params: [parameter], query_values: { [parameter]: ['asc', '1'] } })).toMatch(said);
  });
  const PROJECTIONS = 'fields select columns cols $select include expand populate fl fields[]'.split(' ');
  test.each(PROJECTIONS)('%s needs plain names where its values are listed', (parameter) => {
    const values = (...of: string[]) =>
      fault({ query_params: [parameter], query_values: { [parameter]: of } });
    expect(values('id,name', '*', 'orders', 'agent.name', '-notes')).toBe('none');
    for (const value of ['id:ssn', 'ssn as id', 'count(ssn)', 'Orders($filter=ssn eq 1)', 'ssn=1'])
      expect(values('id', value)).toMatch(/has the name of a query-language parameter/);
  });
  test.each(['{sort}', '{order}/{dir}', 'by/{sort_by}'])('a path parameter is one, too: %s', (path) => {
    const [name = ''] = /(?<=\{)\w+/.exec(path) ?? [];
    const at = (more: object) => {
      try {
        routesConfig([route(`GET /c/${path}`, { action: 'search', ...more })]);
        return 'none';
      } catch (e) {
        return isSluiceError(e) ? e.message : String(e);
      }
    };
    expect(at({})).toMatch(/has the name of a query-language parameter/);
    expect(at({ path_fields: { [name]: '/name' } })).toMatch(/list its values/);
    expect(at({ path_fields: { [name]: '/name' }, params: { [name]: 'name|-name' } })).toBe('none');
    expect(at({ uninspected: [name] })).toBe('none');
  });
  test.each(['/where', '/where/**', '/a/filter', '/sort/*'])('%s in a body that searches', (pointer) => {
    const said = /has the name of a query-language parameter.*request\.grammar/;
    expect(fault({ request: { params: [pointer] } })).toMatch(said);
    expect(fault({ request: { fields: { [pointer]: '/name' } } })).toMatch(said);
    expect(fault({ request: { params: [pointer] }, uninspected: [pointer] })).toBe('none');
    expect(fault({ request: { params: [pointer] }, uninspected: true })).toBe('none');
    expect(fault({ action: 'update', request: { params: [pointer] } })).toMatch(said);
    expect(fault({ action: 'update', request: { params: [pointer], record: '/set' } })).toMatch(said);
    expect(fault({ action: 'update', when: { body: { [pointer]: 'name' } } })).toBe('none');
    expect(fault({ when: { body: { [pointer]: 'name' } } })).toMatch(said);
    expect(fault({ when: { body: { [pointer]: 'asc' } } })).toBe('none');
    expect(
      fault({ when: { body: { [pointer]: 'name' } }, request: { fields: { [pointer]: '/name' } } }),
    ).toBe('none');
  });
  test('several of a route are one fault, which suggests a grammar for each', () => {
    const of = (query_params: string[]) => fault({ query_params });
    expect(of(['limit', 'sort', 'fields', 'q', 'filter', 'include'])).toMatch(
      /^[^\n]*"sort", "fields", "q", "filter", "include" have names of query-language parameters[^\n]*\{ sort: \{ grammar: sort, fields: [^\n]*, fields: \{ grammar: select \}, q: \{ grammar: text, [^\n]*, filter: \{ grammar: …, [^\n]*, include: \{ grammar: include, [^\n]*uninspected: \["sort", "fields", "q", "filter", "include"\]$/,
    );
    expect(of(['$filter', '$select'])).toContain('e.g. { "*": { grammar: odata, fields: { name: /name } } }');
    expect(of(['_sort', '_include'])).toContain('e.g. { "*": { grammar: fhir, fields: { name: /name } } }');
    expect(fault({ request: { params: ['/a/0/fields/*', '/a/0/order'] } })).toContain(
      '{ /a/0/fields: { grammar: select }, /a/0/order: { grammar: sort, fields: { name: /name } } }',
    );
  });
  test('/query is one where the route is none of GraphQL, which is warned of', () => {
    const query = { request: { params: ['/query/**'] } };
    expect(fault(query)).toMatch(/has the name of a query-language parameter/);
    expect(() =>
      routesConfig([route('POST /graphql', { action: 'search', request: { params: ['/query'] } })]),
    ).not.toThrow();
  });
  const POST = (params: readonly string[], more: object = {}) =>
    routerOf(route('POST /c', { action: 'search', request: { params, ...more } }));
  const body = (value: object) => ({ body: JSON.stringify(value), type: JSON_TYPE });
  test.each([
    { a: { where: { ssn: 1 } } },
    { a: { b: [{ sort: 'ssn' }] } },
    { a: { order: [[0, 'ssn']] } },
    { a: { query: { term: { ssn: 1 } } } },
    { a: { fields: ['x:ssn'] } },
    { a: { aggs: { x: { field: 'ssn' } } } },
  ])('a member of that name is refused where the route lets in any: %j', (value) => {
    expect(codeOf(POST(['/a/**']), 'POST', '/c', body(value))).toBe('query_parameter_unknown');
    expect(codeOf(POST(['/**']), 'POST', '/c', body(value))).toBe('query_parameter_unknown');
  });
  test.each([{ a: { b: 'x' } }, { a: { fields: ['id', 'name'] } }, { a: { order: 'desc' } }])(
    'one that goes by no field is not: %j',
    (value) => {
      expect(codeOf(POST(['/a/**']), 'POST', '/c', body(value))).toBe('routed');
    },
  );
  test('nor one that the route names', () => {
    const named = POST(['/a/**'], { grammar: { '/a/sort': { grammar: 'sort', fields: FIELDS } } });
    expect(codeOf(named, 'POST', '/c', body({ a: { sort: 'name', b: 1 } }))).toBe('routed');
    expect(codeOf(named, 'POST', '/c', body({ a: { sort: 'ssn', b: 1 } }))).toBe('query_parameter_unknown');
  });
  test('but one whose name says the field is not', () => {
    expect(fault({ query_fields: { 'filter[phone][_starts_with]': '/phone', 'sort[name]': '/name' } })).toBe(
      'none',
    );
  });
  test.each([
    [{ query_grammar: { '*': { grammar: 'sort' } } }, /is the language of one parameter/],
    [{ request: { grammar: { '/q': { grammar: 'odata' } } } }, /if the body is a form/],
    [{ query_grammar: { q: { grammar: 'mongoo' } } }, /did you mean "mongo"/],
    [{ query_grammar: { q: { grammar: 'text' } }, query_params: ['q'] }, /is already in query_params/],
    [{ query_params: ['limit'], query_values: { limits: '[0-9]+' } }, /did you mean "limit"/],
    [{ query_params: ['limit'], query_values: { limit: '(' } }, /is not an RE2 pattern/],
  ])('%j is a fault', (more, said) => {
    expect(fault(more)).toMatch(said);
  });
});

describe('a value that may be two parameters for some servers is refused', () => {
  const router = routerOf(
    route('GET /c', {
      query_grammar: {
        sort: { grammar: 'sort', fields: FIELDS },
        filter: { grammar: 'directus', fields: FIELDS },
        where: { grammar: 'parse', fields: FIELDS },
        q: { grammar: 'text', fields: FIELDS },
      },
    }),
    route('GET /fhir', { query_grammar: { '*': { grammar: 'fhir', fields: FIELDS } } }),
    route('GET /rest', { query_grammar: { '*': { grammar: 'postgrest', fields: FIELDS } } }),
  );
  test.each([
    '/c?sort=name;ssn=1',
    '/c?q=a%26ssn=1',
    '/c?q=a;ssn',
    '/c?filter[name][_eq]=a;ssn=1',
    '/c?filter[name][_eq]=a%253Bssn=1',
    '/fhir?name=a;ssn=1',
    '/fhir?name=a%2526ssn=1',
    '/rest?name=eq.a;ssn=eq.1',
  ])('%s', (target) => {
    expect(codeOf(router, 'GET', target)).toBe('query_parameter_unknown');
  });
  test('but in JSON it is a text like any other', () => {
    expect(codeOf(router, 'GET', `/c?where=${encodeURIComponent('{"name":"a;b"}')}`)).toBe('routed');
  });
});

describe('values of a parameter are held to the route’s list', () => {
  const router = routerOf(
    route('GET /c', {
      query_params: ['limit', 'state', 'note', 'a'],
      repeatable: ['state'],
      query_values: { limit: '[0-9]{1,3}', state: ['open', 'closed'], note: '[^&]*' },
    }),
  );
  test.each(['limit=10', 'state=open&state=closed', 'note=a;b', 'a=x'])('%s is let in', (query) => {
    expect(codeOf(router, 'GET', `/c?${query}`)).toBe('routed');
  });
  test.each([
    'limit=x',
    'limit=1;key=2',
    'limit=1%3Bkey=2',
    'limit=1%0A',
    'limit=',
    'state=open&state=x',
    'a=1;key=2',
    'a=1%253Bkey',
    'a=1%2526key',
  ])('%s is refused', (query) => {
    expect(codeOf(router, 'GET', `/c?${query}`)).toBe('query_parameter_unknown');
  });
});
