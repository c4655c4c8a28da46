/** Every change is in the journal before it is in force; one that the journal or the store refuses is not in force, and the journal says so. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recorded } from '../../src/changes/change.ts';
import { commandRecorder } from '../../src/changes/recorder.ts';
import { revocationChanges } from '../../src/changes/revocations.ts';
import { MIGRATIONS } from '../../src/compose/store.ts';
import { createDecisionLog, newDecisionId } from '../../src/decision-log/decision-log.ts';
import { createRevocationRecords } from '../../src/identity/index.ts';
import { systemClock } from '../../src/observability/clock.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { ROOT, sluice } from '../cli/support.ts';
import { schemaUrl } from '../support/forwarder.ts';
import { recordsOf } from '../support/journals.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-changes-'));
let schema: Awaited<ReturnType<typeof freshSchema>>;
beforeAll(async () => {
  schema = await freshSchema('changes');
  const database = openPostgres(POSTGRES, { schema: schema.schema });
  await migrate(database, MIGRATIONS, () => new Date());
  await database.close();
});
afterAll(async () => {
  await schema.drop();
  rmSync(dir, { recursive: true });
});

const config = (name: string, store: object, journal = `./journal-${name}`): string => {
  const file = join(dir, `${name}.yaml`);
  writeFileSync(
    file,
    JSON.stringify({
      version: 1,
      upstreams: { crm: { url: 'http://127.0.0.1:9' } },
      identity: {
        issuers: [
          { issuer: 'https://i.example', audience: 's', jwks: { file: './k' }, algorithms: ['ES256'] },
        ],
        revocations_in_store: true,
        api_keys_in_store: true,
      },
      policy: { dir: join(ROOT, 'policies') },
      consent: { store: true },
      store,
      grants: { approvers: { 李: ['lead'] }, rules: [{ approved_by: ['lead'] }], break_glass: {} },
      decision_log: { journal: { dir: journal } },
      routes: [{ match: 'GET /c/{id}', upstream: 'crm', resource: 'customer', action: 'read' }],
    }),
  );
  return file;
};

const STORES: Readonly<Record<string, () => object>> = {
  sqlite: () => ({ sqlite: './store.db' }),
  postgres: () => ({ postgres: schemaUrl(schema.schema) }),
};

interface Case {
  readonly argv: readonly string[];
  /** of the record */
  readonly says: object;
}

/** `$KEY`, `$GRANT`, `$REVIEW`: what an earlier one made */
const CASES: readonly Case[] = [
  {
    argv: ['consent', 'set', '王1', '--flag', 'opt_out', '--by', '李'],
    says: { kind: 'consent', action: 'consents.set', reasons: [{ code: 'consent_flags' }] },
  },
  {
    argv: ['subject', 'revoke', 'u-陈', '--reason', '离职', '--by', '李'],
    says: {
      kind: 'admin',
      action: 'subjects.revoke',
      reasons: [{ code: 'subject_revoked' }],
      justification: '离职',
      labels: { target_subject: 'u-陈' },
    },
  },
  {
    argv: ['subject', 'restore', 'u-陈', '--reason', '回来', '--by', '李'],
    says: { kind: 'admin', action: 'subjects.restore', labels: { target_subject: 'u-陈' } },
  },
  {
    argv: ['keys', 'create', 'erp', '--subject', 'erp', '--organization', 'internal', '--by', '李'],
    says: {
      kind: 'admin',
      action: 'keys.create',
      labels: {
        key: 'erp',
        holder: 'erp',
        key_sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      },
    },
  },
  {
    argv: ['keys', 'rotate', 'erp', '--by', '李'],
    says: { kind: 'admin', action: 'keys.rotate', labels: { key: 'erp', holder: 'erp' } },
  },
  {
    argv: ['keys', 'revoke', 'erp', '--reason', 'r', '--by', '李'],
    says: { kind: 'admin', action: 'keys.revoke', justification: 'r', labels: { key: 'erp' } },
  },
  {
    argv: [
      'grants',
      'break-glass',
      '--subject',
      'u-1',
      '--purpose',
      'after_sales',
      '--reason',
      'x',
      '--by',
      '李',
    ],
    says: { kind: 'grant', action: 'grants.break_glass', labels: { holder: 'u-1' } },
  },
  {
    argv: ['reviews', 'close', '$REVIEW', '--verdict', 'justified', '--note', '核实过', '--by', 'u-auditor'],
    says: {
      kind: 'admin',
      action: 'reviews.close',
      reasons: [{ code: 'review_justified' }],
      justification: '核实过',
      labels: { holder: 'u-1' },
    },
  },
];

describe.each(Object.keys(STORES))('commands with a store in %s', (name) => {
  test('write one record for each change, which names who made it', async () => {
    const file = config(name, STORES[name]!());
    const journal = join(dir, `journal-${name}`);
    let review = '';
    for (const { argv, says } of CASES) {
      const said = await sluice([...argv.map((a) => (a === '$REVIEW' ? review : a)), '--config', file]);
      expect({ argv, code: said.code, err: said.code === 0 ? '' : said.err }).toEqual({
        argv,
        code: 0,
        err: '',
      });
      const last = recordsOf(journal).filter(({ action }) => action !== null);
      const record = last.find((r) => r.action === (says as { action: string }).action);
      const by = argv[argv.indexOf('--by') + 1];
      expect(record).toMatchObject({ ...says, outcome: 'allowed', subject: { id: by } });
      if (argv[0] === 'grants') review = record!.decision_id;
      if (said.out.startsWith('slk_')) expect(JSON.stringify(last)).not.toContain(said.out.trim());
    }
    const made = recordsOf(journal).filter(({ action }) => action !== null);
    expect(made.map(({ action }) => action)).toHaveLength(CASES.length);
    expect((await sluice(['decisions', 'verify', '--journal', journal])).code).toBe(0);
  });

  test('change nothing where the journal cannot be written', async () => {
    // A file where the directory should be.
    writeFileSync(join(dir, `no-journal-${name}`), '');
    const file = config(`broken-${name}`, STORES[name]!(), `./no-journal-${name}`);
    for (const [argv, list] of [
      [
        ['keys', 'create', 'k9', '--subject', 's', '--organization', 'o', '--by', 'b'],
        ['keys', 'list'],
      ],
      [
        ['subject', 'revoke', 'u-9', '--reason', 'r', '--by', 'b'],
        ['subject', 'list'],
      ],
    ] as const) {
      const said = await sluice([...argv, '--config', file]);
      expect({ code: said.code, out: said.out }).toEqual({ code: 3, out: '' });
      expect(said.err).toContain('[journal_unwritable]');
      const listed = await sluice([...list, '--config', file, '--json']);
      expect(listed.code).toBe(0);
      expect(listed.out).not.toMatch(/k9|u-9/);
    }
  });
});

test('a change that PostgreSQL refuses at the very end has a second part that says so', async () => {
  const file = config('late', STORES['postgres']!());
  const database = openPostgres(POSTGRES, { schema: schema.schema });
  await database.write(
    `CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'at the end'; END $$;
     CREATE CONSTRAINT TRIGGER late AFTER INSERT ON sluice_grants DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION no()`,
  );
  const argv = [
    '--subject',
    'u-2',
    '--purpose',
    'after_sales',
    '--category',
    'identity',
    '--resource',
    'customer',
  ];
  const said = await sluice(['grants', 'request', ...argv, '--justification', 'x', '--config', file]);
  await database.write('DROP TRIGGER late ON sluice_grants');
  await database.close();
  expect(said).toMatchObject({ code: 3, err: expect.stringContaining('at the end') as string });
  const [first, second, ...more] = recordsOf(join(dir, 'journal-late'));
  expect(more).toEqual([]);
  expect(first).toMatchObject({
    outcome: 'allowed',
    reasons: [{ code: 'grant_requested' }],
    part: { number: 1 },
  });
  expect(second).toMatchObject({
    decision_id: first!.decision_id,
    outcome: 'error',
    reasons: [{ code: 'change_unconfirmed' }],
    part: { number: 2, last: true },
    grant_id: first!.grant_id,
  });
  const shown = await sluice(['grants', 'show', first!.grant_id!, '--config', file]);
  expect(shown.err).toContain('[grant_not_found]');
});

test('a record that becomes durable after its transaction has run out of time is followed by one that says so', async () => {
  const database = openSqlite(join(dir, 'slow.db'), { work: 20 });
  await migrate(database, MIGRATIONS, () => new Date());
  const journal = join(dir, 'journal-slow');
  const log = await createDecisionLog({ journal: { dir: journal } }, { logger: silentLogger });
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slow = { append: (draft: Parameters<typeof log.append>[0]) => held.then(() => log.append(draft)) };
  const recorder = commandRecorder('李', { log: async () => slow, newDecisionId, clock: systemClock });
  const records = createRevocationRecords(database, () => new Date());
  const revoking = revocationChanges({
    ...records,
    revoke: (...args) => records.revoke(...args).finally(release),
  }).revoke({ kind: 'subject', name: 'u-3' }, {}, 'r', recorder);
  await expect(revoking).rejects.toMatchObject({ code: 'store_unavailable' });
  expect(recordsOf(journal).map(({ outcome, reasons }) => [outcome, reasons[0]!.code])).toEqual([
    ['allowed', 'subject_revoked'],
    ['error', 'change_unconfirmed'],
  ]);
  expect(await records.list({ state: 'all', limit: 9 })).toEqual([]);
  await log.close();
  await database.close();
});

test('a change that was never recorded has no record of its failure', async () => {
  const written: string[] = [];
  const recorder = {
    by: 'b',
    roles: null,
    decision_id: 'd',
    record: async () => {
      throw new Error('disk full');
    },
    unconfirmed: async () => void written.push('unconfirmed'),
  };
  const facts = { kind: 'admin', operation: 'keys.create', reasons: [] } as const;
  await expect(
    recorded(
      recorder,
      () => facts,
      (journaled) => journaled(null, { query: async () => [] }),
    ),
  ).rejects.toThrow('disk full');
  await expect(
    recorded(
      recorder,
      () => facts,
      () => Promise.reject(new Error('invalid')),
    ),
  ).rejects.toThrow('invalid');
  expect(written).toEqual([]);
});
