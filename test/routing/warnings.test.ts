import { FORMATS } from '../../src/disclosure/formats/formats.ts';
import { describe, expect, test } from 'vitest';
import type { Catalog } from '../../src/model/catalog.ts';
import { layoutOf } from '../../src/disclosure/media.ts';
import { routeWarnings } from '../../src/routing/index.ts';
import { route, routesConfig } from './setup.ts';

const catalog = (resource: string, data_subject: readonly string[]): [string, Catalog] => [
  resource,
  {
    resource,
    data_subject,
    attributes: {},
    fields: { '/phone': { category: 'contact', grade: 3 }, '/agent': { resource: 'employee' } },
    envelope: {},
  },
];
const CATALOGS = new Map([catalog('customer', ['/id']), catalog('product', [])]);

const warned = (more: object, match = 'PATCH /c/{id}'): readonly string[] =>
  routeWarnings(routesConfig([route(match, more)]), CATALOGS, layoutOf).map(
    ({ route: i, key, message }) => `${[i, ...key].join('.')} ${message}`,
  );

describe('a route that writes about somebody whom it does not name is warned of', () => {
  test('where it updates: an id alone says which record, not whose', () => {
    const [only, ...more] = warned({ action: 'update', id: '{id}' });
    expect(only).toMatch(
      /^0\.action the data subject of this write is read only from the body \(\/id\), .* data_subject: "\{id\}"$/,
    );
    expect(more).toEqual([]);
  });
  test('with a body to take it from, where the route has no id', () => {
    expect(warned({ action: 'update', request: { record: '/data' } }, 'POST /c').join()).toContain(
      'data_subject: "{body:/data/id}"',
    );
  });
  test('where it deletes', () => {
    expect(warned({ action: 'delete', id: '{id}' }, 'DELETE /c/{id}')).toHaveLength(1);
  });
  test.each([
    [{ query_fields: { phone: '/phone' } }, 'DELETE /c'],
    [{ query_grammar: { '*': { grammar: 'postgrest', fields: { phone: '/phone' } } } }, 'DELETE /c'],
    [{ path_fields: { by: '/phone' } }, 'DELETE /by/{by}'],
    [{ request: { grammar: { '/f': { grammar: 'mongo', fields: { phone: '/phone' } } } } }, 'DELETE /c'],
  ])('where it writes whatever a search finds: %j', (more, match) => {
    for (const action of ['create', 'update', 'delete']) {
      const [only, ...others] = warned({ action, ...more }, match);
      expect(only).toMatch(/^0\.action this route writes the records that a search by \/phone finds/);
      expect(others).toEqual([]);
      expect(warned({ action, ...more, resource: 'product' }, match)).toEqual([]);
    }
  });
  test('where it creates what has an id already', () => {
    expect(warned({ action: 'create', id: '{id}' })).toHaveLength(1);
  });
  test.each([
    ['it names them', { action: 'update', id: '{id}', data_subject: '{id}' }],
    ['they are new', { action: 'create' }],
    ['its resource is about nobody', { action: 'update', id: '{id}', resource: 'product' }],
    ['it reads', { id: '{id}' }],
  ])('but not where %s', (_, more) => {
    expect(warned(more)).toEqual([]);
  });
});

describe('a page that is one record, about everybody on it, is warned of', () => {
  const page = (at: string, more: object = {}, envelope: object = {}, match = 'GET /c'): string => {
    const [name, of] = catalog('page', [at]);
    const catalogs = new Map([[name, { ...of, envelope } as Catalog]]);
    return routeWarnings(routesConfig([route(match, { resource: 'page', ...more })]), catalogs, layoutOf)
      .map(({ message }) => message)
      .join('\n');
  };
  test.each([
    ['/*/id', {}, '/*'],
    ['/*/id', { id: '{id}' }, '/*'],
    ['/items/*/id', {}, '/items/*'],
    ['/items/*/id', { action: 'search' }, '/items/*'],
    ['/list/*/owner/id', { action: 'export', response: { format: 'xml' } }, '/list/*'],
  ])('%s %j', (at, more, records) => {
    expect(page(at, more, {}, 'id' in more ? 'GET /c/{id}' : 'GET /c')).toContain(
      `a page is one record about all data subjects in it (${at}): the page is withheld if one of them is withheld, and searches are refused (narrowed_page_refused): add records: ${records} to the route`,
    );
  });
  test.each(
    // `whole`: a body that is not parsed names no data subjects
    FORMATS.filter(({ layout, name }) => layout !== 'rows' && name !== 'whole').map(({ name }) => name),
  )('in every format whose body is one record: %s', (format) => {
    expect(page('/*/id', { action: 'search', response: { format } })).toContain('a page is one record');
  });
  test.each([
    ['its records are named', '/*/id', { records: '/*' }],
    ['its rows are records', '/*/id', { action: 'export', response: { format: 'csv' } }],
    ['one record is read, with several people in it', '/members/*/id', { id: '{id}' }],
    ['it is about one person', '/id', { action: 'search' }],
  ])('but not where %s', (_, at, more) => {
    expect(page(at, more, {}, 'id' in more ? 'GET /c/{id}' : 'GET /c')).toBe('');
  });
  test('nor where the catalog says where its records are', () => {
    expect(page('/members/*/id', { action: 'search' }, { '/items': { is: 'records' } })).toBe('');
  });
});

describe('a query parameter with the name of a field that is said to touch none is warned of', () => {
  const said = (query_params: readonly string[], more: object = {}) =>
    warned({ action: 'search', query_params, records: '/*', ...more }, 'GET /c').join();
  test.each(['phone', 'Phone', 'PHONE'])('%s', (name) => {
    expect(said(['x', name])).toContain(
      `0.query_params.1 "${name}" has the name of the field /phone, but query_params is for parameters that search by no field: use query_fields: { "${name}": /phone }`,
    );
  });
  test.each(['status', 'telephone', 'page'])('but not %s', (name) => {
    expect(said([name])).toBe('');
  });
});

describe('a GraphQL route whose query the caller writes is warned of', () => {
  const search = (request: object, more: object = {}) =>
    warned({ action: 'search', request, ...more }, 'POST /api/GraphQL');
  test.each(['/query', '/**', '/*'])('where %s may be anything', (pointer) => {
    expect(search({ params: ['/operationName', pointer] }).join()).toMatch(
      /^0\.request\.params\.1 .*aliases/,
    );
    expect(search({ params: [pointer] }, { when: { body: { '/query': { present: true } } } })).toHaveLength(
      1,
    );
  });
  test('where it comes in the query', () => {
    const more = { action: 'search', query_params: ['variables', 'query'], uninspected: true };
    expect(warned(more, 'GET /graphql')).toEqual([
      expect.stringMatching(/^0\.query_params\.1 /),
      expect.stringMatching(/^0\.uninspected the parameter "query" /),
    ]);
  });
  test('but not where the route names the queries', () => {
    const when = { body: { '/query': '{customers{id name}}' } };
    expect(search({ params: ['/variables/**'] }, { when })).toEqual([]);
    expect(search({ params: ['/**'] }, { when })).toEqual([]);
  });
});

describe('a route is warned of', () => {
  test('whose path names a field that nothing says it searches by', () => {
    const more = { action: 'search' };
    expect(warned(more, 'GET /by/{phone}')).toEqual([
      '0.match the path parameter {phone} has the name of the field /phone, but the route does not declare it: add path_fields: { phone: /phone } if the path searches by this field, or id: "{phone}" if the parameter is the id of the record',
    ]);
    expect(warned({ ...more, path_fields: { phone: '/phone' } }, 'GET /by/{phone}')).toEqual([]);
    expect(warned({ action: 'read', id: '{phone}' }, 'GET /by/{phone}')).toEqual([]);
    expect(warned(more, 'GET /by/{city}')).toEqual([]);
  });
  test('whose resource no catalog describes, with the name that was meant', () => {
    expect(warned({ resource: 'costumer' })).toEqual([
      '0.resource the policy has no catalog for the resource "costumer", so every request of this route is refused; did you mean "customer"?',
    ]);
  });
  test('that searches by fields which the catalog does not have, or which are resources of their own', () => {
    const request = {
      fields: { '/by/mail': '/mail' },
      domains: { '/params/0': { phone: '/phone', agent: ['/agent'] } },
    };
    expect(
      warned({ action: 'search', query_fields: { tel: ['/phone', '/phon'] }, request }, 'POST /c').map(
        (w) => w.split(',')[0],
      ),
    ).toEqual([
      '0.query_fields.tel the catalog of customer has no field /phon',
      '0.request.fields./by/mail the catalog of customer has no field /mail',
      '0.request.domains./params/0.agent the catalog of customer has no field /agent',
    ]);
  });

  test('whose response is not parsed, if its field is not in the catalog or the route names no data subject', () => {
    const response = (field: string): object => ({
      response: { format: 'whole', options: { field, types: ['application/pdf'] } },
    });
    const read = 'GET /c/{id}';
    expect(warned({ id: '{id}', ...response('/phone') }, read)).toEqual([
      '0.response the route does not name the data subject of a response that is not parsed (whole), so the response is withheld: add data_subject, e.g. data_subject: "{id}"',
    ]);
    expect(warned({ data_subject: '{id}', ...response('/phon') }, read)).toEqual([
      '0.response.options.field the catalog of customer has no field /phon, so the response is withheld; did you mean "/phone"?',
    ]);
    expect(warned({ data_subject: '{id}', ...response('/phone') }, read)).toEqual([]);
  });
});

describe('a search whose pages nobody describes is warned of', () => {
  const search = (more: object) =>
    warned({ action: 'search', query_fields: { phone: '/phone' }, ...more }, 'GET /c');
  test('where a parameter has the name of one that pages', () => {
    expect(search({ query_params: ['lang', 'per_page'] }).join()).toMatch(
      /^0\.query_params\.1 "per_page" .*paging/,
    );
  });
  test.each([
    ['the route says how it pages', { query_params: ['limit'], paging: { limit: 'limit' } }],
    ['nothing narrows it', { query_params: ['limit'], query_fields: {} }],
    ['its records are about nobody', { query_params: ['limit'], resource: 'product' }],
    ['no parameter pages', { query_params: ['lang'] }],
  ])('but not where %s', (_, more) => {
    expect(search(more)).toEqual([]);
  });
});

describe('where there are consents, a data subject without a type of identifier is warned of', () => {
  const untyped = (catalogs: ReadonlyMap<string, Catalog>, consents: boolean, resources: string[]) =>
    routeWarnings(
      routesConfig(
        resources.map((resource, i) =>
          route(`GET /${i}`, { action: 'search', resource, records: '/items/*' }),
        ),
      ),
      catalogs,
      layoutOf,
      consents,
    ).filter(({ key }) => key[0] === 'resource');
  const place = { at: '/id', type: 'customer_no', pattern: null, person: null };
  const typed = ([name, of]: [string, Catalog], type: string | null): [string, Catalog] => [
    name,
    { ...of, subject_places: [place, { ...place, at: '/login', type }] },
  ];
  test('once a resource, whatever routes lead to it, also within another', () => {
    const catalogs = new Map([...CATALOGS, catalog('employee', ['/no'])]);
    const found = untyped(catalogs, true, ['product', 'customer', 'customer', 'employee']);
    expect(found.map(({ route: i, severity }) => [i, severity])).toEqual([
      [0, 'warning'],
      [1, 'warning'],
    ]);
    expect(found.map(({ message }) => message)).toEqual([
      expect.stringMatching(
        /catalog of employee .*\(\/no\).*identifiers\.yaml.*data_subject: \{ at: \/no, type:/,
      ),
      expect.stringMatching(/catalog of customer .*\(\/id\)/),
    ]);
  });
  test('and each of the types that its records may have', () => {
    const variants = { by: '/type', of: { C: 'customer' } };
    const catalogs = new Map([...CATALOGS, ['any', { ...catalog('any', [])[1], variants }] as const]);
    expect(untyped(catalogs, true, ['any'])).toHaveLength(1);
  });
  test('also where one of several places has none', () => {
    const of = (type: string | null) => new Map([typed(catalog('customer', ['/id', '/login']), type)]);
    expect(untyped(of(null), true, ['customer'])[0]?.message).toContain('(/login)');
    expect(untyped(of('login'), true, ['customer'])).toEqual([]);
  });
  test('not where nobody is looked up, and not where nobody is named', () => {
    expect(untyped(CATALOGS, false, ['customer'])).toEqual([]);
    expect(untyped(CATALOGS, true, ['product']).map(({ message }) => message)).toEqual([]);
  });
});

describe('a route of JSON-RPC is warned of', () => {
  const rpc = (envelope: readonly string[], more: object): readonly string[] =>
    routeWarnings(
      routesConfig([route('POST /rpc', { action: 'search', records: '/result/*', ...more })]),
      new Map([
        [
          'customer',
          {
            ...catalog('customer', [])[1],
            envelope: Object.fromEntries(envelope.map((pointer) => [pointer, { is: 'status' }])),
          },
        ],
      ]),
      layoutOf,
    ).map(({ message }) => message);
  const ALL = ['/jsonrpc', '/id', '/error/code'];
  test.each([
    ['its refusals are JSON-RPC', { response: { errors: 'jsonrpc' } }],
    ['its bodies have a version', { request: { params: ['/jsonrpc', '/id'] } }],
    ['it asks for the version', { when: { body: { '/jsonrpc': '2.0' } } }],
  ])('where %s and the envelope keeps less than a message', (_what, more) => {
    for (const missing of ALL)
      expect(
        rpc(
          ALL.filter((p) => p !== missing),
          more,
        ),
      ).toEqual([expect.stringContaining(`envelope: { ${missing}: { is: status } }`)]);
    expect(rpc(ALL, more)).toEqual([]);
  });
  test('and no other', () => expect(rpc([], {})).toEqual([]));
});

describe('a search whose page the route does not describe is warned of', () => {
  const search = { action: 'search', records: '/items/*' };
  test.each([
    ['the query', { query_fields: { phone: '/phone' }, query_params: ['limit'] }, '0.query_params.0'],
    [
      'the body',
      { request: { fields: { '/phone': '/phone' }, params: ['/x', '/page/limit'] } },
      '0.request.params.1',
    ],
    [
      'a body of one language',
      {
        request: {
          grammar: { '/where': { grammar: 'mongo', fields: { phone: '/phone' } } },
          params: ['/skip'],
        },
      },
      '0.request.params.0',
    ],
  ])('in %s', (_, more, at) => {
    const [only, ...others] = warned({ ...search, ...more }, 'POST /c');
    expect(only).toMatch(
      new RegExp(`^${at} .*has the name of a paging parameter, but the route has no paging`),
    );
    expect(others).toEqual([]);
    expect(warned({ ...search, ...more, paging: { narrowed: 'refuse' } }, 'POST /c')).toEqual([]);
  });
});
