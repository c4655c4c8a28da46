/**
 * A standby of PostgreSQL as the store, and a failover to it. What a standby says may be older than any bound, and announcements do not reach it: nothing
 * is disclosed on it, and what a failover loses is told.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MIGRATIONS } from '../../src/compose/store.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { sluice as command } from '../cli/support.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { openForwarder } from '../support/forwarder.ts';
import { type HostileUpstream, reply, startHostile } from '../support/hostile.ts';
import { until } from '../support/served.ts';
import { type Running, startSluice } from '../support/sluice.ts';

let cluster: Cluster;
let upstream: HostileUpstream;
beforeAll(async () => {
  [cluster, upstream] = await Promise.all([startCluster(), startHostile()]);
  upstream.answer = (_request, socket) => void socket.write(reply('{"id":"C1","name":"Li"}'));
  const database = openPostgres(cluster.primary);
  await migrate(database, MIGRATIONS, () => new Date());
  await database.close();
});
afterAll(async () => {
  await upstream?.close();
  await cluster?.close();
});

const setup = (store: string) => ({
  upstream: upstream.url,
  data: { flags: { restricted: {} } },
  config: { store: { postgres: store }, consent: { store: true } },
});
const ask = async ({ port, caller }: Running): Promise<string> => {
  const response = await fetch(`http://127.0.0.1:${port}/customers/C1`, { headers: caller });
  const text = await response.text();
  return response.ok ? '200' : `${response.status} ${(JSON.parse(text) as { code: string }).code}`;
};

test('a standby is not read, however it is asked, and takes no change: Sluice starts, and says what to do', async () => {
  const running = await startSluice(setup(cluster.standby));
  // The primary has a refusal that the standby does not know of.
  await cluster.caughtUp();
  await cluster.run(cluster.standby, 'SELECT pg_wal_replay_pause()');
  await cluster.run(
    cluster.primary,
    `INSERT INTO consent_subjects (data_subject, entry) VALUES ('C1', '{"flags":["restricted"]}')`,
  );
  expect(await ask(running)).toBe('503 consent_unavailable');
  await cluster.run(cluster.primary, 'DELETE FROM consent_subjects');
  await cluster.run(cluster.standby, 'SELECT pg_wal_replay_resume()');
  await cluster.caughtUp();
  expect(await ask(running)).toBe('503 consent_unavailable');
  const { status, text } = await running.admin('/readyz');
  expect({ status, text }).toMatchObject({ status: 503, text: expect.stringContaining('is a standby') });
  expect(running.log()).toContain('Point store.postgres at the primary');
  const file = join(running.dir, 'sluice.yaml');
  for (const argv of [
    ['consent', 'get', 'C1'],
    ['consent', 'set', 'C1', '--flag', 'restricted'],
    ['store', 'migrate'],
    ['store', 'status'],
    ['store', 'verify'],
  ])
    expect(await command([...argv, '--config', file])).toMatchObject({
      code: 3,
      err: expect.stringContaining('[store_read_only]') as string,
    });
  await running.close();
});

test('a primary that takes no changes is read, and refuses a change with a code that says what to do', async () => {
  const url = new URL(cluster.primary);
  url.searchParams.set('options', '-c default_transaction_read_only=on');
  const running = await startSluice(setup(url.href));
  expect(await ask(running)).toBe('200');
  const file = join(running.dir, 'sluice.yaml');
  const said = await command(['consent', 'set', 'C1', '--flag', 'restricted', '--config', file]);
  expect(said).toMatchObject({ code: 3, err: expect.stringContaining('[store_read_only]') as string });
  expect(said.err).toContain('default_transaction_read_only');
  // Nothing was recorded of a change that never came to that.
  expect(running.journalText()).not.toContain('consents.set');
  await running.close();
});

test('a failover: refused until the standby is promoted, then served again; the change that it lost is found', async () => {
  const proxy = await openForwarder(cluster.primary);
  const running = await startSluice(setup(`postgres://postgres@127.0.0.1:${proxy.port()}/postgres`));
  const file = join(running.dir, 'sluice.yaml');
  const changed = (...argv: string[]) => command(['consent', 'set', ...argv, '--config', file]);
  expect((await changed('C2', '--flag', 'restricted')).code).toBe(0);
  await cluster.caughtUp();
  await cluster.cutOff();
  expect((await changed('C1', '--flag', 'restricted', '--by', 'li')).code).toBe(0);
  await until(async () => (await ask(running)) === '403 record_withheld');
  const whole = await command(['store', 'verify', '--config', file, '--json']);
  expect(whole).toMatchObject({ code: 0 });
  expect(whole.json<object>()).toEqual({ compared: 2, changes: [] });

  cluster.killPrimary();
  proxy.moveTo(cluster.standby);
  await until(async () => (await ask(running)) === '503 consent_unavailable');
  await cluster.promote();
  await until(async () => (await ask(running)) === '200');
  // The new primary announces changes, too.
  await until(async () => (await running.admin('/readyz')).text.includes('"announcements":{"ok":true'));
  const found = await command(['store', 'verify', '--config', file, '--json']);
  expect(found.code).toBe(1);
  expect(found.json<object>()).toMatchObject({
    compared: 2,
    changes: [{ by: 'li', operation: 'consents.set', state: 'not_in_store' }],
  });
  expect((await changed('C1', '--flag', 'restricted')).code).toBe(0);
  await until(async () => (await ask(running)) === '403 record_withheld');
  await running.close();
  await proxy.close();
});
