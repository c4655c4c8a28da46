/**
 * Class: a page of people is one record to its catalog (its `data_subject` has a `*`, a route without `records`). Root cause: whoever is withheld takes the whole page away,
 * which the caller tells from a search that finds others alone. Property: such a search is refused, whatever it would find.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { answer, type Running, startSluice } from '../support/sluice.ts';
import { exchange, jsonOf, requestText, textOf } from '../support/wire.ts';

const OPEN = { category: 'open', grade: 1 };
const PAGES: Readonly<
  Record<string, { readonly at: string; readonly spell: (rows: readonly object[]) => object }>
> = {
  array: { at: '/*', spell: (rows) => rows },
  items: { at: '/items/*', spell: (items) => ({ items }) },
};
const CASES = Object.keys(PAGES).flatMap((page) =>
  ['read', 'search', 'export'].map((action) => ({ page, action })),
);

let upstream: HostileUpstream;
let running: Running;
beforeAll(async () => {
  upstream = await startHostile();
  running = await startSluice({
    upstream: upstream.url,
    catalogs: Object.fromEntries(
      Object.entries(PAGES).flatMap(([page, { at }]) => [
        [page, { data_subject: [`${at}/id`], fields: { [`${at}/id`]: OPEN, [`${at}/balance`]: OPEN } }],
      ]),
    ),
    answers: Object.fromEntries(
      Object.keys(PAGES).map((page) => [page, { '*': answer({ 'open/1': 'disclose' }) }]),
    ),
    dataSubjects: { R1: { flags: ['restricted'] } },
    routes: CASES.map(({ page, action }) => ({
      match: `GET /${page}/${action}`,
      upstream: 'crm',
      resource: page,
      action,
      query_fields: { min: `${PAGES[page]!.at}/balance` },
    })),
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});
beforeEach(() => {
  upstream.received.length = 0;
});

describe.each(CASES)('a page of $page under action $action', ({ page, action }) => {
  const ask = async (query: string, ids: readonly string[]) => {
    const body = PAGES[page]!.spell(ids.map((id) => ({ id, balance: 1 })));
    upstream.answer = answers(JSON.stringify(body), { 'Content-Type': 'application/json' });
    return exchange(running.port, requestText(`GET /${page}/${action}${query}`, running.caller));
  };

  test.each([[['C1', 'R1']], [['C1']], [[]]])('is refused to a search that would find %j', async (ids) => {
    const refused = await ask('?min=1', ids);
    expect(jsonOf(refused)).toMatchObject({ status: 403, code: 'narrowed_page_refused' });
    expect(upstream.received).toEqual([]);
  });

  test('is disclosed where nothing searches and nobody is withheld', async () => {
    expect(textOf(await ask('', ['C1', 'C2']))).toContain('C2');
    expect((await ask('', ['C1', 'R1'])).status).toBe(403);
  });
});
