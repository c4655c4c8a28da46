/**
 * Class: a write that goes to whichever records a search finds (`PATCH /customers?phone=eq.…`, `DELETE …?balance=gt.5`, a filter in a body). Root cause:
 * what a write searches by was asked about as something written, and about nobody: so that it changed records that are withheld, and its status, count
 * and effect told what is in fields that may not be seen. Property, for every place that a search can stand in and every action that writes: the
 * upstream is asked only where each field searched by is shown to the caller in the record of the person whom the request names (PostgREST: `?id=eq.C1`).
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { answer, type Running, startSluice } from '../support/sluice.ts';
import { type Answer, exchange, jsonOf, requestText } from '../support/wire.ts';

const FIELDS = {
  '/id': { category: 'reference', grade: 1 },
  '/phone': { category: 'contact', grade: 3 },
  '/ssn': { category: 'identity', grade: 4 },
  '/city': { category: 'contact', grade: 1 },
};
const SHOWN = answer({
  'reference/1': 'disclose',
  'contact/3': 'disclose',
  'contact/1': 'disclose',
  'identity/4': 'drop',
});
/** Everything may be written but the id, also what nobody is shown. */
const WRITABLE = answer({
  'reference/1': 'drop',
  'contact/3': 'disclose',
  'contact/1': 'disclose',
  'identity/4': 'disclose',
});
const CATALOG = { data_subject: ['/id'], fields: FIELDS };

/** Where a search can stand in a request that writes: what the route says of it, and the request. */
interface Place {
  readonly route: (field: string, record: object) => object;
  readonly path?: string;
  readonly query?: (field: string) => string;
  readonly body?: (field: string) => object;
}
const PLACES: Readonly<Record<string, Place>> = {
  parameter: {
    route: (field) => ({ query_fields: { [field]: `/${field}` } }),
    query: (field) => `?${field}=1`,
  },
  postgrest: {
    route: (field) => ({
      query_grammar: { '*': { grammar: 'postgrest', fields: { [field]: `/${field}` } } },
    }),
    query: (field) => `?${field}=eq.1`,
  },
  odata: {
    route: (field) => ({ query_grammar: { '*': { grammar: 'odata', fields: { [field]: `/${field}` } } } }),
    query: (field) => `?$filter=${field}%20eq%20'1'`,
  },
  path: {
    route: (field) => ({ path_fields: { by: `/${field}` } }),
    path: '/by/{by}',
  },
  body: {
    route: (field, record) => ({
      request: {
        ...record,
        grammar: { '/filter': { grammar: 'mongo', fields: { [field]: `/${field}` } } },
      },
    }),
    body: (field) => ({ filter: { [field]: '1' } }),
  },
  members: {
    route: (field, record) => ({ request: { ...record, fields: { [`/where/${field}`]: `/${field}` } } }),
    body: (field) => ({ where: { [field]: '1' } }),
  },
};
const METHODS = { create: 'POST', update: 'PATCH', delete: 'DELETE' } as const;
const OWNERS: Readonly<Record<string, object>> = {
  nobody: {},
  named: { data_subject: '{query:owner}' },
  alike: { resource: 'tariff' },
  passed: { paging: { narrowed: 'pass' } },
};
type Action = keyof typeof METHODS;
const CASES = Object.keys(PLACES).flatMap((place) =>
  (Object.keys(METHODS) as Action[]).map((action) => ({ place, action })),
);

let upstream: HostileUpstream;
let running: Running;
beforeAll(async () => {
  upstream = await startHostile();
  running = await startSluice({
    upstream: upstream.url,
    catalogs: { customer: CATALOG, tariff: { ...CATALOG, data_subject: [] } },
    answers: Object.fromEntries(
      ['customer', 'tariff'].map((resource) => [
        resource,
        {
          '*': WRITABLE,
          read: SHOWN,
          objects: answer({ 'reference/1': 'disclose', 'contact/3': 'mask', 'contact/1': 'disclose' }),
        },
      ]),
    ),
    dataSubjects: { R1: { flags: ['restricted'] }, O1: { flags: ['objects'] } },
    routes: [
      ...Object.entries({ PATCH: 'update', DELETE: 'delete' }).map(([method, action]) => ({
        match: `${method} /single`,
        upstream: 'crm',
        resource: 'customer',
        action,
        id: '{query:id}',
        data_subject: '{query:id}',
        query_values: { id: 'eq\\.(?<id>[A-Z][0-9]+)' },
      })),
      ...CASES.flatMap(({ place, action }) =>
        Object.entries(OWNERS).flatMap(([owner, more]) =>
          Object.keys(FIELDS).map((pointer) => ({
            match: `${METHODS[action]} /${place}/${owner}${pointer}${PLACES[place]!.path ?? ''}`,
            upstream: 'crm',
            resource: 'customer',
            action,
            ...PLACES[place]!.route(pointer.slice(1), action === 'delete' ? {} : { record: '/set' }),
            ...more,
          })),
        ),
      ),
    ],
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});
beforeEach(() => {
  upstream.received.length = 0;
  upstream.answer = answers('[]', { 'Content-Type': 'application/json', 'Content-Range': '*/1' });
});

async function write(
  { place, action }: { place: string; action: Action },
  owner: string,
  field: string,
  person?: string,
): Promise<Answer> {
  const { path = '', query, body } = PLACES[place]!;
  const set = action === 'delete' ? {} : { set: { city: 'x' } };
  const target = `/${place}/${owner}/${field}${path.replace('{by}', '1')}${query?.(field) ?? ''}`;
  const named = person === undefined ? '' : `${target.includes('?') ? '&' : '?'}owner=${person}`;
  const sent = body === undefined ? undefined : JSON.stringify({ ...body(field), ...set });
  return exchange(
    running.port,
    requestText(
      `${METHODS[action]} ${target}${named}`,
      { ...running.caller, ...(sent === undefined ? {} : { 'Content-Type': 'application/json' }) },
      sent,
    ),
  );
}

describe.each(CASES)('$action, searched by $place,', (which) => {
  test('goes to nobody whom the request does not name', async () => {
    const refused = await write(which, 'nobody', 'phone');
    expect(jsonOf(refused)).toMatchObject({ status: 403, code: 'narrowed_write_refused' });
    expect(upstream.received).toEqual([]);
  });

  test.each([
    ['nobody', 'ssn', undefined],
    ['named', 'ssn', 'C1'],
    ['alike', 'ssn', undefined],
    ['passed', 'ssn', undefined],
    ['named', 'phone', 'O1'],
    ['named', 'phone', 'R1'],
    ['named', 'city', 'R1'],
  ])('of %s is refused by %s where that is not shown (%s)', async (owner, field, person) => {
    const refused = await write(which, owner, field, person);
    expect(jsonOf(refused)).toMatchObject({
      status: 403,
      code: 'query_field_withheld',
      paths: [`/${field}`],
    });
    expect(upstream.received).toEqual([]);
  });

  test.each([
    ['named', 'phone', 'C1'],
    ['named', 'city', 'O1'],
    ['named', 'id', 'C1'],
    ['alike', 'phone', undefined],
    ['passed', 'phone', undefined],
  ])('of %s goes through by %s where that is shown (%s)', async (owner, field, person) => {
    expect((await write(which, owner, field, person)).status).toBeLessThan(300);
    expect(upstream.received).toHaveLength(1);
  });
});

test('a route that passes such a write has each of them counted, and on record', async () => {
  await write({ place: 'parameter', action: 'delete' }, 'passed', 'phone');
  expect(
    running
      .records()
      .at(-1)!
      .reasons.map(({ code }) => code),
  ).toContain('narrowed_write');
  expect((await running.admin('/metrics')).text).toMatch(
    /sluice_narrowed_lists_told_total\{route="DELETE \/parameter\/passed\/phone",how="write"\} [1-9]/,
  );
});

describe.each(['PATCH', 'DELETE'])('%s of a single record whose id is a part of a parameter', (method) => {
  const ask = (id: string, body: object = { city: 'x' }) =>
    method === 'DELETE'
      ? exchange(running.port, requestText(`DELETE /single?${id}`, running.caller))
      : exchange(
          running.port,
          requestText(
            `PATCH /single?${id}`,
            { ...running.caller, 'Content-Type': 'application/json' },
            JSON.stringify(body),
          ),
        );

  test('goes to whom it names, as it was written', async () => {
    expect((await ask('id=eq.C1')).status).toBeLessThan(300);
    expect(upstream.received.map(({ target }) => target)).toEqual(['/single?id=eq.C1']);
    expect(running.records().at(-1)!.resource).toMatchObject({ id: expect.stringMatching(/^hmac/) });
  });

  test.each([
    'id=neq.C1',
    'id=gt.C0',
    'id=in.(C1,C2)',
    'id=eq.C1&id=eq.C2',
    'id=C1',
    'id=eq.',
    '',
    'id=eq.R1',
    'id=not.eq.C1',
  ])('is refused for %s', async (query) => {
    expect((await ask(query)).status).toBeGreaterThanOrEqual(400);
    expect(upstream.received).toEqual([]);
  });
});

test('a body that names another record than the part of the parameter is refused', async () => {
  const type = { 'Content-Type': 'application/json' };
  for (const id of ['C2', 'eq.C1']) {
    const text = requestText(
      'PATCH /single?id=eq.C1',
      { ...running.caller, ...type },
      JSON.stringify({ id, city: 'x' }),
    );
    expect(jsonOf(await exchange(running.port, text))['code']).toBe('identifier_conflict');
  }
  expect(upstream.received).toEqual([]);
});
