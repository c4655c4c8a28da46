/** Receipts of consents: what they say, and when they hold. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  checkReceipt,
  CONSENT_MIGRATIONS,
  type ConsentRecords,
  createConsentRecords,
  newest,
  receiptOf,
  signedReceipt,
  type Statement,
  withConsent,
} from '../../src/consent/index.ts';
import type { Database } from '../../src/model/database.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { createSigning } from '../../src/signing/index.ts';
import { migrate } from '../../src/store/migrations.ts';
import { ANNOUNCEMENT_MIGRATIONS } from '../../src/store/outbox.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { sluice as run } from '../cli/support.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-receipts-'));
let schema: Awaited<ReturnType<typeof freshSchema>>;
beforeAll(async () => {
  schema = await freshSchema('receipts');
});
afterAll(async () => {
  await schema.drop();
  rmSync(dir, { recursive: true });
});

const OPEN: Readonly<Record<string, () => Database>> = {
  sqlite: () => openSqlite(join(dir, 'contract.db')),
  postgres: () => openPostgres(POSTGRES, { schema: schema.schema }),
};
const signing = createSigning({ retired: [], file: join(dir, 'signing.jwk') }, { logger: silentLogger });
const RUNS = Number(process.env['FC_RUNS'] ?? 25);

describe.each(Object.keys(OPEN))('receipts of consents in %s', (dialect) => {
  let database: Database;
  let records: ConsentRecords;
  beforeAll(async () => {
    database = OPEN[dialect]!();
    await migrate(database, [...ANNOUNCEMENT_MIGRATIONS, ...CONSENT_MIGRATIONS], () => new Date());
    records = createConsentRecords(database, { now: () => new Date() });
  });
  afterAll(() => database.close());

  const says = (data_subject: string, consent: Statement['consent'], evidence: object = {}) =>
    records.edit([{ data_subject, statements: [{ data_subject, consent, evidence }] }], 'li');
  const given = (more: Partial<Statement['consent']> = {}): Statement['consent'] => ({
    id: 'c-1',
    purpose: 'marketing',
    categories: ['contact'],
    recipient: 'internal',
    status: 'given',
    at: '2026-01-01T00:00:00Z',
    ...more,
  });

  test('hold for every event, whatever is said, and no longer when a member of the event is another', async () => {
    let n = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          purpose: fc.constantFrom('marketing', '营销', 'after_sales'),
          categories: fc.uniqueArray(fc.constantFrom('contact', '联系方式', 'health'), { minLength: 1 }),
          recipient: fc.constantFrom('internal', '顺丰'),
          status: fc.constantFrom('given' as const, 'withdrawn' as const),
          explicit: fc.boolean(),
          until: fc.constantFrom('2030-12-31', '2031-01-01T00:00:00+08:00'),
        }),
        fc.option(fc.constantFrom('v7', '隐私政策 第3版'), { nil: undefined }),
        fc.constantFrom('version', 'at', 'purpose', 'categories', 'status', 'record_id'),
        async (consent, notice, member) => {
          const id = `客户-${dialect}-${n++}`;
          await says(id, given(consent), notice === undefined ? {} : { notice });
          const [event] = withConsent(await records.history(id));
          const token = await signedReceipt(event!, signing);
          expect(await checkReceipt(token, records, signing)).toMatchObject({
            receipt: receiptOf(event!),
            since: [],
          });
          const other =
            member === 'version' || member === 'at'
              ? { ...event!, [member]: member === 'version' ? 2 : '2020-01-01T00:00:00.000Z' }
              : {
                  ...event!,
                  consent: { ...event!.consent, [member]: member === 'categories' ? ['x'] : 'x' },
                };
          const forged = await signedReceipt(other as typeof event & object, signing);
          await expect(checkReceipt(forged, records, signing)).rejects.toMatchObject({
            code: 'receipt_unknown',
          });
        },
      ),
      { numRuns: RUNS },
    );
  });

  test('hold no words of people: only the version of the notice', async () => {
    const id = `${dialect}-words`;
    await says(id, given(), {
      notice: 'v7',
      evidence: '王小姐的录音 call 8812',
      method: 'phone 13800138000',
    });
    const [event] = withConsent(await records.history(id));
    const text = JSON.stringify(receiptOf(event!));
    expect(text).toContain('"dpv:hasNotice":"v7"');
    expect(text).not.toMatch(/录音|8812|13800138000|"li"/);
  });

  test('say what was said since then: a withdrawal, and a refusal of everything', async () => {
    const id = `${dialect}-since`;
    await says(id, given());
    await records.withdraw(id, { purpose: 'marketing' }, {}, 'li');
    await says(id, given({ id: 'c-2', purpose: 'after_sales', at: '2026-02-01T00:00:00Z' }));
    await says(
      id,
      given({ id: 'c-3', purpose: '*', recipient: '*', status: 'withdrawn', at: '2026-03-01T00:00:00Z' }),
    );
    const events = withConsent(await records.history(id));
    const since = async (i: number): Promise<number[]> =>
      (await checkReceipt(await signedReceipt(events[i]!, signing), records, signing)).since.map(
        ({ version }) => version,
      );
    expect(await since(0)).toEqual([2, 4]);
    expect(await since(2)).toEqual([4]);
    expect(await since(3)).toEqual([]);
    expect(newest(events).map(({ version }) => version)).toEqual([2, 3, 4]);
  });
});

describe('sluice consent receipt', () => {
  const file = join(dir, 'sluice.yaml');
  const base = {
    version: 1,
    upstreams: { crm: { url: 'http://127.0.0.1:9' } },
    identity: {
      issuers: [
        { issuer: 'https://i.example', audience: 's', jwks: { file: './k.json' }, algorithms: ['ES256'] },
      ],
    },
    policy: { dir: './policies' },
    store: { sqlite: './store.db' },
    decision_log: { journal: { dir: './journal' } },
    routes: [{ match: 'GET /c/{id}', upstream: 'crm', resource: 'customer', action: 'read' }],
  };
  writeFileSync(file, JSON.stringify({ ...base, consent: { store: true } }));
  const consent = (argv: readonly string[], stdin = '') =>
    run(['consent', ...argv, '--config', file], { stdin });

  test('prints a receipt that verify-receipt confirms, also when it was withdrawn', async () => {
    await consent(['set', 'C1', '--purpose', 'marketing', '--categories', 'contact', '--notice', 'v7']);
    const first = await consent(['receipt', 'C1']);
    expect(first.out.split('\n')).toHaveLength(2);
    await consent(['withdraw', 'C1', '--all']);
    const checked = await consent(['verify-receipt', '-'], first.out);
    expect(checked).toMatchObject({ code: 0, err: '' });
    expect(checked.out).toMatch(
      /^The receipt holds: event 1 of C1, \S+: given marketing for internal: contact \[c-\S+\]\nsince then: event 2, \S+: withdrawn marketing for internal: contact\n$/,
    );
    const all = (await consent(['receipt', 'C1', '--all', '--json'])).json<
      { receipt: string; payload: { 'dpv:hasConsentStatus': string } }[]
    >();
    expect(all.map(({ payload }) => payload['dpv:hasConsentStatus'])).toEqual([
      'dpv:ConsentGiven',
      'dpv:ConsentWithdrawn',
    ]);
    expect((await consent(['verify-receipt', '-', '--json'], all[1]!.receipt)).json()).toMatchObject({
      holds: true,
      since: [],
    });
  });

  test('is checked with the published keys alone, without configuration and store', async () => {
    await consent(['set', 'C7', '--purpose', 'marketing', '--categories', 'contact']);
    const receipt = (await consent(['receipt', 'C7'])).out.trim();
    const keys = join(dir, 'jwks.json');
    writeFileSync(keys, (await run(['signing', 'keys', '--config', file])).out);
    const nowhere = ['--config', join(dir, 'nowhere.yaml'), '--keys', keys];
    const check = (token: string, argv: readonly string[] = nowhere) =>
      run(['consent', 'verify-receipt', '-', ...argv], { stdin: token });
    const held = await check(receipt);
    expect(held).toMatchObject({ code: 0, err: '' });
    expect(held.out).toMatch(
      /^The signature of the receipt holds: .*"C7".*\nNot checked: whether the store has/s,
    );
    expect((await check(receipt, [...nowhere, '--json'])).json()).toMatchObject({
      signature_holds: true,
      payload: { 'dpv:hasDataSubject': 'C7' },
      not_checked: expect.stringContaining('whether the store has the event') as string,
    });
    const [head, payload, signature] = receipt.split('.') as [string, string, string];
    const forged = Buffer.from(payload, 'base64url').toString().replace('C7', 'C8');
    const other = await check([head, Buffer.from(forged).toString('base64url'), signature].join('.'));
    expect(other).toMatchObject({ code: 1, out: expect.stringContaining('[signature_invalid]') as string });
    // A receipt is no certificate, whoever signed it.
    const kind = await run(['erasure', 'verify-certificate', '-', ...nowhere], { stdin: receipt });
    expect(kind).toMatchObject({ code: 1, out: expect.stringContaining('[signature_invalid]') as string });
    const strange = join(dir, 'strange.json');
    for (const text of ['', '{}', '{"keys":[]}', '{"keys":[{"kty":"RSA"}]}', '[]', 'null']) {
      writeFileSync(strange, text);
      const said = await check(receipt, ['--keys', strange]);
      expect({ text, code: said.code, err: said.err }).toMatchObject({
        text,
        code: 3,
        err: expect.stringContaining('input_invalid') as string,
      });
    }
  });

  test('exits with 1 for a receipt that does not hold, and for nobody', async () => {
    const no = await consent(['verify-receipt', '-'], 'e30.e30.e30');
    expect(no).toMatchObject({ code: 1, out: expect.stringContaining('[signature_invalid]') as string });
    expect((await consent(['verify-receipt', '-', '--json'], 'no')).json()).toMatchObject({ holds: false });
    expect(await consent(['receipt', 'nobody'])).toMatchObject({ code: 1, out: '' });
    expect(await consent(['receipt', 'C1', '--record', 'c-other'])).toMatchObject({ code: 1, out: '' });
  });

  test('is not there where consents are not in the store, and a file that is missing is no negative answer', async () => {
    const other = join(dir, 'file.yaml');
    writeFileSync(other, JSON.stringify({ ...base, consent: { file: './consents.yaml' } }));
    expect((await run(['consent', 'receipt', 'C1', '--config', other])).code).toBe(2);
    expect((await consent(['verify-receipt', join(dir, 'missing.jws')])).code).toBe(3);
  });
});
