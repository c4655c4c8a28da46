/** What becomes of an upstream's answer as a whole: one record, or a list of them. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { answers, type HostileUpstream, startHostile } from './support/hostile.ts';
import { type Running, startSluice } from './support/sluice.ts';
import { exchange, jsonOf, requestText, textOf } from './support/wire.ts';

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
    dataSubjects: { restricted: { flags: ['restricted'] } },
    routes: [
      { ...route, match: 'GET /export', action: 'export' },
      { ...route, match: 'GET /one', action: 'read' },
    ],
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});
const ask = (path: string) => exchange(running.port, requestText(`GET ${path}`, running.caller));

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
