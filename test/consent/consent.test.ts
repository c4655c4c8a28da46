import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type ConsentEntry,
  createConsentSource,
  createStaticConsents,
  parseConsents,
} from '../../src/consent/index.ts';
import { isSluiceError } from '../../src/errors.ts';
import type { ConsentSource } from '../../src/model/consent.ts';
import type { Change } from '../../src/model/invalidation.ts';
import { type Clock, systemClock } from '../../src/observability/clock.ts';
import { silentLogger } from '../../src/observability/logger.ts';

const AT = new Date('2026-11-22T08:00:00Z');
const consent = (more: object = {}): NonNullable<ConsentEntry['consents']>[number] => ({
  purpose: 'after_sales',
  categories: ['contact'],
  recipient: 'internal',
  status: 'given',
  ...more,
});
const stateOf = async (entry: ConsentEntry, at = AT, options = {}) =>
  (await createStaticConsents({ C1: entry }, options).lookup(['C1'], at)).get('C1');
const statusOf = async (more: object, at = AT) =>
  (await stateOf({ consents: [consent(more)] }, at))?.consents[0]?.status;

describe('the state of a data subject', () => {
  test('has what was agreed to, and flags', async () => {
    expect(await stateOf({ consents: [consent({ id: 'c-1', explicit: true })], flags: ['vip'] })).toEqual({
      consents: [
        {
          id: 'c-1',
          purpose: 'after_sales',
          categories: ['contact'],
          recipient: 'internal',
          explicit: true,
          status: 'given',
        },
      ],
      flags: ['vip'],
    });
  });
  test('keeps "*" for the policy to read', async () => {
    const state = await stateOf({
      consents: [consent({ categories: ['*'], purpose: '*', recipient: '*', status: 'withdrawn' })],
    });
    expect(state?.consents[0]).toMatchObject({ categories: ['*'], purpose: '*', recipient: '*' });
  });
  test('is absent for somebody who is not known', async () => {
    const consents = createStaticConsents({ C1: {} });
    expect([...(await consents.lookup(['C2', '__proto__', 'constructor'], AT)).keys()]).toEqual([]);
  });
  test.each([
    ['before it begins', { from: '2026-11-23' }, 'pending'],
    ['on its first day', { from: '2026-11-22' }, 'given'],
    ['on its last day', { until: '2026-11-22' }, 'given'],
    ['on the day after', { until: '2026-11-21' }, 'expired'],
    ['to the millisecond', { until: '2026-11-22T08:00:00Z' }, 'given'],
    ['a millisecond late', { until: '2026-11-22T07:59:59.999Z' }, 'expired'],
    ['in another time zone', { from: '2026-11-22T16:30:00+08:00' }, 'pending'],
    ['withdrawn, whatever its dates', { status: 'withdrawn', until: '2020-01-01' }, 'withdrawn'],
  ])('has a consent %s', async (_what, more, status) => {
    expect(await statusOf(more)).toBe(status);
  });
  test('leaves dates out, unless they are to be seen', async () => {
    const entry = { consents: [consent({ from: '2026-01-01', until: '2026-12-31' })] };
    expect(Object.keys((await stateOf(entry))?.consents[0] ?? {})).not.toContain('until');
    expect((await stateOf(entry, AT, { exposeDates: true }))?.consents[0]).toMatchObject({
      from: '2026-01-01T00:00:00.000Z',
      until: '2026-12-31T23:59:59.999Z',
    });
  });
  test('is one frozen object for all who are in it, whatever order it was written in', async () => {
    const a: ConsentEntry = {
      consents: [consent({ categories: ['contact', 'identity'], until: '2027-01-01' })],
      flags: ['a', 'b'],
    };
    const b: ConsentEntry = {
      flags: ['b', 'a'],
      consents: [consent({ categories: ['identity', 'contact'], until: '2028-01-01' })],
    };
    const states = await createStaticConsents({ a, b }).lookup(['a', 'b'], AT);
    expect(states.get('a')).toBe(states.get('b'));
    expect(Object.isFrozen(states.get('a')?.consents[0]?.categories)).toBe(true);
  });
  test('is the same whenever it is asked for, in whatever order of times', async () => {
    const day = fc
      .date({ min: new Date('2026-01-01'), max: new Date('2026-12-31'), noInvalidDate: true })
      .map((d) => d.toISOString());
    const dated = fc.record({
      from: fc.option(day, { nil: undefined }),
      until: fc.option(day, { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(dated, { maxLength: 3 }),
        fc.array(day, { minLength: 1, maxLength: 8 }),
        async (dates, times) => {
          const entry = {
            consents: dates.map((d) =>
              consent(Object.fromEntries(Object.entries(d).filter(([, v]) => v !== undefined))),
            ),
          };
          const used = createStaticConsents({ C1: entry });
          for (const time of times) {
            const at = new Date(time);
            const state = (await used.lookup(['C1'], at)).get('C1');
            expect(state).toEqual(await stateOf(entry, at));
            for (const [i, c] of (state?.consents ?? []).entries()) {
              const { from, until } = dates[i] ?? {};
              expect(c.status).toBe(
                from && time < from ? 'pending' : until && time > until ? 'expired' : 'given',
              );
            }
          }
        },
      ),
    );
  });
});

test('a withdrawal counts at once', async () => {
  const consents = createStaticConsents({ C1: { consents: [consent(), consent({ recipient: 'swift' })] } });
  consents.withdraw('C1', 'after_sales', 'swift');
  expect((await consents.lookup(['C1'], AT)).get('C1')?.consents.map((c) => c.status)).toEqual([
    'given',
    'withdrawn',
  ]);
});

describe('consents.yaml', () => {
  const faultsOf = (text: string): string => {
    try {
      parseConsents(text, 'consents.yaml');
      return '';
    } catch (e) {
      if (isSluiceError(e, 'consent_invalid')) return e.message;
      throw e;
    }
  };
  const document = (consents: string): string =>
    `version: 1\ndata_subjects:\n  C100234:\n    consents:\n${consents}`;
  const GOOD = '      - { purpose: after_sales, categories: [contact], recipient: internal, status: given }';

  test('that is as it should be has no faults', () => {
    expect(faultsOf(document(GOOD))).toBe('');
    expect(faultsOf('version: 1\ndata_subjects: {}')).toBe('');
  });
  test.each(['', '\n', '# nobody\n', '\ufeff'])('that holds nothing is said to be empty: %j', (text) => {
    expect(faultsOf(text)).toMatch(/^consents\.yaml:1:1: the file is empty/);
  });
  test('tells all its faults at once, each with its place', () => {
    const text = document(
      `${GOOD.replace('status: given', 'status: maybe')}\n${GOOD.replace('purpose', 'porpose')}\n${GOOD.replace('given }', 'given, until: 2026-02-30 }')}`,
    );
    expect(faultsOf(text)).toContain(
      'consents.yaml:5:85: consents[0].status: must be one of given, withdrawn',
    );
    expect(faultsOf(text)).toContain('consents.yaml:6:11: consents[1]: unknown key; did you mean "purpose"?');
    expect(faultsOf(text)).not.toContain('C100234');
  });
  test.each([
    [
      'a day that does not exist',
      GOOD.replace('given }', 'given, until: 2026-02-30 }'),
      'consents[0].until: is no date of the calendar',
    ],
    [
      'an end before its beginning',
      GOOD.replace('given }', 'given, from: 2026-02-02, until: 2026-02-01 }'),
      'consents[0].until: is before its from',
    ],
    ['a consent to everything', GOOD.replace('after_sales', '"*"'), 'a consent names its purpose'],
    ['a consent for everybody', GOOD.replace('internal', '"*"'), 'a consent names its recipient'],
  ])('with %s is refused', (_what, consents, message) => {
    expect(faultsOf(document(consents))).toContain(message);
  });
  test('that names somebody twice is refused: one of the two may be the withdrawal', () => {
    expect(faultsOf('version: 1\ndata_subjects:\n  C1: {}\n  C1: { flags: [opt_out] }')).toBe(
      'consents.yaml:4:3: this key is there already',
    );
  });
  test('with blanks around an id is refused: ids are looked up without', () => {
    expect(faultsOf('version: 1\ndata_subjects:\n  "C1 ": { flags: [opt_out] }')).toBe(
      'consents.yaml:3:3: data_subjects: an id has no blanks around it and no invisible characters in it: records would not be found by it',
    );
  });
  test('that is not YAML tells where it breaks', () => {
    expect(faultsOf('version: 1\ndata_subjects: {')).toMatch(/^consents\.yaml:\d+:\d+: is not YAML/);
  });
  test('keeps ids as they are written, digits and leading zeros too', () => {
    expect(
      Object.keys(
        parseConsents('version: 1\ndata_subjects: { 007: {}, 1e3: {}, true: {} }', 'f').data_subjects,
      ),
    ).toEqual(['007', '1e3', 'true']);
  });
});

describe('a consent file', () => {
  let dir: string;
  let source: ConsentSource | null = null;
  let announced: Change[] = [];
  /** milliseconds that pass besides the real ones, and by which somebody has set the clock */
  let passed = 0;
  let set = 0;
  const clock: Clock = {
    now: () => new Date(Date.now() + passed + set),
    micros: () => systemClock.micros() + passed * 1000,
  };
  const path = (): string => join(dir, 'consents.yaml');
  const write = (status: string): void => {
    writeFileSync(
      `${path()}.new`,
      `version: 1\ndata_subjects: { C1: { consents: [{ purpose: p, categories: [c], recipient: internal, status: ${status} }] } }`,
    );
    renameSync(`${path()}.new`, path());
  };
  const open = async (more: object = {}): Promise<ConsentSource> => {
    source = await createConsentSource(
      { file: path(), poll: 100, stale_if_error: 0, expose_dates: false, ...more },
      { clock, logger: silentLogger, announce: (change) => announced.push(change) },
    );
    return source;
  };
  const seen = async (consents: ConsentSource): Promise<string> => {
    try {
      return (await consents.lookup(['C1'], AT)).get('C1')?.consents[0]?.status ?? 'nobody';
    } catch (e) {
      return isSluiceError(e) ? e.code : 'failed';
    }
  };
  const eventually = async (consents: ConsentSource, wanted: string): Promise<string> => {
    await vi.waitFor(async () => expect(await seen(consents)).toBe(wanted), 20_000);
    return wanted;
  };
  beforeEach(() => {
    announced = [];
    passed = 0;
    set = 0;
    dir = mkdtempSync(join(tmpdir(), 'sluice-consent-'));
    write('given');
  });
  afterEach(async () => {
    await source?.close();
    rmSync(dir, { recursive: true });
  });

  test('is read again when it is replaced, and announces the change', async () => {
    const consents = await open();
    expect(await seen(consents)).toBe('given');
    write('withdrawn');
    expect(await eventually(consents, 'withdrawn')).toBe('withdrawn');
    expect(announced).toEqual([{ kind: 'consents', scope: 'all' }]);
  });
  test('is read again when it is written in place', async () => {
    const consents = await open();
    writeFileSync(path(), 'version: 1\ndata_subjects: {}');
    expect(await eventually(consents, 'nobody')).toBe('nobody');
  });
  test('that breaks is refused: what nobody can read may be a withdrawal', async () => {
    const consents = await open();
    writeFileSync(path(), 'version: 1\ndata_subjects: {');
    expect(await eventually(consents, 'consent_unavailable')).toBe('consent_unavailable');
    expect(announced).toEqual([{ kind: 'consents', scope: 'all' }]);
    expect(await consents.ready()).toMatchObject({ ok: false });
    write('withdrawn');
    expect(await eventually(consents, 'withdrawn')).toBe('withdrawn');
    expect(await consents.ready()).toEqual({ ok: true });
  });
  test('that breaks and gets back its content announces both', async () => {
    const consents = await open();
    const change = { kind: 'consents', scope: 'all' };
    const before = readFileSync(path());
    writeFileSync(path(), '{');
    expect(await eventually(consents, 'consent_unavailable')).toBe('consent_unavailable');
    expect(announced).toEqual([change]);
    writeFileSync(path(), before);
    expect(await eventually(consents, 'given')).toBe('given');
    expect(announced).toEqual([change, change]);
  });
  test('that is taken away is refused', async () => {
    const consents = await open();
    rmSync(path());
    expect(await eventually(consents, 'consent_unavailable')).toBe('consent_unavailable');
  });
  test('that breaks serves on for as long as stale_if_error says, and says that it is not ready', async () => {
    const consents = await open({ stale_if_error: 600_000 });
    writeFileSync(path(), '{');
    await vi.waitFor(async () => expect((await consents.ready()).ok).toBe(false), 20_000);
    expect(await seen(consents)).toBe('given');
    for (const by of [3_600_000, -3_600_000]) {
      set = by;
      expect(await seen(consents)).toBe('given');
    }
    passed = 601_000;
    expect(await seen(consents)).toBe('consent_unavailable');
  });
  test('that is not there keeps Sluice from starting', async () => {
    rmSync(path());
    await expect(open()).rejects.toMatchObject({
      code: 'consent_unavailable',
      message: expect.stringContaining(path()) as string,
    });
  });
  test('that is broken keeps Sluice from starting', async () => {
    writeFileSync(path(), 'version: 2');
    await expect(open()).rejects.toMatchObject({ code: 'consent_invalid' });
  });
});
