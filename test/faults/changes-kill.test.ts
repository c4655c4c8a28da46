/**
 * `kill -9` in the middle of changes. Nothing is in force that is not on record; nothing is half there; what was recorded and is not in force is found by
 * `sluice store verify`; a repetition works.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { MIGRATIONS } from '../../src/compose/store.ts';
import { verify } from '../../src/decision-log/verify/verify.ts';
import { createDevelopmentIssuer, type DevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import type { Database, Row } from '../../src/model/database.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { sluice as command } from '../cli/support.ts';
import { openForwarder, schemaUrl } from '../support/forwarder.ts';
import { recordsOf } from '../support/journals.ts';
import { policyWith } from '../support/policy.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';
import { ROUNDS } from '../support/rounds.ts';
import { type Cleaning, launch, signalAll, until } from '../support/served.ts';
import { prepare } from '../support/sluice.ts';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const AT_ONCE = 8;
/** for each round: more than it confirms */
const DEMANDS = 100;

let issuer: DevelopmentIssuer;
let schema: Awaited<ReturnType<typeof freshSchema>>;
const cleaning: Cleaning = [];
beforeAll(async () => {
  issuer = await createDevelopmentIssuer();
  schema = await freshSchema('changes_kill');
  const database = openPostgres(POSTGRES, { schema: schema.schema });
  await migrate(database, MIGRATIONS, () => new Date());
  await database.close();
});
afterEach(() => {
  for (const clean of cleaning.splice(0).reverse()) clean();
});
afterAll(() => schema?.drop());

const prepared = async (store: object) =>
  prepare(
    {
      policy: await policyWith({}),
      identity: { api_keys_in_store: true, revocations_in_store: true },
      config: {
        store,
        policy: { bundle: './bundle.tar.gz', watch: false },
        decision_log: {
          journal: { dir: './journal' },
          data_subject_key: 'a key of the test with more than 32 bytes in it',
        },
        insecure: { literal_secrets: true },
        consent: { store: true },
        erasure: {},
        shares: {},
        grants: { rules: [{ approved_by: ['team_lead'] }], break_glass: {} },
      },
    },
    issuer,
  );

/** What `sluice store verify` says. */
async function compared(file: string) {
  const said = await command(['store', 'verify', '--config', file, '--json']);
  const found = said.json<{
    readonly compared: number;
    readonly changes: readonly {
      readonly decision_id: string;
      readonly operation: string;
      readonly state: string;
    }[];
  }>();
  expect(said.code).toBe(found.changes.some(({ state }) => state === 'not_in_store') ? 1 : 0);
  return found;
}

describe('a sidecar that is killed under a load of changes', () => {
  interface Call {
    readonly token: string;
    readonly path: string;
    readonly body: object;
  }
  interface Made extends Call {
    /** null: the process was killed before it answered */
    readonly status: number | null;
    readonly decision_id: string | null;
  }

  const token = (sub: string, ...roles: string[]) =>
    issuer.sign({ sub, roles, org: 'internal', amr: ['pwd', 'otp'] });

  async function calls(): Promise<(n: number) => Call | null> {
    const officer = await token('u-officer', 'consent_officer', 'privacy_officer');
    const admin = await token('u-admin', 'access_admin');
    const asker = await token('u-asker', 'support');
    const run = randomUUID().slice(0, 8);
    let demand = 0;
    return (n) => {
      const name = `${run}-${n}`;
      const all: readonly (() => Call)[] = [
        () => ({
          token: officer,
          path: `/v1/consents/${name}/statements`,
          body: {
            consent: { purpose: 'marketing', categories: ['contact'] },
            aliases: [{ type: 'login', alias: name }],
          },
        }),
        () => ({
          token: asker,
          path: '/v1/grants',
          body: {
            purpose: 'after_sales',
            resource: 'customer',
            categories: ['identity'],
            ids: [name],
            justification: name,
          },
        }),
        () => ({ token: admin, path: '/v1/revocations', body: { subject: name, reason: 'r' } }),
        () => ({
          token: admin,
          path: '/v1/keys',
          body: {
            id: name,
            subject: { id: name, type: 'service', organization: 'internal', roles: ['sync_service'] },
          },
        }),
        () => ({ token: officer, path: '/v1/erasure-requests', body: { data_subject: name } }),
        () => ({
          token: asker,
          path: '/v1/grants/break-glass',
          body: { purpose: 'after_sales', reason: name },
        }),
        () => ({
          token: officer,
          path: `/v1/demands/demand-${demand++}/confirm`,
          body: { how: 'destroyed' },
        }),
      ];
      return all[n % all.length]!();
    };
  }

  async function call(admin: string, { token, path, body }: Call, key: string): Promise<Made> {
    try {
      const response = await fetch(`${admin}${path}`, {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${token}`,
          'Content-Type': 'application/json',
          'Idempotency-Key': key,
        },
        body: JSON.stringify(body),
      });
      const decision_id = response.headers.get('sluice-decision-id');
      await response.text();
      return { token, path, body, status: response.status, decision_id };
    } catch {
      return { token, path, body, status: null, decision_id: null };
    }
  }

  /** What belongs together, and the decision of each row that names it. */
  const WHOLE: Readonly<Record<string, string>> = {
    'an event for each consent': `SELECT data_subject FROM consent_subjects WHERE entry <> '{}' EXCEPT SELECT data_subject FROM consent_events`,
    'a consent for each event':
      'SELECT data_subject FROM consent_events EXCEPT SELECT data_subject FROM consent_subjects',
    'an alias for each consent':
      'SELECT data_subject FROM consent_events EXCEPT SELECT data_subject FROM consent_aliases',
    'a consent for each alias':
      'SELECT data_subject FROM consent_aliases EXCEPT SELECT data_subject FROM consent_events',
    'an event for each grant': 'SELECT id FROM sluice_grants EXCEPT SELECT grant_id FROM sluice_grant_events',
    'a grant for each event': 'SELECT grant_id FROM sluice_grant_events EXCEPT SELECT id FROM sluice_grants',
    'a review for each access without approval': `SELECT decision_id FROM sluice_grant_events WHERE what = 'broke_glass' EXCEPT SELECT decision_id FROM sluice_reviews`,
    'an access for each review':
      'SELECT decision_id FROM sluice_reviews EXCEPT SELECT decision_id FROM sluice_grant_events',
    'an event for each request':
      'SELECT id FROM erasure_requests EXCEPT SELECT request_id FROM erasure_events',
    'a mark for each request': `SELECT data_subject FROM erasure_requests EXCEPT SELECT data_subject FROM erasure_marks WHERE marks <> '[]'`,
    'no share of a demand that was confirmed': `SELECT s.decision_id FROM sluice_shares s JOIN sluice_demands d ON d.id = s.demand_id WHERE d.confirmed_at IS NOT NULL`,
    'a share of each demand that is open': `SELECT id FROM sluice_demands WHERE confirmed_at IS NULL EXCEPT SELECT demand_id FROM sluice_shares`,
    'grants that are noted as made':
      'SELECT decision_id FROM sluice_grant_events EXCEPT SELECT decision_id FROM sluice_changes',
    'requests that are noted as made':
      'SELECT decision_id FROM erasure_events EXCEPT SELECT decision_id FROM sluice_changes',
  };
  const COUNTED: Readonly<Record<string, string>> = {
    'consents.set': "SELECT count(*) AS n FROM consent_events WHERE what = 'given'",
    'subjects.revoke': 'SELECT count(*) AS n FROM sluice_revocations',
    'keys.create': 'SELECT count(*) AS n FROM sluice_api_keys',
    'grants.request': "SELECT count(*) AS n FROM sluice_grant_events WHERE what = 'requested'",
    'grants.break_glass': "SELECT count(*) AS n FROM sluice_grant_events WHERE what = 'broke_glass'",
    'erasure.request': 'SELECT count(*) AS n FROM erasure_events',
    'shares.confirm': 'SELECT count(*) AS n FROM sluice_demands WHERE confirmed_at IS NOT NULL',
  };

  test.each(['sqlite', 'postgres'])(
    'with a store in %s',
    async (dialect) => {
      const store = dialect === 'sqlite' ? { sqlite: './store.db' } : { postgres: schemaUrl(schema.schema) };
      const { dir, file } = await prepared(store);
      const journal = join(dir, 'journal');
      const database: Database =
        dialect === 'sqlite'
          ? openSqlite(join(dir, 'store.db'))
          : openPostgres(POSTGRES, { schema: schema.schema });
      await migrate(database, MIGRATIONS, () => new Date());
      await database.write(
        `INSERT INTO sluice_demands (id, recipient, opened_at, due_at, shares, first_at, last_at) VALUES ${Array.from(
          { length: ROUNDS * DEMANDS },
          (_, i) => `('demand-${i}', 'swift_logistics', 1, 9999999999999, 1, 1, 1)`,
        ).join(',')}`,
      );
      await database.write(
        `INSERT INTO sluice_shares (decision_id, recipient, purpose, shared_at, expires_at, demand_id)
       SELECT id, recipient, 'delivery', 1, 2, id FROM sluice_demands`,
      );
      const seen = { kills: 0, acknowledged: 0, unanswered: 0, missing: 0 };
      const next = await calls();
      let n = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const first = launch(file, cleaning);
        await until(() => first.ready() !== undefined || first.child.exitCode !== null, 90);
        if (first.ready() === undefined) throw new Error(first.log());
        const { admin } = first.ready()!;
        const made: { readonly call: Made; readonly key: string }[] = [];
        const enough = 10 + Math.random() * 60;
        let over = false;
        await Promise.all(
          Array.from({ length: AT_ONCE }, async () => {
            while (!over) {
              const key = randomUUID();
              const done = await call(admin, next(n++)!, key);
              made.push({ call: done, key });
              if (done.status === null) break;
              if (made.length > enough && !over) {
                over = true;
                // in the middle of the next ones
                await new Promise((wait) => setTimeout(wait, Math.random() * 20));
                signalAll(first.child, 'SIGKILL');
              }
              if (over && made.length < enough + 200) over = false;
            }
          }),
        );
        await first.ended;
        seen.kills += 1;

        const records = recordsOf(journal).filter(({ labels }) => labels['commit'] === 'in_store');
        const recorded = new Map(records.map((r) => [r.decision_id, r.action!]));
        const rows = await database.query<{ decision_id: string } & Row>(
          'SELECT decision_id FROM sluice_changes',
        );
        const inForce = new Set(rows.map((r) => r.decision_id));
        const { changes } = await compared(file);
        const missing = new Set(changes.map((c) => c.decision_id));
        expect([...inForce].filter((id) => dialect === 'sqlite' && !recorded.has(id))).toEqual([]);
        expect([...recorded.keys()].filter((id) => !inForce.has(id)).sort()).toEqual([...missing].sort());
        for (const { call: c } of made)
          if (c.status !== null) {
            expect(c, JSON.stringify(c.body)).toMatchObject({ status: expect.toSatisfy((s) => s < 300) });
            expect(inForce.has(c.decision_id!)).toBe(true);
          }
        for (const [what, sql] of Object.entries(WHOLE))
          expect({ what, rows: await database.query(sql) }).toEqual({ what, rows: [] });
        for (const [operation, sql] of Object.entries(COUNTED)) {
          const [row] = await database.query<{ n: number }>(sql);
          const count = [...recorded].filter(
            ([id, action]) => action === operation && inForce.has(id),
          ).length;
          expect({ operation, n: row!.n }).toEqual({ operation, n: count });
        }
        const { problems } = await verify({ dir: journal, key: null });
        expect(problems.filter((p) => !/torn|half|incomplete/i.test(JSON.stringify(p)))).toEqual([]);

        // A repetition with its key carries nothing out twice; one with a new key makes it, or says that it is there.
        const again = launch(file, cleaning);
        await until(() => again.ready() !== undefined, 90);
        for (const { call: c, key } of made.filter(({ call: { status } }) => status === null)) {
          const before = (await database.query('SELECT decision_id FROM sluice_changes')).length;
          const repeated = await call(again.ready()!.admin, c, key);
          const after = (await database.query('SELECT decision_id FROM sluice_changes')).length;
          if (repeated.status === 409) expect(after).toBe(before);
          const anew = await call(again.ready()!.admin, c, randomUUID());
          expect([200, 201, 409]).toContain(anew.status);
        }
        seen.acknowledged += made.filter(({ call: { status } }) => status !== null).length;
        seen.unanswered += made.filter(({ call: { status } }) => status === null).length;
        seen.missing += missing.size;
        signalAll(again.child, 'SIGTERM');
        expect(await again.ended).toBe(0);
      }
      await database.close();
      expect(seen.acknowledged).toBeGreaterThan(ROUNDS * 5);
      process.stderr.write(`changes-kill: ${dialect}: ${JSON.stringify(seen)}\n`);
    },
    120_000 + ROUNDS * 60_000,
  );
});

test('a command that is killed between the record of its change and the commit: not in force, found, and repeated', async () => {
  const forwarder = await openForwarder();
  cleaning.push(() => void forwarder.close());
  const { dir, file } = await prepared({ postgres: forwarder.url(schema.schema) });
  const argv = ['subject', 'revoke', 'u-between', '--reason', 'left', '--by', 'li', '--config', file];
  // The note of the change passes; the COMMIT behind it does not.
  forwarder.holdAfter('INSERT INTO sluice_changes');
  const child = spawn(process.execPath, [MAIN, ...argv], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'close');
  const journal = join(dir, 'journal');
  await until(() => {
    try {
      return recordsOf(journal).some(({ action }) => action === 'subjects.revoke');
    } catch {
      return false;
    }
  });
  child.kill('SIGKILL');
  await ended;
  await forwarder.stop();
  await forwarder.start();
  const list = async () =>
    (await command(['subject', 'list', '--config', file, '--json'])).out.includes('u-between');
  await until(async () => (await command(['subject', 'list', '--config', file, '--json'])).code === 0);
  expect(await list()).toBe(false);
  const { changes } = await compared(file);
  expect(changes).toMatchObject([{ operation: 'subjects.revoke', by: 'li', state: 'not_in_store' }]);
  const said = await command(['store', 'verify', '--config', file]);
  expect(said.out).toContain('1 changes compared: 1 not in the store.');
  expect((await command(argv)).code).toBe(0);
  expect(await list()).toBe(true);
  expect(await compared(file)).toMatchObject({ compared: 2, changes: [{ state: 'not_in_store' }] });
});
