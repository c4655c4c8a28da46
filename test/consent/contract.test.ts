/** What every source of consents promises. */
import { afterEach, describe, expect, test } from 'vitest';
import { aliasKey } from '../../src/model/consent.ts';
import { type Opened, type Opening, SOURCES } from './sources.ts';

const AT = new Date('2026-11-22T08:00:00Z');
const consent = (more: object = {}): object => ({
  purpose: 'after_sales',
  categories: ['contact'],
  recipient: 'internal',
  status: 'given',
  ...more,
});
const HOSTILE = [
  "'; DROP TABLE consent_subjects; --",
  '"quoted" \\ and $1',
  '客户-王小明-0001',
  'x'.repeat(256),
  '{"$ne":null}',
  '%',
  'constructor',
  '__proto__',
  'null',
  '𠮷野家',
];

describe.each(Object.keys(SOURCES))('consents of the source %s', (name) => {
  let opened: Opened | null = null;
  afterEach(async () => {
    await opened?.close();
    opened = null;
  });
  const open = async (opening: Opening): Promise<Opened> => {
    opened = await SOURCES[name]!(opening);
    return opened;
  };
  const entriesOf = (entries: Readonly<Record<string, unknown>>): Opening => ({ given: { entries } });

  test('are resolved against the time of the look-up', async () => {
    const { source } = await open(
      entriesOf({
        C1: {
          consents: [
            consent({ until: '2026-11-22T08:00:00Z' }),
            consent({ purpose: 'marketing', from: '2026-11-22T08:00:00.001Z' }),
            consent({ purpose: 'delivery', status: 'withdrawn', until: '2020-01-01' }),
          ],
        },
      }),
    );
    const statuses = async (at: Date) =>
      (await source.lookup(['C1'], at)).get('C1')?.consents.map(({ status }) => status);
    expect(await statuses(AT)).toEqual(['given', 'pending', 'withdrawn']);
    expect(await statuses(new Date(AT.getTime() + 1))).toEqual(['expired', 'given', 'withdrawn']);
    // The clock may be set back.
    expect(await statuses(AT)).toEqual(['given', 'pending', 'withdrawn']);
  });

  test('keep ids, explicit agreement, wildcards of refusals and flags, and show no moment of the statement', async () => {
    const { source } = await open(
      entriesOf({
        C1: {
          flags: ['vip', 'opt_out'],
          consents: [
            consent({
              id: 'c-1',
              explicit: true,
              categories: ['identity', 'contact'],
              at: '2026-01-01T00:00:00Z',
            }),
            consent({ purpose: '*', recipient: '*', categories: ['*'], status: 'withdrawn' }),
          ],
        },
      }),
    );
    expect((await source.lookup(['C1'], AT)).get('C1')).toEqual({
      consents: [
        { ...consent({ id: 'c-1', explicit: true }), categories: ['contact', 'identity'] },
        { purpose: '*', recipient: '*', categories: ['*'], status: 'withdrawn' },
      ],
      flags: ['opt_out', 'vip'],
    });
  });

  test.each([false, true])('show dates only to a policy that reads them: %s', async (exposeDates) => {
    const { source } = await open({
      given: { entries: { C1: { consents: [consent({ from: '2026-01-01', until: '2026-12-31' })] } } },
      exposeDates,
    });
    const [found] = (await source.lookup(['C1'], AT)).get('C1')?.consents ?? [];
    expect(found).toEqual(
      exposeDates
        ? consent({ from: '2026-01-01T00:00:00.000Z', until: '2026-12-31T23:59:59.999Z' })
        : consent(),
    );
  });

  test('with a status that nobody knows have the status unknown, which withholds', async () => {
    const { source } = await open(
      entriesOf({ C1: { consents: [consent({ status: 'withdrawm' })] }, C2: { consents: [consent()] } }),
    );
    const states = await source.lookup(['C1', 'C2'], AT);
    expect(states.get('C1')?.consents.map(({ status }) => status)).toEqual(['unknown']);
    expect(states.get('C2')?.consents.map(({ status }) => status)).toEqual(['given']);
  });

  test('of people who are not known are absent, and each id is looked up as it is spelled', async () => {
    const { source } = await open(entriesOf({ C1: { consents: [consent()] } }));
    const ids = [
      'C2',
      'c1',
      'C1 ',
      'Ｃ1',
      '',
      ...HOSTILE,
      'C1\0',
      '\0',
      `C1\ud800`,
      'x'.repeat(100_000),
      'C1',
      'C1',
    ];
    expect([...(await source.lookup(ids, AT)).keys()]).toEqual(['C1']);
    expect((await source.lookup([], AT)).size).toBe(0);
  });

  test('are found under hostile ids', async () => {
    const entries = Object.fromEntries(
      HOSTILE.map((id, i) => [id, { consents: [consent({ id: `c-${i}` })] }] as const),
    );
    // An own member, also for `__proto__`, which a literal would take for the prototype.
    const { source } = await open(entriesOf(entries));
    const states = await source.lookup([...HOSTILE, 'C1'], AT);
    expect([...states].map(([id, { consents }]) => [id, consents[0]?.id]).sort()).toEqual(
      HOSTILE.map((id, i) => [id, `c-${i}`]).sort(),
    );
  });

  test('are the same frozen object for all who are in the same state', async () => {
    const { source } = await open(
      entriesOf({
        a: { consents: [consent({ until: '2027-01-01' })], flags: ['a', 'b'] },
        b: { flags: ['b', 'a'], consents: [consent({ until: '2028-01-01' })] },
      }),
    );
    const states = await source.lookup(['a', 'b'], AT);
    expect(states.get('a')).toBe(states.get('b'));
    expect(Object.isFrozen(states.get('a')?.consents[0]?.categories)).toBe(true);
  });

  test('that are withdrawn count at the next look-up', async () => {
    const { source, replace } = await open(
      entriesOf({ C1: { consents: [consent()] }, C2: { consents: [consent()] } }),
    );
    const statuses = async () =>
      [...(await source.lookup(['C1', 'C2'], AT))]
        .map(([id, { consents }]) => [id, consents[0]?.status])
        .sort();
    expect(await statuses()).toEqual([
      ['C1', 'given'],
      ['C2', 'given'],
    ]);
    await replace({ entries: { C1: { consents: [consent({ status: 'withdrawn' })] } } });
    expect(await statuses()).toEqual([['C1', 'withdrawn']]);
  });

  test.skipIf(name === 'http')('are found by aliases of their type', async () => {
    const { source } = await open({
      given: {
        entries: { C1: {}, C2: {} },
        aliases: { login: { zhangsan: 'C1', "o'hara": 'C2' }, card: { zhangsan: 'C2' } },
      },
    });
    const asked = [
      { type: 'login', text: 'zhangsan' },
      { type: 'login', text: "o'hara" },
      { type: 'card', text: 'zhangsan' },
      { type: 'card', text: "o'hara" },
      { type: 'none', text: 'zhangsan' },
      { type: 'login', text: 'zhangsan\0' },
    ];
    const found = await source.aliases?.(asked);
    expect(asked.map((alias) => found?.get(aliasKey(alias)))).toEqual([
      'C1',
      'C2',
      'C2',
      undefined,
      undefined,
      undefined,
    ]);
  });

  test.skipIf(name === 'static')(
    'refuse everything while the source cannot answer, also a look-up of nobody',
    async () => {
      const { source, breakIt } = await open({
        given: { entries: { C1: { consents: [consent()] } }, aliases: { login: { zhangsan: 'C1' } } },
      });
      await breakIt();
      const refused = { code: 'consent_unavailable' };
      await expect((async () => source.lookup(['C1'], AT))()).rejects.toMatchObject(refused);
      await expect((async () => source.lookup([], AT))()).rejects.toMatchObject(refused);
      if (source.aliases === undefined) return;
      await expect(
        (async () => source.aliases?.([{ type: 'login', text: 'zhangsan' }]))(),
      ).rejects.toMatchObject(refused);
    },
  );
});

describe.each(['sqlite', 'postgres'])('an entry in %s that cannot be trusted', (name) => {
  test.each([
    ['no JSON', '{'],
    ['another shape', '[]'],
    ['an unknown member', '{"flag":["opt_out"]}'],
    ['an agreement to everything', JSON.stringify({ consents: [consent({ purpose: '*' })] })],
    ['a day that does not exist', JSON.stringify({ consents: [consent({ until: '2026-02-30' })] })],
  ])('withholds the records of its person and of nobody else: %s', async (_what, text) => {
    const opened = await SOURCES[name]!({
      given: { entries: { C1: text, C2: { consents: [consent()] } } },
    });
    try {
      const states = await opened.source.lookup(['C1', 'C2'], AT);
      expect(states.get('C1')?.consents.map(({ status }) => status)).toEqual(['unknown']);
      expect(states.get('C2')?.consents.map(({ status }) => status)).toEqual(['given']);
    } finally {
      await opened.close();
    }
  });
});
