/**
 * Class: whatever can be read can be written. Root cause: the guard took the answer about reading for one about writing, and nothing in a
 * catalog or in the policy's data could say otherwise; what is scrubbed when read, on the other hand, nobody could write.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { writeModeOf } from '../../src/model/catalog.ts';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { answer, type Running, startSluice } from '../support/sluice.ts';
import { type Answer, exchange, jsonOf, requestText } from '../support/wire.ts';

const OPEN = { category: 'open', grade: 1 };
let upstream: HostileUpstream;
let running: Running;
beforeAll(async () => {
  upstream = await startHostile();
  const route = { upstream: 'crm', resource: 'user', action: 'update', id: '{id}' };
  running = await startSluice({
    upstream: upstream.url,
    catalogs: {
      user: {
        fields: {
          '/id': { ...OPEN, write: 'never' },
          '/mail': OPEN,
          '/admin': { ...OPEN, write: 'never' },
          '/flags/*': { ...OPEN, write: 'never' },
          '/profile': { ...OPEN, whole: true },
          '/profile/role': { ...OPEN, write: 'never' },
          '/secret': { category: 'hidden', grade: 1 },
          '/fields/[name=Level]/value': { ...OPEN, write: 'never' },
          '/fields/[name=Mobile]/value': OPEN,
        },
      },
    },
    // a policy of somebody's own that knows of reading alone
    answers: { user: { '*': answer({ 'open/1': 'disclose', 'hidden/1': 'drop' }) } },
    routes: [
      { ...route, match: 'PUT /users/{id}', request: { replaces: false } },
      { ...route, match: 'PATCH /users/{id}', request: { refused_fields: 'strip' } },
      { ...route, match: 'POST /form/{id}', request: { format: 'form' } },
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

const send = (line: string, body: string, type = 'application/json'): Promise<Answer> =>
  exchange(running.port, requestText(line, { ...running.caller, 'Content-Type': type }, body));

test.each([
  ['a flag', '{"mail":"x","admin":true}', ['/admin']],
  ['an element of a list', '{"flags":["x"]}', ['/flags/*']],
  ['a null', '{"admin":null}', ['/admin']],
  ['a member of what is written whole', '{"profile":{"a":1,"role":"x"}}', ['/profile/role']],
  [
    'an element that a selector picks',
    '{"fields":[{"name":"Level","value":9}]}',
    ['/fields/[name=Level]/value'],
  ],
])('a field that is never written is refused whatever the policy answers: %s', async (_what, body, paths) => {
  const refused = await send('PUT /users/7', body);
  expect(jsonOf(refused)).toMatchObject({ status: 403, code: 'body_field_refused', paths });
  expect(upstream.received).toEqual([]);
});

test('a refusal says of each field why it may not be written', async () => {
  const refused = await send('PUT /users/7', '{"admin":true,"none":1,"secret":"x"}');
  expect(jsonOf(refused)['detail']).toContain(
    '/admin (write_never), /none (uncatalogued), /secret (scripted)',
  );
});

test('a field that is never written is refused in a form', async () => {
  const refused = await send('POST /form/7', 'mail=x&admin=true', 'application/x-www-form-urlencoded');
  expect(jsonOf(refused)).toMatchObject({ status: 403, paths: ['/admin'] });
  expect(upstream.received).toEqual([]);
});

test('a field that is never written is left out where the route strips', async () => {
  await send('PATCH /users/7', '{"admin":true,"mail":"x"}');
  expect(upstream.received.map((r) => r.body.toString())).toEqual(['{"mail":"x"}']);
});

test.each([
  ['the id of the route', '{"id":"7","mail":"x"}'],
  ['the key of a selector', '{"fields":[{"name":"Mobile","value":"x"}]}'],
])('%s is no field being written', async (_what, body) => {
  await send('PUT /users/7', body);
  expect(upstream.received.map((r) => r.body.toString())).toEqual([body]);
});

test.each([
  ['what the line says', { ...OPEN, write: 'always' as const }, { open: { write: 'never' } }, 'always'],
  ['what its category says', OPEN, { open: { write: 'never' } }, 'never'],
  ['as it is read where neither says', OPEN, {}, 'as_read'],
  ['never where its category says what nobody knows', OPEN, { open: { write: 'sometimes' } }, 'never'],
  ['as it is read where the data is of another shape', OPEN, ['open'], 'as_read'],
])('a field is written %s', (_what, entry, categories, mode) => {
  expect(writeModeOf(entry, { categories })).toBe(mode);
});
