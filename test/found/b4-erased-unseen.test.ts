/**
 * Class: a write that Sluice lets through erases what its caller was not shown. Root cause: what an upstream does with what a body leaves out was
 * taken to be harmless unless a route said otherwise. Now it is what the method says (PUT replaces the record, RFC 9110 §9.3.4; every
 * other update stores lists and objects as they are sent), unless the route says otherwise. Who is shown every line of the catalog may still not be
 * shown all that is stored: a PUT goes through only if its route says that the catalog covers it, or that the upstream or Sluice keeps it.
 *
 * The upstream is a real server: PUT, however it is spelled, replaces the record; everything else merges it, one level deep.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { layoutOf } from '../../src/disclosure/media.ts';
import { routeWarnings } from '../../src/routing/warnings.ts';
import { route, routesConfig } from '../routing/setup.ts';
import { answer, type Running, startSluice } from '../support/sluice.ts';
import { type Answer, exchange, jsonOf, requestText } from '../support/wire.ts';

const STORED = {
  id: '7',
  mail: 'a@example.org',
  salary: 88,
  address: { city: 'x', street: 'secret' },
  contacts: [
    { label: 'home', pin: '1111' },
    { label: 'work', pin: '2222' },
  ],
  tags: ['a', 'b'],
  profile: { bio: 'b', locked: 'hidden' },
  doc: '{"a":1,"b":2}',
};

let stored: Record<string, unknown>;
let writes: string[];
let origin: Server;
let running: Running;

const open = { category: 'open', grade: 1 };
const hidden = { category: 'hidden', grade: 1 };
beforeAll(async () => {
  origin = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      response.setHeader('content-type', 'application/json').setHeader('etag', '"1"');
      if (request.method === 'GET') {
        response.end(JSON.stringify(stored));
        return;
      }
      writes.push(`${request.method} ${body}`);
      if (/json/.test(request.headers['content-type'] ?? '')) {
        const { _method, ...sent } = JSON.parse(body === '' ? '{}' : body) as Record<string, unknown>;
        stored = (_method ?? request.method) === 'PUT' ? sent : { ...stored, ...sent };
      }
      response.end('{}');
    });
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  const update = { upstream: 'crm', resource: 'user', action: 'update', id: '{id}', data_subject: '{id}' };
  const small = { ...update, resource: 'small' };
  const bulk = { upstream: 'crm', resource: 'small', action: 'update' };
  running = await startSluice({
    upstream: `http://127.0.0.1:${(origin.address() as AddressInfo).port}`,
    catalogs: {
      user: {
        data_subject: ['/id'],
        fields: {
          '/id': open,
          '/mail': open,
          '/salary': hidden,
          '/address': open,
          '/address/city': open,
          '/address/street': hidden,
          '/contacts': open,
          '/contacts/*/label': open,
          '/contacts/*/pin': hidden,
          '/tags/*': open,
          '/profile': { ...open, whole: true },
          '/doc': { ...open, parse: 'json' },
          '/doc/a': open,
          '/doc/b': hidden,
        },
      },
      small: { data_subject: ['/id'], fields: { '/id': open, '/mail': open, '/address/city': open } },
    },
    answers: {
      user: {
        '*': answer({ 'open/1': 'disclose', 'hidden/1': 'drop' }, { '/profile/locked': 'drop' }),
      },
      small: { '*': answer({ 'open/1': 'disclose' }) },
    },
    routes: [
      { ...update, match: 'PUT /users/{id}' },
      { ...update, match: 'PUT /strip/{id}', request: { refused_fields: 'strip' } },
      { ...update, match: 'PUT /strips/{id}', request: { refused_fields: 'strip', replaces: true } },
      { ...update, match: 'PUT /created/{id}', action: 'create' },
      { ...update, match: 'POST /users/{id}', when: { body: { '/_method': 'PUT' } } },
      { ...update, match: 'POST /users/{id}', when: { body: { '/_method': 'PATCH' } } },
      { ...update, match: 'PATCH /users/{id}' },
      { ...update, match: 'PATCH /strip/{id}', request: { refused_fields: 'strip' } },
      { ...update, match: 'POST /said/{id}', request: { replaces: true } },
      { ...update, match: 'PUT /parts/{id}', request: { replaces: 'parts' } },
      { ...update, match: 'PUT /merges/{id}', request: { replaces: false } },
      { ...update, match: 'PUT /kept/{id}', request: { keep_masked: { read: 'GET /users/{id}' } } },
      { ...update, match: 'PATCH /kept/{id}', request: { keep_masked: { read: 'GET /users/{id}' } } },
      { ...update, match: 'PUT /xml/{id}', request: { format: 'xml', record: '/user' } },
      { ...update, match: 'POST /xml/{id}', request: { format: 'xml', record: '/user' } },
      { ...update, match: 'POST /form/{id}', request: { format: 'form' } },
      {
        ...update,
        match: 'POST /xml-true/{id}',
        request: { format: 'xml', record: '/user', replaces: true },
      },
      {
        ...update,
        match: 'POST /soap/{id}',
        when: { body: { '/operation': 'Update' } },
        request: { format: 'soap', record: '/arguments', params: ['/namespace'] },
      },
      { ...small, match: 'PUT /small/{id}' },
      { ...small, match: 'PUT /small-kept/{id}', request: { keep_masked: { read: 'GET /users/{id}' } } },
      { ...small, match: 'PUT /small-true/{id}', request: { replaces: true } },
      { ...bulk, match: 'PUT /small', request: { record: '/rows/*' } },
      { ...bulk, match: 'PUT /small-true', request: { record: '/rows/*', replaces: true } },
    ],
  });
});
beforeEach(() => {
  stored = structuredClone(STORED);
  writes = [];
});
afterAll(async () => {
  await running?.close();
  origin?.close();
});

const TYPES: Readonly<Record<string, string>> = { '<': 'text/xml', m: 'application/x-www-form-urlencoded' };
const send = (line: string, body: unknown): Promise<Answer> => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const type = TYPES[text[0] ?? ''] ?? 'application/json';
  return exchange(running.port, requestText(line, { ...running.caller, 'Content-Type': type }, text));
};
const erases = async (line: string, body: unknown, paths: readonly string[]): Promise<void> => {
  const refused = jsonOf(await send(line, body));
  expect(refused).toMatchObject({ status: 403, code: 'write_erases' });
  expect(refused['paths'] ?? []).toEqual(expect.arrayContaining([...paths]));
  expect(writes).toEqual([]);
};

const MINE = { id: '7', mail: 'x', address: { city: 'x' }, tags: ['a', 'b'] };
const ENVELOPE = (inner: string): string =>
  `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><Update xmlns="urn:x">${inner}</Update></s:Body></s:Envelope>`;

describe('a write that would erase what its caller is not shown is refused', () => {
  test.each<[string, string, unknown, readonly string[]]>([
    [
      'a PUT that says nothing about it',
      'PUT /users/7',
      MINE,
      ['/salary', '/address/street', '/contacts/*/pin'],
    ],
    ['a PUT of nothing', 'PUT /users/7', {}, ['/salary']],
    [
      'a PUT of all that the catalog covers',
      'PUT /small/7',
      { id: '7', mail: 'x', address: { city: 'x' } },
      [],
    ],
    ['a PUT of a list', 'PUT /small', { rows: [{ id: '7', mail: 'x' }] }, []],
    ['a PUT of a list without records', 'PUT /small', { rows: [] }, []],
    ['… whose route says that it replaces', 'PUT /small-true', { rows: [] }, []],
    ['a PUT of an empty list', 'PUT /users/7', [], ['/salary']],
    ['a PUT without a body', 'PUT /users/7', '', []],
    ['a PUT that leaves out what may not be written', 'PUT /strips/7', MINE, ['/salary']],
    ['a PUT that creates, and may find a record', 'PUT /created/7', MINE, ['/salary']],
    ['a PUT that a member of the body asks for', 'POST /users/7', { _method: 'PUT', ...MINE }, ['/salary']],
    ['a POST whose route says that it replaces', 'POST /said/7', MINE, ['/salary']],
    ['a PUT of XML', 'PUT /xml/7', '<user><mail>x</mail></user>', ['/salary']],
    ['a POST of XML whose route says so', 'POST /xml-true/7', '<user><mail>x</mail></user>', ['/salary']],
    [
      'an object within, merged one level deep',
      'PATCH /users/7',
      { address: { city: 'y' } },
      ['/address/street'],
    ],
    [
      '… which a member of the body asks for',
      'POST /users/7',
      { _method: 'PATCH', address: { city: 'y' } },
      ['/address/street'],
    ],
    ['null on an object', 'PATCH /users/7', { address: null }, ['/address/street']],
    ['a text on an object', 'PATCH /users/7', { address: 'none' }, ['/address/street']],
    ['a list', 'PATCH /users/7', { contacts: [{ label: 'home' }] }, ['/contacts/*/pin']],
    ['an empty list', 'PATCH /users/7', { contacts: [] }, ['/contacts/*/pin']],
    ['null on a list', 'PATCH /users/7', { contacts: null }, ['/contacts/*/pin']],
    [
      'what an answer hides of a whole object',
      'PATCH /users/7',
      { profile: { bio: 'c' } },
      ['/profile/locked'],
    ],
    ['a document in a field', 'PATCH /users/7', { doc: '{"a":2}' }, ['/doc/b']],
    [
      'what is left when a route strips',
      'PATCH /strip/7',
      { address: { city: 'y', street: 'z' } },
      ['/address/street'],
    ],
    [
      'a PUT whose upstream keeps other members',
      'PUT /parts/7',
      { address: { city: 'y' } },
      ['/address/street'],
    ],
    [
      'an element of XML',
      'POST /xml/7',
      '<user><address><city>y</city></address></user>',
      ['/address/street'],
    ],
    [
      'repeated elements of XML',
      'POST /xml/7',
      '<user><contacts><e><label>y</label></e></contacts></user>',
      [],
    ],
  ])('%s', async (name, line, body, paths) => {
    if (name.startsWith('repeated')) {
      expect((await send(line, body)).status).toBe(403);
      expect(writes).toEqual([]);
    } else await erases(line, body, paths);
  });
  test('an element of a SOAP operation', async () => {
    const answered = await send('POST /soap/7', ENVELOPE('<address><city>y</city></address>'));
    expect(answered.body.toString()).toContain('write_erases');
    expect(writes).toEqual([]);
  });
});

describe('a write that erases nothing unseen goes through', () => {
  test.each<[string, string, unknown, object]>([
    ['a member of its own', 'PATCH /users/7', { mail: 'x' }, { mail: 'x' }],
    ['a list of which all is shown', 'PATCH /users/7', { tags: ['c'] }, { tags: ['c'] }],
    [
      'a PUT by one who is shown every field, of all that is stored',
      'PUT /small-true/7',
      { id: '7', mail: 'x' },
      { mail: 'x' },
    ],
    ['a PUT whose upstream keeps other members', 'PUT /parts/7', { mail: 'x' }, { mail: 'x' }],
    [
      'one whose upstream keeps everything',
      'PUT /merges/7',
      { address: { city: 'y' } },
      { address: { city: 'y' } },
    ],
  ])('%s', async (_name, line, body, changed) => {
    expect((await send(line, body)).status).toBe(200);
    expect(stored).toMatchObject(changed);
  });
  test('a form', async () => {
    expect((await send('POST /form/7', 'mail=x')).status).toBe(200);
    expect(writes).toEqual(['POST mail=x']);
  });
});

describe('a route that keeps what is hidden', () => {
  test.each([
    ['nothing', 'PUT /kept/7', {}, {}],
    ['one member', 'PUT /kept/7', { mail: 'x' }, { mail: 'x' }],
    ['what no line of the catalog covers, too', 'PUT /small-kept/7', { mail: 'x' }, { mail: 'x' }],
    ['an object', 'PATCH /kept/7', { address: { city: 'y' } }, { address: { city: 'y', street: 'secret' } }],
  ])('keeps it where the body has %s', async (_name, line, body, changed) => {
    expect((await send(line, body)).status).toBe(200);
    expect(stored).toEqual({ ...STORED, ...changed });
  });
  test.each([
    ['no body', 'PUT /kept/7', ''],
    ['a list', 'PUT /kept/7', []],
    ['null for an object that is not shown whole', 'PATCH /kept/7', { address: null }],
    ['a text for one', 'PUT /kept/7', { address: 'none' }],
    ['null for a list that is not shown whole', 'PATCH /kept/7', { contacts: null }],
    ['an empty list for one', 'PATCH /kept/7', { contacts: [] }],
    ['an object for one', 'PATCH /kept/7', { contacts: { label: 'x' } }],
    ['a list for an object', 'PATCH /kept/7', { address: [] }],
    ['another text for a document that is not shown whole', 'PATCH /kept/7', { doc: '{"a":2}' }],
  ])('refuses %s', async (_name, line, body) => {
    expect((await send(line, body)).status).toBeGreaterThanOrEqual(400);
    expect(writes).toEqual([]);
  });
});

test.each(['remove', 'replace', 'add', 'move', 'copy', 'test'])(
  'a JSON Patch is refused, whatever its operation: %s',
  async (op) => {
    const body = [{ op, path: '/address', from: '/salary', value: {} }];
    for (const line of ['PATCH /users/7', 'PATCH /strip/7', 'PATCH /kept/7', 'PUT /small/7'])
      expect([line, (await send(line, body)).status]).toEqual([line, 403]);
    expect(writes).toEqual([]);
  },
);

test('whoever configures a PUT is asked what the upstream does, until it is said', () => {
  const fields = { '/id': open };
  const catalog = { resource: 'user', data_subject: [], attributes: {}, envelope: {}, fields };
  const warnings = (match: string, request: object, more: object = {}) =>
    routeWarnings(
      routesConfig([
        route(match, {
          action: 'update',
          resource: 'user',
          id: '{id}',
          data_subject: '{id}',
          request,
          ...more,
        }),
      ]),
      new Map([['user', catalog]]),
      layoutOf,
    ).map(({ message }) => message);
  expect(warnings('PUT /users/{id}', {})).toEqual([expect.stringMatching(/keep_masked.*replaces: false/)]);
  expect(warnings('PUT /users/{id}', { refused_fields: 'strip' })).toHaveLength(1);
  expect(warnings('POST /users/{id}', {}, { when: { body: { '/_method': 'PUT' } } })).toHaveLength(1);
  const [create] = warnings('PUT /users/{id}', {}, { action: 'create' });
  expect(create).toMatch(/replaces: false/);
  expect(create).not.toContain('keep_masked');
  const [xml] = warnings('PUT /users/{id}', { format: 'xml', record: '/user' });
  expect(xml).not.toContain('keep_masked');
  const said = [true, false, 'parts'].map((replaces) => ({ replaces }));
  for (const request of [...said, { keep_masked: {} }, { keep_masked: {}, replaces: true }])
    expect(warnings('PUT /users/{id}', request)).toEqual([]);
  for (const match of ['PATCH /users/{id}', 'POST /users/{id}']) expect(warnings(match, {})).toEqual([]);
});
