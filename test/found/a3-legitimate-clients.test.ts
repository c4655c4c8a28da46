/**
 * Class: HTTP that the RFC allows and clients use, refused or left unanswered. Root cause: rules made while requests of a connection were
 * carried out side by side (a chunked request behind another), Node's default for the end of one side, and one rule for every upgrade.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { type Running, startSluice } from '../support/sluice.ts';
import { jsonOf, Wire } from '../support/wire.ts';

let upstream: HostileUpstream;
let running: Running;
/** ms until the upstream answers */
let delay: number;
beforeAll(async () => {
  upstream = await startHostile();
  running = await startSluice({ upstream: upstream.url, crm: { timeout: '5m' } });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});
beforeEach(() => {
  upstream.received.length = 0;
  delay = 0;
  upstream.answer = (request, socket) => {
    const answer = answers(`{"id":"${request.target.slice(-2)}"}`);
    setTimeout(() => answer(request, socket), delay);
  };
});

const auth = () =>
  `Host: a\r\nAuthorization: ${running.caller['Authorization']}\r\nSluice-Purpose: after_sales\r\n`;
const get = (id: string, fields = '') => `GET /customers/${id} HTTP/1.1\r\n${auth()}${fields}\r\n`;
const put = (id: string, fields: string, body: string) =>
  `PUT /customers/${id} HTTP/1.1\r\n${auth()}Content-Type: application/json\r\n${fields}\r\n${body}`;
const chunked = (id: string) =>
  put(id, 'Transfer-Encoding: chunked\r\n', '4\r\n{"ci\r\n8\r\nty":"x"}\r\n0\r\n\r\n');
const H2C = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n';

/** @returns status and id of each answer up to the end of the connection */
async function untilClosed(wire: Wire): Promise<(readonly [number, unknown])[]> {
  await wire.untilClosed();
  const found: (readonly [number, unknown])[] = [];
  while (wire.received.length > 0) {
    const answer = await wire.answer();
    expect(answer.complete).toBe(true);
    found.push([answer.status, jsonOf(answer)['id']]);
  }
  return found;
}

describe('a caller that ends its side behind its last request', () => {
  const end = async (bytes: string, ms = 0) => {
    const wire = await Wire.open(running.port);
    wire.write(bytes);
    if (ms > 0) await pause(ms);
    wire.socket.end();
    return untilClosed(wire);
  };

  test.each([
    ['one request', () => get('C1'), ['C1']],
    ['one of HTTP/1.0', () => get('C1').replace('1.1', '1.0'), ['C1']],
    ['a body', () => put('C1', 'Content-Length: 12\r\n', '{"city":"x"}'), ['C1']],
    ['chunks', () => chunked('C1'), ['C1']],
    ['several requests', () => get('C1') + chunked('C2') + get('C3'), ['C1', 'C2', 'C3']],
  ])('is answered, and the connection ends: %s', async (_what, bytes, ids) => {
    const wanted = ids.map((id) => [200, id]);
    expect(await end(bytes())).toEqual(wanted);
    delay = 120;
    expect(await end(bytes())).toEqual(wanted);
    expect(await end(bytes(), 40)).toEqual(wanted);
  });

  test('is answered behind its requests about what is none', async () => {
    delay = 50;
    expect(await end(`${get('C1') + get('C2')}\0\r\n\r\n`)).toEqual([
      [200, 'C1'],
      [200, 'C2'],
      [400, undefined],
    ]);
  });

  test('within a request gets no answer as if it were whole', async () => {
    for (const bytes of [put('C1', 'Content-Length: 13\r\n', '{"city":"x"}'), chunked('C1').slice(0, -2)]) {
      const [only, ...others] = await end(bytes);
      expect(only?.[0]).toBeGreaterThanOrEqual(400);
      expect(others).toEqual([]);
    }
    expect(upstream.received).toEqual([]);
  });

  test('with nothing outstanding ends the connection', async () => {
    const wire = await Wire.open(running.port);
    wire.write(get('C1'));
    expect((await wire.answer()).status).toBe(200);
    wire.socket.end();
    await wire.untilClosed();
  });

  test('counts as gone where its answer takes long, so that its request holds no connection to the upstream', async () => {
    upstream.answer = () => undefined;
    const before = upstream.aborted;
    expect(await end(get('C1'))).toEqual([]);
    await expect.poll(() => upstream.aborted).toBe(before + 1);
    await expect
      .poll(() => running.records().at(-1))
      .toMatchObject({ outcome: 'error', reasons: [{ code: 'request_aborted' }] });
  });
});

test('a chunked request behind one that is not answered yet is carried out in its turn, wherever it is cut', async () => {
  delay = 20;
  const text = chunked('C2');
  for (const cut of [text.length, 1, text.length - 45, text.length - 30, text.length - 7, text.length - 1]) {
    const wire = await Wire.open(running.port);
    wire.write(get('C1') + text.slice(0, cut));
    await pause(cut === text.length ? 0 : 8);
    wire.write(`${text.slice(cut) + chunked('C3') + get('C4', 'Connection: close\r\n')}`);
    expect(await untilClosed(wire), `cut at ${cut}`).toEqual(['C1', 'C2', 'C3', 'C4'].map((id) => [200, id]));
  }
  expect(upstream.received.filter((r) => r.method === 'PUT').map((r) => r.body.toString())).toEqual(
    Array(12).fill('{"city":"x"}'),
  );
});

test('an offer of HTTP/2, as a Java client sends it with its first request, is answered in HTTP/1.1 and not passed on', async () => {
  const wire = await Wire.open(running.port);
  wire.write(get('C1', H2C));
  expect(jsonOf(await wire.answer())['id']).toBe('C1');
  wire.write(put('C2', `Content-Length: 12\r\n${H2C}`, '{"city":"x"}') + get('C3', H2C.toUpperCase()));
  expect(jsonOf(await wire.answer())['id']).toBe('C2');
  expect(jsonOf(await wire.answer())['id']).toBe('C3');
  wire.write(put('C4', `Transfer-Encoding: chunked\r\n${H2C}`, 'c\r\n{"city":"x"}\r\n0\r\n\r\n') + get('C5'));
  expect(jsonOf(await wire.answer())['id']).toBe('C4');
  expect(jsonOf(await wire.answer())['id']).toBe('C5');
  // what would be the HTTP/2 that was not agreed on
  wire.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  expect((await wire.answer()).status).toBe(400);
  await wire.untilClosed();
  expect(upstream.received.map((r) => r.head).join('')).not.toMatch(/upgrade|h2c|http2/i);
});
