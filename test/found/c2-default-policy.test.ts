/**
 * Class: what a caller learns of a withheld person by asking again and again, on the default policy, of upstreams that answer in other ways
 * than the ones that the rules of lists were written with. Root cause: the answer was judged by what is in its list, while its status, its
 * headers, its shape and its coding were still the upstream's, which knows what it found. Property: an upstream that has the person and one
 * that has not are answered with the same bytes.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type HostileUpstream, reply, startHostile } from '../support/hostile.ts';
import { policyWith } from '../support/policy.ts';
import { type Running, startSluice } from '../support/sluice.ts';
import { exchange, requestText, textOf } from '../support/wire.ts';

interface Person {
  readonly id: string;
  readonly phone: string;
  readonly balance: number;
}
const OTHERS: readonly Person[] = [
  { id: 'C1', phone: '13700000001', balance: 10 },
  { id: 'C2', phone: '13900000002', balance: 3000 },
  { id: 'C3', phone: '13900000003', balance: 5000 },
];
const WITHHELD: Person = { id: 'W1', phone: '13812345678', balance: 3001.5 };

/** How a system says what it found of a list. */
type Shape = (found: readonly Person[], page: readonly Person[], q: URLSearchParams) => Buffer;
const json = (body: unknown, headers = {}, status = '200 OK'): Buffer =>
  reply(JSON.stringify(body), headers, status);
const list = (found: readonly Person[], page: readonly Person[]) => ({ items: page, total: found.length });

const SHAPES: Readonly<Record<string, Shape>> = {
  plain: (found, page) => json(list(found, page)),
  gzip: (found, page) => {
    const text = JSON.stringify(list(found, page));
    return text.length > 100 ? reply(gzipSync(text), { 'Content-Encoding': 'gzip' }) : reply(text);
  },
  headers: (found, page) =>
    json(list(found, page), {
      'X-Pagination': JSON.stringify({ TotalCount: found.length }),
      'X-Found': String(found.length),
      'X-Cache': found.length > 0 ? 'HIT' : 'MISS',
      'X-Result-Size': String(found.length),
    }),
  more: (found, page) =>
    json({ ...list(found, page), ...(found.length > 0 ? { facets: { city: 1 }, next: '/x' } : {}) }),
  zero: (found, page, q) => json(list(found, q.get('limit') === '0' ? found.slice(0, 2) : page)),
  missing: (found, page) =>
    found.length === 0 ? json({ error: 'none' }, {}, '404 Not Found') : json(list(found, page)),
  silent: (found, page) =>
    found.length === 0 ? reply('', { 'Content-Length': [] }, '204 No Content') : json(list(found, page)),
  null: (found, page) => (found.length === 0 ? json(null) : json(list(found, page))),
  member: (found, page) => (found.length === 0 ? json({ code: 0 }) : json(list(found, page))),
  capped: (found, _page, q) => {
    const offset = Number(q.get('offset') ?? 0);
    return json(list(found, found.slice(offset, offset + Math.min(2, Number(q.get('limit') ?? 2)))));
  },
};
/** Gives less than it is asked for: nothing can be made whole of that. */
const PATHS = Object.keys(SHAPES).filter((shape) => shape !== 'capped');

/** whose routes say what an empty list reads like */
const EMPTY: ReadonlySet<string> = new Set(['missing', 'silent', 'null', 'member']);

let upstream: HostileUpstream;
let running: Running;
let people: readonly Person[] = OTHERS;

const CATALOG = `resource: customer
data_subject: /id
fields:
  /id: { category: reference, grade: 1 }
  /phone: { category: contact, grade: 3, mask: phone }
  /balance: { category: transaction, grade: 2 }
envelope: { /items: { is: records }, /total: { is: total } }
`;

beforeAll(async () => {
  upstream = await startHostile();
  upstream.answer = (request, socket) => {
    const { pathname, searchParams: q } = new URL(request.target, 'http://crm');
    const found = people
      .filter((p) => p.phone.startsWith(q.get('phone') ?? '') && p.balance >= Number(q.get('min') ?? 0))
      .sort((a, b) => a.balance - b.balance);
    const offset = Number(q.get('offset') ?? 0);
    const page = found.slice(offset, offset + Number(q.get('limit') ?? 50));
    socket.write(SHAPES[pathname.split('/')[2]!]!(found, page, q));
  };
  running = await startSluice({
    upstream: upstream.url,
    crm: { response_headers: ['X-Pagination', 'X-Found', 'X-Cache', 'X-Result-Size', 'X-Request-Id'] },
    policy: await policyWith({ catalogs: [CATALOG] }),
    claims: {
      sub: 'u-1',
      roles: ['support'],
      dept: 'after-sales',
      org: 'internal',
      clearance: 4,
      amr: ['pwd', 'otp'],
    },
    dataSubjects: { W1: { flags: ['restricted'] } },
    routes: Object.keys(SHAPES).flatMap((path) =>
      ['paged', 'bare'].map((kind) => ({
        match: `GET /${kind}/${path}`,
        upstream: 'crm',
        resource: 'customer',
        action: 'search',
        records: '/items/*',
        query_fields: { phone: '/phone', min: '/balance' },
        query_params: ['limit', 'offset'],
        response: EMPTY.has(path) ? { empty: '{"items":[]}' } : {},
        ...(kind === 'paged' ? { paging: { limit: 'limit', offset: 'offset', size: 2, fetch: 50 } } : {}),
      })),
    ),
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});

async function seen(of: readonly Person[], method: string, target: string): Promise<string> {
  people = of;
  const answer = await exchange(
    running.port,
    requestText(`${method} ${target}`, { ...running.caller, 'Accept-Encoding': 'gzip' }),
    { bodiless: method === 'HEAD' },
  );
  const headers = [...answer.headers].filter(([name]) => !['date', 'sluice-decision-id'].includes(name));
  return JSON.stringify(
    [answer.status, headers, textOf(answer).replace(/"decision_id":"[^"]*"/, '')],
    null,
    1,
  );
}

const QUERIES = [
  ...['138', '13812345678', '13', '139'].map((phone) => `phone=${phone}`),
  ...['138', '13'].flatMap((phone) =>
    ['limit=0', 'limit=1', 'limit=1&offset=1', 'limit=2&offset=1', 'offset=2', 'offset=0', 'limit=50'].map(
      (page) => `phone=${phone}&${page}`,
    ),
  ),
  ...['3001.4', '3001.5', '3001.6', '100', '0'].flatMap((min) => [
    `min=${min}`,
    `min=${min}&limit=1`,
    `min=${min}&limit=0`,
  ]),
];

describe('a person that the default policy withholds', () => {
  test.each(PATHS.flatMap((shape) => [`/paged/${shape}`, `/bare/${shape}`]))(
    'shows in no answer of %s',
    async (path) => {
      const told: string[] = [];
      for (const method of ['GET', 'HEAD'])
        for (const query of QUERIES) {
          const target = `${path}?${query}`;
          const without = await seen(OTHERS, method, target);
          const having = await seen([...OTHERS, WITHHELD], method, target);
          if (without !== having) told.push(`${method} ${target}`);
        }
      expect(told).toEqual([]);
    },
  );

  test.each(['paged', 'bare'])('leaves no gap where a %s list is cut short by the upstream', async (kind) => {
    const answer = await seen([...OTHERS, WITHHELD], 'GET', `/${kind}/capped?min=100`);
    expect(answer).toMatch(/^\[\s*403,/);
    expect(answer).toContain('narrowed_page_refused');
    expect(await seen(OTHERS, 'GET', `/${kind}/capped?min=3000`)).toMatch(/^\[\s*200,/);
    expect((await running.admin('/metrics')).text).toContain('how="unfilled"');
  });

  test('is not told from nobody by consents that cannot be read', async () => {
    const file = join(running.dir, 'consents.yaml');
    const before = readFileSync(file);
    writeFileSync(file, 'data_subjects: [');
    const answers = async (): Promise<string[]> => [
      await seen(OTHERS, 'GET', '/paged/plain?phone=138'),
      await seen([...OTHERS, WITHHELD], 'GET', '/paged/plain?phone=138'),
    ];
    const refused = expect.stringContaining('consent_unavailable') as string;
    try {
      await vi.waitFor(async () => expect(await answers()).toEqual([refused, refused]), 20_000);
    } finally {
      writeFileSync(file, before);
    }
  });
});

test.each([
  ['{"items":[', 'search', {}, 'is not valid JSON'],
  ['[]', 'read', {}, 'is not a list'],
  ['[]', 'export', { format: 'csv' }, 'must be JSON, but the responses of this route are csv'],
])('a route whose response.empty is %s (%s) is refused at start', async (empty, action, response, said) => {
  await expect(
    startSluice({
      routes: [
        { match: 'GET /c', upstream: 'crm', resource: 'customer', action, response: { ...response, empty } },
      ],
    }),
  ).rejects.toThrow(said);
});
