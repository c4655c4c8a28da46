/** Counters in a real Redis Cluster: three masters, one of which has a replica and fails. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createClient } from '@redis/client';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Claim } from '../../src/quotas/counters.ts';
import { createRedisCounters, type RedisCounters } from '../../src/quotas/redis.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { type OwnRedis, ownRedis } from '../support/redis.ts';

const closing: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** What one node answers. */
async function at({ url }: OwnRedis, ...command: string[]): Promise<unknown> {
  const client = createClient({ url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await client.sendCommand(command);
  } finally {
    client.destroy();
  }
}

let masters: readonly OwnRedis[];
let replica: OwnRedis;
let store: RedisCounters;
beforeAll(async () => {
  const node = async (): Promise<OwnRedis> => {
    const redis = await ownRedis(() => ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000']);
    closing.push(() => redis.close());
    return redis;
  };
  masters = [await node(), await node(), await node()];
  replica = await node();
  await promisify(execFile)('redis-cli', [
    ...['--cluster', 'create', ...masters.map(({ port }) => `127.0.0.1:${port}`)],
    ...['--cluster-replicas', '0', '--cluster-yes'],
  ]);
  const id = String(await at(masters[0]!, 'CLUSTER', 'MYID'));
  await at(replica, 'CLUSTER', 'MEET', '127.0.0.1', String(masters[0]!.port));
  await vi.waitFor(async () => expect(await at(replica, 'CLUSTER', 'REPLICATE', id)).toBe('OK'), 60_000);
  for (const one of [...masters, replica])
    await vi.waitFor(
      async () => {
        expect(await at(one, 'CLUSTER', 'INFO')).toContain('cluster_state:ok');
        expect(await at(one, 'CLUSTER', 'INFO')).toContain('cluster_known_nodes:4');
      },
      { timeout: 60_000, interval: 100 },
    );
  await vi.waitFor(
    async () => expect(await at(replica, 'INFO', 'replication')).toContain('master_link_status:up'),
    { timeout: 60_000, interval: 100 },
  );
  // The first node that is named does not answer: any other one will do.
  const nobody = await ownRedis();
  await nobody.close();
  store = createRedisCounters({
    urls: [nobody, masters[2]!, masters[1]!].map(({ url }) => url),
    prefix: 'sluice-test',
    timeout: 2_000,
    expiry: 3_600_000,
    exact: 100,
    logger: silentLogger,
  });
  closing.push(() => store.close());
  await store.tried;
}, 180_000);

const claim = (key: string, of: 'records' | 'data_subjects' = 'records', limit = 10): Claim => ({
  counter: { key, of, per: 'month', limit },
  wanted: 1,
  all: false,
});
const isDown = expect.objectContaining({ code: 'quota_unavailable' });

test('counters of one request lie on all nodes, are reserved together and settled', async () => {
  expect(await store.ready()).toEqual({ ok: true });
  const claims = Array.from({ length: 30 }, (_, i) =>
    claim(`k${i}`, i % 2 === 0 ? 'records' : 'data_subjects'),
  );
  const granted = await store.reserve('r-1', claims);
  expect(granted.map((g) => g.granted)).toEqual(claims.map(() => 1));
  await store.settle({ id: 'r-1', claims, granted, records: 3, dataSubjects: new Set(['a', 'b']) }, false);
  const again = await store.reserve('r-2', claims);
  expect(again.map((g) => g.used)).toEqual(claims.map(({ counter }) => (counter.of === 'records' ? 3 : 2)));
  for (const master of masters) expect(await at(master, 'DBSIZE')).toBeGreaterThan(0);
});

test('50 concurrent reservations of a limit of 10 grant exactly 10', async () => {
  const all = await Promise.all(
    Array.from({ length: 50 }, (_, i) => store.reserve(`c-${i}`, [claim('concurrent')])),
  );
  expect(all.filter(([g]) => g!.granted === 1)).toHaveLength(10);
});

test('a master that fails: requests under its counters are refused until its replica has taken over, with what was used', async () => {
  // Counters on the node that will fail, and on another one.
  const [failing, other] = [masters[0]!, masters[1]!];
  const names = Array.from({ length: 40 }, (_, i) => `f${i}`);
  const on = async (redis: OwnRedis): Promise<string> => {
    for (const name of names) {
      const before = await at(redis, 'DBSIZE');
      const claims = [claim(name)];
      const granted = await store.reserve(`on-${name}`, claims);
      await store.settle({ id: `on-${name}`, claims, granted, records: 4, dataSubjects: new Set() }, false);
      if ((await at(redis, 'DBSIZE')) !== before) return names.splice(names.indexOf(name), 1)[0]!;
    }
    throw new Error('none of the counters is there');
  };
  const [lost, kept] = [await on(failing), await on(other)];
  await vi.waitFor(async () => {
    const offset = (text: unknown, what: string) => new RegExp(`${what}:(\\d+)`).exec(String(text))?.[1];
    expect(offset(await at(replica, 'INFO', 'replication'), 'slave_repl_offset')).toBe(
      offset(await at(failing, 'INFO', 'replication'), 'master_repl_offset'),
    );
  }, 60_000);
  await failing.stop();
  await expect(store.reserve('while', [claim(lost)])).rejects.toEqual(isDown);
  // A request that is about both is refused as a whole.
  await expect(store.reserve('both', [claim(kept), claim(lost)])).rejects.toEqual(isDown);
  await vi.waitFor(
    async () => {
      const [granted] = await store.reserve('after', [claim(lost)]);
      expect(granted).toMatchObject({ used: 4, granted: 1 });
    },
    { timeout: 120_000, interval: 200 },
  );
  expect(await at(replica, 'ROLE')).toEqual(expect.arrayContaining(['master']));
  await vi.waitFor(async () => expect(await store.ready()).toEqual({ ok: true }), {
    timeout: 60_000,
    interval: 200,
  });
  expect((await store.reserve('kept', [claim(kept)]))[0]).toMatchObject({ used: 4 });
}, 240_000);

test('a cluster that does not answer at the start is used once it does', async () => {
  const late = await ownRedis(() => ['--cluster-enabled', 'yes']);
  closing.push(() => late.close());
  await at(late, 'CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  await late.stop();
  const waiting = createRedisCounters({
    urls: [late.url, late.url],
    prefix: 'sluice-test',
    timeout: 2_000,
    expiry: 3_600_000,
    exact: 100,
    logger: silentLogger,
  });
  closing.push(() => waiting.close());
  await waiting.tried;
  expect(await waiting.ready()).toMatchObject({ ok: false });
  await expect(waiting.reserve('early', [claim('early')])).rejects.toEqual(isDown);
  await late.start();
  await vi.waitFor(
    async () => expect((await waiting.reserve('then', [claim('then')]))[0]).toMatchObject({ granted: 1 }),
    { timeout: 60_000, interval: 100 },
  );
}, 120_000);
