/** A store behind PgBouncer in transaction mode: many sidecars over few connections. */
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { MIGRATIONS, openStore } from '../../src/compose/store.ts';
import { createConsentRecords } from '../../src/consent/index.ts';
import { createRevocationRecords } from '../../src/identity/index.ts';
import type { Change } from '../../src/model/invalidation.ts';
import { systemClock } from '../../src/observability/clock.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { migrate, openChannel, openDatabase } from '../../src/store/index.ts';
import { PGBOUNCER, pgbouncer } from '../support/pgbouncer.ts';
import { POSTGRES } from '../support/postgres.ts';
import { REDIS } from '../support/redis.ts';

const SIDECARS = 20;
const CONNECTIONS = 3;
const IGNORE = 'ignore_startup_parameters = statement_timeout, idle_in_transaction_session_timeout';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const name = `sluice_pooled_${process.pid}`;
const administrator = new pg.Client(POSTGRES);
beforeAll(async () => {
  await administrator.connect();
  await administrator.query(`CREATE DATABASE ${name}`);
});
afterAll(async () => {
  await administrator.query(`DROP DATABASE ${name} WITH (FORCE)`);
  await administrator.end();
});

const isMissing = PGBOUNCER === undefined;
if (isMissing) process.stdout.write('skipped: pgbouncer is not installed (apt-get install pgbouncer)\n');

test.skipIf(isMissing)(
  `${SIDECARS} sidecars over ${CONNECTIONS} connections: tables, changes and their announcements`,
  async () => {
    const pooler = await pgbouncer(name, [IGNORE, `default_pool_size = ${CONNECTIONS}`]);
    closing.push(() => pooler.close());
    const config = { postgres: pooler.url, announcements: { redis: REDIS } };
    const steps = openDatabase(config);
    await migrate(steps, MIGRATIONS, () => new Date());
    await steps.close();
    const heard = Array.from({ length: SIDECARS }, (): Change[] => []);
    const channels = heard.map((changes) => openChannel(config, { received: (c) => void changes.push(c) })!);
    closing.push(() => Promise.all(channels.map((channel) => channel.close())));
    const up = () => expect(channels.map((channel) => channel.isUp())).not.toContain(false);
    await vi.waitFor(up, 60_000);
    const store = await openStore(config, systemClock, silentLogger);
    closing.push(() => store.close());
    const limit = await store.transaction((queries) =>
      queries.query<{ limit: string }>(
        "SELECT current_setting('idle_in_transaction_session_timeout') AS limit",
      ),
    );
    expect(limit).toEqual([{ limit: '30s' }]);
    const now = () => new Date();
    await createConsentRecords(store, { now }).edit([{ data_subject: 'C1', addFlags: ['opt_out'] }], 'li');
    await createRevocationRecords(store, now).revoke(
      { kind: 'subject', name: 'u-17' },
      {},
      { reason: 'left the company', by: 'hr' },
      async () => undefined,
    );
    for (const changes of heard)
      await vi.waitFor(
        () =>
          expect(changes).toEqual(
            expect.arrayContaining([
              { kind: 'consents', scope: { data_subject: 'C1' } },
              { kind: 'revocations', scope: { subject: 'u-17' } },
            ]),
          ),
        60_000,
      );
    const { rows } = await administrator.query('SELECT 1 FROM pg_stat_activity WHERE datname = $1', [name]);
    expect(rows.length).toBeLessThanOrEqual(CONNECTIONS);
  },
);

test.skipIf(isMissing)('a PgBouncer that refuses a parameter: the message says what to set', async () => {
  const pooler = await pgbouncer(name, []);
  closing.push(() => pooler.close());
  const database = openDatabase({ postgres: pooler.url });
  closing.push(() => database.close());
  await expect(database.query('SELECT 1')).rejects.toThrow(
    /unsupported startup parameter: statement_timeout.*ignore_startup_parameters/,
  );
});
