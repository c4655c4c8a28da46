/** Changes of consents in the store: whole or not at all, each with its event, and announced. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  CONSENT_MIGRATIONS,
  type ConsentRecords,
  createConsentRecords,
  type Edit,
} from '../../src/consent/index.ts';
import type { StoredConsent } from '../../src/consent/schema.ts';
import type { Database } from '../../src/model/database.ts';
import { migrate } from '../../src/store/migrations.ts';
import { ANNOUNCEMENT_MIGRATIONS } from '../../src/store/outbox.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-records-'));
let schema: Awaited<ReturnType<typeof freshSchema>>;
beforeAll(async () => {
  schema = await freshSchema('records');
});
afterAll(async () => {
  await schema.drop();
  rmSync(dir, { recursive: true });
});

const OPEN: Readonly<Record<string, () => Database>> = {
  sqlite: () => openSqlite(join(dir, 'store.db')),
  postgres: () => openPostgres(POSTGRES, { schema: schema.schema }),
};

type Said = StoredConsent & { readonly at: string };
const consent = (more: Partial<Said> = {}): Said => ({
  id: 'c-1',
  purpose: 'after_sales',
  categories: ['contact'],
  recipient: 'internal',
  status: 'given',
  at: '2026-01-01T00:00:00Z',
  ...more,
});
const says = (data_subject: string, ...consents: Said[]): Edit => ({
  data_subject,
  statements: consents.map((each) => ({ data_subject, consent: each, evidence: { notice: 'v3' } })),
});

describe.each(Object.keys(OPEN))('changes in %s', (dialect) => {
  let database: Database;
  let other: Database;
  let records: ConsentRecords;
  let time = new Date('2026-11-30T08:00:00Z');
  beforeAll(async () => {
    database = OPEN[dialect]!();
    other = OPEN[dialect]!();
    await migrate(database, [...ANNOUNCEMENT_MIGRATIONS, ...CONSENT_MIGRATIONS], () => time);
    records = createConsentRecords(database, {
      now: () => time,
      termOf: (purpose) => (purpose === 'after_sales' ? 'dpv:CustomerCare' : undefined),
    });
  });
  afterAll(async () => {
    await database.close();
    await other.close();
  });

  test('are an entry, and an event with the record of ISO/IEC TS 27560', async () => {
    const events = await records.edit(
      [{ ...says('new', consent({ until: '2027-01-01' })), addFlags: ['vip'] }],
      'li',
    );
    const entry = { consents: [consent({ until: '2027-01-01' })], flags: ['vip'] };
    expect(await records.entry('new')).toEqual(entry);
    expect(events).toEqual([
      {
        data_subject: 'new',
        version: 1,
        at: '2026-11-30T08:00:00.000Z',
        actor: 'li',
        what: 'given',
        consent: {
          record_id: 'c-1',
          purpose: 'after_sales',
          purpose_term: 'dpv:CustomerCare',
          categories: ['contact'],
          recipient: 'internal',
          status: 'dpv:ConsentGiven',
          explicit: false,
          at: '2026-01-01T00:00:00Z',
          until: '2027-01-01',
          notice: 'v3',
        },
        entry: { consents: entry.consents },
      },
      expect.objectContaining({ version: 2, what: 'flags', consent: null, entry }),
    ]);
    expect(await records.history('new')).toEqual(events);
  });

  test('that are known already are none', async () => {
    await records.edit([says('twice', consent(), consent({ purpose: 'marketing' }))], 'li');
    expect(await records.edit([says('twice', consent(), consent({ purpose: 'marketing' }))], 'li')).toEqual(
      [],
    );
    expect(await records.history('twice')).toHaveLength(2);
  });

  test('are undone with everything else of their transaction', async () => {
    await records.edit([says('whole', consent())], 'li');
    const failing = records.edit(
      [says('whole', consent({ status: 'withdrawn', at: '2026-02-01T00:00:00Z' })), says('half', consent())],
      'li',
      () => Promise.reject(new Error('the journal is full')),
    );
    await expect(failing).rejects.toThrow('the journal is full');
    expect((await records.entry('whole'))?.consents?.[0]?.status).toBe('given');
    expect(await records.entry('half')).toBeUndefined();
    expect(await records.history('whole')).toHaveLength(1);
  });

  test('of fifty writers at once are all kept, also for somebody who is new', async () => {
    const writers = [database, other].map((db) => createConsentRecords(db, { now: () => time }));
    await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        writers[i % 2]!.edit(
          [says('busy', consent({ purpose: `p${i}` })), says(`busy-${i % 3}`, consent())],
          `w${i}`,
        ),
      ),
    );
    expect((await records.entry('busy'))?.consents).toHaveLength(50);
    expect((await records.history('busy')).map(({ version }) => version)).toEqual(
      Array.from({ length: 50 }, (_, i) => i + 1),
    );
  });

  test('by a withdrawal concern the purpose and recipient that it names', async () => {
    await records.edit(
      [says('leaves', consent(), consent({ recipient: 'swift' }), consent({ purpose: 'marketing' }))],
      'li',
    );
    const statuses = async () =>
      (await records.entry('leaves'))?.consents?.map((c) => `${c.purpose} ${c.recipient} ${c.status}`).sort();
    const done = await records.withdraw('leaves', { purpose: 'after_sales', recipient: 'swift' }, {}, 'li');
    expect(done?.events.map(({ what, consent: c }) => [what, c?.recipient, c?.status])).toEqual([
      ['withdrawn', 'swift', 'dpv:ConsentWithdrawn'],
    ]);
    expect(await statuses()).toEqual([
      'after_sales internal given',
      'after_sales swift withdrawn',
      'marketing internal given',
    ]);
    expect(
      await records.withdraw('leaves', { purpose: 'after_sales', recipient: 'swift' }, {}, 'li'),
    ).toEqual({
      events: [],
      already: 1,
    });
    expect((await records.withdraw('leaves', {}, {}, 'li'))?.events).toHaveLength(2);
    expect(await records.withdraw('nobody', {}, {}, 'li')).toBeNull();
    expect(await records.entry('nobody')).toBeUndefined();
  });

  test('by a withdrawal count although the clock was set back', async () => {
    await records.edit([says('clock', consent({ at: '2026-11-30T08:00:00Z' }))], 'li');
    const before = time;
    time = new Date('2026-11-01T00:00:00Z');
    await records.withdraw('clock', {}, {}, 'li');
    time = before;
    // An import repeats the consent.
    expect(await records.edit([says('clock', consent({ at: '2026-11-30T08:00:00Z' }))], 'li')).toEqual([]);
    expect((await records.entry('clock'))?.consents?.[0]).toMatchObject({
      status: 'withdrawn',
      at: '2026-11-30T08:00:00.001Z',
    });
  });

  test('by an old statement lift no refusal that was written by hand without its moment; one that is said now does', async () => {
    const { at: _, ...byHand } = consent({ status: 'withdrawn' });
    await database.write("INSERT INTO consent_subjects (data_subject, entry) VALUES ('by-hand', $1)", [
      JSON.stringify({ consents: [byHand] }),
    ]);
    expect(await records.edit([says('by-hand', consent({ at: '2030-01-01' }))], 'import')).toEqual([]);
    expect(await records.entry('by-hand')).toEqual({ consents: [byHand] });
    const now = consent({ at: '2026-11-30T08:00:00.000Z' });
    await records.edit(
      [
        {
          data_subject: 'by-hand',
          statements: [{ data_subject: 'by-hand', consent: now, evidence: {}, isSaidNow: true }],
        },
      ],
      'li',
    );
    expect(await records.entry('by-hand')).toEqual({ consents: [now] });
  });

  test('that are said now count as newest, whatever was written since somebody looked', async () => {
    await records.edit([says('raced', consent({ at: '2026-11-30T08:04:00Z' }))], 'import');
    const withdrawn = consent({ status: 'withdrawn', at: '2026-11-30T08:00:00.000Z' });
    await records.edit(
      [
        {
          data_subject: 'raced',
          statements: [{ data_subject: 'raced', consent: withdrawn, evidence: {}, isSaidNow: true }],
        },
      ],
      'li',
    );
    const now = { ...withdrawn, at: '2026-11-30T08:04:00.001Z' };
    expect(await records.entry('raced')).toEqual({ consents: [now] });
    expect(await records.edit([says('raced', consent({ at: '2026-11-30T08:04:00Z' }))], 'import')).toEqual(
      [],
    );
  });

  test('of aliases give each to one person', async () => {
    const aliases = [{ type: 'login', alias: 'zhangsan' }];
    expect((await records.edit([{ data_subject: 'A1', aliases }], 'li')).map(({ what }) => what)).toEqual([
      'aliases',
    ]);
    expect(await records.edit([{ data_subject: 'A1', aliases }], 'li')).toEqual([]);
    await expect(records.edit([{ data_subject: 'A2', aliases }], 'li')).rejects.toMatchObject({
      code: 'consent_invalid',
    });
    expect(await records.entry('A2')).toBeUndefined();
    expect(await records.aliases('A1')).toMatchObject(aliases);
  });

  test.each<[string, Edit]>([
    ['an id with a NUL', says('C1\0', consent())],
    ['an id with a blank before it', says(' C1', consent())],
    ['an id with an invisible character', says('C\u200b1', consent())],
    ['an id with half a character', says('C\ud800', consent())],
    ['an empty id', says('', consent())],
    ['a very long id', says('x'.repeat(257), consent())],
    ['an agreement to everything', says('C1', consent({ purpose: '*' }))],
    ['an agreement with everybody', says('C1', consent({ recipient: '*' }))],
    ['a day that does not exist', says('C1', consent({ until: '2026-02-30' }))],
    ['an end before the beginning', says('C1', consent({ from: '2026-02-02', until: '2026-02-01' }))],
    ['no moment', says('C1', { ...consent({ status: 'withdrawn' }), at: undefined } as unknown as Said)],
    ['a moment that does not exist', says('C1', consent({ at: '2026-02-30' }))],
    ['no category', says('C1', consent({ categories: [] }))],
    ['a flag with a line break', { data_subject: 'C1', addFlags: ['opt\nout'] }],
    ['an alias with a NUL', { data_subject: 'C1', aliases: [{ type: 'login', alias: 'a\0' }] }],
  ])('are refused for %s, and nothing of the call is written', async (_what, edit) => {
    await expect(records.edit([says('with-it', consent()), edit], 'li')).rejects.toMatchObject({
      code: 'consent_invalid',
    });
    expect(await records.entry('with-it')).toBeUndefined();
  });

  test('are refused where the entry that is there cannot be read', async () => {
    await database.write("INSERT INTO consent_subjects (data_subject, entry) VALUES ('odd', '{')");
    await expect(records.edit([says('odd', consent())], 'li')).rejects.toMatchObject({
      code: 'consent_invalid',
    });
    await expect(records.withdraw('odd', {}, {}, 'li')).rejects.toMatchObject({ code: 'consent_invalid' });
  });

  test('of what has happened are impossible', async () => {
    await records.edit([says('past', consent())], 'li');
    for (const sql of ["UPDATE consent_events SET actor = 'nobody'", 'DELETE FROM consent_events'])
      await expect(database.write(sql)).rejects.toMatchObject({
        code: 'store_unavailable',
        message: expect.stringContaining('append-only') as string,
      });
    expect((await records.history('past')).map(({ actor }) => actor)).toEqual(['li']);
  });
});

describe('announcements of changes in PostgreSQL', () => {
  let database: Database;
  let client: pg.Client;
  let own: number | undefined;
  const heard: unknown[] = [];
  const settled = async (): Promise<unknown[]> => {
    await client.query("SELECT pg_notify('sluice_changes', 'end')");
    await vi.waitFor(() => expect(heard.at(-1)).toBe('end'), 20_000);
    return heard.splice(0).slice(0, -1);
  };
  beforeAll(async () => {
    database = OPEN['postgres']!();
    await migrate(database, [...ANNOUNCEMENT_MIGRATIONS, ...CONSENT_MIGRATIONS], () => new Date());
    client = new pg.Client({ connectionString: POSTGRES, options: `-c search_path=${schema.schema}` });
    await client.connect();
    client.on('notification', ({ payload = '', processId }) => {
      // Other tests use other schemas of the same database, which has one channel.
      if (payload === 'end' || processId === own || /王|said/.test(payload))
        heard.push(payload === 'end' ? 'end' : JSON.parse(payload));
    });
    own = (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid;
    await client.query('LISTEN sluice_changes');
  });
  afterAll(async () => {
    await client.end();
    await database.close();
  });
  const about = (id: string) => ({ kind: 'consents', scope: { data_subject: id } });
  const ALL = { kind: 'consents', scope: 'all' };

  test('name the people of a change, once each', async () => {
    await createConsentRecords(database, { now: () => new Date() }).edit(
      [says('王"小明', consent()), says('said', consent(), consent({ purpose: 'marketing' }))],
      'li',
    );
    expect((await settled()).sort()).toEqual([about('said'), about('王"小明')].sort());
  });

  test.each([
    ['an insertion', "INSERT INTO consent_subjects VALUES ('hand', '{}')", [about('hand')]],
    [
      'a change',
      `UPDATE consent_subjects SET entry = '{"flags":["opt_out"]}' WHERE data_subject = 'hand'`,
      [about('hand')],
    ],
    [
      'another id',
      "UPDATE consent_subjects SET data_subject = 'hand2' WHERE data_subject = 'hand'",
      [about('hand'), about('hand2')],
    ],
    ['a removal', "DELETE FROM consent_subjects WHERE data_subject = 'hand2'", [about('hand2')]],
    ['an alias', "INSERT INTO consent_aliases VALUES ('card', '1', 'P1')", [about('P1')]],
    [
      'an alias that leads to somebody else',
      "UPDATE consent_aliases SET data_subject = 'P2' WHERE type = 'card'",
      [about('P1'), about('P2')],
    ],
    ['nothing', "DELETE FROM consent_subjects WHERE data_subject = 'nobody'", []],
    [
      'a hundred people',
      "INSERT INTO consent_subjects SELECT 'h' || i, '{}' FROM generate_series(1, 100) i",
      Array.from({ length: 100 }, (_, i) => about(`h${i + 1}`)),
    ],
    [
      'more people',
      "UPDATE consent_subjects SET version = 9 WHERE data_subject LIKE 'h%' OR data_subject = 'said'",
      [ALL],
    ],
    [
      'an id that is longer than an announcement',
      "INSERT INTO consent_subjects VALUES (repeat('x', 9000), '{}')",
      [ALL],
    ],
    ['everything', 'TRUNCATE consent_subjects', [ALL]],
  ])('come for a change by hand: %s', async (_what, sql, wanted) => {
    await client.query(sql);
    const found = await settled();
    expect(found.map((f) => JSON.stringify(f)).sort()).toEqual(wanted.map((w) => JSON.stringify(w)).sort());
  });

  test('do not come for what is undone', async () => {
    await client.query("BEGIN; INSERT INTO consent_subjects VALUES ('undone', '{}'); ROLLBACK");
    expect(await settled()).toEqual([]);
  });
});
