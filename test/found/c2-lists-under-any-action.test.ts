/**
 * Class: an answer with several records is guarded or not by the word that the route has for it. Root cause: whether an answer is a list was decided by the
 * action alone, so that rows, lines and elements under `action: read` kept their gaps, and one withheld row refused all of them. Property,
 * for every format and every action that reads: two upstreams that differ in withheld people alone are answered with the same bytes; a page that the
 * route does not describe is refused before the upstream is asked.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CUSTOMER, CUSTOMER_ANSWER, type Running, startSluice } from '../support/sluice.ts';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { exchange, requestText, textOf } from '../support/wire.ts';

interface Person {
  readonly id: string;
  readonly balance: number;
}
interface Spelling {
  readonly records?: string;
  readonly type: string;
  spell(rows: readonly Person[], total: number): string;
}

const table = (rows: readonly Person[], by: string) =>
  [`id${by}balance`, ...rows.map((p) => `${p.id}${by}${p.balance}`)].join('\n');
const elements = (rows: readonly Person[]) =>
  rows.map((p) => `<r><id>${p.id}</id><balance>${p.balance}</balance></r>`).join('');

const FORMATS: Readonly<Record<string, Spelling>> = {
  json: {
    records: '/items/*',
    type: 'application/json',
    spell: (items, total) => JSON.stringify({ total, items }),
  },
  map: {
    records: '/items/*',
    type: 'application/json',
    spell: (rows, total) =>
      JSON.stringify({ total, items: Object.fromEntries(rows.map((p) => [`k${p.id}`, p])) }),
  },
  array: { records: '/*', type: 'application/json', spell: (rows) => JSON.stringify(rows) },
  csv: { type: 'text/csv', spell: (rows) => table(rows, ',') },
  tsv: { type: 'text/tab-separated-values', spell: (rows) => table(rows, '\t') },
  ndjson: {
    type: 'application/x-ndjson',
    spell: (rows) => rows.map((p) => `${JSON.stringify(p)}\n`).join(''),
  },
  xml: {
    records: '/l/r',
    type: 'application/xml',
    spell: (rows, total) => `<l><total>${total}</total>${elements(rows)}</l>`,
  },
  soap: {
    records: '/Envelope/Body/Found/r',
    type: 'text/xml',
    spell: (rows) => `<Envelope><Body><Found>${elements(rows)}</Found></Body></Envelope>`,
  },
};
const NAMES = Object.keys(FORMATS);
const DECLARED: Readonly<Record<string, string>> = { map: 'json', array: 'json', soap: 'xml' };
const ACTIONS = ['read', 'search', 'export'];
const CASES = NAMES.flatMap((format) =>
  ACTIONS.flatMap((action) => [true, false].map((declared) => ({ format, action, declared }))),
);

let upstream: HostileUpstream;
let running: Running;
let people: readonly Person[] = [];

beforeAll(async () => {
  upstream = await startHostile();
  running = await startSluice({
    upstream: upstream.url,
    crm: { response_headers: ['X-Total-Count'] },
    catalogs: {
      customer: {
        ...CUSTOMER,
        fields: {
          '/id': { category: 'reference', grade: 1 },
          '/balance': { category: 'reference', grade: 1 },
        },
        envelope: { '/total': { is: 'total' }, '/l/total': { is: 'total' } },
      },
    },
    answers: { customer: { '*': CUSTOMER_ANSWER } },
    dataSubjects: Object.fromEntries(
      Array.from({ length: 20 }, (_, n) => [`W${n}`, { flags: ['restricted'] }]),
    ),
    routes: CASES.flatMap(({ format, action, declared }) =>
      ['plain', 'paged'].map((kind) => ({
        match: `GET /${kind}/${format}/${action}/${declared}`,
        upstream: 'crm',
        resource: 'customer',
        action,
        ...(FORMATS[format]!.records === undefined ? {} : { records: FORMATS[format]!.records }),
        ...(declared ? { response: { format: DECLARED[format] ?? format } } : {}),
        query_fields: { min: '/balance' },
        query_params: ['limit', 'offset'],
        ...(kind === 'paged' ? { paging: { limit: 'limit', offset: 'offset', size: 3, fetch: 50 } } : {}),
      })),
    ),
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});

beforeEach(() => {
  upstream.answer = (request, socket) => {
    const { pathname, searchParams: q } = new URL(request.target, 'http://crm');
    const [, kind, format] = pathname.split('/');
    const found = people
      .filter((p) => p.balance >= Number(q.get('min') ?? 0))
      .sort((a, b) => a.balance - b.balance || (a.id < b.id ? -1 : 1));
    const skipped = Number(q.get('offset') ?? 0);
    const page =
      kind === 'plain' ? found : found.slice(skipped, skipped + Number(q.get('limit') ?? found.length));
    const { type, spell } = FORMATS[format!]!;
    return answers(spell(page, found.length), {
      'Content-Type': type,
      'X-Total-Count': String(found.length),
    })(request, socket);
  };
});

const ask = (path: string) => exchange(running.port, requestText(`GET ${path}`, running.caller));

async function seen(of: readonly Person[], target: string): Promise<string> {
  people = of;
  const answer = await ask(target);
  const headers = [...answer.headers].filter(([name]) => !['date', 'sluice-decision-id'].includes(name));
  const text = textOf(answer).replace(/"decision_id":"[^"]*"/, '');
  return JSON.stringify([answer.status, headers, text], null, 1);
}

const person = (letter: string) =>
  fc.record({ id: fc.nat(19).map((n) => `${letter}${n}`), balance: fc.nat(9) });

describe.each(CASES)('$format under action $action, declared: $declared', ({ format, action, declared }) => {
  const path = (kind: string) => `/${kind}/${format}/${action}/${declared}`;

  test('tells nothing of withheld people', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.oneof(person('A'), person('W')), { selector: ({ id }) => id, maxLength: 8 }),
        fc.nat(9),
        fc.option(fc.nat(3)),
        fc.option(fc.nat(3)),
        async (rows, min, limit, offset) => {
          const without = rows.filter(({ id }) => !id.startsWith('W'));
          const page = `${limit === null ? '' : `&limit=${limit}`}${offset === null ? '' : `&offset=${offset}`}`;
          for (const target of [`${path('plain')}?min=${min}`, `${path('paged')}?min=${min}${page}`])
            expect(await seen(rows, target)).toBe(await seen(without, target));
        },
      ),
      { numRuns: 12 },
    );
  });

  test('shows the records that are disclosed beside a withheld one', async () => {
    people = [
      { id: 'A1', balance: 1 },
      { id: 'W1', balance: 2 },
    ];
    const answer = await ask(`${path('plain')}?min=0`);
    expect(answer.status).toBe(200);
    expect(textOf(answer)).toContain('A1');
  });

  test('is refused with a page that the route does not describe', async () => {
    const before = upstream.received.length;
    const answer = await ask(`${path('plain')}?min=0&limit=1`);
    expect([answer.status, textOf(answer)]).toEqual([403, expect.stringContaining('narrowed_page_refused')]);
    expect(upstream.received.length).toBe(before);
  });
});
