/** `sluice consent`: changes in the store, each on record in the journal. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { read } from '../../src/cli/consent/read.ts';
import { MIGRATIONS } from '../../src/compose/store.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { schemaUrl } from '../support/forwarder.ts';
import { recordsOf } from '../support/journals.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';
import { ROOT, sluice as run } from './support.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-consent-cli-'));
afterAll(() => rmSync(dir, { recursive: true }));
const config = (name: string, sections: object): string => {
  const file = join(dir, name);
  writeFileSync(
    file,
    JSON.stringify({
      version: 1,
      upstreams: { crm: { url: 'http://127.0.0.1:9' } },
      identity: {
        issuers: [
          {
            issuer: 'https://i.example',
            audience: 's',
            jwks: { file: './keys.json' },
            algorithms: ['ES256'],
          },
        ],
      },
      policy: { dir: join(ROOT, 'policies') },
      consent: { store: true },
      store: { sqlite: './store.db' },
      decision_log: { journal: { dir: './journal' } },
      routes: [{ match: 'GET /c/{id}', upstream: 'crm', resource: 'customer', action: 'read' }],
      ...sections,
    }),
  );
  return file;
};
const file = config('sluice.yaml', {});
const consent = (...argv: string[]) => run(['consent', ...argv, '--config', file]);
const set = (id: string, ...more: string[]) =>
  consent('set', id, '--purpose', 'after_sales', '--categories', 'contact', '--by', 'li', ...more);
const write = (name: string, text: string): string => {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
};
interface Entry {
  readonly consents: readonly {
    readonly status: string;
    readonly purpose: string;
    readonly recipient: string;
  }[];
  readonly flags?: readonly string[];
}
const entryOf = async (id: string) => (await consent('get', id, '--json')).json<Entry>();

describe('sluice consent', () => {
  test('set, get, withdraw and history tell the same story', async () => {
    const done = await set(
      'C1',
      '--explicit',
      '--until',
      '2030-12-31',
      '--notice',
      'v7',
      '--method',
      'phone',
    );
    expect(done).toMatchObject({ code: 0, err: '' });
    expect(done.out).toMatch(
      /^1 {2}\S+ {2}li {2}given after_sales for internal: contact \[c-\S+\] notice v7\n$/,
    );
    expect((await consent('get', 'C1')).out).toMatch(
      /^C1\n {2}given after_sales for internal: contact \(explicit\) since \S+ until 2030-12-31 \[c-\S+\]\n$/,
    );
    expect((await consent('withdraw', 'C1', '--purpose', 'after_sales', '--by', 'han')).code).toBe(0);
    expect(await entryOf('C1')).toMatchObject({ consents: [{ status: 'withdrawn' }] });
    const again = await consent('withdraw', 'C1', '--purpose', 'after_sales');
    expect(again).toMatchObject({ code: 0, out: 'Nothing has changed: this is known already.\n' });
    const events = (await consent('history', 'C1', '--json')).json<{ actor: string; consent: object }[]>();
    expect(events.map(({ actor }) => actor)).toEqual(['li', 'han']);
    expect(events[0]?.consent).toMatchObject({
      purpose_term: 'dpv:CustomerCare',
      status: 'dpv:ConsentGiven',
      method: 'phone',
    });
  });

  test('puts every change into the journal, by digests of the data subjects', async () => {
    const before = recordsOf(join(dir, 'journal')).filter(({ kind }) => kind === 'consent').length;
    await set('C2');
    await consent('withdraw', 'C2', '--all', '--by', 'han');
    const found = recordsOf(join(dir, 'journal'))
      .filter(({ kind }) => kind === 'consent')
      .slice(before);
    expect(found.map(({ subject, outcome, reasons }) => [subject?.id, outcome, reasons[0]?.code])).toEqual([
      ['li', 'allowed', 'consent_given'],
      ['han', 'allowed', 'consent_withdrawn'],
    ]);
    expect(found[0]?.disclosure?.data_subjects).toEqual(found[1]?.disclosure?.data_subjects);
    expect(JSON.stringify(found)).not.toContain('"C2"');
    expect((await run(['decisions', 'verify', '--journal', join(dir, 'journal')])).code).toBe(0);
  });

  test('set changes flags and aliases', async () => {
    await consent('set', 'C3', '--flag', 'opt_out,restricted', '--alias', 'login=wang');
    await consent('set', 'C3', '--unflag', 'restricted');
    expect(await entryOf('C3')).toMatchObject({
      flags: ['opt_out'],
      aliases: [{ type: 'login', alias: 'wang' }],
    });
  });

  test('a new statement counts although the old one bears a later moment', async () => {
    write(
      'later.ndjson',
      `${JSON.stringify({ ...LINE, data_subject: 'C4', at: new Date(Date.now() + 60_000).toISOString() })}\n`,
    );
    await consent('import', join(dir, 'later.ndjson'));
    await set('C4', '--status', 'withdrawn');
    expect(await entryOf('C4')).toMatchObject({ consents: [{ status: 'withdrawn' }] });
  });

  test.each([
    ['get nobody', 1, 'nobody is known'],
    ['history nobody', 1, 'nobody is known'],
    ['withdraw nobody --all', 1, 'nobody is known'],
    ['withdraw C3 --all', 1, 'has given no such consent'],
    ['withdraw C1', 2, 'Say what is withdrawn'],
    ['withdraw C1 --all --purpose x', 2, 'Say what is withdrawn'],
    ['set C1', 2, 'Say what to record'],
    ['set C1 --purpose x', 2, 'give both'],
    ['set C1 --purpose * --categories *', 3, 'a consent names its purpose'],
    ['set C1 --purpose x --categories y --until 2026-02-30', 3, 'no date of the calendar'],
    ['import nothing.csv', 3, 'cannot be read'],
    ['import consents.txt', 2, '--format'],
    ['import package.json --format ndjson --rejects /nowhere/r.ndjson', 3, '--rejects cannot be written'],
  ])('%s: exit %i', async (line, code, message) => {
    const said = await consent(...line.split(' '));
    expect({ code: said.code, err: said.err }).toEqual({
      code,
      err: expect.stringContaining(message) as string,
    });
  });

  test('refuses where consents are kept elsewhere', async () => {
    const other = config('other.yaml', { consent: { file: './consents.yaml' } });
    const said = await run(['consent', 'get', 'C1', '--config', other]);
    expect(said).toMatchObject({ code: 2, err: expect.stringContaining('consent.file') as string });
  });
});

const LINE = {
  data_subject: 'I1',
  purpose: 'after_sales',
  categories: ['contact'],
  recipient: 'internal',
  status: 'given',
  at: '2026-01-01T00:00:00Z',
};

describe('sluice consent import', () => {
  const imported = async (path: string, ...more: string[]) => {
    const said = await consent('import', path, '--json', ...more);
    return { code: said.code, ...(JSON.parse(said.out) as object) };
  };

  test('CSV: rows become consents, bad ones go to a file with their line, and a second run changes nothing', async () => {
    const path = write(
      'c.csv',
      [
        '\ufeffdata_subject,purpose,categories,recipient,status,at,explicit,notice',
        'V1,after_sales,contact;transaction,internal,given,2026-01-01,true,v3',
        '"V,2",after_sales,contact,internal,withdrawn,2026-01-01,,',
        'V3,after_sales,contact,internal,perhaps,2026-01-01,,',
        'V4,after_sales,contact',
        'V5,*,*,internal,given,2026-01-01,,',
        'V6,after_sales,contact,internal,given,,,',
        'V7,after_sales,contact,internal,given,2999-01-01,,',
        'V8,after_sales,contact,internal,given,2026-01-01,,',
      ].join('\r\n'),
    );
    const rejects = join(dir, 'rejected.ndjson');
    expect(await imported(path, '--rejects', rejects)).toEqual({
      code: 1,
      lines: 8,
      changed: 3,
      known: 0,
      rejected: 5,
    });
    const lines = readFileSync(rejects, 'utf8')
      .trim()
      .split('\n')
      .map((l) => JSON.parse(l) as { line: number; reason: string });
    expect(lines.map(({ line }) => line).sort()).toEqual([4, 5, 6, 7, 8]);
    expect(lines.map(({ reason }) => reason)).toEqual(
      expect.arrayContaining([
        'status: must be given or withdrawn',
        'at: is missing (when the data subject said so); --at gives one for all',
        'at: is in the future',
        expect.stringContaining('a consent names its purpose'),
      ]),
    );
    expect(await entryOf('V,2')).toMatchObject({ consents: [{ status: 'withdrawn' }] });
    expect(await imported(path)).toEqual({ code: 1, lines: 8, changed: 0, known: 3, rejected: 5 });
    expect(JSON.parse((await consent('history', 'V1', '--json')).out)).toHaveLength(1);
  });

  test('a bad line costs no transaction of its own, wherever it stands', async () => {
    const records = () => recordsOf(join(dir, 'journal')).filter(({ kind }) => kind === 'consent').length;
    const before = records();
    const lines = Array.from({ length: 1_000 }, (_, n) => {
      const line = { ...LINE, data_subject: `M${n}` };
      if (n % 100 === 7) return JSON.stringify({ ...line, status: 'perhaps' });
      if (n % 100 === 57) return JSON.stringify({ ...line, purpose: '*' });
      return JSON.stringify(n % 100 === 81 ? { ...line, at: '2026-02-30' } : line);
    });
    expect(await imported(write('many.ndjson', lines.join('\n')))).toMatchObject({
      changed: 970,
      rejected: 30,
    });
    expect(records() - before).toBe(2);
  });

  test('one whose entry in the store cannot be read is rejected alone', async () => {
    const database = openSqlite(join(dir, 'store.db'));
    await database.write("INSERT INTO consent_subjects (data_subject, entry) VALUES ('N3', '{')");
    await database.close();
    const lines = Array.from({ length: 8 }, (_, n) => JSON.stringify({ ...LINE, data_subject: `N${n}` }));
    expect(await imported(write('one.ndjson', lines.join('\n')))).toEqual({
      code: 1,
      lines: 8,
      changed: 7,
      known: 0,
      rejected: 1,
    });
  });

  test.each(['csv', 'ndjson'] as const)(
    '%s: keeps none of the lines that it has handed over',
    async (format) => {
      const header = 'data_subject,purpose,categories,recipient,status,at';
      const line = (n: number): string =>
        format === 'csv'
          ? `G${n},after_sales,contact,internal,given,2026-01-01`
          : JSON.stringify({ ...LINE, data_subject: `G${n}` });
      const rows = Array.from({ length: 5_000 }, (_, n) => line(n));
      const path = write(`long.${format}`, [...(format === 'csv' ? [header] : []), ...rows].join('\n'));
      setFlagsFromString('--expose-gc');
      const collect = runInNewContext('gc') as () => void;
      let [handed, kept] = [0, 0];
      const registry = new FinalizationRegistry(() => kept--);
      const items = read(path, { format, map: new Map(), now: new Date(), progress: () => undefined });
      const next = async (): Promise<void> => {
        const { value } = await items.next();
        handed++;
        kept++;
        registry.register(value as object, undefined);
      };
      for (let n = 0; n < 4_900; n++) await next();
      // Some may have been collected by now.
      expect(handed).toBe(4_900);
      await vi.waitFor(() => {
        collect();
        expect(kept).toBeLessThan(200);
        // A registry that is collected itself tells of nothing.
        registry.unregister({});
      });
    },
  );

  test('a file that cannot be read is told, whatever its format', async () => {
    await expect(async () => {
      for await (const _ of read(dir, {
        format: 'csv',
        map: new Map(),
        now: new Date(),
        progress: () => undefined,
      }));
    }).rejects.toMatchObject({ code: 'input_invalid', message: expect.stringContaining('EISDIR') });
    await expect(async () => {
      for await (const _ of read(dir, {
        format: 'ndjson',
        map: new Map(),
        now: new Date(),
        progress: () => undefined,
      }));
    }).rejects.toMatchObject({ code: 'input_invalid', message: expect.stringContaining('EISDIR') });
  });

  test('does not bring back what was withdrawn after the file was made', async () => {
    const path = write('old.ndjson', `${JSON.stringify({ ...LINE, data_subject: 'W1' })}\n`);
    await imported(path);
    await consent('withdraw', 'W1', '--all');
    expect(await imported(path)).toEqual({ code: 0, lines: 1, changed: 0, known: 1, rejected: 0 });
    expect(await entryOf('W1')).toMatchObject({ consents: [{ status: 'withdrawn' }] });
  });

  test('NDJSON: hostile lines are rejected alone', async () => {
    const path = write(
      'h.ndjson',
      [
        '{',
        'null',
        '[]',
        '"x"',
        JSON.stringify({ ...LINE, data_subject: 'a\0b' }),
        JSON.stringify({ ...LINE, data_subject: {} }),
        JSON.stringify({ ...LINE, categories: [1] }),
        JSON.stringify({ ...LINE, data_subject: "'; DROP TABLE consent_subjects; --" }),
      ].join('\n'),
    );
    expect(await imported(path)).toEqual({ code: 1, lines: 8, changed: 1, known: 0, rejected: 7 });
    expect(await entryOf("'; DROP TABLE consent_subjects; --")).toMatchObject({
      consents: [{ status: 'given' }],
    });
  });

  test('FHIR R4: a Bundle, with codes in words of the policy', async () => {
    const resource = (id: string, more: object) => ({
      resource: {
        resourceType: 'Consent',
        id,
        status: 'active',
        patient: { reference: `Patient/${id}` },
        dateTime: '2026-03-01T10:00:00+08:00',
        sourceReference: { reference: 'DocumentReference/1' },
        provision: {
          type: 'permit',
          purpose: [{ code: 'TREAT' }],
          class: [{ code: 'contact' }],
          period: { end: '2030-01-01' },
        },
        ...more,
      },
    });
    const path = write(
      'bundle.json',
      JSON.stringify(
        {
          resourceType: 'Bundle',
          entry: [
            resource('F1', {}),
            resource('F2', {
              provision: {
                type: 'deny',
                purpose: [{ code: 'TREAT' }],
                actor: [{ reference: { reference: 'Organization/swift' } }],
              },
            }),
            resource('F3', { status: 'entered-in-error' }),
            resource('F4', { provision: { purpose: [{ code: 'TREAT' }], provision: [{ type: 'deny' }] } }),
            resource('F5', { status: 'inactive' }),
            { resource: { resourceType: 'Patient', id: 'F6' } },
          ],
        },
        null,
        1,
      ),
    );
    expect(await imported(path, '--format', 'fhir', '--map', 'TREAT=after_sales')).toEqual({
      code: 1,
      lines: 6,
      changed: 3,
      known: 0,
      rejected: 3,
    });
    expect(await entryOf('F1')).toMatchObject({
      consents: [
        { id: 'F1', purpose: 'after_sales', status: 'given', categories: ['contact'], until: '2030-01-01' },
      ],
    });
    expect(await entryOf('F2')).toMatchObject({
      consents: [{ recipient: 'swift', status: 'withdrawn', categories: ['*'] }],
    });
    expect(await entryOf('F5')).toMatchObject({ consents: [{ status: 'withdrawn' }] });
  });

  test('JSON-LD of the DPV: what history writes is read again', async () => {
    await set('D1', '--explicit', '--notice', 'v9', '--evidence', 'scan 17');
    await consent('withdraw', 'D1', '--all');
    const { out } = await consent('history', 'D1', '--dpv');
    const other = config('second.yaml', { store: { sqlite: './second.db' } });
    const path = write('d.jsonld', out);
    const said = await run(['consent', 'import', path, '--config', other]);
    expect(said).toMatchObject({ code: 0, out: `${path}: 2 read, 2 changed, 0 known already, 0 rejected\n` });
    const get = async (at: string) =>
      JSON.parse((await run(['consent', 'get', 'D1', '--json', '--config', at])).out) as object;
    expect(await get(other)).toEqual(await get(file));
  });
});

describe('a store in PostgreSQL', () => {
  let schema: Awaited<ReturnType<typeof freshSchema>>;
  beforeAll(async () => {
    schema = await freshSchema('consent_cli');
    const database = openPostgres(POSTGRES, { schema: schema.schema });
    await migrate(database, MIGRATIONS, () => new Date());
    await database.close();
  });
  afterAll(() => schema.drop());
  const at = (options: string): string => {
    const url = new URL(schemaUrl(schema.schema));
    url.searchParams.set('options', `-c search_path=${schema.schema} ${options}`);
    return config('postgres.yaml', { store: { postgres: url.href } });
  };

  test('that is read-only refuses a change', async () => {
    const file = at('-c default_transaction_read_only=on');
    const said = await run(['consent', 'set', 'R1', '--flag', 'opt_out', '--config', file]);
    expect(said).toMatchObject({ code: 3, err: expect.stringContaining('read-only transaction') as string });
    expect((await run(['consent', 'get', 'R1', '--config', at('')])).code).toBe(1);
  });

  test('that refuses at the very end: the journal says that the change was not carried out', async () => {
    const database = openPostgres(POSTGRES, { schema: schema.schema });
    await database.write(
      `CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'at the end'; END $$;
       CREATE CONSTRAINT TRIGGER late AFTER INSERT ON consent_events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION no()`,
    );
    const said = await run(['consent', 'set', 'R2', '--flag', 'opt_out', '--config', at('')]);
    await database.write('DROP TRIGGER late ON consent_events');
    await database.close();
    expect(said).toMatchObject({ code: 3, err: expect.stringContaining('at the end') as string });
    expect((await run(['consent', 'get', 'R2', '--config', at('')])).code).toBe(1);
    const found = recordsOf(join(dir, 'journal')).filter(({ kind }) => kind === 'consent');
    expect(found.slice(-2).map(({ outcome, reasons }) => [outcome, reasons[0]?.code])).toEqual([
      ['allowed', 'consent_flags'],
      ['error', 'change_unconfirmed'],
    ]);
  });

  test('that is not there: exit 3', async () => {
    const none = config('none.yaml', { store: { postgres: 'postgres://nobody@127.0.0.1:1/none' } });
    const said = await run(['consent', 'get', 'R1', '--config', none]);
    expect(said).toMatchObject({ code: 3, err: expect.stringContaining('[store_unavailable]') as string });
  });
});
