/** `sluice serve` as a process of its own, and the signals that operators send it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { verify } from '../../src/decision-log/verify/verify.ts';
import { createDevelopmentIssuer, type DevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { cleanedTest } from '../support/cleaned-test.ts';
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
  upstreamOf,
} from '../support/served.ts';
import { answer, CUSTOMER_ANSWER, prepare, recordsIn } from '../support/sluice.ts';
import { opa, OWN } from './support.ts';

let issuer: DevelopmentIssuer;
const serve = (setup: Setup, cleaning: Cleaning): Promise<Served> => serveFor(setup, issuer, cleaning);
const get = (served: Served) => getFrom(served, issuer);

beforeAll(async () => {
  issuer = await createDevelopmentIssuer();
});

describe('one Sluice that reads anew on SIGHUP alone', () => {
  const kept: Cleaning = [];
  const config = {
    policy: { bundle: './bundle.tar.gz', watch: false },
    consent: { file: './consents.yaml', poll: '1m' },
  };
  const MASKED = '{"id":"C1","name":"Li","phone":"138****5678"}';
  let upstream: string;
  let served: Served;
  /** Writes the files of this setup, all but the changed ones as before. */
  const write = (setup: Setup) => prepare({ upstream, config, dir: served.dir, ...setup }, issuer);
  const hangUp = async (): Promise<void> => {
    const readAgain = (): number => served.log().split('policy and consents read again').length;
    const before = readAgain();
    served.child.kill('SIGHUP');
    await until(() => readAgain() > before);
  };

  beforeAll(async () => {
    upstream = await upstreamOf(customer, kept);
    served = await serve({ upstream, config }, kept);
  });
  afterAll(() => {
    for (const clean of kept.reverse()) clean();
  });

  test('is one process, unless it is told of workers', () => {
    expect(childrenOf(served.child.pid!)).toEqual([]);
  });

  test('loads the policy anew where nothing watches it', async () => {
    expect((await get(served)).text).toBe(MASKED);
    await write({ answers: { customer: { '*': answer({ 'reference/1': 'disclose' }) } } });
    expect((await get(served)).text).toBe(MASKED);
    await hangUp();
    expect((await get(served)).text).toBe('{"id":"C1"}');
    await write({});
    await hangUp();
    expect((await get(served)).text).toBe(MASKED);
  });

  test('keeps the last good policy where the new one is broken, and says so', async () => {
    writeFileSync(join(served.dir, 'bundle.tar.gz'), 'nonsense');
    await hangUp();
    expect((await get(served)).text).toBe(MASKED);
    const ready = await fetch(`${served.admin}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([200, expect.stringContaining('bundle_malformed')]);
    await write({});
    await hangUp();
    expect(await (await fetch(`${served.admin}/readyz`)).text()).not.toContain('bundle_malformed');
  });

  test('reads the consents now, however seldom they are looked at', async () => {
    expect((await get(served)).status).toBe(200);
    await write({ dataSubjects: { C1: { flags: ['restricted'], consents: [] } } });
    await hangUp();
    expect((await get(served)).status).toBe(403);
  });
});

// Each starts processes of its own and mostly waits for them.
describe.concurrent('sluice serve', () => {
  cleanedTest(
    'warns at its start of doors that stand open, of ids in any spelling and of writes about nobody, each with its place',
    async ({ cleaning }) => {
      const upstream = await upstreamOf(customer, cleaning);
      const route = { upstream: 'crm', resource: 'customer' };
      const served = await serve(
        {
          upstream,
          config: { insecure: { literal_secrets: true } },
          routes: [
            { match: 'GET /customers/{id}', action: 'read', id: '{id}', ...route },
            { match: 'PATCH /customers/{id}', action: 'update', id: '{id}', ...route },
          ],
        },
        cleaning,
      );
      const warned = (): readonly string[] =>
        served.log().match(/"level":40,[^\n]*sluice\.yaml:\d+:\d+: [\w.[\]]+/g) ?? [];
      // the log has a pipe of its own, which may be read later than the line that says it listens
      await vi.waitUntil(() => warned().length > 2, { timeout: 60_000 });
      expect(warned().map((line) => line.split(': ').at(-1))).toEqual([
        'insecure.literal_secrets',
        'routes[0].resource',
        'routes[1].action',
      ]);
    },
  );

  cleanedTest.skipIf(opa === null)(
    'SIGHUP while it starts does not end it, and is done when it has started',
    async ({ cleaning }) => {
      const { dir, file } = await prepare({ config: { policy: { dir: OWN } } }, issuer);
      // OPA compiles the policy once it may
      const [asked, may, script] = ['asked', 'may', 'opa'].map((name) => join(dir, name)) as [
        string,
        string,
        string,
      ];
      writeFileSync(
        script,
        `#!/bin/sh\n: > ${asked}\nwhile [ ! -e ${may} ]; do sleep 0.05; done\nexec ${opa!.path} "$@"\n`,
        { mode: 0o755 },
      );
      const { child, log, ready, ended } = launch(file, cleaning, { OPA_BIN: script });
      await until(() => existsSync(asked), 90);
      child.kill('SIGHUP');
      writeFileSync(may, '');
      await until(() => ready() !== undefined || child.exitCode !== null || child.signalCode !== null, 90);
      await until(() => log().includes('policy and consents read again'));
      child.kill('SIGTERM');
      expect(await ended).toBe(0);
    },
  );

  cleanedTest(
    'SIGTERM lets the request under way finish, takes no other, and exits with 0',
    async ({ cleaning }) => {
      let release: (() => void) | undefined;
      const upstream = await upstreamOf((res) => {
        release = () => customer(res);
      }, cleaning);
      const served = await serve({ upstream }, cleaning);
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
    },
  );

  cleanedTest(
    'what was answered before kill -9 is on record, and the next start goes on',
    async ({ cleaning }) => {
      const upstream = await upstreamOf(customer, cleaning);
      const served = await serve({ upstream }, cleaning);
      for (let i = 0; i < 5; i++) await get(served);
      served.child.kill('SIGKILL');
      await served.ended;
      const journal = join(served.dir, 'journal');
      expect(recordsIn(journal)).toHaveLength(5);
      const again = await serve({ upstream, dir: served.dir }, cleaning);
      await get(again);
      expect((await verify({ dir: journal, key: null })).problems).toEqual([]);
      expect(existsSync(journal) && recordsIn(journal).length).toBe(6);
      expect(readFileSync(join(served.dir, 'sluice.yaml'), 'utf8')).toContain('version');
    },
  );

  cleanedTest(
    'two instances write into one journal directory without disturbing each other',
    async ({ cleaning }) => {
      const upstream = await upstreamOf(customer, cleaning);
      const setup: Setup = { upstream, answers: { customer: { '*': CUSTOMER_ANSWER } } };
      const one = await serve(setup, cleaning);
      const two = await serve({ ...setup, dir: one.dir }, cleaning);
      await Promise.all(Array.from({ length: 20 }, (_, i) => get(i % 2 ? one : two)));
      const report = await verify({ dir: join(one.dir, 'journal'), key: null });
      expect(report.problems).toEqual([]);
      expect(new Set(recordsIn(join(one.dir, 'journal')).map((r) => r.origin)).size).toBe(2);
    },
  );
});
