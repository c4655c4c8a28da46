/** Request smuggling (RFC 9112 §11.2): what two readers may read as two requests is refused, recorded, and never forwarded. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { type Running, startSluice } from '../support/sluice.ts';
import { exchange, headerOf, jsonOf, requestText, Wire } from '../support/wire.ts';

let upstream: HostileUpstream;
let running: Running;
beforeAll(async () => {
  upstream = await startHostile();
  running = await startSluice({
    upstream: upstream.url,
    config: {
      limits: { header_timeout: '400ms', request_timeout: '900ms', header_bytes: '4KiB', header_count: 20 },
    },
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});
beforeEach(() => {
  upstream.received.length = 0;
  upstream.answer = answers('{"id":"C1"}');
});

const GET = 'GET /customers/C1 HTTP/1.1\r\n';
const PUT = 'PUT /customers/C1 HTTP/1.1\r\n';
const auth = () => `Authorization: ${running.caller['Authorization']}\r\nSluice-Purpose: after_sales\r\n`;
const head = (line: string, fields: string): string => `${line}Host: crm.example\r\n${auth()}${fields}\r\n`;
const json = 'Content-Type: application/json\r\n';

/** The request is refused with the code, on record, and the upstream saw nothing. */
async function refused(pieces: string | readonly string[], code: string, status = 400): Promise<void> {
  const before = running.records().length;
  const answer = await exchange(running.port, pieces);
  expect(answer.status).toBe(status);
  expect(headerOf(answer, 'content-type')).toBe('application/problem+json');
  expect(headerOf(answer, 'cache-control')).toBe('private, no-store');
  const problem = jsonOf(answer);
  expect(problem).toMatchObject({ code, status });
  await expect.poll(() => running.records().length).toBe(before + 1);
  const record = running.records().at(-1)!;
  expect(record.decision_id).toBe(problem['decision_id']);
  expect(record.outcome).toBe('denied');
  expect(record.reasons[0]?.code).toBe(code);
  expect(record.response?.status).toBe(status);
  expect(upstream.received).toEqual([]);
}

describe('two ways to find the end of a body', () => {
  test('Content-Length and Transfer-Encoding together are refused', () =>
    refused(
      head(PUT, `${json}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n`) + '0\r\n\r\nX',
      'request_malformed',
    ));
  test('Transfer-Encoding and Content-Length together are refused', () =>
    refused(
      head(PUT, `${json}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n`) + '0\r\n\r\nX',
      'request_malformed',
    ));
  test.each([
    ['two that differ', 'Content-Length: 2\r\nContent-Length: 3\r\n'],
    ['two that are equal', 'Content-Length: 2\r\nContent-Length: 2\r\n'],
    ['a list', 'Content-Length: 2, 2\r\n'],
    ['a sign', 'Content-Length: +2\r\n'],
    ['hexadecimal', 'Content-Length: 0x2\r\n'],
    ['more than can be counted', 'Content-Length: 99999999999999999999\r\n'],
    ['a space within', 'Content-Length: 1 2\r\n'],
  ])('Content-Length: %s is refused', (_what, fields) =>
    refused(`${head(PUT, json + fields)}{}`, 'request_malformed'),
  );
  test.each([
    ['chunked, chunked'],
    ['gzip, chunked'],
    ['chunked, identity'],
    ['identity'],
    ['xchunked'],
    ['"chunked"'],
    ['chunked;q=1'],
    ['chunked, cow'],
    ['\x0bchunked'],
  ])('Transfer-Encoding: %j is refused', (value) =>
    refused(`${head(PUT, `${json}Transfer-Encoding: ${value}\r\n`)}0\r\n\r\n`, 'request_malformed'),
  );
  test('two Transfer-Encoding fields are refused', () =>
    refused(
      `${head(PUT, `${json}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n`)}0\r\n\r\n`,
      'request_malformed',
    ));
  test.each([
    ['a space before the colon', 'Transfer-Encoding : chunked\r\n'],
    ['a tab before the colon', 'Transfer-Encoding\t: chunked\r\n'],
    ['a folded line', 'Transfer-Encoding:\r\n chunked\r\n'],
    ['a folded value', 'X-Note: a\r\n b\r\n'],
    ['a fold by tab', 'X-Note: a\r\n\tTransfer-Encoding: chunked\r\n'],
    ['a field without a name', ': chunked\r\n'],
    ['a field without a colon', 'Transfer-Encoding chunked\r\n'],
    ['a control character in a name', 'Transfer\x01-Encoding: chunked\r\n'],
    ['a control character in a value', 'X-Note: a\x01b\r\n'],
    ['a NUL in a value', 'X-Note: a\0b\r\n'],
    ['DEL in a value', 'X-Note: a\x7fb\r\n'],
    ['a bare CR in a value', 'X-Note: a\rTransfer-Encoding: chunked\r\n'],
    ['a bare LF', 'X-Note: a\nTransfer-Encoding: chunked\r\n'],
  ])('%s is refused', (_what, fields) => refused(head(GET, fields), 'request_malformed'));
  test('a head whose lines end in bare LF is refused', () =>
    refused(head(GET, '').replaceAll('\r\n', '\n'), 'request_malformed'));
  test('Transfer-Encoding in HTTP/1.0 is refused', () =>
    refused(
      `${head('PUT /customers/C1 HTTP/1.0\r\n', `${json}Transfer-Encoding: chunked\r\n`)}0\r\n\r\n`,
      'request_malformed',
    ));
  test.each([
    ['Transfer_Encoding: chunked\r\n'],
    ['Content_Length: 44\r\n'],
    ['sluice_purpose: marketing\r\n'],
  ])('a look-alike with an underscore is an unknown field, and stays behind: %j', async (fields) => {
    const answer = await exchange(running.port, head(GET, fields));
    expect(answer.status).toBe(200);
    expect(upstream.received).toHaveLength(1);
    expect(upstream.received[0]?.head).not.toMatch(/_/);
  });
});

describe('chunked bodies', () => {
  const chunkedHead = () => head(PUT, `${json}Transfer-Encoding: chunked\r\n`);
  const body = '{"city":"x"}';
  test('a plain one is read and forwarded with its length', async () => {
    const answer = await exchange(running.port, `${chunkedHead()}5\r\n{"cit\r\n7\r\ny":"x"}\r\n0\r\n\r\n`);
    expect(answer.status).toBe(200);
    expect(upstream.received[0]?.body.toString()).toBe(body);
    expect(upstream.received[0]?.headers['content-length']).toBe(String(body.length));
    expect(upstream.received[0]?.headers['transfer-encoding']).toBeUndefined();
  });
  test('a plain one is read however it is torn apart', async () => {
    const bytes = `${chunkedHead()}C\r\n${body}\r\n0\r\n\r\n`;
    const wire = await Wire.open(running.port);
    wire.write(bytes.slice(0, -40));
    for (const byte of bytes.slice(-40)) {
      await new Promise((r) => setTimeout(r, 1));
      wire.write(byte);
    }
    expect((await wire.answer()).status).toBe(200);
    // and the connection goes on
    wire.write(`${chunkedHead()}c\r\n${body}\r\n0\r\n\r\n`);
    expect((await wire.answer()).status).toBe(200);
    wire.write(head(GET, ''));
    expect((await wire.answer()).status).toBe(200);
    wire.destroy();
    expect(upstream.received.map((r) => r.body.toString())).toEqual([body, body, '']);
  });
  test.each([0, 1, 2, 3])(
    'a plain one is read when the blank line before it is torn after %i bytes',
    async (n) => {
      const at = chunkedHead().length - 4 + n;
      const bytes = `${chunkedHead()}c\r\n${body}\r\n0\r\n\r\n`;
      const answer = await exchange(running.port, [bytes.slice(0, at), bytes.slice(at)]);
      expect(answer.status).toBe(200);
    },
  );
  test.each([
    ['an extension', `c;a=b\r\n${body}\r\n0\r\n\r\n`],
    ['an extension of the last chunk', `c\r\n${body}\r\n0;x\r\n\r\n`],
    ['a quoted extension', `c;a="\r\n0\r\n\r\n"\r\n${body}\r\n0\r\n\r\n`],
    ['a bare LF in an extension', `c;a\n${body}\r\n0\r\n\r\n`],
    ['a space after the size', `c \r\n${body}\r\n0\r\n\r\n`],
    ['a sign before the size', `+c\r\n${body}\r\n0\r\n\r\n`],
    ['0x before the size', `0xc\r\n${body}\r\n0\r\n\r\n`],
    ['a size of nine digits', `00000000c\r\n${body}\r\n0\r\n\r\n`],
    ['a size that overflows', `10000000000000000c\r\n${body}\r\n0\r\n\r\n`],
    ['no size', `\r\n${body}\r\n0\r\n\r\n`],
    ['a bare LF after the size', `c\n${body}\r\n0\r\n\r\n`],
    ['a bare LF after the data', `c\r\n${body}\n0\r\n\r\n`],
    ['more data than the size', `b\r\n${body}\r\n0\r\n\r\n`],
    ['a trailer field', `c\r\n${body}\r\n0\r\nX-Trailer: 1\r\n\r\n`],
    ['a Host among trailers', `c\r\n${body}\r\n0\r\nHost: other\r\n\r\n`],
  ])('%s is refused', async (_what, rest) => {
    await refused(chunkedHead() + rest, 'request_malformed');
    await refused([chunkedHead(), rest], 'request_malformed');
    await refused([chunkedHead() + rest.slice(0, 2), rest.slice(2)], 'request_malformed');
  });
  test.each([0, 1, 2, 3])('an extension behind a blank line torn after %i bytes is refused', async (n) => {
    const at = chunkedHead().length - 4 + n;
    const bytes = `${chunkedHead()}c;a:b\r\n${body}\r\n0\r\n\r\n`;
    await refused([bytes.slice(0, at), bytes.slice(at)], 'request_malformed');
  });
  test.each([0, 1, 2, 3, 4])(
    'one that begins with a blank line of its own is refused, torn after %i bytes',
    async (n) => {
      const at = chunkedHead().length - 4 + n;
      const bytes = `${chunkedHead()}\r\nc\r\n${body}\r\n0\r\n\r\n`;
      await refused([bytes.slice(0, at), bytes.slice(at)], 'request_malformed');
    },
  );
  test('one that is too long is refused without being read to its end', async () => {
    const wire = await Wire.open(running.port);
    wire.write(chunkedHead());
    const piece = `10000\r\n${'a'.repeat(65536)}\r\n`;
    for (let i = 0; i < 40 && !wire.closed; i++) {
      wire.write(piece);
      await new Promise((r) => setTimeout(r, 1));
    }
    const answer = await wire.answer();
    expect(answer.status).toBe(413);
    expect(jsonOf(answer)['code']).toBe('body_too_large');
    wire.destroy();
  });
});

describe('the request line and Host', () => {
  test.each([
    ['HTTP/0.9', 'GET /customers/C1\r\n\r\n'],
    ['another protocol', 'GET /customers/C1 ICY/1.1\r\n\r\n'],
    ['HTTP/2 without asking', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['HTTP/1.2', 'GET /customers/C1 HTTP/1.2\r\nHost: a\r\n\r\n'],
    ['a space in the target', 'GET /customers/C1 x HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['an unknown method', 'JUMP /customers/C1 HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a TLS handshake', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03'],
    ['bytes that are nothing', '\0\x01\x02\r\n\r\n'],
  ])('%s is refused', (_what, bytes) => refused(bytes, 'request_malformed'));
  test.each([
    ['no Host', `${GET}\r\n`],
    ['two', `${GET}Host: a\r\nHost: a\r\n\r\n`],
    ['an empty one', `${GET}Host:\r\n\r\n`],
    ['a list', `${GET}Host: a, b\r\n\r\n`],
    ['one with a path', `${GET}Host: a/b\r\n\r\n`],
    ['one with a user', `${GET}Host: x@a\r\n\r\n`],
    ['one with a space', `${GET}Host: a b\r\n\r\n`],
  ])('Host: %s is refused', (_what, bytes) => refused(bytes, 'host_ambiguous'));
  test('a second Host beyond the number of header fields is not overlooked', () =>
    refused(
      `${GET}Host: a\r\n${Array.from({ length: 60 }, (_, i) => `X-${i}: 1\r\n`).join('')}Host: b\r\n\r\n`,
      'request_malformed',
    ));
  test('an absolute target for this host is the same request; for another it is refused', async () => {
    const own = await exchange(running.port, head('GET http://crm.example/customers/C1 HTTP/1.1\r\n', ''));
    expect(own.status).toBe(200);
    expect(upstream.received[0]?.target).toBe('/customers/C1');
    upstream.received.length = 0;
    await refused(head('GET http://other.example/customers/C1 HTTP/1.1\r\n', ''), 'path_not_canonical');
  });
  test.each([
    'content-type',
    'authorization',
    'sluice-purpose',
    'sluice-recipient',
    'sluice-tier',
    'sluice-justification',
    'sluice-grant',
    'soapaction',
  ])('a second %s is refused', (name) =>
    refused(`${GET}Host: a\r\n${name}: a\r\n${name.toUpperCase()}: b\r\n\r\n`, 'request_malformed'),
  );
  test('a body with Content-Encoding is refused', () =>
    refused(
      `${head(PUT, `${json}Content-Encoding: gzip\r\nContent-Length: 2\r\n`)}{}`,
      'body_encoding_unsupported',
      415,
    ));
  test('an expectation other than 100-continue is refused', () =>
    refused(head(GET, 'Expect: a-miracle\r\n'), 'request_malformed'));
});

describe('upgrades', () => {
  test.each([
    ['WebSocket', GET, 'Connection: Upgrade\r\nUpgrade: websocket\r\n'],
    ['h2c among others', GET, 'Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n'],
    ['h2c by CONNECT', 'CONNECT a:1 HTTP/1.1\r\n', 'Connection: Upgrade\r\nUpgrade: h2c\r\n'],
    ['CONNECT', 'CONNECT crm.example:443 HTTP/1.1\r\n', ''],
  ])('%s is refused', (_what, line, fields) => refused(head(line, fields), 'upgrade_refused', 501));
});

describe('several requests on one connection', () => {
  test('pipelined requests are answered in their order', async () => {
    upstream.answer = (request, socket) => {
      const id = request.target.slice(-2);
      setTimeout(() => answers(`{"id":"${id}"}`)(request, socket), id === 'C1' ? 60 : 0);
    };
    const wire = await Wire.open(running.port);
    const of = (id: string) => head(`GET /customers/${id} HTTP/1.1\r\n`, '');
    wire.write(of('C1') + of('C2') + of('C3'));
    const ids = [await wire.answer(), await wire.answer(), await wire.answer()].map((a) => jsonOf(a)['id']);
    wire.destroy();
    expect(ids).toEqual(['C1', 'C2', 'C3']);
  });
  test('garbage behind a request is on record, answered behind it and not in its place, and ends the connection', async () => {
    upstream.answer = (request, socket) => void setTimeout(() => answers('{"id":"C1"}')(request, socket), 60);
    const before = running.records().length;
    const wire = await Wire.open(running.port);
    wire.write(`${head(GET, '')}\0garbage\r\n\r\n`);
    const answer = await wire.answer();
    expect(jsonOf(answer)).toEqual({ id: 'C1' });
    expect(jsonOf(await wire.answer())['code']).toBe('request_malformed');
    await wire.untilClosed();
    expect(wire.received).toHaveLength(0);
    const codes = running
      .records()
      .slice(before)
      .map((r) => r.reasons[0]?.code ?? r.outcome);
    expect(codes.sort()).toEqual(['allowed', 'request_malformed']);
  });
  test('a body that was refused unread is not taken for the next request', async () => {
    const smuggled = head(GET, '');
    const wire = await Wire.open(running.port);
    wire.write(
      `PUT /nothing HTTP/1.1\r\nHost: a\r\n${auth()}${json}Content-Length: ${smuggled.length}\r\n\r\n`,
    );
    const answer = await wire.answer();
    expect(answer.status).toBe(404);
    expect(headerOf(answer, 'connection')).toBe('close');
    wire.write(smuggled);
    await wire.untilClosed();
    expect(wire.received).toHaveLength(0);
    expect(upstream.received).toEqual([]);
  });
});

describe('slow and large requests', () => {
  test('a head that does not come to its end is given up', () =>
    refused([GET, 'Host: a\r\n', 'X: 1\r\n'], 'request_timeout', 408));
  test('a head that drips does not extend its time', async () => {
    const wire = await Wire.open(running.port);
    wire.write(GET);
    const drip = setInterval(() => wire.write('X: 1\r\n'), 50);
    const answer = await wire.answer();
    clearInterval(drip);
    expect(answer.status).toBe(408);
    wire.destroy();
  });
  test('a body that does not come is given up, as that request', async () => {
    const before = running.records().length;
    const answer = await exchange(running.port, head(PUT, `${json}Content-Length: 20\r\n`));
    expect(answer.status).toBe(408);
    expect(jsonOf(answer)['code']).toBe('request_timeout');
    const records = running.records().slice(before);
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({ subject: { id: 'u-1' }, response: { status: 408 } });
  });
  test('header fields beyond header_bytes are refused', () =>
    refused(head(GET, `X-Long: ${'a'.repeat(5000)}\r\n`), 'request_malformed', 431));
  test('header fields beyond header_count are refused', () =>
    refused(head(GET, Array.from({ length: 30 }, (_, i) => `X-${i}: 1\r\n`).join('')), 'request_malformed'));
  test('a target beyond its limit is refused', () =>
    refused(
      `GET /customers/${'a'.repeat(3000)}?limit=${'1'.repeat(6000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
      'request_malformed',
      431,
    ));
  test('a body that says it is too long is refused before it comes', async () => {
    const answer = await exchange(running.port, head(PUT, `${json}Content-Length: 2000000\r\n`));
    expect(answer.status).toBe(413);
    expect(jsonOf(answer)['code']).toBe('body_too_large');
  });
  test('a caller that leaves in the middle of its body is on record as gone', async () => {
    const before = running.records().length;
    const wire = await Wire.open(running.port);
    wire.write(`${head(PUT, `${json}Content-Length: 20\r\n`)}{"ci`);
    await new Promise((r) => setTimeout(r, 30));
    wire.destroy();
    await expect.poll(() => running.records().length).toBe(before + 1);
    expect(running.records().at(-1)).toMatchObject({
      outcome: 'error',
      reasons: [{ code: 'request_aborted' }],
    });
    expect(upstream.received).toEqual([]);
  });
});

describe('Expect: 100-continue', () => {
  test('the body is asked for only once the request may go on', async () => {
    const wire = await Wire.open(running.port);
    wire.write(head(PUT, `${json}Content-Length: 12\r\nExpect: 100-continue\r\n`));
    expect((await wire.answer()).status).toBe(100);
    wire.write('{"city":"x"}');
    expect((await wire.answer()).status).toBe(200);
    wire.destroy();
  });
  test('a request that is refused is never asked for its body', async () => {
    const wire = await Wire.open(running.port);
    wire.write(
      `PUT /customers/C1 HTTP/1.1\r\nHost: a\r\n${json}Content-Length: 12\r\nExpect: 100-continue\r\n\r\n`,
    );
    expect((await wire.answer()).status).toBe(401);
    await wire.untilClosed();
  });
  test('an HTTP/1.0 caller gets no interim answer', async () => {
    const answer = await exchange(
      running.port,
      `${head('PUT /customers/C1 HTTP/1.0\r\n', `${json}Content-Length: 12\r\nExpect: 100-continue\r\n`)}{"city":"x"}`,
    );
    expect(answer.status).toBe(200);
  });
});

test('a request without a Host is one of HTTP/1.0, which knows none', async () => {
  const answer = await exchange(
    running.port,
    requestText('GET /customers/C1 HTTP/1.0', { ...running.caller, Host: [] }),
  );
  expect(answer.status).toBe(200);
  expect(headerOf(answer, 'content-length')).toBe('11');
});
