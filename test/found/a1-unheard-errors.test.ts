/**
 * Class: event emitters without an error listener. Root cause: Node takes its own listeners off a socket when an upgrade or CONNECT is
 * asked for on it, and an error that nobody hears ends the process. Now every connection has its listener from the moment it is accepted.
 *
 * Also what an abandoned connection leaves behind: a server that waits for it does not end.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { createSecureContext, connect as connectTls } from 'node:tls';
import { beforeAll, describe, expect } from 'vitest';
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

const certificate = (name: string): string =>
  new URL(`../identity/certificates/${name}`, import.meta.url).pathname;

let issuer: DevelopmentIssuer;
let auth: string;
beforeAll(async () => {
  issuer = await createDevelopmentIssuer();
  const token = await issuer.sign({ sub: 'u-1', roles: ['support'], org: 'internal', clearance: 3 });
  auth = `Host: a\r\nAuthorization: Bearer ${token}\r\nSluice-Purpose: after_sales\r\n`;
});

const GET = () => `GET /customers/C1 HTTP/1.1\r\n${auth}\r\n`;
const put = (fields: string, body: string) =>
  `PUT /customers/C1 HTTP/1.1\r\n${auth}Content-Type: application/json\r\n${fields}\r\n${body}`;
const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';

const PROXY: Readonly<Record<string, () => string>> = {
  'nothing sent': () => '',
  'half a request line': () => 'GET /cust',
  'half a head': () => `GET /customers/C1 HTTP/1.1\r\n${auth}`,
  GET,
  'GET, pipelined': () => GET() + GET() + GET(),
  HEAD: () => GET().replace('GET', 'HEAD'),
  'PUT with its body': () => put('Content-Length: 12\r\n', '{"city":"x"}'),
  'PUT with half its body': () => put('Content-Length: 12\r\n', '{"ci'),
  'PUT in chunks': () => put('Transfer-Encoding: chunked\r\n', 'c\r\n{"city":"x"}\r\n0\r\n\r\n'),
  'PUT in half its chunks': () => put('Transfer-Encoding: chunked\r\n', 'c\r\n{"ci'),
  'PUT with a chunk extension': () => put('Transfer-Encoding: chunked\r\n', 'c;a\r\n{"ci'),
  'Expect, no body': () => put('Content-Length: 12\r\nExpect: 100-continue\r\n', ''),
  'Expect, half its body': () => put('Content-Length: 12\r\nExpect: 100-continue\r\n', '{"ci'),
  CONNECT: () => 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n',
  'CONNECT with bytes behind': () => 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\nabc',
  Upgrade: () => `GET /customers/C1 HTTP/1.1\r\n${auth}${UPGRADE}\r\n`,
  'GET, then Upgrade': () => `${GET()}GET / HTTP/1.1\r\n${auth}${UPGRADE}\r\n`,
  'Upgrade with a body': () => put(`Content-Length: 2\r\n${UPGRADE}`, '{}'),
  'no request': () => '\0\x01\x02\r\n\r\n',
  'an unknown method': () => 'JUMP / HTTP/1.1\r\nHost: a\r\n\r\n',
  'a second preface': () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
};
const ADMIN: Readonly<Record<string, () => string>> = {
  'nothing sent': () => '',
  'half a head': () => 'GET /readyz HTTP/1.1\r\nHost:',
  readyz: () => 'GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n',
  metrics: () => 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n',
  'a body': () =>
    'POST /v1/detokenize HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"a',
  CONNECT: () => 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n',
  Upgrade: () => `GET /readyz HTTP/1.1\r\nHost: a\r\n${UPGRADE}\r\n`,
  'no request': () => '\0\x01\x02\r\n\r\n',
};

/** two for each of the moments at which they are reset; over TLS, one before the handshake and one behind it */
const TIMES = 22;
const CLIENT = createSecureContext();

/** Sends the bytes on `times` connections, and resets each (SO_LINGER 0) after 0 to 10 ms. */
async function resets(port: number, bytes: string, times: number, tls = false): Promise<void> {
  const one = (n: number): Promise<void> =>
    new Promise((resolve) => {
      const tcp: Socket = connect(port, '127.0.0.1');
      tcp.on('error', () => undefined).on('close', () => resolve());
      const reset = (): void => void setTimeout(() => tcp.resetAndDestroy(), n % 11);
      if (!tls) {
        tcp.on('connect', () => {
          if (bytes !== '') tcp.write(bytes, 'latin1');
          reset();
        });
        return;
      }
      const secure = connectTls({ socket: tcp, rejectUnauthorized: false, secureContext: CLIENT });
      secure.on('error', () => undefined);
      // every other one before TLS has come about
      if (n % 2 === 0) tcp.on('connect', reset);
      else
        secure.on('secureConnect', () => {
          if (bytes !== '') secure.write(bytes, 'latin1');
          reset();
        });
    });
  for (let at = 0; at < times; at += 50)
    await Promise.all(Array.from({ length: Math.min(50, times - at) }, (_, i) => one(at + i)));
}
const portOf = (url: string): number => Number(new URL(url).port);
const start = async (cleaning: Cleaning, config: Readonly<Record<string, unknown>> = {}): Promise<Served> =>
  serve({ upstream: await upstreamOf(customer, cleaning), config }, issuer, cleaning);

describe.concurrent('a connection that is reset at any moment ends nothing but itself', () => {
  cleanedTest('on the proxy and the admin listener', async ({ cleaning }) => {
    const served = await start(cleaning);
    for (const bytes of Object.values(PROXY)) await resets(portOf(served.proxy), bytes(), TIMES);
    for (const bytes of Object.values(ADMIN)) await resets(portOf(served.admin), bytes(), TIMES);
    expect((await get(served, issuer)).status).toBe(200);
    expect((await fetch(`${served.admin}/readyz`)).status).toBe(200);
    expect(served.child.exitCode).toBe(null);
    served.child.kill('SIGTERM');
    expect(await served.ended).toBe(0);
  });

  cleanedTest(
    'on ports that workers share; whoever asks beside it is answered at the first attempt',
    async ({ cleaning }) => {
      const served = await start(cleaning, { workers: 2 });
      let flooding = true;
      const ask = async (): Promise<number[]> => {
        const statuses: number[] = [];
        do statuses.push((await get(served, issuer)).status);
        while (flooding);
        return statuses;
      };
      const asked = Promise.all([ask(), ask()]);
      for (const bytes of Object.values(PROXY)) await resets(portOf(served.proxy), bytes(), TIMES);
      for (const bytes of Object.values(ADMIN)) await resets(portOf(served.admin), bytes(), TIMES);
      flooding = false;
      expect(new Set((await asked).flat())).toEqual(new Set([200]));
      expect((await get(served, issuer)).status).toBe(200);
      expect(served.log()).not.toContain('a worker ended');
      served.child.kill('SIGTERM');
      expect(await served.ended).toBe(0);
    },
  );

  cleanedTest('more resets than connections can wait turn nobody else away', async ({ cleaning }) => {
    const served = await start(cleaning, { workers: 2 });
    const workers = childrenOf(served.child.pid!);
    // Whatever comes now waits, as it does while all workers are busy.
    for (const pid of workers) process.kill(pid, 'SIGSTOP');
    const sockets = Array.from({ length: 1_200 }, () =>
      connect(portOf(served.proxy), '127.0.0.1').on('error', () => undefined),
    );
    const waiting = (): number => sockets.filter(({ readyState }) => readyState === 'open').length;
    await until(() => waiting() > 400);
    for (const socket of sockets) socket.resetAndDestroy();
    const asked = Array.from({ length: 8 }, () => get(served, issuer).then(({ status }) => status));
    const answers = Promise.all(asked);
    await Promise.race([answers, pause(300)]);
    for (const pid of workers) process.kill(pid, 'SIGCONT');
    expect(await answers).toEqual(Array(8).fill(200));
  });

  cleanedTest('over TLS, before and behind the handshake', async ({ cleaning }) => {
    const served = await start(cleaning, {
      listen: {
        proxy: '127.0.0.1:0',
        admin: '127.0.0.1:0',
        tls: { cert: certificate('server.pem'), key: certificate('server.key.pem') },
      },
      // None of these limits ends a request here: a request that was cut off must end without them.
      limits: { shutdown: '10m', request_timeout: '1h' },
    });
    const port = portOf(served.proxy);
    for (const bytes of Object.values(PROXY)) await resets(port, bytes(), TIMES, true);
    // no TLS at all
    for (const bytes of ['', GET(), PROXY['CONNECT']!()]) await resets(port, bytes, TIMES);
    expect((await fetch(`${served.admin}/readyz`)).status).toBe(200);
    expect(served.child.exitCode).toBe(null);
    served.child.kill('SIGTERM');
    expect(await served.ended).toBe(0);
  });
});

describe.concurrent('a connection whose other side has left does not keep the process', () => {
  cleanedTest.for([
    ['that answers', customer],
    ['that never answers', () => undefined],
  ] as const)(
    'half closed, closed or left open, with an upstream %s: SIGTERM ends it',
    async ([, behaviour], { cleaning }) => {
      const upstream = await upstreamOf(behaviour, cleaning);
      const served = await serve({ upstream, config: { limits: { shutdown: '1s' } } }, issuer, cleaning);
      const sockets = Object.values(PROXY).flatMap((bytes) =>
        Array.from({ length: 6 }, (_, i) => {
          const socket = connect(portOf(served.proxy), '127.0.0.1', () => {
            const text = bytes();
            if (text !== '') socket.write(text, 'latin1');
            if (i % 3 === 0) setTimeout(() => socket.end(), i);
            if (i % 3 === 1) setTimeout(() => socket.destroy(), i);
          });
          socket.on('error', () => undefined);
          // what comes is not taken
          if (i < 3) socket.pause();
          return socket;
        }),
      );
      cleaning.push(() => {
        for (const socket of sockets) socket.destroy();
      });
      // an error closes a socket, too
      await until(() => sockets.every(({ connecting }) => !connecting));
      served.child.kill('SIGTERM');
      await until(() => served.child.exitCode !== null);
      expect(await served.ended).toBe(0);
    },
  );
});
