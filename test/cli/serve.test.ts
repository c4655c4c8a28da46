/** `sluice serve` as a process of its own, and the signals that operators send it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { verify } from '../../src/decision-log/verify/verify.ts';
import { createDevelopmentIssuer, type DevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import {
  type Cleaning,
  childrenOf,
  customer,
  get as getFrom,
  launch,
  type Served,
  type Setup,
  serve as serveFor,
  until,
  upstreamOf as upstreamFor,
} from '../support/served.ts';
import { answer, CUSTOMER_ANSWER, prepare, recordsIn } from '../support/sluice.ts';
import { opa, ROOT } from './support.ts';

let issuer: DevelopmentIssuer;
const cleaning: Cleaning = [];
const serve = (setup: Setup): Promise<Served> => serveFor(setup, issuer, cleaning);
const upstreamOf = (handle: Parameters<typeof upstreamFor>[0]): Promise<string> =>
  upstreamFor(handle, cleaning);
const get = (served: Served) => getFrom(served, issuer);

beforeAll(async () => {
  issuer = await createDevelopmentIssuer();
}, 60_000);
afterEach(() => {
  for (const clean of cleaning.splice(0).reverse()) clean();
});

describe('sluice serve', () => {
  test('warns at its start of doors that stand open, of ids in any spelling and of writes about nobody, each with its place', async () => {
    const upstream = await upstreamOf(customer);
    const route = { upstream: 'crm', resource: 'customer' };
    const served = await serve({
      upstream,
      config: { insecure: { literal_secrets: true } },
      routes: [
        { match: 'GET /customers/{id}', action: 'read', id: '{id}', ...route },
        { match: 'PATCH /customers/{id}', action: 'update', id: '{id}', ...route },
      ],
    });
    const warned = (): readonly string[] =>
      served.log().match(/"level":40,[^\n]*sluice\.yaml:\d+:\d+: [\w.[\]]+/g) ?? [];
    // the log has a pipe of its own, which may be read later than the line that says it listens
    await expect.poll(() => warned().length, { timeout: 10_000 }).toBeGreaterThan(2);
    expect(warned().map((line) => line.split(': ').at(-1))).toEqual([
      'insecure.literal_secrets',
      'routes[0].resource',
      'routes[1].action',
    ]);
  }, 60_000);

  test('SIGHUP loads the policy anew where nothing watches it', async () => {
    const upstream = await upstreamOf(customer);
    const config = { policy: { bundle: './bundle.tar.gz', watch: false } };
    const served = await serve({ upstream, config });
    expect((await get(served)).text).toBe('{"id":"C1","name":"Li","phone":"138****5678"}');
    const answers = { customer: { '*': answer({ 'reference/1': 'disclose' }) } };
    await prepare({ upstream, config, dir: served.dir, answers }, issuer);
    expect((await get(served)).text).toContain('138****5678');
    served.child.kill('SIGHUP');
    await until(() => served.log().includes('policy and consents read again'));
    expect((await get(served)).text).toBe('{"id":"C1"}');
  }, 60_000);

  test('SIGHUP with a broken policy keeps the last good one and says so', async () => {
    const upstream = await upstreamOf(customer);
    const config = { policy: { bundle: './bundle.tar.gz', watch: false } };
    const served = await serve({ upstream, config });
    writeFileSync(join(served.dir, 'bundle.tar.gz'), 'nonsense');
    served.child.kill('SIGHUP');
    await until(() => served.log().includes('policy and consents read again'));
    expect((await get(served)).text).toContain('138****5678');
    const ready = await fetch(`${served.admin}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([200, expect.stringContaining('bundle_malformed')]);
  }, 60_000);

  test('SIGHUP reads the consents now, however seldom they are looked at', async () => {
    const upstream = await upstreamOf(customer);
    const config = { consent: { file: './consents.yaml', poll: '1m' } };
    const served = await serve({ upstream, config });
    expect((await get(served)).status).toBe(200);
    const restricted = { C1: { flags: ['restricted'], consents: [] } };
    writeFileSync(
      join(served.dir, 'consents.yaml'),
      JSON.stringify({ version: 1, data_subjects: restricted }),
    );
    served.child.kill('SIGHUP');
    await until(() => served.log().includes('policy and consents read again'));
    expect((await get(served)).status).toBe(403);
  }, 60_000);

  test.skipIf(opa === null)(
    'SIGHUP while it starts does not end it, and is done when it has started',
    async () => {
      const { file } = await prepare({ config: { policy: { dir: join(ROOT, 'policies') } } }, issuer);
      const { child, log, ready, ended } = launch(file, cleaning);
      // OPA compiles the policy
      await until(() => childrenOf(child.pid!).length > 0, 90);
      child.kill('SIGHUP');
      await until(() => ready() !== undefined || child.exitCode !== null || child.signalCode !== null, 90);
      await until(() => log().includes('policy and consents read again'));
      child.kill('SIGTERM');
      expect(await ended).toBe(0);
    },
    120_000,
  );

  test('SIGTERM lets the request under way finish, takes no other, and exits with 0', async () => {
    let release: (() => void) | undefined;
    const upstream = await upstreamOf((res) => {
      release = () => customer(res);
    });
    const served = await serve({ upstream });
    const pending = get(served);
    await until(() => release !== undefined);
    served.child.kill('SIGTERM');
    await until(() =>
      fetch(served.proxy).then(
        () => false,
        () => true,
      ),
    );
    release!();
    expect(await pending).toEqual({ status: 200, text: '{"id":"C1","name":"Li","phone":"138****5678"}' });
    expect(await served.ended).toBe(0);
  }, 60_000);

  test('what was answered before kill -9 is on record, and the next start goes on', async () => {
    const upstream = await upstreamOf(customer);
    const served = await serve({ upstream });
    for (let i = 0; i < 5; i++) await get(served);
    served.child.kill('SIGKILL');
    await served.ended;
    const journal = join(served.dir, 'journal');
    expect(recordsIn(journal)).toHaveLength(5);
    const again = await serve({ upstream, dir: served.dir });
    await get(again);
    expect((await verify({ dir: journal, key: null })).problems).toEqual([]);
    expect(existsSync(journal) && recordsIn(journal).length).toBe(6);
    expect(readFileSync(join(served.dir, 'sluice.yaml'), 'utf8')).toContain('version');
  }, 60_000);

  test('is one process, unless it is told of workers', async () => {
    const { child } = await serve({});
    expect(childrenOf(child.pid!)).toEqual([]);
  }, 60_000);

  test('two instances write into one journal directory without disturbing each other', async () => {
    const upstream = await upstreamOf(customer);
    const setup: Setup = { upstream, answers: { customer: { '*': CUSTOMER_ANSWER } } };
    const one = await serve(setup);
    const two = await serve({ ...setup, dir: one.dir });
    await Promise.all(Array.from({ length: 20 }, (_, i) => get(i % 2 ? one : two)));
    const report = await verify({ dir: join(one.dir, 'journal'), key: null });
    expect(report.problems).toEqual([]);
    expect(new Set(recordsIn(join(one.dir, 'journal')).map((r) => r.origin)).size).toBe(2);
  }, 60_000);
});
