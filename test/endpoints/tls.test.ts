/** The listener over TLS: what is done on raw sockets must hold there too. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { type Running, startSluice } from '../support/sluice.ts';
import { jsonOf, requestText, textOf, Wire } from '../support/wire.ts';

const certificate = (name: string): string =>
  new URL(`../identity/certificates/${name}`, import.meta.url).pathname;

let upstream: HostileUpstream;
let running: Running;
beforeAll(async () => {
  upstream = await startHostile();
  running = await startSluice({
    upstream: upstream.url,
    config: {
      limits: { header_timeout: '1500ms' },
      listen: {
        proxy: '127.0.0.1:0',
        admin: '127.0.0.1:0',
        tls: { cert: certificate('server.pem'), key: certificate('server.key.pem') },
      },
    },
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});

const chunkedHead = () =>
  requestText('PUT /customers/C1', {
    ...running.caller,
    'Content-Type': 'application/json',
    'Transfer-Encoding': 'chunked',
  });

test('reads a plain chunked body, and keeps the connection open', async () => {
  upstream.answer = answers('{"id":"C1"}');
  const wire = await Wire.open(running.port, { tls: true });
  for (let i = 0; i < 3; i++) {
    wire.write(chunkedHead());
    await new Promise((r) => setTimeout(r, 10));
    wire.write('c\r\n{"city":"x"}\r\n0\r\n\r\n');
    expect(textOf(await wire.answer())).toBe('{"id":"C1"}');
  }
  wire.destroy();
});

test.each([
  ['in one piece', 0],
  ['in two', 10],
])('a chunk extension is refused, %s', async (_how, pause) => {
  upstream.received.length = 0;
  const wire = await Wire.open(running.port, { tls: true });
  wire.write(chunkedHead() + (pause === 0 ? 'c;a=b\r\n{"city":"x"}\r\n0\r\n\r\n' : ''));
  await new Promise((r) => setTimeout(r, pause));
  if (pause > 0) wire.write('c;a=b\r\n{"city":"x"}\r\n0\r\n\r\n');
  const answer = await wire.answer();
  expect(answer.status).toBe(400);
  expect(jsonOf(answer)['code']).toBe('request_malformed');
  await wire.untilClosed();
  expect(upstream.received).toEqual([]);
});

test('refuses and records bytes that are no request', async () => {
  const before = running.records().length;
  const wire = await Wire.open(running.port, { tls: true });
  wire.write('\0\r\n\r\n');
  expect((await wire.answer()).status).toBe(400);
  await expect.poll(() => running.records().length).toBe(before + 1);
  wire.destroy();
});

test('does not end an answer that breaks off like a complete one', async () => {
  const items = `{"id":"C1","name":"${'n'.repeat(200)}"},`.repeat(8000);
  upstream.answer = answers(`{"items":[${items} oops]}`);
  for (const version of ['1.1', '1.0']) {
    const wire = await Wire.open(running.port, { tls: true });
    let ended = false;
    wire.socket.on('end', () => {
      ended = true;
    });
    wire.write(requestText(`GET /customers HTTP/${version}`, running.caller));
    await wire.untilClosed(10_000);
    expect(wire.received.length).toBeGreaterThan(0);
    if (version === '1.1') expect((await wire.answer()).complete).toBe(false);
    // HTTP/1.0 knows no chunks: the connection is reset, since its end would be the answer's.
    else expect({ reset: wire.reset, ended }).toEqual({ reset: true, ended: false });
  }
});

describe('where TLS does not come about', () => {
  const closed = (bytes: string): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect(running.port, '127.0.0.1');
      socket
        .on('error', () => undefined)
        .on('close', () => resolve())
        .resume()
        .write(bytes);
    });

  test('ends and records a handshake that takes longer than limits.header_timeout', async () => {
    const before = running.records().length;
    await closed('');
    await expect
      .poll(() => running.records().slice(before))
      .toMatchObject([{ outcome: 'denied', reasons: [{ code: 'request_timeout' }] }]);
  });

  test('closes the connection of a plain-text request, and records it', async () => {
    const before = running.records().length;
    await closed('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await expect
      .poll(() => running.records().slice(before))
      .toMatchObject([{ outcome: 'denied', reasons: [{ code: 'request_malformed' }] }]);
  });
});
