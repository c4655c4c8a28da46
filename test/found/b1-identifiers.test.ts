/**
 * Class: a write is checked under one identifier and executed under another. Root cause: the guard looked for the line that covers a value and
 * never at what else the request says about which record or which element of a list that value belongs to. An upstream may go by any of it.
 */
import { layoutOf } from '../../src/disclosure/media.ts';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { routeWarnings } from '../../src/routing/warnings.ts';
import { route, routesConfig } from '../routing/setup.ts';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { answer, type Running, startSluice } from '../support/sluice.ts';
import { type Answer, exchange, jsonOf, requestText, textOf } from '../support/wire.ts';

const OPEN = { category: 'open', grade: 1 };
const field = (category: string) => ({ category, grade: 1 });
let upstream: HostileUpstream;
let running: Running;
// what is left out is not what this file is about
const keeps = { replaces: false };

beforeAll(async () => {
  upstream = await startHostile();
  const common = { upstream: 'crm', resource: 'user', action: 'update', id: '{id}', data_subject: '{id}' };
  running = await startSluice({
    upstream: upstream.url,
    crm: { request_headers: ['X-User-Id', 'X-Trace'] },
    catalogs: {
      row: {
        data_subject: ['/rowId'],
        fields: {
          '/id': { ...OPEN, write: 'never' },
          '/rowId': { ...OPEN, write: 'never' },
          '/mail': OPEN,
        },
      },
      user: {
        data_subject: ['/id'],
        fields: {
          '/id': OPEN,
          '/mail': OPEN,
          '/login': OPEN,
          '/custom_fields/*/id': OPEN,
          '/custom_fields/*/name': OPEN,
          '/custom_fields/*/value': OPEN,
          '/custom_fields/[name=Mobile]/value': OPEN,
          '/custom_fields/[name=Mobile]/verified': OPEN,
          '/custom_fields/[name=Diagnosis]/value': field('hidden'),
          '/pairs/*/[id=3,name=Mobile]/value': OPEN,
          '/pairs/*/[id=4,name=Diagnosis]/value': field('hidden'),
          '/named/[label=a~3b ~4c~5]/value': OPEN,
          '/map/[name=Mobile]/value': OPEN,
          '/map/*/value': field('hidden'),
        },
      },
    },
    answers: {
      row: { '*': answer({ 'open/1': 'disclose' }) },
      user: { '*': answer({ 'open/1': 'disclose', 'hidden/1': 'drop' }) },
    },
    routes: [
      { ...common, match: 'PUT /users/{id}', query_params: ['id', 'User-ID', 'dry_run'], request: keeps },
      { ...common, match: 'PUT /wrapped/{id}', request: { ...keeps, record: '/user', params: ['/meta/**'] } },
      {
        ...common,
        match: 'PATCH /api/{id}',
        request: { ...keeps, record: '/data/attributes', params: ['/data/type', '/data/id', '/meta/**'] },
      },
      { ...common, match: 'PATCH /exempt/{id}', request: { ...keeps, params: ['/id', '/trace'] } },
      { ...common, match: 'PATCH /whole/{id}', request: { ...keeps, params: ['/data/**'] } },
      {
        ...common,
        match: 'PATCH /table/{id}',
        request: { ...keeps, record: '/records/*/fields', params: ['/records/*/id'] },
      },
      {
        ...common,
        match: 'PATCH /linked/{id}',
        request: { ...keeps, record: '/data/attributes', params: ['/data/relationships/**'] },
      },
      {
        ...common,
        match: 'PATCH /meta/{id}',
        request: { ...keeps, record: '/meta/fields', params: ['/meta/id'] },
      },
      {
        ...common,
        match: 'PATCH /named/{id}',
        request: { ...keeps, record: '/records/*/fields', params: ['/records/**'] },
      },
      {
        ...common,
        match: 'PATCH /about/{id}',
        data_subject: '{body:/person/id}',
        request: { ...keeps, record: '/user' },
      },
      {
        ...common,
        match: 'POST /call/{id}',
        request: { ...keeps, record: '/params/0', params: ['/id', '/method', '/jsonrpc', '/userId'] },
      },
      {
        ...common,
        match: 'POST /drop/{id}',
        action: 'delete',
        request: { params: ['/userId', '/why', '/target/id'] },
      },
      { ...common, match: 'PUT /parts/{id}', id: 'U-{id}', request: keeps },
      {
        upstream: 'crm',
        resource: 'user',
        action: 'update',
        match: 'PUT /bulk',
        request: { ...keeps, record: '/rows/*' },
      },
      {
        ...common,
        match: 'POST /soap',
        id: '{body:/arguments/Id}',
        data_subject: '{body:/arguments/Id}',
        when: { body: { '/operation': 'Update' } },
        request: { ...keeps, format: 'soap', record: '/arguments/user', params: ['/namespace'] },
      },
      ...(['PUT update', 'POST create'] as const).map((of) => ({
        match: `${of.split(' ')[0]} /rows`,
        upstream: 'crm',
        resource: 'row',
        action: of.split(' ')[1],
        request: { ...keeps, format: 'csv' },
      })),
      { ...common, match: 'POST /form/{id}', request: { ...keeps, format: 'form' } },
      {
        ...common,
        match: 'POST /rpc',
        id: '{body:/params/0/0}',
        data_subject: '{body:/params/0/0}',
        request: { ...keeps, record: '/params/1', params: ['/params/0/*'] },
      },
      {
        ...common,
        match: 'POST /position',
        id: '{body:/params/0}',
        data_subject: '{body:/params/0}',
        request: { ...keeps, record: '/params/1' },
      },
      {
        ...common,
        match: 'PUT /by-query',
        id: '{query:key}',
        data_subject: '{query:key}',
        repeatable: ['key'],
        request: keeps,
      },
    ],
  });
});
beforeEach(() => {
  upstream.received.length = 0;
  upstream.answer = answers('{}');
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});

const send = (
  line: string,
  body: string,
  type = 'application/json',
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> =>
  exchange(
    running.port,
    requestText(
      line,
      { ...running.caller, 'Content-Type': type, ...headers },
      Buffer.from(body).toString('latin1'),
    ),
  );

async function expectConflict(given: Promise<Answer>): Promise<void> {
  const refused = await given;
  expect(jsonOf(refused)).toMatchObject({ status: 403, code: 'identifier_conflict' });
  expect(upstream.received).toEqual([]);
  expect(running.records().at(-1)).toMatchObject({
    outcome: 'denied',
    reasons: [{ code: 'identifier_conflict' }],
  });
}
async function expectWritten(line: string, body: string, type?: string): Promise<void> {
  await send(line, body, type);
  expect(upstream.received.map((r) => r.body.toString())).toEqual([body]);
}

const fields = (element: string): string => `{"custom_fields":[${element}]}`;
const pairs = (element: string): string => `{"pairs":[[${element}]]}`;

describe('an element that a selector picks is refused if', () => {
  test.each([
    ['another identifier stands beside', fields('{"id":3,"name":"Mobile","value":"x"}')],
    ['the other identifier stands deeper', fields('{"field":{"id":3},"name":"Mobile","value":"x"}')],
    ['the key stands in another case as well', fields('{"Name":"Diagnosis","name":"Mobile","value":"x"}')],
    [
      'a line with * covers it and another identifier stands beside',
      fields('{"id":3,"name":"Other","value":"x"}'),
    ],
    ['a line with * covers it and it has no key', fields('{"id":3,"value":"x"}')],
    ['a line with * covers it and nothing names it', fields('{"value":"x"}')],
    ['its key differs from a selector by case alone', fields('{"name":"diagnosis","value":"x"}')],
    ['its key differs from a selector by blanks alone', fields('{"name":"Diagnosis ","value":"x"}')],
    ['its key differs from a selector by width alone', fields('{"name":"Ｄiagnosis","value":"x"}')],
    ['one of two keys is that of another selector', pairs('{"id":4,"name":"Mobile","value":"x"}')],
    ['one of two keys is missing', pairs('{"name":"Mobile","value":"x"}')],
    ['a key is a number that JavaScript rounds', pairs('{"id":3.0000001,"name":"Mobile","value":"x"}')],
    ['a third identifier stands beside two keys', pairs('{"id":3,"name":"Mobile","uuid":"4","value":"x"}')],
    [
      'it is a member of a map, whose name says which it is',
      '{"map":{"diagnosis":{"name":"Mobile","value":"x"}}}',
    ],
  ])('%s', async (_what, body) => {
    await expectConflict(send('PUT /users/7', body));
  });
});

test.each([
  ['by its key alone', fields('{"name":"Mobile","value":"x","verified":true}')],
  ['by no selector, and a line with * covers it', fields('{"name":"Other","value":"x"}')],
  ['by two keys that agree', pairs('{"id":3,"name":"Mobile","value":"x"}')],
  ['by a value with a comma and brackets', '{"named":[{"label":"a,b [c]","value":"x"}]}'],
])('an element that is picked %s is written', async (_what, body) => {
  await expectWritten('PUT /users/7', body);
});

test.each([
  [
    'beside it',
    'PATCH /api/7',
    '{"data":{"type":"users","id":"7","attributes":{"mail":"x"}},"meta":{"id":"t-1"}}',
  ],
  ['as what touches no field', 'PATCH /exempt/7', '{"id":7,"mail":"x","trace":"t"}'],
  [
    'and a call has one of its own',
    'POST /call/7',
    '{"jsonrpc":"2.0","id":1,"method":"w","params":[{"mail":"x"}]}',
  ],
  ['to be deleted', 'POST /drop/7', '{"userId":"7","why":"x"}'],
])('a record whose id stands in the body %s is written', async (_what, line, body) => {
  await expectWritten(line, body);
});

describe('a record is refused if', () => {
  test.each([
    ['its id is another than that of the route', 'PUT /users/7', '{"id":8,"mail":"x"}'],
    ['its id is null', 'PUT /users/7', '{"id":null,"mail":"x"}'],
    ['its id stands in another spelling', 'PUT /users/7', '{"ID":"8","mail":"x"}'],
    ['its id is an object', 'PUT /users/7', '{"_id":{"$oid":"8"},"mail":"x"}'],
    ['its id is what the upstream is to compare with', 'PUT /users/7', '{"id":{"$ne":"7"},"mail":"x"}'],
    ['its id is compared without a sign', 'PUT /users/7', '{"id":{"not":{"in":["7"]}},"mail":"x"}'],
    ['its id has the name of its resource', 'PUT /users/7', '{"userId":8,"mail":"x"}'],
    ['its id is a number that JavaScript rounds', 'PUT /users/9007199254740992', '{"id":9007199254740993}'],
    ['another id stands beside it', 'PATCH /api/7', '{"data":{"id":"8","attributes":{"mail":"x"}}}'],
    [
      'another id stands beside it, among others',
      'PATCH /api/7',
      '{"data":{"id":["7","8"],"attributes":{"mail":"x"}}}',
    ],
    [
      'an object stands as the id beside it',
      'PATCH /api/7',
      '{"data":{"id":{"$ne":"7"},"attributes":{"mail":"x"}}}',
    ],
    ['another id is said to touch no field', 'PATCH /exempt/7', '{"id":"8","mail":"x"}'],
    [
      'a call says another beside its own id',
      'POST /call/7',
      '{"method":"w","id":"1","params":[{"mail":"x"}],"userId":8}',
    ],
    ['it is deleted, and the body says another', 'POST /drop/7', '{"userId":8}'],
    ['it is deleted, and the body says another deeper', 'POST /drop/7', '{"target":{"id":8}}'],
    [
      'another id stands where the route says that no field does',
      'PATCH /whole/7',
      '{"mail":"x","data":{"id":8}}',
    ],
    ['another id stands there in a list', 'PATCH /whole/7', '{"mail":"x","data":[{"type":"user","id":8}]}'],
    [
      'another id stands deeper beside it',
      'PUT /wrapped/7',
      '{"user":{"mail":"x"},"meta":{"of":{"user_id":8}}}',
    ],
    [
      'an element that holds it has another id',
      'PATCH /table/7',
      '{"records":[{"id":8,"fields":{"mail":"x"}}]}',
    ],
    [
      'it stands in what has ids of other records elsewhere, and the id beside it is another',
      'PATCH /meta/7',
      '{"meta":{"id":8,"fields":{"mail":"x"}}}',
    ],
    [
      'one stands where a list of records is expected, and its id is another',
      'PATCH /named/7',
      '{"records":{"id":8,"fields":{"mail":"x"}}}',
    ],
    ['it is wrapped, and its id is another', 'PUT /wrapped/7', '{"user":{"id":8,"mail":"x"}}'],
    ['two members have one name but for case', 'PUT /users/7', '{"mail":"x","Mail":"y"}'],
    [
      'two members around it have one name but for case',
      'PUT /wrapped/7',
      '{"user":{"mail":"x"},"meta":{"a":1,"A":2}}',
    ],
    ['a list of ids has more than the one that was checked', 'POST /rpc', '{"params":[[7,8],{"mail":"x"}]}'],
    ['the parameter of the id is repeated', 'PUT /by-query?key=7&key=8', '{"mail":"x"}'],
    ['a query parameter names another', 'PUT /users/7?id=8', '{"mail":"x"}'],
    ['a query parameter in another spelling names another', 'PUT /users/7?User-ID=8', '{"mail":"x"}'],
  ])('%s', async (_what, line, body) => {
    await expectConflict(send(line, body));
  });
  test('a header that is forwarded names another', async () => {
    await expectConflict(send('PUT /users/7', '{"mail":"x"}', undefined, { 'X-User-Id': '8' }));
  });
  test('it is SOAP and its id is another than that of the route', async () => {
    const body = (id: string) =>
      `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><Update><Id>7</Id><user><id>${id}</id><mail>x</mail></user></Update></e:Body></e:Envelope>`;
    expect(textOf(await send('POST /soap', body('8'), 'text/xml'))).toContain('identifier_conflict');
    expect(upstream.received).toEqual([]);
    await expectWritten('POST /soap', body('7'), 'text/xml');
  });
  test('it is a form and its id is another than that of the route', async () => {
    await expectConflict(send('POST /form/7', 'id=8&mail=x', 'application/x-www-form-urlencoded'));
  });
});

test.each([
  ['says the id of the route as a number', 'PUT /users/7', '{"id":7,"mail":"x"}'],
  ['says the id of the route as text', 'PUT /users/7', '{"id":"7","mail":"x"}'],
  ['stands beside a list of one id', 'POST /rpc', '{"params":[[7],{"mail":"x"}]}'],
  ['stands beside its id in a list', 'POST /position', '{"params":[7,{"mail":"x"}]}'],
  ['says the part that the route makes its id of', 'PUT /parts/7', '{"id":"7","mail":"x"}'],
  ['says its id where the route says that no field stands', 'PATCH /whole/7', '{"mail":"x","data":{"id":7}}'],
  ['is in an element that says its id', 'PATCH /table/7', '{"records":[{"id":"7","fields":{"mail":"x"}}]}'],
  [
    'is linked to another',
    'PATCH /linked/7',
    '{"data":{"attributes":{"mail":"x"},"relationships":{"owner":{"data":{"type":"user","id":"8"}}}}}',
  ],
  ['is about somebody whom the body names', 'PATCH /about/7', '{"person":{"id":"8"},"user":{"mail":"x"}}'],
  ['is one of several that say their own', 'PUT /bulk', '{"rows":[{"id":1,"mail":"x"},{"id":2,"mail":"y"}]}'],
])('a record that %s is written', async (_what, line, body) => {
  await expectWritten(line, body);
});

describe('rows that exist each say which one they are', () => {
  const type = 'text/csv';
  test('by a member that is no field being written', async () => {
    await expectWritten('PUT /rows', 'rowId,mail\n7,x\n8,y\n', type);
  });
  test.each([
    ['by two members, of which the upstream may take either', 'PUT /rows', 'id,rowId,mail\n7,8,x\n'],
    ['by another member than the one that it is judged by', 'PUT /rows', 'id,mail\n7,x\n'],
    ['and a new one is given its own', 'POST /rows', 'rowId,mail\n7,x\n'],
  ])('%s: then it is written, and refused', async (_what, line, body) => {
    const refused = await send(line, body, type);
    expect(jsonOf(refused)).toMatchObject({ status: 403, code: 'body_field_refused' });
    expect(upstream.received).toEqual([]);
  });
});

test.each(['{"id":7,"id":8,"mail":"x"}', '{"id":7,"\\u0069d":8}', '{"o":{"a":1,"a":2}}'])(
  'a body in which a name stands twice in one object is unreadable: %s',
  async (body) => {
    expect(jsonOf(await send('PUT /users/7', body))).toMatchObject({ status: 400, code: 'body_unreadable' });
    expect(upstream.received).toEqual([]);
  },
);

test('whoever writes is warned of a selector whose list has another identifier', () => {
  const catalog = {
    resource: 'user',
    data_subject: [],
    attributes: {},
    envelope: {},
    fields: { '/f/*/id': OPEN, '/f/[name=A]/value': OPEN, '/g/[id=1,name=A]/value': OPEN, '/g/*/id': OPEN },
  };
  const warnings = (action: string) =>
    routeWarnings(
      routesConfig([route('PATCH /users/{id}', { action, resource: 'user', id: '{id}' })]),
      new Map([['user', catalog]]),
      layoutOf,
    ).map(({ message }) => message);
  expect(warnings('update')).toEqual([expect.stringContaining('/f/[id=…,name=A]')]);
  expect(warnings('read')).toEqual([]);
});
