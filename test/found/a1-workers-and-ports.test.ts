/**
 * Class: what happens to one worker reaches the others or the port. Root cause: the listening sockets belonged to the workers, so that they
 * were closed when none was left, and a worker that kept ending was waited for ever longer. Now the workers share the sockets,
 * and the first process keeps a copy.
 */
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { verify } from '../../src/decision-log/verify/verify.ts';
import { createDevelopmentIssuer, type DevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { cleanedTest } from '../support/cleaned-test.ts';
import {
  type Cleaning,
  childrenOf,
  customer,
  get,
  type Served,
  serve,
  until,
  upstreamOf,
} from '../support/served.ts';
import { recordsIn } from '../support/sluice.ts';
import { exchange, headerOf, Wire } from '../support/wire.ts';

let issuer: DevelopmentIssuer;
const preloaded = mkdtempSync(join(tmpdir(), 'sluice-fragile-'));
const options = process.env['NODE_OPTIONS'];
beforeAll(async () => {
  issuer = await createDevelopmentIssuer();
  // Every process that is started here throws, out of nowhere, at SIGUSR2.
  const module = join(preloaded, 'fragile.mjs');
  writeFileSync(module, "process.on('SIGUSR2', () => { throw new Error('unexpected'); });\n");
  process.env['NODE_OPTIONS'] = `${options ?? ''} --import ${module}`;
});
afterAll(() => {
  if (options === undefined) delete process.env['NODE_OPTIONS'];
  else process.env['NODE_OPTIONS'] = options;
  rmSync(preloaded, { recursive: true, force: true });
});

async function twoWorkers(
  cleaning: Cleaning,
  config: Readonly<Record<string, unknown>> = {},
): Promise<Served> {
  const upstream = await upstreamOf(customer, cleaning);
  return serve({ upstream, config: { workers: 2, ...config } }, issuer, cleaning);
}
const portOf = (url: string): number => Number(new URL(url).port);
const opens = (url: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(portOf(url), '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });

/** local ports of the TCP connections that a process holds (Linux) */
function portsHeldBy(pid: number): ReadonlySet<number> {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return []; // closed meanwhile
      }
    }),
  );
  const rows = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  return new Set(
    rows
      .map((row) => row.trim().split(/\s+/))
      .filter((columns) => inodes.has(columns[9]!))
      .map((columns) => Number.parseInt(columns[1]!.split(':')[1]!, 16)),
  );
}

// Each mostly waits for workers that end and start.
describe.concurrent('workers that end, and the bounds of each', () => {
  cleanedTest(
    'workers that end again and again, one way or another, never close a port, and the journal is whole',
    async ({ cleaning }) => {
      const served = await twoWorkers(cleaning);
      const probes: boolean[] = [];
      const again = (): number => served.log().split('a worker serves again').length - 1;
      let answered = 0;
      // one or both of them, at once or by an exception
      for (let i = 0; i < 4; i++) {
        const [one, other] = childrenOf(served.child.pid!);
        // one of them, or all
        const ended = i % 2 === 0 ? [one!] : [one!, other!];
        const wanted = again() + ended.length;
        for (const pid of ended) process.kill(pid, i % 3 === 0 ? 'SIGKILL' : 'SIGUSR2');
        void get(served, issuer).then(
          () => answered++,
          () => undefined,
        );
        await until(async () => {
          probes.push(await opens(served.proxy), await opens(served.admin));
          return again() === wanted;
        });
      }
      expect(probes).not.toContain(false);
      await until(() =>
        get(served, issuer).then(
          ({ status }) => status === 200,
          () => false,
        ),
      );
      expect(served.child.exitCode).toBe(null);
      served.child.kill('SIGTERM');
      await served.ended;
      const journal = join(served.dir, 'journal');
      expect((await verify({ dir: journal, key: null })).problems).toEqual([]);
      expect(recordsIn(journal).length).toBeGreaterThanOrEqual(answered);
    },
  );

  cleanedTest(
    'an unexpected exception in one worker leaves the requests of the other alone',
    async ({ cleaning }) => {
      const waiting: ServerResponse[] = [];
      const upstream = await upstreamOf((res) => waiting.push(res), cleaning);
      const served = await twoWorkers(cleaning, { upstreams: { crm: { url: upstream } } });
      const heldBy = (pid: number): ServerResponse[] => {
        const ports = portsHeldBy(pid);
        return waiting.filter((res) => ports.has(res.socket!.remotePort!));
      };
      const [one, other] = childrenOf(served.child.pid!) as [number, number];
      const asked: Promise<number | string>[] = [];
      // Whichever worker asks first gets a connection: requests are sent until both have some.
      while (heldBy(one).length === 0 || heldBy(other).length === 0) {
        for (let n = 0; n < 4; n += 1)
          asked.push(
            get(served, issuer).then(
              ({ status }) => status,
              () => 'broken off',
            ),
          );
        await until(() => waiting.length === asked.length);
      }
      const [lost, kept] = [heldBy(one), heldBy(other)];
      expect(lost.length + kept.length).toBe(asked.length);
      process.kill(one, 'SIGUSR2');
      await until(() => served.log().includes('a worker ended; it is started again'));
      for (const res of kept) customer(res);
      const answers = await Promise.all(asked);
      expect(answers.filter((answer) => answer === 'broken off')).toHaveLength(lost.length);
      expect(answers.filter((answer) => answer === 200)).toHaveLength(kept.length);
    },
  );

  cleanedTest(
    'while no worker serves, a connection waits for one, at the address that any free port was given',
    async ({ cleaning }) => {
      const served = await twoWorkers(cleaning);
      const killed = childrenOf(served.child.pid!);
      for (const pid of killed) process.kill(pid, 'SIGKILL');
      // Others may have been started by the time that this is looked at.
      await until(() => !childrenOf(served.child.pid!).some((pid) => killed.includes(pid)));
      expect((await get(served, issuer)).status).toBe(200);
    },
  );

  cleanedTest(
    'a worker bounds heads, connections and open ends as one process alone does',
    async ({ cleaning }) => {
      const served = await twoWorkers(cleaning, {
        limits: { header_timeout: '400ms', request_timeout: '800ms', connections: 3 },
      });
      expect((await exchange(portOf(served.proxy), 'GET / HTTP/1.1\r\nHost:')).status).toBe(408);
      const [late] = recordsIn(join(served.dir, 'journal'));
      expect(late).toMatchObject({
        reasons: [{ code: 'request_timeout' }],
        request: { client_ip: '127.0.0.1' },
      });
      const sockets = Array.from({ length: 20 }, () => connect(portOf(served.proxy), '127.0.0.1'));
      let closed = 0;
      for (const socket of sockets)
        socket
          .on('error', () => undefined)
          .on('close', () => closed++)
          .resume();
      cleaning.push(() => {
        for (const socket of sockets) socket.destroy();
      });
      // Three at most stay in each worker, until their heads are late: whoever is full may take one that the other had room for.
      await until(() => closed >= 14);
    },
  );
});

// On their own: a kept connection is waited for half a second.
cleanedTest.for([
  ['a worker', 2],
  ['a process alone', 1],
] as const)(
  '%s that is told to end answers what comes on kept connections, and says that it is the last',
  async ([, workers], { cleaning }) => {
    const waiting: (() => void)[] = [];
    const upstream = await upstreamOf((res) => waiting.push(() => customer(res)), cleaning);
    const served = await serve({ upstream, config: { workers } }, issuer, cleaning);
    const token = await issuer.sign({ sub: 'u-1', roles: ['support'], org: 'internal', clearance: 3 });
    const text = `GET /customers/C1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nSluice-Purpose: after_sales\r\n\r\n`;
    const wires = await Promise.all(Array.from({ length: 6 }, () => Wire.open(portOf(served.proxy))));
    cleaning.push(() => {
      for (const wire of wires) wire.destroy();
    });
    const ask = async (): Promise<string[]> => {
      for (const wire of wires) wire.write(text);
      await until(() => waiting.length === wires.length);
      for (const release of waiting.splice(0)) release();
      const answers = await Promise.all(wires.map((wire) => wire.answer()));
      return answers.map((a) => `${a.status} ${headerOf(a, 'connection')}`);
    };
    expect(await ask()).toEqual(Array(6).fill('200 keep-alive'));
    for (const wire of wires) wire.write(text);
    await until(() => waiting.length === 6);
    const pids = workers === 1 ? [served.child.pid!] : childrenOf(served.child.pid!);
    for (const pid of pids) process.kill(pid, 'SIGTERM');
    await until(() => served.log().match(/"stopping"/g)?.length === pids.length);
    for (const release of waiting.splice(0)) release();
    // These were under way before. Whoever asks again, as it was told that it may, is not turned away.
    for (const wire of wires) expect((await wire.answer()).status).toBe(200);
    expect(await ask()).toEqual(Array(6).fill('200 close'));
    await Promise.all(wires.map((wire) => wire.untilClosed()));
  },
);
