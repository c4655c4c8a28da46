/** Decisions by the admin API: who may ask, what is answered, and that each question is on record. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { policyWith } from '../support/policy.ts';
import { type Answered, Api } from '../support/admin-api.ts';
import { draft } from '../support/decision-records.ts';
import { startSluice } from '../support/sluice.ts';

const RECORDS = 25;

describe.each([
  ['the journal', 'none'],
  ['an index', { sqlite: './data/index.db' }],
])('decisions by the admin API, from %s', (_, index) => {
  let api: Api;
  let auditor: string;
  const asked = (query: string, token = auditor): Promise<Answered> =>
    api.call(token, 'decisions.query', {}, { query });
  const counts = (query: string, token = auditor): Promise<Answered> =>
    api.raw(token, 'GET', `/v1/decisions/counts${query}`);
  const append = async (n: number, over: object = {}) =>
    api.running.sluice.log.append(
      draft(n, {
        disclosure: {
          ...draft(n).disclosure!,
          data_subjects: [api.running.sluice.log.dataSubject(`顾客-${n % 5}`)],
        },
        ...over,
      }),
    );

  beforeAll(async () => {
    api = new Api(await startSluice({ policy: await policyWith({}), config: { decision_log: { index } } }));
    auditor = await api.token('u-auditor', ['auditor'], { amr: ['pwd'] });
    for (let n = 0; n < RECORDS; n++) await append(n);
    await vi.waitFor(
      async () =>
        expect((await asked('?kind=disclosure&limit=1000')).body['decisions']).toHaveLength(RECORDS),
      { timeout: 30_000 },
    );
  });
  afterAll(() => api.running.close());

  test('finds who saw a customer by the customer’s plain id, and records the question with the id as the log has it', async () => {
    const found = await asked(
      `?data_subject=${encodeURIComponent('顾客-1')}&path=/name&released=true&since=2026-11-22`,
    );
    const hashed = api.running.sluice.log.dataSubject('顾客-1');
    const decisions = found.body['decisions'] as { disclosure: { data_subjects: string[] } }[];
    expect(decisions).toHaveLength(5);
    for (const { disclosure } of decisions) expect(disclosure.data_subjects).toEqual([hashed]);
    expect(found.records).toHaveLength(1);
    expect(found.record).toMatchObject({
      kind: 'admin',
      action: 'decisions.query',
      outcome: 'allowed',
      subject: { id: 'u-auditor' },
      request: { route: 'GET /v1/decisions' },
      disclosure: { records: 0, released: [], data_subjects: [hashed] },
      reasons: [{ code: 'role_permits' }],
      labels: { results: '5' },
    });
    expect(JSON.parse(found.record.labels['filters']!)).toEqual({
      data_subject: hashed,
      path: '/name',
      released: true,
      since: '2026-11-22',
    });
    expect(api.running.journalText()).not.toContain('顾客-1');
    // The pseudonym finds the same, for callers whose addresses are logged on the way.
    expect(
      (await asked(`?data_subject=${encodeURIComponent(hashed)}&kind=disclosure`)).body['decisions'],
    ).toHaveLength(5);
  });

  test('shows one decision, and records who looked', async () => {
    const { body } = await asked('?kind=disclosure&limit=1');
    const [decision] = body['decisions'] as { decision_id: string }[];
    const shown = await api.call(auditor, 'decisions.view', { id: decision!.decision_id });
    expect(shown.body).toEqual(decision);
    expect(shown.record).toMatchObject({
      action: 'decisions.view',
      labels: { filters: JSON.stringify({ decision_id: decision!.decision_id }), results: '1' },
    });
    const none = await api.call(auditor, 'decisions.view', { id: 'none' });
    expect(none).toMatchObject({
      status: 404,
      body: { code: 'record_not_found' },
      record: { outcome: 'denied', action: 'decisions.view' },
    });
  });

  test('counts what was looked up and what was disclosed', async () => {
    const counted = await counts('?kind=disclosure&count_by=outcome&distinct=data_subject');
    expect(counted.body).toEqual({
      decisions: RECORDS,
      disclosed: RECORDS,
      groups: 2,
      rows: [
        { by: { outcome: 'modified' }, decisions: 20, disclosed: 20, distinct: 4, distinct_disclosed: 4 },
        { by: { outcome: 'denied' }, decisions: 5, disclosed: 5, distinct: 1, distinct_disclosed: 1 },
      ],
    });
    expect(counted.record).toMatchObject({
      action: 'decisions.query',
      request: { route: 'GET /v1/decisions/counts' },
      labels: {
        filters: JSON.stringify({ kind: 'disclosure', count_by: 'outcome', distinct: 'data_subject' }),
        results: '2',
      },
    });
    expect((await counts('?kind=disclosure&count_by=subject&limit=2')).body).toMatchObject({
      groups: 7,
      rows: [{}, {}],
    });
    expect((await counts('')).body).toMatchObject({ groups: 1, rows: [{ by: {} }] });
  });

  test('every page is what it would have been, while new decisions arrive', async () => {
    const before = (await asked('?kind=disclosure&limit=1000')).body['decisions'] as {
      decision_id: string;
    }[];
    const seen: string[] = [];
    let cursor: unknown = null;
    do {
      const page = await asked(
        `?kind=disclosure&limit=4${cursor === null ? '' : `&cursor=${String(cursor)}`}`,
      );
      seen.push(...(page.body['decisions'] as { decision_id: string }[]).map((d) => d.decision_id));
      cursor = page.body['cursor'];
      await append(100 + seen.length);
    } while (cursor !== null);
    // The first page was asked for before any of the new ones.
    expect(seen).toEqual(before.map((d) => d.decision_id));
  });

  test('refuses, with a record of the question, whoever has no credential, no role, or another organisation', async () => {
    const query = `?data_subject=${encodeURIComponent('顾客-2')}`;
    const support = await api.token('u-17', ['support']);
    const partner = await api.token('p-1', ['auditor'], { org: 'swift_logistics' });
    for (const token of [support, partner]) {
      const refused = [
        await asked(query, token),
        await counts(query, token),
        await api.call(token, 'decisions.view', { id: 'x' }),
      ];
      for (const { status, body, record } of refused) {
        expect({ status, body }).toMatchObject({
          status: 403,
          body: { code: 'policy_denied', reasons: [{ code: 'operation_not_permitted' }] },
        });
        expect(record).toMatchObject({
          kind: 'admin',
          outcome: 'denied',
          labels: { filters: expect.any(String) as string },
        });
        expect(record.labels['results']).toBeUndefined();
      }
      expect(JSON.parse(refused[0]!.record.labels['filters']!)).toEqual({
        data_subject: api.running.sluice.log.dataSubject('顾客-2'),
      });
    }
    expect(await api.raw(null, 'GET', '/v1/decisions')).toMatchObject({
      status: 401,
      body: { code: 'token_missing' },
      record: { outcome: 'denied', subject: null },
    });
  });

  test.each([
    ['/v1/decisions?customer=CANARY'],
    ['/v1/decisions?limit=0'],
    ['/v1/decisions?limit=1001'],
    ['/v1/decisions?outcome=CANARY'],
    ['/v1/decisions?since=CANARY'],
    ['/v1/decisions?class=CANARY'],
    ['/v1/decisions?released=CANARY'],
    ['/v1/decisions?subject=a%00CANARY'],
    ['/v1/decisions?cursor=CANARY%20x'],
    ['/v1/decisions?count_by=CANARY'],
    ['/v1/decisions/counts?count_by=CANARY'],
    ['/v1/decisions/counts?count_by=day,day'],
    ['/v1/decisions/counts?distinct=CANARY'],
    ['/v1/decisions/counts?cursor=CANARY'],
  ])('%s is refused', async (path) => {
    const refused = await api.raw(auditor, 'GET', path);
    expect(refused).toMatchObject({
      status: 400,
      body: { code: 'input_invalid' },
      record: { outcome: 'denied' },
    });
    expect(JSON.stringify(refused.body)).not.toContain('CANARY');
  });
});
