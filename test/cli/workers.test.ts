/** `sluice serve` with several workers: processes that share two ports and a journal, and answer as one. */
import { once } from 'node:events';
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get as httpsGet } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/index.ts';
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
  signalAll,
  until,
  upstreamOf,
} from '../support/served.ts';
import { answer, CUSTOMER, prepare, recordsIn } from '../support/sluice.ts';
import { opa, OWN } from './support.ts';

const SHOWN = { status: 200, text: '{"id":"C1","name":"Li","phone":"138****5678"}' };

let issuer: DevelopmentIssuer;
const cleaning: Cleaning = [];

beforeAll(async () => {
  issuer = await createDevelopmentIssuer();
});
afterEach(() => {
  for (const clean of cleaning.splice(0).reverse()) clean();
});

async function serve(cleaning: Cleaning, setup: Setup = {}, workers: number | 'auto' = 2): Promise<Served> {
  const upstream = setup?.upstream ?? (await upstreamOf(customer, cleaning));
  return serveFor({ ...setup, upstream, config: { ...setup?.config, workers } }, issuer, cleaning);
}
const get = (served: Pick<Served, 'proxy'>) => getFrom(served, issuer);
const many = (served: Served, n: number) => Promise.all(Array.from({ length: n }, () => get(served)));
const workersOf = ({ child }: Served): number[] => childrenOf(child.pid!);
const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);

interface Health {
  readonly status: string;
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly worker: number }>>;
  readonly workers: Readonly<Record<string, { readonly status: string } | string>>;
}

/** A connection of its own; a worker that is stuck may have got the one before. */
async function ask({ admin }: Served, path: string): Promise<{ status: number; text: string; body: Health }> {
  for (let tries = 1; ; tries++) {
    try {
      const response = await fetch(`${admin}${path}`, {
        headers: { connection: 'close' },
        signal: AbortSignal.timeout(8_000),
      });
      const text = await response.text();
      return { status: response.status, text, body: text.startsWith('{') ? JSON.parse(text) : {} };
    } catch (e) {
      if (tries === 3) throw e;
    }
  }
}

const isReady = (served: Served): Promise<boolean> =>
  ask(served, '/readyz').then(
    ({ body }) => body.status === 'ready',
    () => false,
  );

const value = (page: string, name: string): number =>
  page
    .split('\n')
    .filter((line) => line.startsWith(name) && /[ {]/.test(line[name.length] ?? ''))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);

const ENDED = 'a worker ended; it is started again';
const AGAIN = 'a worker serves again';
const COUNTED = [
  'sluice_requests_total',
  'sluice_decisions_total',
  'sluice_stage_duration_seconds_count{stage="identity"}',
];

/** how often the log says it */
const times = (served: Served, text: string): number => served.log().split(text).length - 1;

describe('two workers that serve on through all of these', () => {
  const kept: Cleaning = [];
  const config = {
    policy: { bundle: './bundle.tar.gz', watch: false },
    decision_log: { journal: { dir: './journal' }, index: { sqlite: './decisions.db' } },
    workers: 2,
  };
  /** what the upstream does with a request */
  let handle = customer;
  let upstream: string;
  let served: Served;
  let journal: string;
  /** records of one test alone */
  let earlier: ReadonlySet<string>;
  const records = () => recordsIn(journal).filter((r) => !earlier.has(r.hash));

  beforeAll(async () => {
    upstream = await upstreamOf((res) => handle(res), kept);
    served = await serveFor({ upstream, config }, issuer, kept);
    journal = join(served.dir, 'journal');
  });
  beforeEach(async () => {
    await until(() => isReady(served));
    earlier = new Set(recordsIn(journal).map((r) => r.hash));
  });
  afterEach(() => {
    handle = customer;
  });
  afterAll(() => {
    for (const clean of kept.splice(0).reverse()) clean();
  });

  /** Ends so many workers and waits until they serve again. */
  const killed = async (kill: () => void, count = 1): Promise<void> => {
    const again = times(served, AGAIN);
    kill();
    await until(() => times(served, AGAIN) === again + count);
  };

  test('serves one address from several processes, each with a chain of its own', async () => {
    expect(served.log()).toMatch(/^\{"ready":true,.*"workers":2\}$/m);
    expect(served.log().match(/"ready":true/g)).toHaveLength(1);
    expect(new URL(served.proxy).port).not.toBe('0');
    expect(new URL(served.admin).port).not.toBe('0');
    expect(workersOf(served)).toHaveLength(2);
    let asked = 0;
    // Whichever worker is awake accepts, so that it may take more than one try to reach both.
    await until(async () => {
      expect(await many(served, 20)).toEqual(Array(20).fill(SHOWN));
      asked += 20;
      return new Set(records().map((r) => r.origin)).size === 2;
    });
    expect(records()).toHaveLength(asked);
    expect((await verify({ dir: journal, key: null })).problems).toEqual([]);
  });

  test('adds its metrics up, whichever worker is asked, and forgets nothing of one that died', async () => {
    const counted = async (): Promise<number[]> => {
      const { text } = await ask(served, '/metrics');
      return COUNTED.map((name) => value(text, name));
    };
    const from = await counted();
    const more = (n: number): number[] => from.map((count) => count + n);
    await many(served, 10);
    for (let i = 0; i < 3; i++) {
      expect(await counted()).toEqual(more(10));
      const { text } = await ask(served, '/metrics');
      expect(value(text, 'sluice_journal_ok')).toBe(1);
      expect(value(text, 'sluice_policy_ok')).toBe(1);
      expect(value(text, 'sluice_workers')).toBe(2);
    }
    const restarts = async () => value((await ask(served, '/metrics')).text, 'sluice_worker_restarts_total');
    const restarted = await restarts();
    await killed(() => process.kill(workersOf(served)[0]!, 'SIGKILL'));
    await many(served, 4);
    expect(await counted()).toEqual(more(14));
    expect(await restarts()).toBe(restarted + 1);
  });

  test('kill -9 of one: the others serve, it comes back to its chain, and nothing is missing', async () => {
    await many(served, 6);
    const [victim, other] = workersOf(served);
    const [ended, again] = [times(served, ENDED), times(served, AGAIN)];
    process.kill(victim!, 'SIGKILL');
    await until(() => times(served, ENDED) > ended);
    const down = await ask(served, '/readyz');
    expect(Object.values(down.body.workers)).toContainEqual({ status: 'ready' });
    if (times(served, AGAIN) === again) expect([down.status, down.body.status]).toEqual([200, 'degraded']);
    expect(await many(served, 6)).toEqual(Array(6).fill(SHOWN));
    await until(() => isReady(served));
    expect(await many(served, 6)).toEqual(Array(6).fill(SHOWN));
    const after = workersOf(served);
    expect(after).toHaveLength(2);
    expect(after).toContain(other);
    expect(after).not.toContain(victim);
    const report = await verify({ dir: journal, key: null });
    expect(report.problems).toEqual([]);
    expect(report.origins).toHaveLength(2);
    expect(records()).toHaveLength(18);
  });

  test('kill -9 of all: they come back at the same address, though any free port was asked for', async () => {
    await killed(() => {
      for (const pid of workersOf(served)) process.kill(pid, 'SIGKILL');
    }, 2);
    await until(() => isReady(served));
    expect(await many(served, 6)).toEqual(Array(6).fill(SHOWN));
    expect((await verify({ dir: journal, key: null })).problems).toEqual([]);
  });

  test('SIGTERM to one worker makes it leave after its requests, and another takes its place', async () => {
    const waiting: (() => void)[] = [];
    handle = (res) => void waiting.push(() => customer(res));
    const [stopping, again] = [times(served, '"stopping"'), times(served, AGAIN)];
    const pending = many(served, 4);
    await until(() => waiting.length === 4);
    const [one] = workersOf(served);
    process.kill(one!, 'SIGTERM');
    await until(() => times(served, '"stopping"') > stopping);
    for (const release of waiting) release();
    expect(await pending).toEqual(Array(4).fill(SHOWN));
    await until(() => times(served, AGAIN) > again);
    expect(workersOf(served)).toHaveLength(2);
    expect(served.child.exitCode).toBe(null);
  });

  test('SIGHUP reaches every worker', async () => {
    const read = async (setup: Setup): Promise<void> => {
      const known = times(served, 'policy and consents read again');
      await prepare({ upstream, config, dir: served.dir, ...setup }, issuer);
      served.child.kill('SIGHUP');
      await until(() => times(served, 'policy and consents read again') === known + 2);
    };
    expect(await many(served, 4)).toEqual(Array(4).fill(SHOWN));
    await read({ answers: { customer: { '*': answer({ 'reference/1': 'disclose' }) } } });
    expect(await many(served, 6)).toEqual(Array(6).fill({ status: 200, text: '{"id":"C1"}' }));
    await read({});
    expect(await many(served, 6)).toEqual(Array(6).fill(SHOWN));
  });

  test('a worker that is stuck gets no connection, and its end closes none', async () => {
    const [victim] = workersOf(served);
    process.kill(victim!, 'SIGSTOP');
    expect(await many(served, 8)).toEqual(Array(8).fill(SHOWN));
    process.kill(victim!, 'SIGKILL');
    expect(await many(served, 8)).toEqual(Array(8).fill(SHOWN));
  });

  test('connections that are opened at once and kept reach every worker', async () => {
    const { port } = new URL(served.proxy);
    const text = 'GET /customers/C1 HTTP/1.1\r\nHost: a\r\n\r\n';
    const pool = async (): Promise<void> => {
      const sockets = Array.from({ length: 32 }, () =>
        connect(Number(port), '127.0.0.1').on('error', () => undefined),
      );
      cleaning.push(() => {
        for (const socket of sockets) socket.destroy();
      });
      const heads = sockets.map((socket) => once(socket, 'data'));
      for (const socket of sockets) socket.write(text);
      await Promise.all(heads);
    };
    const origins = (): Set<string> => new Set(records().map((r) => r.origin));
    // On a machine that is busy, one worker may not run while all of a pool are accepted.
    await until(async () => {
      await pool();
      return origins().size === 2;
    });
  });

  test('a worker that comes back has the configuration of this run, whatever the file says by then', async () => {
    const text = readFileSync(served.file);
    writeFileSync(served.file, 'nonsense: [');
    await killed(() => process.kill(workersOf(served)[0]!, 'SIGKILL'));
    expect(await many(served, 4)).toEqual(Array(4).fill(SHOWN));
    writeFileSync(served.file, text);
  });

  test('decisions made by one worker are in the index for all', async () => {
    await many(served, 20);
    const made = recordsIn(journal).length;
    const { openSqliteIndex } = await import('../../src/decision-log/index/sqlite.ts');
    const index = openSqliteIndex(join(served.dir, 'decisions.db'));
    cleaning.push(() => void index.close());
    const indexed = async () => (await index.query({ kind: 'disclosure', limit: 1000 })).decisions.length;
    await until(async () => (await indexed()) === made);
  });

  test('workers do not outlive the first process', async () => {
    const pids = workersOf(served);
    served.child.kill('SIGKILL');
    await until(() => !pids.some(isAlive));
  });
});

// Each starts processes of its own and mostly waits for them.
describe.concurrent('sluice serve with workers', () => {
  cleanedTest(
    'a worker that is stuck makes all not ready and not alive, by its number',
    async ({ cleaning }) => {
      const served = await serve(cleaning);
      await until(() => isReady(served));
      expect((await ask(served, '/readyz')).body).toMatchObject({
        status: 'ready',
        checks: { journal: { ok: true }, policy: { ok: true } },
        workers: { 1: { status: 'ready' }, 2: { status: 'ready' } },
      });
      expect((await ask(served, '/healthz')).body).toMatchObject({ workers: { 1: 'up', 2: 'up' } });
      const second = Number([...served.log().matchAll(/"worker":2,.*"pid":(\d+)/g)].at(-1)?.[1]);
      process.kill(second, 'SIGSTOP');
      const ready = await ask(served, '/readyz');
      expect([ready.status, ready.body.status]).toEqual([503, 'not ready']);
      expect(ready.body.workers).toMatchObject({ 1: { status: 'ready' }, 2: { status: 'silent' } });
      const alive = await ask(served, '/healthz');
      expect([alive.status, alive.body.workers]).toEqual([503, { 1: 'up', 2: 'silent' }]);
      process.kill(second, 'SIGCONT');
      await until(() => isReady(served));
    },
  );

  cleanedTest('`auto` is one for each core, and one alone is no other process', async ({ cleaning }) => {
    const { availableParallelism } = await import('node:os');
    const served = await serve(cleaning, {}, 'auto');
    const cores = Math.min(availableParallelism(), 64);
    expect(workersOf(served)).toHaveLength(cores === 1 ? 0 : cores);
  });

  cleanedTest(
    'SIGTERM lets requests under way finish in every worker, then all processes are gone',
    async ({ cleaning }) => {
      const waiting: (() => void)[] = [];
      const upstream = await upstreamOf((res) => waiting.push(() => customer(res)), cleaning);
      const served = await serve(cleaning, { upstream });
      const pids = workersOf(served);
      const pending = many(served, 4);
      await until(() => waiting.length === 4);
      served.child.kill('SIGTERM');
      await until(() =>
        fetch(served.proxy).then(
          () => false,
          () => true,
        ),
      );
      for (const release of waiting) release();
      expect(await pending).toEqual(Array(4).fill(SHOWN));
      expect(await served.ended).toBe(0);
      expect(pids.filter(isAlive)).toEqual([]);
      expect((await verify({ dir: join(served.dir, 'journal'), key: null })).problems).toEqual([]);
    },
  );

  cleanedTest(
    'Ctrl-C in a terminal, which signals every process, stops as gracefully',
    async ({ cleaning }) => {
      let release: (() => void) | undefined;
      const upstream = await upstreamOf((res) => {
        release = () => customer(res);
      }, cleaning);
      const served = await serve(cleaning, { upstream });
      const pending = get(served);
      await until(() => release !== undefined);
      signalAll(served.child, 'SIGINT');
      await until(() => served.log().includes('"stopping"'));
      release!();
      expect(await pending).toEqual(SHOWN);
      expect(await served.ended).toBe(0);
      expect(served.log()).not.toContain('started again');
    },
  );

  cleanedTest('a second signal ends all at once', async ({ cleaning }) => {
    let asked = false;
    const upstream = await upstreamOf(() => {
      asked = true;
    }, cleaning);
    const served = await serve(cleaning, { upstream });
    const pids = workersOf(served);
    const pending = get(served).catch(() => 'broken off');
    await until(() => asked);
    served.child.kill('SIGTERM');
    await until(() => served.log().includes('"stopping"'));
    served.child.kill('SIGTERM');
    expect(await served.ended).toBe(null);
    expect(served.child.signalCode).toBe('SIGTERM');
    expect(await pending).toBe('broken off');
    await until(() => !pids.some(isAlive));
  });

  cleanedTest('SIGHUP while they start ends none of them', async ({ cleaning }) => {
    const { file } = await prepare({ config: { workers: 3 } }, issuer);
    const { child, log, ready, ended } = launch(file, cleaning);
    // the first worker serves, the others start
    await until(() => log().includes('"serving"'), 90);
    child.kill('SIGHUP');
    await until(() => ready() !== undefined || child.exitCode !== null || child.signalCode !== null, 90);
    await until(() => log().match(/policy and consents read again/g)?.length === 3);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  cleanedTest('a faulty configuration is one error', async ({ cleaning }) => {
    const { file } = await prepare({ config: { workers: 4, upstreams: {} } }, issuer);
    const { ended, log } = launch(file, cleaning);
    expect(await ended).toBe(3);
    expect(log().match(/config_invalid/g)).toHaveLength(1);
  });

  cleanedTest.for([0, 65, 'many', 1.5])('workers: %s is refused', async (workers, { cleaning }) => {
    const { dir, file, text } = await prepare({ config: { workers } }, issuer);
    cleaning.push(() => rmSync(dir, { recursive: true }));
    expect(() => parseConfig(text, file, {})).toThrow(/sluice\.yaml:\d+:\d+: workers: must be /);
  });

  cleanedTest(
    'what keeps the workers from starting is told once, with the exit code of one process',
    async ({ cleaning }) => {
      const { file, dir } = await prepare({ config: { workers: 4 } }, issuer);
      writeFileSync(join(dir, 'bundle.tar.gz'), 'nonsense');
      const { child, ended, log } = launch(file, cleaning);
      expect(await ended).toBe(3);
      expect(log().match(/bundle_malformed/g)).toHaveLength(1);
      expect(log()).toMatch(/^sluice: .*bundle\.tar\.gz.*\[bundle_malformed\]$/m);
      expect(childrenOf(child.pid!)).toEqual([]);
    },
  );

  cleanedTest('an address that is taken is told once', async ({ cleaning }) => {
    const upstream = await upstreamOf(customer, cleaning);
    const taken = { listen: { proxy: new URL(upstream).host, admin: '127.0.0.1:0' }, workers: 3 };
    const { file } = await prepare({ upstream, config: taken }, issuer);
    const { ended, log } = launch(file, cleaning);
    expect(await ended).toBe(3);
    expect(log().match(/address_in_use/g)).toHaveLength(1);
  });

  cleanedTest(
    'a worker that cannot come back is tried again, ever more patiently, until it can',
    async ({ cleaning }) => {
      const served = await serve(cleaning, {
        config: { policy: { bundle: './bundle.tar.gz', watch: false } },
      });
      const bundle = join(served.dir, 'bundle.tar.gz');
      const whole = readFileSync(bundle);
      writeFileSync(bundle, 'nonsense');
      process.kill(workersOf(served)[0]!, 'SIGKILL');
      await until(() => (served.log().match(/a worker could not start/g)?.length ?? 0) >= 2);
      const delays = [...served.log().matchAll(/"restart_in_ms":(\d+)/g)].map((m) => Number(m[1]));
      expect(delays.slice(0, 3)).toEqual([100, 200, 400]);
      const { status, body } = await ask(served, '/readyz');
      expect([status, body.status]).toEqual([200, 'degraded']);
      expect(Object.values(body.workers)).toContainEqual({ status: 'ready' });
      expect(await many(served, 4)).toEqual(Array(4).fill(SHOWN));
      writeFileSync(bundle, whole);
      await until(async () => (await ask(served, '/readyz')).body.status === 'ready');
    },
  );

  cleanedTest('serves TLS from every worker', async ({ cleaning }) => {
    const file = (name: string) => join(import.meta.dirname, '../identity/certificates', name);
    const tls = { cert: file('server.pem'), key: file('server.key.pem') };
    const served = await serve(cleaning, {
      config: { listen: { proxy: '127.0.0.1:0', admin: '127.0.0.1:0', tls } },
    });
    expect(served.proxy).toMatch(/^https:/);
    const ask = (): Promise<number> =>
      new Promise((resolve, reject) => {
        const options = { agent: false, rejectUnauthorized: false };
        httpsGet(`${served.proxy}/customers/C1`, options, (response) => {
          response.resume().on('end', () => resolve(response.statusCode ?? 0));
        }).on('error', reject);
      });
    // Whichever worker is awake accepts, so that only requests at once reach both.
    await until(async () => {
      const all = await Promise.all(Array.from({ length: 8 }, ask));
      expect(new Set(all)).toEqual(new Set([401]));
      return new Set(recordsIn(join(served.dir, 'journal')).map((r) => r.origin)).size === 2;
    });
  });

  cleanedTest(
    'a token that one worker made is turned back by any, and recorded by it',
    async ({ cleaning }) => {
      const classes = { 'reference/1': 'disclose', 'identity/3': 'drop' };
      const served = await serve(cleaning, {
        catalogs: {
          customer: {
            ...CUSTOMER,
            fields: {
              ...CUSTOMER.fields,
              '/phone': { category: 'contact', grade: 3, mask: 'phone', tokenize: {} },
            },
          },
        },
        answers: {
          customer: {
            '*': answer({ ...classes, 'contact/3': 'tokenize' }),
            detokenize: answer({ ...classes, 'contact/3': 'disclose' }),
          },
        },
        config: {
          insecure: { literal_secrets: true },
          keys: { tok: { use: 'tokenize', secret: Buffer.alloc(32, 7).toString('base64') } },
        },
      });
      const { phone: token } = JSON.parse((await get(served)).text) as { phone: string };
      expect(token).not.toBe('13812345678');
      const caller = await issuer.sign({ sub: 'u-1', roles: ['support'], org: 'internal', clearance: 3 });
      const turnBack = async (): Promise<unknown> => {
        const response = await fetch(`${served.admin}/v1/detokenize`, {
          method: 'POST',
          headers: {
            Authorization: `Bearer ${caller}`,
            'Sluice-Purpose': 'after_sales',
            'Content-Type': 'application/json',
            Connection: 'close',
          },
          body: JSON.stringify({ token, resource: 'customer', field: '/phone' }),
        });
        return response.json();
      };
      let asked = 0;
      const turnedBack = () =>
        recordsIn(join(served.dir, 'journal')).filter((r) => r.action === 'detokenize');
      // Whichever worker is awake accepts, so that only requests at once reach both.
      await until(async () => {
        for (const body of await Promise.all(Array.from({ length: 8 }, turnBack)))
          expect(body).toMatchObject({ value: '13812345678' });
        asked += 8;
        return new Set(turnedBack().map((r) => r.origin)).size === 2;
      });
      expect(turnedBack()).toHaveLength(asked);
    },
  );

  cleanedTest.skipIf(opa === null)(
    'each worker tries a new policy by itself, at the same time',
    async ({ cleaning }) => {
      const served = await serve(cleaning, {
        config: { policy: { dir: './policies', watch: false } },
        dir: withPolicies(),
      });
      const activated = () => served.log().match(/policy activated/g)?.length ?? 0;
      expect(activated()).toBe(2);
      const data = join(served.dir, 'policies/sluice/zz_extra.rego');
      writeFileSync(data, 'package sluice.zz_extra\n\nextra := 1\n');
      served.child.kill('SIGHUP');
      await until(() => served.log().match(/policy and consents read again/g)?.length === 2);
      expect(served.log()).not.toContain('policy not activated');
      expect(activated()).toBe(4);
    },
  );
});

function withPolicies(): string {
  const dir = join(process.env['TMPDIR'] ?? '/tmp', `sluice-workers-${process.pid}`);
  cpSync(OWN, join(dir, 'policies'), { recursive: true });
  return dir;
}
