/** Requests of data subjects in the store: whole or not at all, and what the policy is to see of them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MIGRATIONS } from '../../src/compose/store.ts';
import {
  type Change,
  certificateOf,
  createErasure,
  type ErasureStore,
  type Happened,
  holdsOf,
  markSource,
  type RequestRow,
} from '../../src/erasure/index.ts';
import { createConsentRecords } from '../../src/consent/index.ts';
import type { Kind } from '../../src/model/erasure.ts';
import type { Database } from '../../src/model/database.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';

const RUNS = Number(process.env['FC_RUNS'] ?? 25);
const DAY = 86_400_000;
const dir = mkdtempSync(join(tmpdir(), 'sluice-erasure-'));
let schema: Awaited<ReturnType<typeof freshSchema>>;
beforeAll(async () => {
  schema = await freshSchema('erasure');
});
afterAll(async () => {
  await schema.drop();
  rmSync(dir, { recursive: true });
});
const OPEN: Readonly<Record<string, () => Database>> = {
  sqlite: () => openSqlite(join(dir, 'store.db')),
  postgres: () => openPostgres(POSTGRES, { schema: schema.schema }),
};

describe.each(Object.keys(OPEN))('requests of data subjects in %s', (dialect) => {
  let database: Database;
  let store: ErasureStore;
  let time = Date.parse('2026-11-30T08:00:00Z');
  let n = 0;
  const happened: Happened[] = [];
  const by = (who = 'li', fails = false): Change => ({
    by: who,
    decision_id: `d-${n++}`,
    journaled: async (what) => {
      if (fails) throw new Error('the journal is full');
      happened.push(what);
    },
  });
  beforeAll(async () => {
    database = OPEN[dialect]!();
    await migrate(database, MIGRATIONS, () => new Date(time));
    store = createErasure(database, {
      newId: () => `r-${dialect}-${n++}`,
      now: () => new Date(time),
      due: 30 * DAY,
    });
  });
  afterAll(() => database.close());

  const person = (): string => `客户-${n++}`;
  const request = async (data_subject: string, kind: Kind = 'erasure'): Promise<RequestRow> =>
    (await store.request({ kind, data_subject, note: null }, by())).request;
  const flags = async (id: string): Promise<string[]> =>
    ((await markSource(database).marks([id])).get(id) ?? []).map(({ flag }) => flag);
  const TRANSACTIONS = { category: 'transaction', basis: '保险法 第八十七条', until: '2031-12-31' };

  test('stop the disclosure when they are made, and say when they are due', async () => {
    const id = person();
    const made = await request(id);
    expect(made).toMatchObject({ state: 'requested', due_at: time + 30 * DAY, requested_by: 'li' });
    expect(await flags(id)).toEqual(['erasure_pending']);
    expect(await flags(person())).toEqual([]);
  });

  test('are made once: another one while it is open returns the first', async () => {
    const id = person();
    const first = await request(id);
    expect(await store.request({ kind: 'erasure', data_subject: id, note: null }, by())).toEqual({
      request: first,
      isNew: false,
    });
    expect((await store.show(first.id)).events).toHaveLength(1);
    await store.reject(first.id, 'not the customer', by());
    expect((await request(id)).id).not.toBe(first.id);
  });

  test('two made at once are one', async () => {
    const id = person();
    const made = await Promise.all([request(id), request(id), request(id)]);
    expect(new Set(made.map((row) => row.id)).size).toBe(1);
  });

  test('with a hold are completed in part, and wholly when the hold is over', async () => {
    const id = person();
    const { id: r } = await request(id);
    await store.accept(r, 'seen in person', by());
    await store.hold(r, TRANSACTIONS, by());
    expect(await flags(id)).toEqual(['erasure_pending', 'held:transaction']);
    expect(await store.complete(r, 'ticket 1', by('han'))).toMatchObject({ state: 'partly' });
    expect(await flags(id)).toEqual(['erased', 'held:transaction']);
    await expect(store.complete(r, 'ticket 2', by())).rejects.toMatchObject({ code: 'erasure_invalid' });
    const before = time;
    time = Date.parse('2032-01-01T00:00:00Z');
    expect(
      (await store.list({ state: 'overdue', data_subject: id, limit: 10 })).map((row) => row.id),
    ).toEqual([r]);
    expect(await store.complete(r, 'ticket 2', by())).toMatchObject({ state: 'completed', holds: '[]' });
    time = before;
    expect(await flags(id)).toEqual(['erased']);
    expect((await store.show(r)).events.map(({ what, who }) => `${what} ${who}`)).toEqual([
      'requested li',
      'accepted li',
      'held li',
      'completed han',
      'completed li',
    ]);
  });

  test('for erasure are not completed before somebody has accepted them', async () => {
    const id = person();
    const { id: r } = await request(id);
    await expect(store.complete(r, 'ticket', by())).rejects.toMatchObject({
      code: 'erasure_invalid',
      message: expect.stringContaining(`sluice erasure accept ${r}`) as string,
    });
    expect(await flags(id)).toEqual(['erasure_pending']);
    expect((await store.show(r)).events.map(({ what }) => what)).toEqual(['requested']);
  });

  test('that are completed are lifted when the person comes back, and their consents start empty', async () => {
    const consents = createConsentRecords(database, { now: () => new Date(time) });
    const own = createErasure(database, {
      newId: () => `r-${dialect}-${n++}`,
      now: () => new Date(time),
      due: 30 * DAY,
      lifted: consents.empty,
    });
    const id = person();
    const at = new Date(time - DAY).toISOString();
    const given = {
      purpose: 'p',
      categories: ['contact'],
      recipient: 'internal',
      status: 'given',
      at,
    } as const;
    await consents.edit(
      [
        {
          data_subject: id,
          statements: [{ consent: given, evidence: {}, isSaidNow: false }],
          addFlags: ['vip'],
        },
      ] as never,
      'li',
    );
    const { id: r } = await request(id);
    for (const state of ['requested', 'in_progress']) {
      await expect(own.lift(r, 'back', true, by())).rejects.toMatchObject({
        code: 'erasure_invalid',
        message: expect.stringContaining(state.replace('_', ' ')) as string,
      });
      if (state === 'requested') await store.accept(r, null, by());
    }
    const { closed_at } = await store.complete(r, 'ticket 1', by('han'));
    const certificate = certificateOf((await store.show(r)).request);
    // All of it or nothing: the record of the change is its last step.
    await expect(own.lift(r, 'back', false, by('li', true))).rejects.toThrow('the journal is full');
    expect([await flags(id), (await consents.entry(id))?.consents?.[0]?.status]).toEqual([
      ['erased'],
      'given',
    ]);
    // Consents that are kept elsewhere cannot be withdrawn with it.
    await expect(store.lift(r, 'back', false, by())).rejects.toMatchObject({ code: 'erasure_invalid' });
    expect(await own.lift(r, 'a new contract', false, by('wu'))).toMatchObject({
      ...{ state: 'lifted', reason: 'a new contract', closed_at, closed_by: 'han', evidence: 'ticket 1' },
    });
    expect(await flags(id)).toEqual([]);
    expect(await consents.entry(id)).toMatchObject({ flags: ['vip'], consents: [{ status: 'withdrawn' }] });
    expect((await consents.history(id)).at(-1)).toMatchObject({ actor: 'wu', what: 'withdrawn' });
    const { request: now, events } = await store.show(r);
    expect(events.at(-1)).toMatchObject({ what: 'lifted', who: 'wu', note: 'a new contract' });
    expect(happened.at(-1)).toMatchObject({ what: 'lifted', note: 'a new contract' });
    expect(certificateOf(now)).toEqual(certificate);
    await expect(own.lift(r, 'again', true, by())).rejects.toMatchObject({ code: 'erasure_invalid' });
    // They may ask for it once more.
    expect((await request(id)).id).not.toBe(r);
    expect(await flags(id)).toEqual(['erasure_pending']);
  });

  test('that are completed in part are not lifted: what is held is of the time before', async () => {
    const id = person();
    const { id: r } = await request(id);
    await store.accept(r, null, by());
    await store.hold(r, TRANSACTIONS, by());
    await store.complete(r, 'ticket 1', by());
    await expect(store.lift(r, 'back', true, by())).rejects.toMatchObject({
      code: 'erasure_invalid',
      message: expect.stringContaining('another number') as string,
    });
    expect(await flags(id)).toEqual(['erased', 'held:transaction']);
  });

  test('marks of a hold end with its last day', async () => {
    const id = person();
    await store.hold((await request(id)).id, TRANSACTIONS, by());
    const marks = (await markSource(database).marks([id])).get(id);
    expect(marks).toEqual([
      { flag: 'erasure_pending', until: null },
      { flag: 'held:transaction', until: Date.parse('2031-12-31T23:59:59.999Z') },
    ]);
  });

  test('a rejected one lets the disclosure go on, unless another one is open', async () => {
    const id = person();
    const erasure = await request(id);
    const restriction = await request(id, 'restriction');
    await request(id, 'access');
    expect(await flags(id)).toEqual(['erasure_pending', 'restricted']);
    await store.reject(erasure.id, 'must be kept', by());
    expect(await flags(id)).toEqual(['restricted']);
    await store.complete(restriction.id, 'ticket 3', by());
    expect(await flags(id)).toEqual([]);
  });

  test('overdue are those that are open after their time, and no others', async () => {
    const id = person();
    const late = await request(id);
    const before = time;
    time += 30 * DAY;
    expect(await store.list({ state: 'overdue', data_subject: id, limit: 10 })).toEqual([]);
    time += 1;
    expect(
      (await store.list({ state: 'overdue', data_subject: id, limit: 10 })).map((row) => row.id),
    ).toEqual([late.id]);
    await store.reject(late.id, 'no', by());
    expect(await store.list({ state: 'overdue', data_subject: id, limit: 10 })).toEqual([]);
    time = before;
  });

  test.each([
    ['of a category that nobody could name', { category: 'Transaction!' }],
    ['without a basis', { basis: ' ' }],
    ['without an end that exists', { until: '2031-02-30' }],
    ['that is over', { until: '2026-11-29' }],
    ['whose end is no date', { until: 'never' }],
  ])('refuse a hold %s', async (_what, more) => {
    const { id } = await request(person());
    await expect(store.hold(id, { ...TRANSACTIONS, ...more }, by())).rejects.toMatchObject({
      code: 'erasure_invalid',
    });
  });

  test('refuse an id that no record would have', async () => {
    for (const id of ['', ' C1', 'C1\u200b', 'x'.repeat(257)])
      await expect(request(id)).rejects.toMatchObject({ code: 'erasure_invalid' });
  });

  test('that are closed or unknown are not changed', async () => {
    const { id } = await request(person());
    await store.accept(id, null, by());
    await store.complete(id, 'ticket', by());
    for (const change of [
      () => store.accept(id, null, by()),
      () => store.hold(id, TRANSACTIONS, by()),
      () => store.complete(id, 'x', by()),
      () => store.reject(id, 'x', by()),
      () => store.confirm(id, { upstream: 'crm', status: 204, at: '2026-11-30T08:00:00Z' }, by()),
    ])
      await expect(change()).rejects.toMatchObject({ code: 'erasure_closed' });
    await expect(store.accept('none', null, by())).rejects.toMatchObject({ code: 'erasure_not_found' });
  });

  test('a row of marks that cannot be read is no absence of marks', async () => {
    const id = person();
    await request(id);
    await database.write('UPDATE erasure_marks SET marks = $2 WHERE data_subject = $1', [id, '{"flag"']);
    await expect(markSource(database).marks([id])).rejects.toMatchObject({ code: 'store_changed' });
  });

  test('tell others of an erasure that is accepted, in its transaction, and of nothing else', async () => {
    const told: string[] = [];
    const telling = createErasure(database, {
      newId: () => `t-${dialect}-${n++}`,
      now: () => new Date(time),
      due: DAY,
      accepted: async (queries, data_subject) => {
        await queries.query('INSERT INTO erasure_marks VALUES ($1, $2)', [`told-${data_subject}`, '[]']);
        told.push(data_subject);
      },
    });
    const made = async (kind: Kind, id: string) =>
      (await telling.request({ kind, data_subject: id, note: null }, by())).request.id;
    const [one, two, three] = [person(), person(), person()];
    await telling.accept(await made('access', one), null, by());
    await telling.accept(await made('erasure', two), null, by());
    await expect(telling.accept(await made('erasure', three), null, by('li', true))).rejects.toThrow('full');
    expect(told).toEqual([two, three]);
    const rows = await database.query('SELECT data_subject FROM erasure_marks WHERE data_subject = ANY($1)', [
      told.map((id) => `told-${id}`),
    ]);
    expect(rows.map((row) => row['data_subject'])).toEqual([`told-${two}`]);
  });

  /** One step of somebody's requests: `fails` says whether the journal does. */
  const steps = fc.array(
    fc.record({
      what: fc.constantFrom('request', 'restrict', 'accept', 'hold', 'release', 'complete', 'reject'),
      category: fc.constantFrom('transaction', 'health'),
      fails: fc.boolean(),
    }),
    { minLength: 1, maxLength: 12 },
  );

  test('whatever happens: marks and events are those of the requests, and a change that is not recorded did not happen', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        const id = person();
        const all = () => store.list({ state: 'all', data_subject: id, limit: 100 });
        const open = async (kind: Kind) =>
          (await store.list({ state: 'open', kind, data_subject: id, limit: 1 }))[0]?.id ?? 'none';
        for (const { what, category, fails } of list) {
          const before = [await all(), await flags(id)];
          const count = happened.length;
          const change = by('li', fails);
          const r = await open('erasure');
          const done = await {
            request: () => store.request({ kind: 'erasure', data_subject: id, note: null }, change),
            restrict: () => store.request({ kind: 'restriction', data_subject: id, note: null }, change),
            accept: () => store.accept(r, null, change),
            hold: () => store.hold(r, { ...TRANSACTIONS, category }, change),
            release: () => store.release(r, category, 'over', change),
            complete: () => store.complete(r, 'ticket', change),
            reject: () => store.reject(r, 'no', change),
          }
            [what]()
            .then(() => true)
            .catch(() => false);
          const now = await all();
          if (!done || fails) expect([now, await flags(id)]).toEqual(before);
          if (fails) expect(happened).toHaveLength(count);
          const erasures = now.filter(({ kind }) => kind === 'erasure');
          const isOpen = ({ state }: RequestRow) => state === 'requested' || state === 'in_progress';
          const granted = erasures.filter(({ state }) => state !== 'rejected');
          const wanted = new Set([
            ...(erasures.some(isOpen) ? ['erasure_pending'] : []),
            ...(granted.some((row) => !isOpen(row)) ? ['erased'] : []),
            ...granted.flatMap(holdsOf).map((hold) => `held:${hold.category}`),
            ...(now.some((row) => row.kind === 'restriction' && isOpen(row)) ? ['restricted'] : []),
          ]);
          expect(await flags(id)).toEqual([...wanted].sort());
        }
        for (const { id: r, state } of await all()) {
          const { events } = await store.show(r);
          expect(events.map(({ number }) => number)).toEqual(events.map((_, i) => i + 1));
          if (state === 'rejected') expect(events.at(-1)?.what).toBe('rejected');
          if (state === 'completed' || state === 'partly') expect(events.at(-1)?.what).toBe('completed');
        }
      }),
      { numRuns: RUNS },
    );
  });
});

test('PostgreSQL announces a person whose marks have changed', async () => {
  const client = new pg.Client(POSTGRES);
  await client.connect();
  await client.query(`SET search_path = ${schema.schema}; LISTEN sluice_changes`);
  const heard = new Promise<string>((done) =>
    client.on('notification', ({ payload = '' }) => {
      if (payload.includes('客户-announced')) done(payload);
    }),
  );
  const database = OPEN['postgres']!();
  const store = createErasure(database, { newId: () => 'announced', now: () => new Date(), due: DAY });
  await store.request(
    { kind: 'erasure', data_subject: '客户-announced', note: null },
    { by: 'li', decision_id: 'd', journaled: async () => undefined },
  );
  expect(JSON.parse(await heard)).toEqual({ kind: 'consents', scope: { data_subject: '客户-announced' } });
  await database.close();
  await client.end();
});
