/** Forwarding, where it does not show through the whole of Sluice. */
import { readFileSync } from 'node:fs';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
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

test('a caller that goes while it waits for a connection has gone, and the upstream is not asked for it', async () => {
  const { upstream, upstreams } = await pair();
  upstream.answer = () => undefined;
  const first = get(upstreams);
  const leaving: (() => void)[] = [];
  const second = upstreams.send(
    'crm',
    { method: 'GET', target: '/second', headers: {}, body: null },
    (abort) => void leaving.push(abort),
  );
  for (const leave of leaving) leave();
  await expect(second).rejects.toMatchObject({ code: 'request_aborted' });
  await expect(first).rejects.toMatchObject({ code: 'upstream_timeout' });
  upstream.answer = answers('{"id":1}');
  expect(await bodyOf(await get(upstreams))).toBe('{"id":1}');
  expect(upstream.received.map((r) => r.target)).toEqual(['/a?b=c', '/a?b=c']);
});

test('who waits for a connection waits no longer than for an answer', async () => {
  const { upstream, upstreams } = await pair();
  upstream.answer = () => undefined;
  const all = await Promise.allSettled([1, 2, 3, 4, 5].map(() => get(upstreams)));
  for (const one of all)
    expect(one).toMatchObject({ status: 'rejected', reason: { code: 'upstream_timeout' } });
  // one connection: the others have not been asked one after the other
  expect(upstream.received).toHaveLength(1);
  upstream.answer = answers('{"id":1}');
  for (let i = 0; i < 3; i++) expect(await bodyOf(await get(upstreams))).toBe('{"id":1}');
});

test('interim answers without end do not put off the time', async () => {
  const { upstream, upstreams } = await pair();
  upstream.answer = (_request, socket) => {
    const drip = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'), 50);
    socket.once('close', () => clearInterval(drip));
  };
  await expect(get(upstreams)).rejects.toMatchObject({ code: 'upstream_timeout' });
});

test('a status that is none is malformed, not unreachable', async () => {
  const { upstream, upstreams } = await pair();
  upstream.answer = answers('{}', {}, '000 Nothing');
  await expect(get(upstreams)).rejects.toMatchObject({ code: 'upstream_malformed' });
});

const certificate = (name: string): string =>
  readFileSync(new URL(`../identity/certificates/${name}`, import.meta.url), 'utf8');

/** An upstream over TLS that would rather speak HTTP/2. */
async function secure(verify: boolean): Promise<{ server: Http2SecureServer; upstreams: Upstreams }> {
  const server = createSecureServer({
    cert: certificate('server.pem'),
    key: certificate('server.key.pem'),
    allowHTTP1: true,
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const upstreams = createUpstreams({
    crm: {
      url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
      timeout: 400,
      connect_timeout: 2_000,
      connections: 1,
      credential: {},
      tls: { verify },
      health: null,
    },
  });
  open.push(upstreams, { close: async () => void server.close() });
  return { server, upstreams };
}

test('an upstream that offers HTTP/2 is spoken to in HTTP/1.1', async () => {
  const { server, upstreams } = await secure(false);
  const versions: string[] = [];
  server.on('request', (request, response) => {
    versions.push(request.httpVersion);
    response.end('{"id":1}');
  });
  expect(await bodyOf(await get(upstreams))).toBe('{"id":1}');
  expect(versions).toEqual(['1.1']);
});

test('an upstream whose certificate is not trusted is told apart from one that is not there', async () => {
  const { upstreams } = await secure(true);
  await expect(get(upstreams)).rejects.toMatchObject({
    code: 'upstream_unreachable',
    message: expect.stringContaining('certificate'),
  });
});
