/**
 * Two sidecars with one PostgreSQL and one Redis, of which one sidecar loses one. It refuses what needs the lost one, discloses nothing on an old yes, and
 * takes nothing from the quota that both share; the other sidecar serves on.
 */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { MIGRATIONS } from '../../src/compose/store.ts';
import type { Database } from '../../src/model/database.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { type Forwarder, openForwarder, schemaUrl } from '../support/forwarder.ts';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { policyWith } from '../support/policy.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';
import { freshPrefix, REDIS } from '../support/redis.ts';
import { until } from '../support/served.ts';
import { CUSTOMER_ROUTES, type Running, startSluice } from '../support/sluice.ts';

const after: (() => unknown)[] = [];
let upstream: HostileUpstream;
let database: Database;
let one: Running;
let two: Running;
/** of the second sidecar */
let toPostgres: Forwarder;
let toRedis: Forwarder;

beforeAll(async () => {
  upstream = await startHostile();
  after.push(() => upstream.close());
  upstream.answer = answers('{"id":"C1","name":"张三丰","phone":"13812345678"}');
  const schema = await freshSchema('split');
  after.push(schema.drop);
  database = openPostgres(POSTGRES, { schema: schema.schema });
  after.push(() => database.close());
  await migrate(database, MIGRATIONS, () => new Date());
  const prefix = freshPrefix();
  after.push(prefix.drop);
  toPostgres = await openForwarder();
  after.push(() => toPostgres.close());
  toRedis = await openForwarder(REDIS);
  after.push(() => toRedis.close());
  const policy = await policyWith({
    data: {
      quotas: {
        marketing_daily: null,
        ours: {
          title: 't',
          by: ['subject'],
          of: 'records',
          per: 'month',
          limit: 1_000_000,
          reserve: 1,
          over: 'deny',
        },
      },
    },
  });
  const start = (postgres: string, redis: string) =>
    startSluice({
      upstream: upstream.url,
      routes: CUSTOMER_ROUTES,
      policy,
      config: {
        store: { postgres },
        consent: { store: true },
        quotas: { redis, prefix: prefix.prefix, timeout: '300ms' },
        insecure: { literal_secrets: true },
      },
    });
  one = await start(schemaUrl(schema.schema), REDIS);
  after.push(() => one.close());
  two = await start(toPostgres.url(schema.schema), `redis://127.0.0.1:${toRedis.port()}`);
  after.push(() => two.close());
});
afterEach(async () => {
  for (const forwarder of [toPostgres, toRedis]) {
    await forwarder.stop();
    await forwarder.start();
  }
  await database.write('DELETE FROM consent_subjects');
  for (const running of [one, two]) await until(async () => (await ask(running)).startsWith('200'));
});
afterAll(async () => {
  for (const close of after.splice(0).reverse()) await close();
});

async function ask({ port, caller }: Running): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/customers/C1`, { headers: caller });
  const text = await response.text();
  const { code, phone } = JSON.parse(text) as { code?: string; phone?: string };
  if (response.ok) disclosed++;
  return response.ok
    ? `200 ${phone === undefined ? 'without' : 'with'} the phone`
    : `${response.status} ${code}`;
}
/** answers with a record, by both */
let disclosed = 0;
const used = ({ records }: Running): number => {
  const { input } = records().at(-1)!;
  return (input!.context as unknown as { quota: { counts: { ours: { used: number } } } }).quota.counts.ours
    .used;
};
const restrict = () =>
  database.write(`INSERT INTO consent_subjects (data_subject, entry) VALUES ('C1', '{"flags":["opt_out"]}')`);

test.each(['is cut off from', 'gets no answer of'])(
  'a sidecar that %s PostgreSQL and has Redis refuses, whatever it remembers, and gives back what it reserved',
  async (how) => {
    await until(async () => (await ask(two)) === '200 with the phone');
    if (how === 'is cut off from') await toPostgres.stop();
    else toPostgres.hold();
    const held = performance.now();
    await restrict();
    // The bound that is published: 1.5 s from the cache, and 0.1 s to the record.
    const said: { readonly at: number; readonly what: string }[] = [];
    while (performance.now() - held < 2_500) {
      const at = performance.now() - held;
      said.push({ at, what: await ask(two) });
    }
    const late = said.filter(({ at, what }) => at > 1_600 && what.startsWith('200'));
    expect(late).toEqual([]);
    expect(said.at(-1)!.what).toBe('503 consent_unavailable');
    // The quota that both share has what was disclosed, and nothing that was not.
    await until(async () => {
      const before = disclosed;
      await ask(one);
      return used(one) === before;
    });
  },
);

test('a sidecar that is cut off from Redis and has PostgreSQL refuses; the other one serves on', async () => {
  await toRedis.stop();
  await until(async () => (await ask(two)) === '503 quota_unavailable');
  const asked = upstream.received.length;
  expect(await ask(two)).toBe('503 quota_unavailable');
  expect(upstream.received.length).toBe(asked);
  expect(await ask(one)).toMatch(/^200/);
  expect((await two.admin('/readyz')).status).toBe(503);
  expect((await one.admin('/readyz')).status).toBe(200);
});
