/**
 * Class: a body within the limits costs far more than its length. Root cause: what holds for a record was made out anew for each of its values, each
 * conflict was looked for among all values, and lists of values were handed over as arguments of one call, which the stack does not hold.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { judged } from '../../src/disclosure/guard/judged.ts';
import type { Leaf } from '../../src/disclosure/guard/leaf.ts';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { answer, type Running, startSluice } from '../support/sluice.ts';
import { exchange, jsonOf, requestText } from '../support/wire.ts';

const OPEN = { category: 'open', grade: 1 };
let upstream: HostileUpstream;
let running: Running;

beforeAll(async () => {
  upstream = await startHostile();
  upstream.answer = answers('{}');
  running = await startSluice({
    upstream: upstream.url,
    catalogs: {
      user: {
        data_subject: ['/id'],
        fields: {
          '/id': OPEN,
          '/list/*': OPEN,
          '/pairs/*/id': OPEN,
          '/pairs/*/name': OPEN,
          '/pairs/[name=Mobile]/value': OPEN,
        },
      },
    },
    answers: { user: { '*': answer({ 'open/1': 'disclose' }) } },
    routes: [
      {
        match: 'PATCH /users/{id}',
        upstream: 'crm',
        resource: 'user',
        action: 'update',
        id: '{id}',
        data_subject: '{id}',
        request: { replaces: false },
      },
    ],
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});

const write = (body: string) =>
  exchange(
    running.port,
    requestText('PATCH /users/7', { ...running.caller, 'Content-Type': 'application/json' }, body),
    { timeout: 25_000 },
  );

test('a list of more values than the stack holds is written', async () => {
  const body = `{"list":[${'1,'.repeat(199_999)}1]}`;
  expect((await write(body)).status).toBe(200);
  expect(upstream.received.at(-1)!.body.toString()).toBe(body);
});

test('a list in which each element is a conflict is refused', async () => {
  const pairs = Array.from({ length: 20_000 }, (_, id) => ({ id, name: 'Mobile', value: 'x' }));
  expect(jsonOf(await write(JSON.stringify({ pairs })))).toMatchObject({ code: 'identifier_conflict' });
});

test('whom a record is about is made out once, however many values it has', async () => {
  let read = 0;
  const record = {
    place: [],
    conflicts: [],
    get leaves(): readonly Leaf[] {
      read++;
      return [];
    },
  };
  const snapshot = { data: {}, disclose: () => answer({ 'open/1': 'disclose' }) };
  const input = {
    action: { name: 'update' },
    resource: { type: 'user' },
    context: { time: '2026-01-01T00:00:00Z' },
  };
  const answersOf = await judged(snapshot as never, input as never, null, [record], {} as never);
  const before = read;
  expect(answersOf(record)).toBe(answersOf(record));
  expect(read).toBe(before);
});
