/** Forwarding, where it does not show through the whole of Sluice. */
import { afterEach, expect, test } from 'vitest';
import { createUpstreams, type Upstreams } from '../../src/upstream/upstream.ts';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const part of open.splice(0)) await part.close();
});

async function pair(path = ''): Promise<{ upstream: HostileUpstream; upstreams: Upstreams }> {
  const upstream = await startHostile();
  const upstreams = createUpstreams({
    crm: {
      url: upstream.url + path,
      timeout: 400,
      connect_timeout: 400,
      connections: 1,
      credential: { authorization: 'Bearer ours' },
      tls: { verify: true },
      health: null,
    },
  });
  open.push(upstreams, upstream);
  return { upstream, upstreams };
}
const get = (upstreams: Upstreams, method = 'GET') =>
  upstreams.send('crm', {
    method,
    target: '/a?b=c',
    headers: { authorization: 'Bearer theirs' },
    body: null,
  });

async function bodyOf(response: Awaited<ReturnType<typeof get>>): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of response.body) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

/** closes a connection at the second request on it, unanswered */
function closingOnReuse(upstream: HostileUpstream): void {
  const used = new WeakSet<object>();
  upstream.answer = (request, socket) => {
    if (used.has(socket)) return void socket.destroy();
    used.add(socket);
    answers('{"id":1}')(request, socket);
  };
}

test('the upstream’s own credential goes out in place of any other, behind its base path', async () => {
  const { upstream, upstreams } = await pair('/base/');
  await bodyOf(await get(upstreams));
  expect(upstream.received[0]).toMatchObject({
    target: '/base/a?b=c',
    headers: { authorization: 'Bearer ours' },
  });
});

test('a safe request on a connection that was just closed is asked again, once', async () => {
  const { upstream, upstreams } = await pair();
  closingOnReuse(upstream);
  for (let i = 0; i < 4; i++) expect(await bodyOf(await get(upstreams))).toBe('{"id":1}');
  upstream.answer = (_request, socket) => void socket.destroy();
  upstream.received.length = 0;
  await expect(get(upstreams)).rejects.toMatchObject({ code: 'upstream_aborted' });
  expect(upstream.received.length).toBeLessThanOrEqual(2);
});

test('a request that may change something is never asked twice', async () => {
  const { upstream, upstreams } = await pair();
  closingOnReuse(upstream);
  await bodyOf(await get(upstreams));
  upstream.received.length = 0;
  await expect(get(upstreams, 'POST')).rejects.toMatchObject({ code: 'upstream_aborted' });
  expect(upstream.received.map((r) => r.method)).toEqual(['POST']);
});

test('a body that nobody reads does not hold its connection', async () => {
  const { upstream, upstreams } = await pair();
  upstream.answer = (_request, socket) =>
    void socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n${'x'.repeat(2_000_000)}`);
  for (let i = 0; i < 6; i++) (await get(upstreams)).body.discard();
  upstream.answer = answers('{"id":1}');
  expect(await bodyOf(await get(upstreams))).toBe('{"id":1}');
});

test('a body is known to be empty as soon as it ends, and not to be as soon as a byte is there', async () => {
  const { upstream, upstreams } = await pair();
  upstream.answer = (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    setTimeout(() => socket.write('0\r\n\r\n'), 20);
  };
  expect(await (await get(upstreams)).body.empty()).toBe(true);
  upstream.answer = (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    setTimeout(() => socket.write('1\r\nx\r\n0\r\n\r\n'), 20);
  };
  const response = await get(upstreams);
  expect(await response.body.empty()).toBe(false);
  expect(await bodyOf(response)).toBe('x');
});

test.each([
  ['no status line', 'hello\r\n\r\n'],
  ['HTTP/0.9', '{"id":1}\r\n'],
  ['a folded header', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n'],
  ['bare line feeds', 'HTTP/1.1 200 OK\nA: b\n\n'],
])('an answer with %s is malformed, not unreachable', async (_what, bytes) => {
  const { upstream, upstreams } = await pair();
  upstream.answer = (_request, socket) => void socket.end(bytes);
  await expect(get(upstreams)).rejects.toMatchObject({ code: 'upstream_malformed' });
});
