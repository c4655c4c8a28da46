/**
 * Class: bytes written to a connection that the current answer does not own. Root cause: requests that were pipelined were carried out at
 * once and side by side, and what is written beside an answer (100 Continue, the answer to bytes that are no request) went to the
 * socket or into Node's queue whenever it was ready. Now one request of a connection is read at a time.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { type Running, startSluice } from '../support/sluice.ts';
import { type Answer, Wire } from '../support/wire.ts';

let upstream: HostileUpstream;
let running: Running;
beforeAll(async () => {
  upstream = await startHostile();
  running = await startSluice({ upstream: upstream.url });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});
beforeEach(() => {
  upstream.received.length = 0;
  upstream.answer = (request, socket) => {
    const id = request.target.slice(-2);
    // the first is the slowest: whoever does not wait for its turn is early
    setTimeout(() => answers(`{"id":"${id}"}`)(request, socket), id === 'C0' ? 40 : 0);
  };
});

const auth = () =>
  `Host: a\r\nAuthorization: ${running.caller['Authorization']}\r\nSluice-Purpose: after_sales\r\n`;
const get = (id: string) => `GET /customers/${id} HTTP/1.1\r\n${auth()}\r\n`;
const put = (id: string, fields = '') =>
  `PUT /customers/${id} HTTP/1.1\r\n${auth()}Content-Type: application/json\r\nContent-Length: 12\r\n${fields}\r\n{"city":"x"}`;
const EXPECT = 'Expect: 100-continue\r\n';

/** All answers of one write; throws if a byte stands outside of them. */
async function answersTo(bytes: string, wanted: number, closes = false): Promise<Answer[]> {
  const wire = await Wire.open(running.port);
  try {
    wire.write(bytes);
    const found: Answer[] = [];
    while (found.filter((a) => a.status >= 200).length < wanted) found.push(await wire.answer());
    // Whatever else was written to the connection has arrived before its end.
    if (!closes) wire.socket.end();
    await wire.untilClosed();
    expect(wire.received.toString('latin1')).toBe('');
    for (const { complete } of found) expect(complete).toBe(true);
    return found;
  } finally {
    wire.destroy();
  }
}
const final = (found: readonly Answer[]) => found.filter((a) => a.status >= 200);
const ids = (found: readonly Answer[]) =>
  final(found).map((a) => (JSON.parse(a.body.toString()) as { id?: string; code?: string }).id);

test.each([
  ['GET, PUT with Expect, GET', () => get('C0') + put('C1', EXPECT) + get('C2'), ['C0', 'C1', 'C2']],
  ['PUT with Expect, PUT with Expect', () => put('C0', EXPECT) + put('C1', EXPECT), ['C0', 'C1']],
  ['PUT, PUT with Expect, GET', () => put('C0') + put('C1', EXPECT) + get('C2'), ['C0', 'C1', 'C2']],
])(
  '%s in one write are answered in order, and every byte belongs to an answer',
  async (_what, bytes, wanted) => {
    expect(ids(await answersTo(bytes(), wanted.length))).toEqual(wanted);
    expect(upstream.received.map((r) => r.target.slice(-2))).toEqual(wanted);
  },
);

test('a body that is waited for is asked for behind the answer before it, and before its own', async () => {
  const wire = await Wire.open(running.port);
  const whole = put('C1', EXPECT);
  wire.write(get('C0') + whole.slice(0, -12));
  const first = await wire.answer();
  expect([first.status, first.body.toString()]).toEqual([200, '{"id":"C0"}']);
  expect((await wire.answer()).status).toBe(100);
  wire.write(`${whole.slice(-12)}${get('C2')}`);
  expect(ids([await wire.answer(), await wire.answer()])).toEqual(['C1', 'C2']);
  expect(wire.received).toHaveLength(0);
  wire.destroy();
});

test.each([
  ['bytes that are no request', '\0\x01\r\n\r\n', 400],
  ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', 501],
  ['an upgrade', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n', 501],
  ['a header that is too long', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`, 431],
])('%s behind two requests is refused behind their answers', async (_what, bytes, status) => {
  const found = await answersTo(get('C0') + get('C1') + bytes, 3, true);
  expect(final(found).map((a) => a.status)).toEqual([200, 200, status]);
  expect(ids(found).slice(0, 2)).toEqual(['C0', 'C1']);
});

test('a long answer that is taken slowly is whole before anything else is said', async () => {
  const name = 'n'.repeat(3_000_000);
  upstream.answer = answers(`{"id":"C0","name":"${name}"}`);
  const wire = await Wire.open(running.port);
  wire.socket.pause();
  wire.write(`${get('C0') + put('C1', EXPECT)}\0garbage\r\n\r\n`);
  await expect.poll(() => wire.socket.readableLength).toBeGreaterThan(0);
  wire.socket.resume();
  const found = [];
  for (let i = 0; i < 4; i++) found.push(await wire.answer());
  expect(found.splice(1, 1)[0]?.status).toBe(100);
  expect(found.map((a) => a.status)).toEqual([200, 200, 400]);
  expect(found[0]?.body.length).toBe(name.length + 21);
  await wire.untilClosed();
  expect(wire.received).toHaveLength(0);
});
