/** What a caller, or an upstream, may cost: connections, requests at once, long answers, readers that do not read. */
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listen } from '../../src/endpoints/listening.ts';
import { createProxyListener } from '../../src/endpoints/proxy/proxy.ts';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { type Running, startSluice } from '../support/sluice.ts';
import { exchange, headerOf, jsonOf, requestText, soFar, textOf, Wire } from '../support/wire.ts';

const MiB = 1024 * 1024;
const RECORD = `{"id":"C1","name":"${'n'.repeat(1000)}","phone":"13812345678"}`;
const PIECE = Buffer.from(`${RECORD},`.repeat(60));

let upstream: HostileUpstream;
beforeAll(async () => {
  upstream = await startHostile();
});
afterAll(() => upstream?.close());

/** An upstream that sends a list of so many bytes, as fast as it is read; says how much it has sent. */
function endless(total: number): { sent: number; ended: boolean } {
  const state = { sent: 0, ended: false };
  upstream.answer = (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{"items":[');
    socket.once('close', () => {
      state.ended = true;
    });
    const feed = (): void => {
      while (!socket.destroyed && state.sent < total) {
        state.sent += PIECE.length;
        if (!socket.write(PIECE)) {
          socket.once('drain', feed);
          return;
        }
      }
      if (!socket.destroyed) socket.end(`${RECORD}]}`);
    };
    feed();
  };
  return state;
}

describe('long answers', () => {
  let running: Running;
  beforeAll(async () => {
    running = await startSluice({ upstream: upstream.url });
  });
  afterAll(() => running?.close());

  test('discloses 192 MiB in parts without memory that grows with them', async () => {
    const measure = async (size: number) => {
      endless(size);
      const wire = await Wire.open(running.port);
      let received = 0;
      let peak = 0;
      wire.socket.removeAllListeners('data');
      wire.socket.on('data', (chunk: Buffer) => {
        received += chunk.length;
        if (received % 16 === 0) peak = Math.max(peak, process.memoryUsage().rss);
      });
      const sampler = setInterval(() => {
        peak = Math.max(peak, process.memoryUsage().rss);
      }, 20);
      wire.write(requestText('GET /customers', { ...running.caller, Connection: 'close' }));
      await wire.untilClosed(60_000);
      clearInterval(sampler);
      return { received, peak };
    };
    // long enough that the heap has reached its level: what comes on top is due to the length alone
    await measure(64 * MiB);
    const before = process.memoryUsage().rss;
    const { received, peak } = await measure(192 * MiB);
    // The masked phone is as long as the real one: the answer is about as long as what came, plus the framing of chunks.
    expect(received).toBeGreaterThan(192 * MiB);
    // The upstream and the caller live in this process too, and their garbage with them.
    expect((peak - before) / MiB).toBeLessThan(96);
    process.stderr.write(
      `load: 192 MiB through the proxy, resident memory grew by ${Math.round((peak - before) / MiB)} MiB\n`,
    );
  });

  test('stops reading from the upstream while the caller does not read', async () => {
    const state = endless(256 * MiB);
    const wire = await Wire.open(running.port);
    wire.socket.pause();
    wire.write(requestText('GET /customers', running.caller));
    let last = -1;
    // until nothing moves any more
    for (let i = 0; i < 60 && last !== state.sent; i++) {
      last = state.sent;
      await new Promise((r) => setTimeout(r, 300));
    }
    expect(state.ended).toBe(false);
    expect(state.sent).toBeGreaterThan(MiB / 4);
    expect(state.sent).toBeLessThan(64 * MiB);
    wire.destroy();
    await expect.poll(() => state.ended, { timeout: 10_000 }).toBe(true);
  });
});

describe('limits', () => {
  test('closes the connections of a caller that never reads after limits.request_timeout, and the upstream’s', async () => {
    const running = await startSluice({
      upstream: upstream.url,
      config: { limits: { request_timeout: '700ms' } },
    });
    const state = endless(256 * MiB);
    const wire = await Wire.open(running.port);
    wire.socket.pause();
    wire.write(requestText('GET /customers', running.caller));
    await expect.poll(() => state.ended, { timeout: 20_000 }).toBe(true);
    expect(state.sent).toBeLessThan(256 * MiB);
    await expect
      .poll(() => running.records().at(-1), { timeout: 5000 })
      .toMatchObject({ outcome: 'error', part: { last: true }, reasons: [{ code: 'request_aborted' }] });
    wire.destroy();
    await running.close();
  });

  test('closes the connection of a caller that stops reading before the last bytes of a long answer', async () => {
    let ended = false;
    let socket: Socket | undefined;
    const server = createProxyListener(
      async (_request, reply) => {
        reply.start(200, {});
        // The buffers of the kernel are full, and the one of the socket is not: no write waits.
        while (socket!.writableLength === 0) await reply.write([Buffer.alloc(16 * 1024)]);
        await reply.end();
        ended = true;
      },
      async () => ({ id: '', unrecorded: null }),
      {
        header_bytes: 16_384,
        header_timeout: 500,
        request_timeout: 500,
        keep_alive_timeout: 600_000,
        connections: 10,
      },
    );
    server.on('connection', (accepted: Socket) => {
      socket = accepted;
    });
    const port = await listen(server, { host: '127.0.0.1', port: 0 });
    const wire = await Wire.open(port);
    wire.socket.pause();
    wire.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await expect.poll(() => ended).toBe(true);
    await expect.poll(() => socket!.destroyed).toBe(true);
    wire.destroy();
    server.close();
  });

  test('refuses requests beyond limits.in_flight, and serves them again afterwards', async () => {
    const running = await startSluice({ upstream: upstream.url, config: { limits: { in_flight: 3 } } });
    const waiting: (() => void)[] = [];
    upstream.answer = (request, socket) => void waiting.push(() => answers('{"id":"C1"}')(request, socket));
    const request = requestText('GET /customers/C1', running.caller);
    const wires = await Promise.all([1, 2, 3].map(() => Wire.open(running.port)));
    for (const wire of wires) wire.write(request);
    await expect.poll(() => waiting.length).toBe(3);
    const refused = await exchange(running.port, request);
    expect(refused.status).toBe(503);
    expect(jsonOf(refused)['code']).toBe('overloaded');
    expect(headerOf(refused, 'retry-after')).toBe('1');
    expect(running.records().at(-1)).toMatchObject({ outcome: 'error', reasons: [{ code: 'overloaded' }] });
    for (const go of waiting.splice(0)) go();
    for (const wire of wires) {
      expect((await wire.answer()).status).toBe(200);
      wire.destroy();
    }
    upstream.answer = answers('{"id":"C1"}');
    expect((await exchange(running.port, request)).status).toBe(200);
    await running.close();
  });

  test('closes connections beyond limits.connections', async () => {
    const running = await startSluice({ upstream: upstream.url, config: { limits: { connections: 2 } } });
    const wires = await Promise.all([1, 2].map(() => Wire.open(running.port)));
    const third = await Wire.open(running.port);
    await third.untilClosed();
    expect(third.received).toHaveLength(0);
    for (const wire of wires) wire.destroy();
    await running.close();
  });

  test('answers many connections at a time, each with its own record', async () => {
    const running = await startSluice({ upstream: upstream.url });
    upstream.answer = (request, socket) =>
      answers(`{"id":"${request.target.slice('/customers/'.length)}"}`)(request, socket);
    const ids = await Promise.all(
      Array.from({ length: 300 }, async (_, i) => {
        const answer = await exchange(running.port, requestText(`GET /customers/C${i}`, running.caller), {
          timeout: 30_000,
        });
        expect(textOf(answer)).toBe(`{"id":"C${i}"}`);
        return headerOf(answer, 'sluice-decision-id');
      }),
    );
    expect(new Set(ids).size).toBe(300);
    const recorded = new Set(running.records().map((r) => r.decision_id));
    expect(ids.filter((id) => !recorded.has(id!))).toEqual([]);
    await running.close();
  });

  test('keeps nothing of the requests that one connection has sent', async () => {
    const running = await startSluice({ upstream: upstream.url });
    upstream.answer = answers('{"id":"C1"}');
    const warnings: string[] = [];
    const warn = (w: Error): void => void warnings.push(w.name);
    process.on('warning', warn);
    const wire = await Wire.open(running.port);
    for (let i = 0; i < 300; i++) {
      wire.write(requestText('GET /customers/C1', running.caller));
      expect((await wire.answer()).status).toBe(200);
    }
    wire.destroy();
    process.off('warning', warn);
    expect(warnings).toEqual([]);
    expect(soFar(wire.received)).toBeNull();
    await running.close();
  });
});

test('lets a request in flight finish when it closes', async () => {
  const running = await startSluice({
    upstream: upstream.url,
    config: { limits: { keep_alive_timeout: '5m' } },
  });
  let go = (): void => undefined;
  upstream.answer = (request, socket) => {
    go = () => answers('{"id":"C1"}')(request, socket);
  };
  const before = upstream.received.length;
  const wire = await Wire.open(running.port);
  wire.write(requestText('GET /customers/C1', running.caller));
  await expect.poll(() => upstream.received.length).toBe(before + 1);
  const closing = running.close();
  go();
  expect((await wire.answer()).status).toBe(200);
  // and does not wait for a connection that is merely kept alive
  await closing;
});
