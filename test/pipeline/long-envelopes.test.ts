/** Answers with more than a part before the first record: where the record decides on the answer, nothing is sent before it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chunks, type HostileUpstream, reply, startHostile } from '../support/hostile.ts';
import { CUSTOMER, type Running, startSluice } from '../support/sluice.ts';
import { exchange, requestText, Wire } from '../support/wire.ts';

/** two parts; and more than `limits.record`, in values that are shorter than it */
const MiB = 1024 * 1024;
const NOTE = `"note":"${'n'.repeat(2 * MiB)}"`;
const LONGER = `${NOTE},"more":"${'m'.repeat(3 * MiB)}"`;

let upstream: HostileUpstream;
let running: Running;
beforeAll(async () => {
  upstream = await startHostile();
  upstream.answer = ({ target }, socket) => {
    const [, kind = '', id = ''] = target.split(/[/?]/);
    socket.write(reply('', { 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' }));
    if (kind === 'silent') {
      const begun = chunks(Buffer.from(`{${NOTE},"items":[`));
      socket.write(begun.subarray(0, -chunks(Buffer.alloc(0)).length));
      return;
    }
    const record = `{"id":"${id}","name":"Name"}`;
    const records = kind === 'list' ? `"items":[${id === 'none' ? '' : record}]` : `"data":${record}`;
    const around = target.includes('more=1') ? LONGER : NOTE;
    socket.write(chunks(Buffer.from(`{${around},${records}}`)));
  };
  const of = { upstream: 'crm', resource: 'customer' };
  const list = { ...of, action: 'search', records: '/items/*' };
  running = await startSluice({
    upstream: upstream.url,
    catalogs: {
      customer: { ...CUSTOMER, envelope: { '/note': { is: 'status' }, '/more': { is: 'status' } } },
    },
    dataSubjects: { W2: { flags: ['restricted'] } },
    routes: [
      { ...of, match: 'GET /read/{n}', action: 'read', records: '/data', query_params: ['more'] },
      {
        ...of,
        match: 'GET /found/{n}',
        action: 'read',
        records: '/data',
        query_fields: { name: '/name' },
        query_params: ['more'],
      },
      {
        ...list,
        match: 'GET /list/{n}',
        query_fields: { name: '/name' },
        query_params: ['more'],
        response: { empty: '{"items":[]}' },
      },
      { ...list, match: 'GET /silent/{n}' },
    ],
  });
}, 60_000);
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});

const ask = (target: string) =>
  exchange(running.port, requestText(`GET ${target}`, running.caller), { timeout: 20_000 });

test.each([
  ['read/C1', 200, 2 * MiB],
  ['read/W2', 403, 0],
  ['found/C1?name=Name', 200, 2 * MiB],
  ['found/W2?name=Name', 404, 0],
  ['list/C1?name=Name', 200, 2 * MiB],
  ['list/W2?name=Name', 200, 0],
  ['list/none?name=Name', 200, 0],
])('GET /%s: the record decides, status %i', async (target, status, least) => {
  const answer = await ask(`/${target}`);
  expect([answer.status, answer.complete]).toEqual([status, true]);
  expect(answer.body.includes('nnnn')).toBe(least > 0);
  expect(answer.body.length).toBeGreaterThanOrEqual(least);
});

test.each([
  'read/C1?more=1',
  'read/W2?more=1',
  'found/W2?name=Name&more=1',
  'list/C1?name=Name&more=1',
  'list/W2?name=Name&more=1',
])('GET /%s: refused, since more stands before the record than may be held', async (target) => {
  const answer = await ask(`/${target}`);
  expect([answer.status, answer.body.includes('nnnn')]).toEqual([502, false]);
  expect(running.records().at(-1)).toMatchObject({
    outcome: 'error',
    reasons: [{ code: 'record_too_large' }],
    response: { status: 502 },
  });
});

test('a list that nobody narrowed: what leaves before its records is on record', async () => {
  const wire = await Wire.open(running.port);
  const before = running.records().length;
  let recorded: number | null = null;
  wire.socket.on('data', () => {
    recorded ??= running.records().length - before;
  });
  wire.write(requestText('GET /silent/1', running.caller));
  await expect.poll(() => wire.received.length, { timeout: 20_000 }).toBeGreaterThan(2 * 1024 * 1024);
  expect(recorded).toBe(1);
  const records = running.records().slice(before);
  expect(records[0]).toMatchObject({ outcome: 'allowed', part: { number: 1, last: false } });
  const bytes = records.reduce((sum, { response }) => sum + (response?.bytes ?? 0), 0);
  expect(bytes).toBeGreaterThanOrEqual(2 * 1024 * 1024);
  wire.destroy();
});
