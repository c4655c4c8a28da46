/**
 * Class: a list is cut, and Sluice does not see where. Root cause: pages were looked for in the query alone, and the length of a list in its body alone, so that
 * pages in bodies were refused or missed, and lists that the upstream had cut by its own limit passed for whole. A list that is cut is refilled or
 * refused.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { charset } from '../../src/disclosure/formats/shared/charsets.ts';
import { rewritten } from '../../src/routing/body/rewrite.ts';
import { UTF8 } from '../../src/routing/body/text.ts';
import { announced } from '../../src/upstream/announced.ts';
import { CUSTOMER, CUSTOMER_ANSWER, type Running, startSluice } from '../support/sluice.ts';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { ask as select, codeOf, route, routerOf, routesConfig } from '../routing/setup.ts';
import { exchange, requestText, textOf } from '../support/wire.ts';
import type { RequestFormat } from '../../src/routing/body/index.ts';

const rules = (format: RequestFormat) => ({ format, overrides: new Set<string>() });

interface Person {
  readonly id: string;
  readonly balance: number;
}

/** How a body asks for the people above a balance, and for a page of them. */
interface Spelling {
  readonly type: string;
  readonly request: object;
  readonly paging: object;
  spell(min: number, limit: number | null, offset: number | null): string;
  read(body: string): { min: number; limit: number | null; offset: number | null };
}
const json: Spelling = {
  type: 'application/json',
  request: { fields: { '/min': '/balance' }, params: ['/page/limit', '/page/offset', '/note'] },
  paging: { limit: '/page/limit', offset: '/page/offset' },
  spell: (min, limit, offset) =>
    `{ "note": "\\"limit\\": 1, {", "page": {${[
      ...(offset === null ? [] : [` "offset" : ${offset}`]),
      ...(limit === null ? [] : [`"limit":"${limit}"`]),
    ].join(', ')}} , "min":${min}}`,
  read: (body) => {
    const { min, page } = JSON.parse(body) as { min: number; page: { limit?: string; offset?: number } };
    return {
      min,
      limit: page.limit === undefined ? null : Number(page.limit),
      offset: page.offset ?? null,
    };
  },
};
const form: Spelling = {
  type: 'application/x-www-form-urlencoded',
  request: { format: 'form', fields: { '/min': '/balance' }, params: ['/li mit', '/offset'] },
  paging: { limit: '/li mit', offset: '/offset' },
  spell: (min, limit, offset) =>
    `${offset === null ? '' : `offset=${offset}&`}min=${min}${limit === null ? '' : `&l%69+mit=${limit}`}`,
  read: (body) => {
    const q = new URLSearchParams(body);
    const number = (name: string) => (q.has(name) ? Number(q.get(name)) : null);
    return { min: Number(q.get('min')), limit: number('li mit'), offset: number('offset') };
  },
};
const xml: Spelling = {
  type: 'application/xml',
  request: {
    format: 'xml',
    fields: { '/search/min': '/balance' },
    params: ['/search/limit', '/search/@offset'],
  },
  paging: { limit: '/search/limit', offset: '/search/@offset' },
  spell: (min, limit, offset) =>
    `<search offset = '${offset ?? 0}'><min>${min}</min><limit >${limit ?? 4}</limit ></search>`.replace(
      '</limit >',
      '</limit>',
    ),
  read: (body) => ({
    min: Number(/<min>(\d+)/.exec(body)![1]),
    limit: Number(/<limit >(\d+)/.exec(body)![1]),
    offset: Number(/offset = '(\d+)/.exec(body)![1]),
  }),
};
const BODIES: Readonly<Record<string, Spelling>> = { json, form, xml };

let upstream: HostileUpstream;
let running: Running;
let people: readonly Person[] = [];
/** what the upstream says of a list that it has cut, beside its records */
let told: (found: number, given: number, asked: number) => { body?: object; headers?: object } = () => ({});
/** the most that the upstream gives */
let cap = 100;

const list = { upstream: 'crm', resource: 'customer', action: 'search', records: '/items/*' };
const byQuery = { query_fields: { min: '/balance' }, query_params: ['limit', 'offset', 'page', 'lang'] };

beforeAll(async () => {
  upstream = await startHostile();
  running = await startSluice({
    upstream: upstream.url,
    catalogs: {
      customer: {
        ...CUSTOMER,
        fields: {
          '/id': { category: 'reference', grade: 1 },
          '/balance': { category: 'reference', grade: 1 },
        },
        envelope: { '/items': { is: 'records' } },
      },
    },
    answers: { customer: { '*': CUSTOMER_ANSWER } },
    dataSubjects: Object.fromEntries(
      Array.from({ length: 40 }, (_, n) => [`W${n}`, { flags: ['restricted'] }]),
    ),
    routes: [
      ...Object.entries(BODIES).map(([name, { request, paging }]) => ({
        ...list,
        match: `POST /body/${name}`,
        request,
        paging: { ...paging, size: 4, fetch: 50 },
      })),
      { ...list, ...byQuery, match: 'GET /bare' },
      { ...list, ...byQuery, match: 'GET /sized', paging: { size: 3 } },
      { ...list, ...byQuery, match: 'GET /offset', paging: { limit: 'limit', offset: 'offset', fetch: 20 } },
      {
        ...list,
        ...byQuery,
        match: 'GET /page',
        paging: { limit: 'limit', page: 'page', size: 2, fetch: 20 },
      },
      {
        ...list,
        match: 'POST /both',
        ...byQuery,
        paging: { limit: 'limit', offset: 'offset', size: 4 },
        request: { params: ['/limit', '/x'] },
      },
    ],
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});
beforeEach(() => {
  cap = 100;
  told = () => ({});
  upstream.answer = (request, socket) => {
    const { pathname, searchParams: q } = new URL(request.target, 'http://crm');
    const number = (name: string) => (q.has(name) ? Number(q.get(name)) : null);
    const spelling = BODIES[pathname.split('/')[2] ?? ''];
    const asked = spelling?.read(request.body.toString()) ?? {
      min: number('min') ?? 0,
      limit: number('limit'),
      offset: number('offset'),
    };
    const found = people
      .filter((p) => p.balance >= asked.min)
      .sort((a, b) => a.balance - b.balance || (a.id < b.id ? -1 : 1));
    const limit = Math.min(cap, asked.limit ?? 4);
    const offset = q.has('page') ? (Number(q.get('page')) - 1) * limit : (asked.offset ?? 0);
    const items = found.slice(offset, offset + limit);
    const { body = {}, headers = {} } = told(found.length, items.length, limit);
    return answers(JSON.stringify({ items, ...body }), headers as Record<string, string>)(request, socket);
  };
});

const send = (target: string, headers: object = {}, body?: string) =>
  exchange(running.port, requestText(target, { ...running.caller, ...headers }, body));
async function seen(of: readonly Person[], ...request: Parameters<typeof send>): Promise<string> {
  people = of;
  const answer = await send(...request);
  const headers = [...answer.headers].filter(([name]) => !['date', 'sluice-decision-id'].includes(name));
  return JSON.stringify([answer.status, headers, textOf(answer).replace(/"decision_id":"[^"]*"/, '')]);
}
const idsOf = async (...request: Parameters<typeof send>): Promise<string> => {
  const answer = await send(...request);
  if (answer.status !== 200) return `${answer.status} ${/"code":"([^"]*)"/.exec(textOf(answer))?.[1]}`;
  return (JSON.parse(textOf(answer)) as { items: Person[] }).items.map(({ id }) => id).join(' ');
};
const crowd = (...ids: readonly string[]): readonly Person[] => ids.map((id, balance) => ({ id, balance }));
const person = (letter: string) =>
  fc.record({ id: fc.nat(39).map((n) => `${letter}${n}`), balance: fc.nat(9) });

describe('a page that the body asks for', () => {
  test.each(Object.keys(BODIES))('in %s tells nothing of withheld people', async (name) => {
    const { type, spell } = BODIES[name]!;
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.oneof(person('A'), person('W')), { selector: ({ id }) => id, maxLength: 16 }),
        fc.nat(9),
        fc.option(fc.nat(6)),
        fc.option(fc.nat(6)),
        async (rows, ...page) => {
          const without = rows.filter(({ id }) => !id.startsWith('W'));
          const request = [`POST /body/${name}`, { 'Content-Type': type }, spell(...page)] as const;
          expect(await seen(rows, ...request)).toBe(await seen(without, ...request));
        },
      ),
      { numRuns: 30 },
    );
  });
  test.each(Object.keys(BODIES))('in %s is filled from what follows', async (name) => {
    const { type, spell } = BODIES[name]!;
    people = crowd('W1', 'A1', 'W2', 'A2', 'A3');
    const page = (limit: number, offset: number) =>
      idsOf(`POST /body/${name}`, { 'Content-Type': type }, spell(0, limit, offset));
    expect([await page(2, 0), await page(2, 2), await page(1, 1)]).toEqual(['A1 A2', 'A3', 'A2']);
  });
  test('is refused where the route says that pages are in the query', async () => {
    people = [];
    const post = (body: object) =>
      idsOf('POST /both?min=1&limit=2', { 'Content-Type': 'application/json' }, JSON.stringify(body));
    expect(await post({ limit: 1 })).toBe('403 narrowed_page_refused');
    expect(await post({ x: 1 })).toBe('');
  });
});

describe('a body is written with another number, and with every other byte as it was', () => {
  const steps = (path: string) => path.split('/').slice(1);
  test.each([
    ['json', '{"a":1,"limit": 10 }', '/limit', '{"a":1,"limit": 7 }'],
    ['json', '{"a":{"limit":1},"limit":"10"}', '/limit', '{"a":{"limit":1},"limit":"7"}'],
    ['json', '{"a":"}{\\"limit\\":1","l\\u0069mit":10}', '/limit', '{"a":"}{\\"limit\\":1","l\\u0069mit":7}'],
    [
      'json',
      '{"id":12345678901234567890,"p":[1, [2], {"q":3}, 4]}',
      '/p/3',
      '{"id":12345678901234567890,"p":[1, [2], {"q":3}, 7]}',
    ],
    ['json', ' { } ', '/limit', ' {"limit":7 } '],
    ['json', '{"p":{"x":null}}', '/p/limit', '{"p":{"limit":7,"x":null}}'],
    ['json', '{"limit":null,"x":1e5}', '/limit', '{"limit":7,"x":1e5}'],
    ['json', '[1]', '/limit', null],
    ['json', '{"p":[1]}', '/p/1', null],
    ['form', 'a=1&limit=10&b=%E5', '/limit', null],
    ['form', 'a=1&li%6dit=10&b=2', '/limit', 'a=1&limit=7&b=2'],
    ['form', 'a=1', '/$top', 'a=1&%24top=7'],
    ['form', 'limit=1&limit=2', '/limit', null],
    ['xml', '<s><limit>10</limit><x>10</x></s>', '/s/limit', '<s><limit>7</limit><x>10</x></s>'],
    [
      'xml',
      '<p:s xmlns:p="u"><p:limit>10</p:limit></p:s>',
      '/s/limit',
      '<p:s xmlns:p="u"><p:limit>7</p:limit></p:s>',
    ],
    ['xml', '<s><limit>10</limit><y><limit>3</limit></y></s>', '/s/limit', null],
    ['xml', '<s><x><![CDATA[<limit>10</limit>]]></x><limit>1<![CDATA[0]]></limit></s>', '/s/limit', null],
    ['xml', '<s><limit>1&#48;</limit></s>', '/s/limit', null],
    ['xml', '<s limit="10" x="limit=1"/>', '/s/@limit', null],
    ['xml', '<s limit="10"/>', '/s/@limit', '<s limit="7"/>'],
    ['xml', '<s/>', '/s/limit', null],
    ['soap', '<s><limit>10</limit></s>', '/s/limit', null],
  ] as const)('%s %s at %s', (format, body, path, wanted) => {
    let out: Uint8Array | null = null;
    try {
      out = rewritten(Buffer.from(body), rules(format), UTF8, [{ steps: steps(path), value: 7 }]);
    } catch {
      // a form that is not UTF-8, which the route would have refused
    }
    expect(out === null ? null : Buffer.from(out).toString()).toBe(wanted);
  });
  test('in the charset that it came in', () => {
    const gbk = charset('gbk');
    const body = gbk.encode('{"name":"张","limit":1}');
    const out = rewritten(body, rules('json'), gbk, [{ steps: ['limit'], value: 20 }]);
    expect(gbk.decode(out!)).toBe('{"name":"张","limit":20}');
  });
  test('by any JSON, as a parser reads it', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(3), (tree, space) => {
        const text = JSON.stringify({ ...tree, limit: 1, z: tree }, null, space);
        const out = rewritten(Buffer.from(text), rules('json'), UTF8, [{ steps: ['limit'], value: 7 }]);
        expect(JSON.parse(Buffer.from(out!).toString())).toEqual(
          JSON.parse(JSON.stringify({ ...tree, limit: 7, z: tree })),
        );
      }),
    );
  });
});

describe('a list that the upstream has cut', () => {
  const MORE: Readonly<Record<string, typeof told>> = {
    'X-Total-Count': (found) => ({ headers: { 'X-Total-Count': String(found) } }),
    'Content-Range': (found, given) => ({ headers: { 'Content-Range': `items 0-${given - 1}/${found}` } }),
    'Link rel=next': (found, given) =>
      found > given ? { headers: { Link: '</a>; rel="first", </b>; rel="next"' } } : {},
    'X-Has-More': (found, given) => ({ headers: { 'X-Has-More': String(found > given) } }),
    'X-Pagination': (found) => ({ headers: { 'X-Pagination': `{"PageSize":4,"TotalCount":${found}}` } }),
    '@odata.nextLink': (found, given) => (found > given ? { body: { '@odata.nextLink': 'x' } } : {}),
    has_more: (found, given) => ({ body: { has_more: found > given } }),
    '_links.next': (found, given) => ({ body: { _links: found > given ? { next: '/x' } : { self: '/' } } }),
    'pageInfo.hasNextPage': (found, given) => ({ body: { pageInfo: { hasNextPage: found > given } } }),
    'link relation': (found, given) => ({ body: { link: found > given ? [{ relation: 'next' }] : [] } }),
    'last: false': (found, given) => ({ body: { last: found <= given } }),
  };
  test.each(Object.keys(MORE))('and that says so by %s is refused', async (name) => {
    told = MORE[name]!;
    people = crowd('A1', 'W1', 'A2', 'A3', 'A4');
    expect(await idsOf('GET /bare?min=0')).toBe('403 narrowed_page_refused');
    people = crowd('A1', 'W1', 'A2', 'A3');
    expect(await idsOf('GET /bare?min=0')).toBe('A1 A2 A3');
    people = [];
    expect(await idsOf('GET /bare?min=0')).toBe('');
  });

  test('is refused whatever else the request says', async () => {
    told = MORE['X-Total-Count']!;
    people = crowd('A1', 'W1', 'A2', 'A3', 'A4');
    expect(await idsOf('GET /bare?min=0&lang=de')).toBe('403 narrowed_page_refused');
  });

  test('and whose length the route says is refused', async () => {
    people = crowd('A1', 'W1', 'A2');
    expect(await idsOf('GET /sized?min=0')).toBe('403 narrowed_page_refused');
    people = crowd('A1', 'W1');
    expect(await idsOf('GET /sized?min=0')).toBe('A1');
    expect(await idsOf('GET /sized?min=0&page=2')).toBe('403 narrowed_page_refused');
  });

  test.each([
    ['/offset?min=0&limit=4', 'offset=3'],
    ['/page?min=0&limit=4', 'page=2'],
  ])('below what it was asked for is found out by asking for what follows: %s', async (target, next) => {
    cap = 3;
    people = crowd('A1', 'W1', 'A2', 'A3', 'A4');
    expect(await idsOf(`GET ${target}`)).toBe('403 narrowed_page_refused');
    expect(upstream.received.at(-1)?.target).toContain(next);
    people = crowd('A1', 'W1', 'A2');
    expect(await idsOf(`GET ${target}`)).toBe('A1 A2');
    expect(running.records().at(-1)?.reasons).toContainEqual({ code: 'next_page_asked' });
    // it is full without them
    people = crowd('A1', 'W1', 'A2', 'A3', 'A4');
    expect(await idsOf(`GET ${target.replace('limit=4', 'limit=2')}`)).toBe('A1 A2');
  });

  test('is not looked for where it has fewer records than a page of the upstream', async () => {
    people = crowd('A1');
    const before = upstream.received.length;
    expect(await idsOf('GET /page?min=0')).toBe('A1');
    expect(upstream.received.length).toBe(before + 1);
  });

  test.each([
    [{ 'x-total': '7', 'x-total-pages': '1', 'x-per-page': '10' }, 7],
    [{ 'x-count': '3', 'x-total-count': '9' }, 9],
    [{ 'x-wp-total': '12', 'x-wp-totalpages': '2' }, 12],
    [{ 'content-range': '0-9/57' }, 57],
    [{ 'content-range': 'items 0-9/*' }, null],
    [{ 'x-pagination-total-count': '40', 'x-pagination-page-count': '2' }, 40],
    [{ 'x-ratelimit-limit': '60', 'content-length': '12', age: '3' }, null],
    [{ 'x-request-count': 'a' }, null],
  ])('has its total read from headers: %j', (headers, total) => {
    expect(announced(headers).total).toBe(total);
  });
});

describe('languages of many parameters in a body', () => {
  const fields = { name: '/name', phone: '/phone' };
  const router = routerOf(
    route('POST /Patient/_search', {
      action: 'search',
      records: '/entry/*/resource',
      request: { format: 'form', grammar: { '/*': { grammar: 'fhir', fields } }, params: ['/_format'] },
      paging: { limit: '/_count', offset: '/_offset', size: 20 },
    }),
    route('POST /Customers/$query', {
      action: 'search',
      records: '/value/*',
      request: {
        format: 'form',
        types: ['text/plain'],
        grammar: { '/*': { grammar: 'odata', fields: { Name: '/name', Phone: '/phone' } } },
      },
      paging: { limit: '/$top', offset: '/$skip', size: 20 },
    }),
  );
  const fhir = (body: string) => ({ body, type: 'application/x-www-form-urlencoded' });
  const odata = (body: string) => ({ body, type: 'text/plain' });
  test.each([
    ['/Patient/_search', fhir('name=Li&phone:exact=1&_sort=-name&_format=json'), ['/name', '/phone']],
    ['/Patient/_search', fhir('name=Li&name=Wei'), ['/name']],
    [
      '/Customers/$query',
      odata('%24filter=contains(Name,%27x%27)&$orderby=Phone%20desc&$top=5'),
      ['/name', '/phone'],
    ],
  ])('%s %j', (path, asked, used) => {
    expect(select(router, 'POST', path, asked).queryFields).toEqual(used);
  });
  test.each([
    ['/Patient/_search', fhir('ssn=1')],
    ['/Patient/_search', fhir('_sort=ssn')],
    ['/Patient/_search', fhir('_filter=ssn+eq+1')],
    ['/Patient/_search', fhir('name=a%3Bssn=1')],
    ['/Patient/_search', fhir('name=a%2526ssn=1')],
    ['/Customers/$query', odata('$filter=Ssn%20eq%201')],
    ['/Customers/$query', odata('$apply=groupby((Ssn))')],
  ])('%s refuses %j', (path, asked) => {
    expect(codeOf(router, 'POST', path, asked)).toBe('query_parameter_unknown');
  });
  test('their pages are refilled', () => {
    const page = select(router, 'POST', '/Patient/_search', fhir('name=Li&_count=2&_offset=4')).paging();
    expect(page).toMatchObject({ paged: true, narrowed: { offset: 4, limit: 2 } });
    const { first } = page.narrowed as { first: { body: Uint8Array } };
    expect(Buffer.from(first.body).toString()).toBe('name=Li&_count=1000&_offset=0');
  });
  test.each([
    [{ request: { grammar: { '/*': { grammar: 'fhir', fields } } } }, /if the body is a form/],
    [{ request: { format: 'form', grammar: { '/*': { grammar: 'sort', fields } } } }, /name the parameter/],
    [{ request: { params: ['/x'] }, paging: { limit: '/limit' } }, /add it to request.params/],
    [
      {
        request: { format: 'soap', params: ['/limit'] },
        when: { body: { '/operation': 'A' } },
        paging: { limit: '/limit' },
      },
      /JSON, form and XML bodies/,
    ],
    [{ paging: {} }, /paging.size/],
    [
      { response: { format: 'whole', options: { field: '/n' } }, query_fields: { a: '/a' } },
      /not parsed \(whole\)/,
    ],
  ])('%j is a fault', (more, said) => {
    expect(() => routesConfig([route('POST /c', { action: 'search', ...more })])).toThrow(said);
  });
});
