/**
 * Class: a client that reads a record, edits it and writes all of it back erases or spoils what it was not shown. Root cause: Sluice knew what the
 * caller sent and never what is stored, so that it could only refuse the write or leave something out of it.
 *
 * The upstream is a real server: PUT replaces the record, PATCH merges it (one level deep), both obey If-Match.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { answer, type Running, startSluice } from '../support/sluice.ts';
import { type Answer, exchange, jsonOf, requestText, textOf } from '../support/wire.ts';

const STORED = `{"id":"7","version":3,"mail":"a@example.org","name":"张三丰","phone":"13812345678","mobiles":["13912345678","13712345678"],
"open":["13600000000"],"salary":88.0,"serial":90071992547409931,"address":{"city":"x","street":"secret street"},"notes":"call 13812345678",
"contacts":[{"id":1,"label":"home","phone":"13512345678","pin":"1111"},{"id":2,"label":"work","phone":"13412345678","pin":"2222"}],
"claims":[{"status":"open","claim_no":"CL1","pin":"1"},{"status":"open","claim_no":"CL2","pin":"2"}],
"pairs":[{"text":"a","pin":"1"},{"text":"b","pin":"2"}],"uncatalogued":{"deep":[1.50]},"created":"2020",
"uuid":"u-7","fields":[{"id":3,"name":"Mobile","value":"a"},{"id":4,"name":"Diagnosis","value":"b"}]}`;

let stored: string;
let version: number;
let etags: boolean;
/** writes by somebody else between the read and the write */
let meanwhile: (() => void) | null;
let writes: { method: string; body: string; ifMatch: string | undefined }[];
let origin: Server;
let running: Running;

const open = { category: 'open', grade: 1 };
const masked = (mask: string) => ({ category: 'masked', grade: 1, mask });
const hidden = { category: 'hidden', grade: 1 };
beforeAll(async () => {
  origin = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      response.setHeader('content-type', 'application/json');
      const wrapped = request.url?.startsWith('/wrapped') === true;
      const etag = `"v${version}"`;
      if (request.method === 'GET') {
        if (etags) response.setHeader('etag', etag);
        response.end(wrapped ? `{"user":${stored}}` : stored);
        meanwhile?.();
        return;
      }
      const ifMatch = request.headers['if-match'];
      writes.push({ method: request.method!, body, ifMatch });
      if (ifMatch !== undefined && ifMatch !== etag) {
        response.writeHead(412).end('{}');
        return;
      }
      const sent = (wrapped ? JSON.parse(body).user : JSON.parse(body)) as object;
      version += 1;
      stored = JSON.stringify(
        request.method === 'PUT' ? sent : { ...(JSON.parse(stored) as object), ...sent },
      );
      response.end(wrapped ? `{"user":${stored}}` : stored);
    });
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  const route = { upstream: 'crm', resource: 'user', id: '{id}', data_subject: '{id}' };
  const update = { ...route, action: 'update' };
  const keep_masked = {};
  running = await startSluice({
    upstream: `http://127.0.0.1:${(origin.address() as AddressInfo).port}`,
    catalogs: {
      user: {
        data_subject: ['/id'],
        fields: {
          '/id': open,
          '/version': open,
          '/mail': open,
          '/created': { ...open, write: 'never' },
          '/name': masked('person_name'),
          '/phone': masked('phone'),
          '/mobiles/*': masked('phone'),
          '/open/*': { ...open, mask: 'phone' },
          '/salary': hidden,
          '/serial': open,
          '/address/city': open,
          '/address/street': hidden,
          '/notes': { category: 'scrubbed', grade: 1 },
          '/contacts/*/id': { ...open, write: 'never' },
          '/contacts/*/label': open,
          '/contacts/*/phone': masked('phone'),
          '/contacts/*/pin': hidden,
          '/uuid': open,
          '/fields/*/id': open,
          '/fields/*/name': open,
          '/fields/[name=Mobile]/value': open,
          '/fields/[name=Diagnosis]/value': hidden,
          '/claims/*/status': open,
          '/claims/*/claim_no': { ...open, write: 'never' },
          '/claims/*/pin': hidden,
          '/pairs/*/text': open,
          '/pairs/*/pin': hidden,
        },
        envelope: { '/user': { is: 'records' } },
      },
      // what those may see all of who may see what is open
      card: { data_subject: ['/id'], fields: { '/id': open, '/mail': open, '/password': hidden } },
    },
    answers: {
      card: {
        '*': answer({ 'open/1': 'disclose', 'hidden/1': 'drop' }),
        update: answer({ 'open/1': 'disclose', 'hidden/1': 'disclose' }),
      },
      user: {
        '*': answer({ 'open/1': 'disclose', 'masked/1': 'mask', 'hidden/1': 'drop', 'scrubbed/1': 'scrub' }),
        update: answer({
          'open/1': 'disclose',
          'masked/1': 'mask',
          'hidden/1': 'drop',
          'scrubbed/1': 'disclose',
        }),
      },
    },
    routes: [
      { ...route, match: 'GET /users/{id}', action: 'read' },
      { ...update, match: 'PUT /users/{id}', request: { keep_masked } },
      { ...update, match: 'PATCH /users/{id}', request: { keep_masked } },
      { ...update, match: 'PUT /wrapped/{id}', request: { keep_masked, record: '/user' } },
      { ...update, match: 'PUT /elsewhere/{id}', request: { keep_masked: { read: 'GET /users/{id}' } } },
      {
        ...update,
        match: 'PUT /versioned/{id}',
        request: { keep_masked: { read: 'GET /users/{id}', version: '/version' } },
      },
      {
        ...update,
        match: 'PUT /strip/{id}',
        request: { refused_fields: 'strip', keep_masked: { read: 'GET /users/{id}' } },
      },
      { ...update, match: 'PUT /other/{id}', request: { keep_masked: { read: 'GET /users/7' } } },
      { ...update, match: 'PUT /plain/{id}' },
      { ...update, match: 'PUT /replaces/{id}', request: { replaces: true } },
      { ...update, match: 'PUT /cards/{id}', resource: 'card', request: { replaces: true } },
      {
        ...update,
        match: 'PUT /stripped/{id}',
        resource: 'card',
        request: { replaces: true, refused_fields: 'strip' },
      },
    ],
  });
});
beforeEach(() => {
  stored = STORED;
  version = 3;
  etags = true;
  meanwhile = null;
  writes = [];
});
afterAll(async () => {
  await running?.close();
  origin?.close();
});

const send = (line: string, body?: unknown): Promise<Answer> =>
  exchange(
    running.port,
    body === undefined
      ? requestText(line, running.caller)
      : requestText(
          line,
          { ...running.caller, 'Content-Type': 'application/json' },
          Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)).toString('latin1'),
        ),
  );
interface User {
  [name: string]: unknown;
  contacts: { id: number; label: string }[];
}
const read = async (): Promise<User> => jsonOf(await send('GET /users/7')) as User;
const REAL = JSON.parse(STORED) as User;
const now = (): User => JSON.parse(stored) as User;

test('the client is shown a part of the record', async () => {
  const shown = await read();
  expect(shown['phone']).toBe('138****5678');
  expect(Object.keys(shown).sort()).toEqual(
    [
      'id',
      'version',
      'mail',
      'name',
      'phone',
      'mobiles',
      'open',
      'serial',
      'address',
      'notes',
      'contacts',
      'claims',
      'pairs',
      'created',
      'uuid',
      'fields',
    ].sort(),
  );
  expect(JSON.stringify(shown)).not.toMatch(/secret|1111|88|13812345678/);
});

describe('a client that reads, edits one field and writes all of it back', () => {
  test.each([
    ['PUT replaces', 'PUT /users/7'],
    ['PATCH merges', 'PATCH /users/7'],
    ['the record is read elsewhere', 'PUT /elsewhere/7'],
    ['the route strips as well', 'PUT /strip/7'],
    ['the record has a version', 'PUT /versioned/7'],
  ])('changes that field and nothing else where %s', async (_what, line) => {
    const mine = { ...(await read()), mail: 'new@example.org' };
    expect((await send(line, mine)).status).toBe(200);
    expect(now()).toEqual({ ...REAL, mail: 'new@example.org' });
    if (!line.startsWith('PUT /versioned')) expect(writes[0]?.ifMatch).toBe('"v3"');
  });
  test('changes that field and nothing else where the record is wrapped', async () => {
    const mine = { ...(await read()), mail: 'new@example.org' };
    expect((await send('PUT /wrapped/7', { user: mine })).status).toBe(200);
    expect(now()).toEqual({ ...REAL, mail: 'new@example.org' });
  });
  test('writes every stored number as it is spelled', async () => {
    await send('PUT /users/7', { ...(await read()), mail: 'x' });
    for (const spelled of ['"salary":88.0', '"serial":90071992547409931', '[1.50]'])
      expect(writes[0]?.body).toContain(spelled);
  });
  test('may edit a list whose elements have identifiers', async () => {
    const mine = await read();
    mine.contacts[1]!.label = 'office';
    mine.contacts.reverse();
    expect((await send('PUT /users/7', mine)).status).toBe(200);
    expect(now().contacts).toEqual([{ ...REAL.contacts[1], label: 'office' }, REAL.contacts[0]]);
  });
  test('may edit a list whose elements have a member that nobody may write', async () => {
    const mine = await read();
    (mine['claims'] as { status: string }[])[1]!.status = 'closed';
    expect((await send('PUT /users/7', mine)).status).toBe(200);
    expect(now()['claims']).toEqual([
      { status: 'open', claim_no: 'CL1', pin: '1' },
      { status: 'closed', claim_no: 'CL2', pin: '2' },
    ]);
  });
  test('may write a real value in the place of what it could write', async () => {
    const mine = { ...(await read()), notes: 'nothing', open: ['13611111111'] };
    expect((await send('PUT /users/7', mine)).status).toBe(200);
    expect(now()).toEqual({ ...REAL, notes: 'nothing', open: ['13611111111'] });
  });
  test('keeps what it leaves out', async () => {
    expect((await send('PUT /users/7', { mail: 'x', address: { city: 'y' } })).status).toBe(200);
    expect(now()).toEqual({ ...REAL, mail: 'x', address: { city: 'y', street: 'secret street' } });
  });
  test('sends no more than it must where PATCH merges', async () => {
    expect((await send('PATCH /users/7', { mail: 'x', phone: '138****5678' })).status).toBe(200);
    expect(JSON.parse(writes[0]!.body)).toEqual({ mail: 'x', phone: '13812345678' });
    expect(now()).toEqual({ ...REAL, mail: 'x' });
  });
});

test.each([
  ['drawn otherwise by the client', { phone: '138••••5678' }],
  ['in a list of values that the caller sees', { open: ['136****0000'] }],
])('a masked value of a colleague is kept as it is stored: %s', async (_what, body) => {
  expect((await send('PUT /users/7', body)).status).toBe(200);
  expect(now()).toEqual(REAL);
});

test.each([
  ['a field that the caller may not write', { created: '2021' }, 403],
  ['a field that the caller is not shown', { salary: 88.0 }, 403],
  ['a member that no catalog knows, as it is stored', { uncatalogued: { deep: [1.5] } }, 403],
  ['a masked field in clear', { phone: '13812345678' }, 403],
  ['a hidden member in an element', { contacts: [{ id: 1, pin: '1111' }] }, 422],
  ['a list without an element that is partly hidden', { contacts: [{ id: 1, label: 'home' }] }, 422],
  ['an element under a number that nobody may write', { claims: [{ status: 'open', claim_no: 'CL3' }] }, 422],
  ['a list of partly hidden elements without identifiers', { pairs: [{ text: 'c' }, { text: 'b' }] }, 422],
  ['a masked element that is none of the stored ones', { open: ['133****0000'] }, 422],
  ['a list of masked values that became shorter', { mobiles: ['139****5678'] }, 422],
  ['another id', { id: '8', mail: 'x' }, 403],
  ['another second id', { uuid: 'u-8', mail: 'x' }, 403],
  [
    'an element that a selector picks, changed under a second id',
    {
      fields: [
        { id: 3, name: 'Mobile', value: 'z' },
        { id: 4, name: 'Diagnosis' },
      ],
    },
    403,
  ],
])('nothing is written where the body has %s', async (_what, body, status) => {
  expect((await send('PUT /users/7', body)).status).toBe(status);
  expect(writes).toEqual([]);
});

describe('a record that somebody else writes meanwhile', () => {
  test('is left as it is, and the caller is told with 409', async () => {
    const mine = { ...(await read()), mail: 'x' };
    meanwhile = () => {
      version += 1;
    };
    const refused = await send('PUT /users/7', mine);
    expect(jsonOf(refused)).toMatchObject({ status: 409, code: 'write_conflict' });
    expect(stored).toBe(STORED);
  });
  test('is known by the version that the caller sends', async () => {
    const refused = await send('PUT /versioned/7', { ...(await read()), version: 2, mail: 'x' });
    expect(jsonOf(refused)).toMatchObject({ status: 409, code: 'write_conflict' });
    expect(writes).toEqual([]);
  });
  test('is not risked where the upstream has neither ETag nor version', async () => {
    etags = false;
    const refused = await send('PUT /users/7', { ...(await read()), mail: 'x' });
    expect(jsonOf(refused)).toMatchObject({ status: 502, code: 'write_precondition_missing' });
    expect(textOf(refused)).toMatch(/keep_masked\.version.*refused_fields: strip/);
    expect(writes).toEqual([]);
  });
});

test('nothing is written where another record was read than the one that is written', async () => {
  expect((await send('PUT /other/8', { mail: 'x' })).status).toBe(502);
  expect(writes).toEqual([]);
});

test('that the record was read and what was kept is on record, and neither is a value', async () => {
  await send('PUT /users/7', { ...(await read()), mail: 'x' });
  const last = running.records().at(-1)!;
  expect(last.reasons.map(({ code }) => code)).toEqual(
    expect.arrayContaining(['stored_record_read', 'stored_value_kept']),
  );
  expect(running.journalText()).not.toMatch(/13812345678|secret street|"1111"/);
});

test('no refusal has anything of the stored record in it', async () => {
  for (const body of [{ salary: 1 }, { pairs: [{ text: 'c' }] }, { phone: '13812345678' }])
    expect(textOf(await send('PUT /users/7', body))).not.toMatch(/secret|1111|uncatalogued|88\.0/);
});

describe('an upstream that replaces, of which nothing is kept', () => {
  test('is written by nobody who is not shown all of the record', async () => {
    const refused = await send('PUT /replaces/7', { id: '7', mail: 'x' });
    expect(jsonOf(refused)).toMatchObject({
      status: 403,
      code: 'write_erases',
      paths: expect.arrayContaining(['/salary', '/phone', '/contacts/*/pin', '/notes']),
    });
    expect(jsonOf(refused)['paths']).not.toContain('/mail');
    expect(textOf(refused)).toContain('request.keep_masked');
    expect(textOf(await send('PUT /cards/7', { id: '7', mail: 'x' }))).toContain('write_erases');
    expect(writes).toEqual([]);
  });
  test('is written by whoever sends all that is not shown', async () => {
    expect((await send('PUT /cards/7', { id: '7', mail: 'x', password: 'new' })).status).toBe(200);
    expect(now()).toEqual({ id: '7', mail: 'x', password: 'new' });
  });
  test('has nothing left out of a body', async () => {
    const body = { id: '7', mail: 'x', password: 'new', other: 1 };
    expect(jsonOf(await send('PUT /stripped/7', body))).toMatchObject({ code: 'body_field_refused' });
    expect(writes).toEqual([]);
  });
});

test('without the option the client is refused before anything is erased', async () => {
  const mine = { ...(await read()), mail: 'x' };
  expect((await send('PUT /plain/7', mine)).status).toBe(403);
  expect(writes).toEqual([]);
});
