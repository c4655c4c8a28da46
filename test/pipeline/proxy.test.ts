/** What becomes of an upstream's answer as a whole: one record, or a list of them. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { CUSTOMER_ANSWER, answer as says, type Running, startSluice } from '../support/sluice.ts';
import { exchange, jsonOf, requestText, textOf } from '../support/wire.ts';

const BOOKS: Readonly<Record<string, readonly [body: string, disclosed: string]>> = {
  'text/csv': ['id,name\r\nC1,Ada\r\nrestricted,Bob\r\nC2,Eve\r\n', 'id,name\r\nC1,Ada\r\nC2,Eve\r\n'],
  'text/tab-separated-values': ['id\tname\nrestricted\tBob\nC2\tEve\n', 'id\tname\nC2\tEve\n'],
  'application/x-ndjson': ['{"id":"C1"}\n{"id":"restricted"}\n{"id":"C2"}\n', '{"id":"C1"}\n{"id":"C2"}\n'],
};

let upstream: HostileUpstream;
let running: Running;
beforeAll(async () => {
  upstream = await startHostile();
  const route = { upstream: 'crm', resource: 'customer' };
  running = await startSluice({
    upstream: upstream.url,
    dataSubjects: { restricted: { flags: ['restricted'] }, O: { flags: ['objects'] } },
    answers: {
      customer: { '*': CUSTOMER_ANSWER, objects: says({ 'reference/1': 'disclose', 'contact/1': 'mask' }) },
    },
    obligations: { customer: { max_records: 2 } },
    routes: [
      {
        ...route,
        match: 'GET /search',
        action: 'search',
        records: '/items/*',
        query_fields: { city: '/city', id: '/id' },
      },
      { ...route, match: 'GET /export', action: 'export' },
      { ...route, match: 'GET /one', action: 'read' },
      { ...route, match: 'GET /data', action: 'read', records: '/data' },
      { ...route, match: 'GET /found', action: 'search', records: '/data', query_params: ['no'] },
      {
        ...route,
        match: 'PUT /data',
        action: 'update',
        records: '/data',
        data_subject: 'C1',
        request: { replaces: false },
      },
      { ...route, match: 'GET /by', action: 'read', query_fields: { city: '/city' } },
    ],
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});
const ask = (path: string) => exchange(running.port, requestText(`GET ${path}`, running.caller));
const head = (path: string) =>
  exchange(running.port, requestText(`HEAD ${path}`, running.caller), { bodiless: true });

test.each(Object.entries(BOOKS))(
  'a list in rows (%s) whose route is silent loses the records that are withheld, and nothing else',
  async (type, [body, disclosed]) => {
    upstream.answer = answers(body, { 'Content-Type': type });
    const answer = await ask('/export');
    expect(answer.status).toBe(200);
    expect(textOf(answer)).toBe(disclosed);
  },
);

test.each(Object.entries(BOOKS))(
  'one record in rows (%s) that is withheld is a refusal',
  async (type, [body]) => {
    upstream.answer = answers(body, { 'Content-Type': type });
    const answer = await ask('/one');
    expect(answer.status).toBe(403);
    expect(jsonOf(answer)).toMatchObject({ code: 'record_withheld' });
  },
);

test('a record that hides what was searched by is not found, and the decision record says so', async () => {
  upstream.answer = answers('{"items":[{"id":"O","city":"Rome"},{"id":"C1","city":"Rome"}],"total":2}');
  const found = await ask('/search?city=Rome');
  expect(textOf(found)).toBe('{"items":[{"id":"C1","city":"Rome"}],"total":1}');
  expect(running.records().at(-1)).toMatchObject({
    disclosure: { records_withheld: 1, withheld_reasons: { query_field_withheld: 1 } },
  });
  const byId = jsonOf(await ask('/search?id=O')) as { items: { city: string }[] };
  expect(byId.items.map(({ city }) => city === 'Rome')).toEqual([false, true]);
});

/** an answer without what differs from one to the next */
const alike = (text: string): string => text.replace(/"decision_id":"[^"]*"/, '');

test.each([
  ['hides what was searched by', 'O', 'query_field_withheld'],
  ['is withheld as a whole', 'restricted', 'restricted'],
])(
  'the one record that a search finds and that %s is answered to the letter like one that is not there',
  async (_what, id, reason) => {
    upstream.answer = answers('no such customer', {}, '404 Not Found');
    const none = await ask('/by?city=Rome');
    const noneOfHead = await head('/by?city=Rome');
    upstream.answer = answers(`{"id":"${id}","city":"Rome"}`);
    const hidden = await ask('/by?city=Rome');
    expect(running.records().at(-1)).toMatchObject({
      outcome: 'denied',
      upstream: { status: 200 },
      reasons: [{ code: 'upstream_status_withheld' }, { code: reason }],
      disclosure: { records_withheld: 1, withheld_reasons: { [reason]: 1 } },
    });
    const hiddenOfHead = await head('/by?city=Rome');
    expect(hidden.status).toBe(404);
    expect(alike(textOf(hidden))).toBe(alike(textOf(none)));
    expect(hiddenOfHead.status).toBe(404);
    expect([...hidden.headers.keys()]).toEqual([...none.headers.keys()]);
    expect([...hiddenOfHead.headers.keys()]).toEqual([...noneOfHead.headers.keys()]);
  },
);

test('HEAD of a search that finds what may be seen says so, and nothing else', async () => {
  upstream.answer = answers('{"id":"C1","city":"Rome"}');
  const found = await head('/by?city=Rome');
  expect(found.status).toBe(200);
  expect([...found.headers.keys()]).not.toContain('content-length');
  expect(running.records().at(-1)).toMatchObject({ outcome: 'allowed', disclosure: { records: 0 } });
});

test('a record that does not say whose it is is told as that, unless it was searched for: then it is not found', async () => {
  upstream.answer = answers('{"city":"Rome"}');
  const answer = await ask('/by?city=Rome');
  expect(answer.status).toBe(404);
  expect(running.records().at(-1)?.reasons).toContainEqual({ code: 'data_subject_unknown' });
  const asked = await ask('/one');
  expect(asked.status).toBe(403);
  expect(jsonOf(asked)).toMatchObject({ code: 'record_withheld' });
});

test('a list says beforehand how many records it holds at most; one record does not', async () => {
  upstream.answer = answers('{"items":[{"id":"C1"},{"id":"C2"},{"id":"C3"}],"total":3}');
  const list = await ask('/search?id=C');
  expect(list.headers.get('sluice-max-records')).toEqual(['2']);
  expect(textOf(list)).toBe('{"items":[{"id":"C1"},{"id":"C2"}],"total":2}');
  upstream.answer = answers('{"id":"C1"}');
  expect((await ask('/one')).headers.has('sluice-max-records')).toBe(false);
});

test('one record within an envelope that is withheld is a refusal, where it was asked for', async () => {
  const envelope = (data: string) =>
    answers(`{"code":0,"data":${data}}`, { 'Content-Type': 'application/json' });
  upstream.answer = envelope('{"id":"C1","name":"Ada"}');
  expect(textOf(await ask('/data'))).toBe('{"data":{"id":"C1","name":"Ada"}}');
  upstream.answer = envelope('{"id":"restricted","name":"Bob"}');
  const refused = await ask('/data');
  expect(refused.status).toBe(403);
  expect(jsonOf(refused)).toMatchObject({ code: 'record_withheld', reasons: [{}, { code: 'restricted' }] });
  expect(running.records().at(-1)).toMatchObject({
    outcome: 'denied',
    disclosure: { records: 0, records_withheld: 1 },
  });
  // what a search found and may not show it has not found
  const found = await ask('/found');
  expect([found.status, textOf(found)]).toEqual([200, '{}']);
  // a write has happened all the same
  const written = await exchange(
    running.port,
    requestText('PUT /data', { ...running.caller, 'Content-Type': 'application/json' }, '{"name":"Bob"}'),
  );
  expect([written.status, textOf(written)]).toEqual([200, '']);
  // there is none
  upstream.answer = envelope('null');
  expect(textOf(await ask('/data'))).toBe('{"data":null}');
});
