/** Issue "HTTP leak channels": whatever of an upstream's answer is not a disclosed body stays behind. Each channel is named here. */
import {
  brotliCompressSync,
  brotliDecompressSync,
  gunzipSync,
  gzipSync,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { answers, chunks, type HostileUpstream, reply, startHostile } from '../support/hostile.ts';
import { CUSTOMER, CUSTOMER_ANSWER, CUSTOMER_ROUTES, type Running, startSluice } from '../support/sluice.ts';
import { type Answer, exchange, headerOf, jsonOf, requestText, textOf, Wire } from '../support/wire.ts';

const CANARY = 'canary-7f3a';
const RECORD = '{"id":"C1","name":"张三丰","phone":"13812345678","id_number":"110101199003074514"}';
/** A list of some 2.5 MB: more than one part. Long records of a few data subjects, so that the digests of ids cost no time. */
const LONG = Array.from(
  { length: 10_000 },
  (_, i) => `{"id":"C${i % 10}","name":"${'n'.repeat(200)}","phone":"13812345678"}`,
).join(',');
const SHOWN = '{"id":"C1","name":"张三丰","phone":"138****5678"}';

let upstream: HostileUpstream;
let running: Running;
beforeAll(async () => {
  upstream = await startHostile();
  running = await startSluice({
    upstream: upstream.url,
    crm: { timeout: '400ms' },
    routes: [
      ...CUSTOMER_ROUTES,
      { match: 'POST /customers', upstream: 'crm', resource: 'customer', action: 'create' },
      {
        match: 'DELETE /customers/{id}',
        upstream: 'crm',
        resource: 'customer',
        action: 'delete',
        id: '{id}',
      },
    ],
    catalogs: { customer: CUSTOMER },
    answers: { customer: { '*': CUSTOMER_ANSWER } },
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});
beforeEach(() => {
  upstream.received.length = 0;
  upstream.aborted = 0;
});

const get = (headers: Record<string, string> = {}, line = 'GET /customers/C1'): Promise<Answer> =>
  exchange(running.port, requestText(line, { ...running.caller, ...headers }));

/** Nothing of the upstream's in what the caller got, in logs or in the record. */
function expectNoCanary(answer: Answer): void {
  for (const place of [answer.head, textOf(answer), answer.trailers, running.log(), running.journalText()])
    expect(place).not.toContain(CANARY);
}

/** The answer is refused in our own words. */
function expectRefusal(answer: Answer, status: number, code: string): void {
  expect(answer.status).toBe(status);
  expect(headerOf(answer, 'content-type')).toBe('application/problem+json');
  const problem = jsonOf(answer);
  expect(problem).toMatchObject({ code, status, type: `urn:sluice:error:${code}` });
  const record = running.records().find((r) => r.decision_id === problem['decision_id']);
  expect(record).toMatchObject({ response: { status } });
  expect(record?.reasons[0]?.code).toBe(code);
  expectNoCanary(answer);
}

/** What Sluice and node:http set themselves. */
const OUR_HEADERS = [
  'cache-control',
  'connection',
  'content-length',
  'content-type',
  'date',
  'keep-alive',
  'sluice-decision-id',
  'sluice-withheld',
  'vary',
  'x-content-type-options',
];

describe('response headers', () => {
  test('trailers stay behind, and so does their announcement', async () => {
    upstream.answer = (_request, socket) =>
      void socket.write(
        Buffer.concat([
          reply('', { 'Transfer-Encoding': 'chunked', Trailer: `X-${CANARY}` }),
          chunks(Buffer.from(RECORD), [10], `X-${CANARY}: ${CANARY}\r\nETag: ${CANARY}\r\n`),
        ]),
      );
    const answer = await get();
    expect(textOf(answer)).toBe(SHOWN);
    expect(answer.trailers).toBe('');
    expectNoCanary(answer);
  });
});

describe('headers that count records, where a configuration passes them back', () => {
  let counting: Running;
  beforeAll(async () => {
    counting = await startSluice({
      upstream: upstream.url,
      crm: { response_headers: ['X-Total-Count', 'X-Request-Id'] },
      dataSubjects: { C2: { flags: ['restricted'] } },
    });
  });
  afterAll(() => counting?.close());
  const total = async (ids: readonly string[], said: string, path = '/customers') => {
    const records = ids.map((id) => `{"id":"${id}"}`).join(',');
    upstream.answer = answers(path === '/customers' ? `{"items":[${records}]}` : records, {
      'X-Total-Count': said,
      'X-Request-Id': '7',
    });
    const answer = await exchange(counting.port, requestText(`GET ${path}`, counting.caller));
    expect(answer.status).toBe(200);
    expect(headerOf(answer, 'x-request-id')).toBe('7');
    return headerOf(answer, 'x-total-count');
  };
  test('tell what came while nothing is withheld', async () => {
    expect(await total(['C1', 'C3'], '2')).toBe('2');
    expect(await total(['C1', 'C3'], '200')).toBe('200');
    expect(await total(['C1'], '1', '/customers/C1')).toBe('1');
  });
  test('are left out of an answer that goes on after its head', async () => {
    upstream.answer = answers(`{"items":[${LONG}]}`, { 'X-Total-Count': '10000' });
    const answer = await exchange(counting.port, requestText('GET /customers', counting.caller), {
      timeout: 20_000,
    });
    expect(answer.complete).toBe(true);
    expect(headerOf(answer, 'x-total-count')).toBeUndefined();
  });
});

describe('response splitting', () => {
  test.each([
    ['a bare CR in a value', `X-A: a\rSet-Cookie: ${CANARY}`],
    ['a bare LF in a value', `X-A: a\nSet-Cookie: ${CANARY}`],
    ['a NUL in a value', `X-A: ${CANARY}\0`],
    ['a folded value', `X-A: a\r\n ${CANARY}`],
  ])('%s does not become a header of ours', async (_what, field) => {
    upstream.answer = (_request, socket) =>
      void socket.write(
        Buffer.concat([
          Buffer.from(
            `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${field}\r\nContent-Length: ${Buffer.byteLength(RECORD)}\r\n\r\n`,
            'latin1',
          ),
          Buffer.from(RECORD),
        ]),
      );
    const answer = await get();
    expect([200, 502]).toContain(answer.status);
    expect(headerOf(answer, 'set-cookie')).toBeUndefined();
    expectNoCanary(answer);
  });
  test('a field name with a line break does not break the list of what was withheld', async () => {
    upstream.answer = answers('{"id":"C1","a\\r\\nSet-Cookie: x":1,"\\u0000\\"\\\\ü":2}');
    const answer = await get();
    expect(answer.status).toBe(200);
    expect(textOf(answer)).toBe('{"id":"C1"}');
    expect([...answer.headers.keys()].sort()).toEqual(OUR_HEADERS);
  });
  test('the list of what was withheld does not grow past 4 KiB, whatever names an upstream makes up', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 2000 }, (_, i) => [`field_number_${i}_${'x'.repeat(40)}`, 1]),
    );
    upstream.answer = answers(JSON.stringify({ id: 'C1', ...many }));
    const answer = await get();
    expect(answer.status).toBe(200);
    expect(headerOf(answer, 'sluice-withheld')!.length).toBeLessThanOrEqual(4096);
  });
  test('names of fields that no catalog knows are not told to the caller: they may be data', async () => {
    upstream.answer = answers(
      `{"id":"C1","surprise":1,"by_name":{"张三丰 Zhang":{"balance":1}},"id_number":"x"}`,
    );
    const answer = await get();
    expect(textOf(answer)).toBe('{"id":"C1"}');
    expect(headerOf(answer, 'sluice-withheld')).toBe(
      '"/id_number";reason=scripted;do=drop, "*";reason=uncatalogued;do=drop',
    );
  });
});

describe('validators and ranges', () => {
  test.each(['If-None-Match', 'If-Match', 'If-Modified-Since', 'If-Unmodified-Since', 'If-Range', 'Range'])(
    '%s is not forwarded',
    async (name) => {
      upstream.answer = answers(RECORD, { ETag: '"1"', 'Accept-Ranges': 'bytes' });
      const answer = await get({ [name]: name === 'Range' ? 'bytes=0-10' : '"1"' });
      expect(answer.status).toBe(200);
      expect(textOf(answer)).toBe(SHOWN);
      expect(upstream.received[0]?.headers[name.toLowerCase()]).toBeUndefined();
      expect(headerOf(answer, 'etag')).toBeUndefined();
      expect(headerOf(answer, 'accept-ranges')).toBeUndefined();
    },
  );
  test.each([
    ['206 Partial Content', { 'Content-Range': `bytes 0-10/${CANARY}` }],
    ['226 IM Used', { IM: 'feed' }],
  ])('a %s that nobody asked for is refused', async (status, headers) => {
    upstream.answer = answers(RECORD, headers as Record<string, string>, status);
    expectRefusal(await get(), 502, 'upstream_status_withheld');
  });
});

describe('statuses', () => {
  test.each([
    [301, 502],
    [302, 502],
    [303, 502],
    [307, 502],
    [308, 502],
    [400, 400],
    [401, 502],
    [403, 502],
    [404, 404],
    [405, 405],
    [407, 502],
    [409, 409],
    [410, 410],
    [418, 502],
    [422, 422],
    [429, 429],
    [451, 502],
    [500, 502],
    [502, 502],
    [503, 503],
    [504, 502],
    [599, 502],
  ])('what a %i says stays behind, and the caller gets %i', async (theirs, ours) => {
    upstream.answer = answers(
      `{"id":"C1","error":"${CANARY}"}`,
      { Location: `/${CANARY}`, 'Set-Cookie': CANARY, 'Retry-After': '99' },
      `${theirs} ${CANARY}`,
    );
    expectRefusal(await get(), ours, 'upstream_status_withheld');
  });
  test.each(['100 Continue', '102 Processing', '103 Early Hints'])(
    'an interim %s is not passed on',
    async (status) => {
      upstream.answer = (request, socket) => {
        socket.write(`HTTP/1.1 ${status}\r\nLink: </${CANARY}>; rel=preload\r\n\r\n`);
        answers(RECORD)(request, socket);
      };
      const answer = await get();
      expect(answer.status).toBe(200);
      expectNoCanary(answer);
    },
  );
  test('a 101 that nobody asked for is refused', async () => {
    upstream.answer = (_request, socket) =>
      void socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${CANARY}\r\nConnection: upgrade\r\n\r\n${CANARY}`,
      );
    const answer = await get();
    expect(answer.status).toBe(502);
    expectNoCanary(answer);
  });
  test.each([201, 202, 203])('a %i is disclosed as a 200 is', async (status) => {
    upstream.answer = answers(RECORD, { Location: `/${CANARY}` }, `${status} Fine`);
    const answer = await get();
    expect(answer.status).toBe(status);
    expect(textOf(answer)).toBe(SHOWN);
    expectNoCanary(answer);
  });
});

describe('answers without a body', () => {
  test('HEAD of something refused has no body, and leaves the connection usable', async () => {
    upstream.answer = answers('', { 'Content-Length': '0' }, '404 Gone');
    const wire = await Wire.open(running.port);
    wire.write(requestText('HEAD /customers/C1', running.caller));
    expect((await wire.answer({ bodiless: true })).status).toBe(404);
    upstream.answer = answers(RECORD);
    wire.write(requestText('GET /customers/C1', running.caller));
    expect(textOf(await wire.answer())).toBe(SHOWN);
    wire.destroy();
  });
  test.each([
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n', 204],
    ['205', 'HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n', 205],
    ['200 with length 0', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 200],
    [
      '200 with length 0 and a type',
      'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n',
      200,
    ],
    [
      '200 with no chunk',
      'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      200,
    ],
    ['200 with no chunk nor type', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 200],
    ['200 that ends with its connection', 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n', 200],
    ['201 with length 0', `HTTP/1.1 201 Created\r\nLocation: /${CANARY}\r\nContent-Length: 0\r\n\r\n`, 201],
  ])('an empty answer is an empty answer: %s', async (_what, bytes, status) => {
    upstream.answer = (_request, socket) => {
      socket.write(bytes);
      if (bytes.includes('close')) socket.end();
    };
    const written = await exchange(
      running.port,
      requestText(
        'PUT /customers/C1',
        { ...running.caller, 'Content-Type': 'application/json' },
        '{"city":"x"}',
      ),
    );
    expect(written.status).toBe(status);
    expect(written.body).toHaveLength(0);
    expect(headerOf(written, 'content-type')).toBeUndefined();
    expectNoCanary(written);
  });
});

describe('content codings', () => {
  const CODINGS = {
    gzip: [gzipSync, gunzipSync],
    br: [brotliCompressSync, brotliDecompressSync],
    zstd: [zstdCompressSync, zstdDecompressSync],
  } as const;
  test('the upstream is asked for plain bytes, whatever the caller accepts', async () => {
    upstream.answer = answers(RECORD);
    const answer = await get({ 'Accept-Encoding': 'gzip, br' });
    expect(upstream.received[0]?.headers['accept-encoding']).toBe('identity');
    expect(headerOf(answer, 'content-encoding')).toBeUndefined();
    expect(textOf(answer)).toBe(SHOWN);
  });
  test.each(['gzip', 'br', 'zstd'] as const)(
    '%s is undone, and given as the caller accepts',
    async (coding) => {
      const [encode] = CODINGS[coding];
      upstream.answer = answers(encode(Buffer.from(RECORD)), { 'Content-Encoding': coding });
      for (const accepted of ['gzip', 'br', 'zstd'] as const) {
        const answer = await get({ 'Accept-Encoding': `${accepted};q=1` });
        expect(headerOf(answer, 'content-encoding')).toBe(accepted);
        expect(headerOf(answer, 'vary')).toMatch(/Accept-Encoding/);
        expect(CODINGS[accepted][1](answer.body).toString()).toBe(SHOWN);
      }
      const plain = await get();
      expect(headerOf(plain, 'content-encoding')).toBeUndefined();
      expect(textOf(plain)).toBe(SHOWN);
      const none = await get({ 'Accept-Encoding': 'identity;q=0, *;q=0' });
      expect(textOf(none)).toBe(SHOWN);
    },
  );
  test('a long coded answer arrives coded and whole, in parts', async () => {
    upstream.answer = answers(gzipSync(Buffer.from(`{"items":[${LONG}]}`)), { 'Content-Encoding': 'gzip' });
    const answer = await get({ 'Accept-Encoding': 'gzip' }, 'GET /customers');
    expect(answer.status).toBe(200);
    expect(answer.complete).toBe(true);
    expect(headerOf(answer, 'transfer-encoding')).toBe('chunked');
    const value = JSON.parse(gunzipSync(answer.body).toString()) as {
      items: { id: string; phone: string }[];
    };
    expect(value.items).toHaveLength(10_000);
    expect(value.items.at(-1)).toMatchObject({ id: 'C9', phone: '138****5678' });
    expect(running.records().at(-1)!.part.number).toBeGreaterThan(1);
  });
  test('a long coded answer that turns bad breaks off', async () => {
    upstream.answer = answers(gzipSync(Buffer.from(`{"items":[${LONG},${CANARY}]}`)), {
      'Content-Encoding': 'gzip',
    });
    const answer = await get({ 'Accept-Encoding': 'gzip' }, 'GET /customers');
    expect(answer.complete).toBe(false);
    expect(running.records().at(-1)).toMatchObject({ outcome: 'error', part: { last: true } });
    expectNoCanary(answer);
  });
  test.each([
    ['that is not gzip', Buffer.from(RECORD), 'gzip', 'response_encoding_malformed'],
    ['cut short', gzipSync(Buffer.from(RECORD)).subarray(0, 30), 'gzip', 'response_encoding_malformed'],
    [
      'with something behind it',
      Buffer.concat([gzipSync(Buffer.from(RECORD)), Buffer.from(CANARY)]),
      'gzip',
      'response_encoding_malformed',
    ],
    ['of an unknown kind', Buffer.from(RECORD), `x-${CANARY}`, 'response_encoding_unsupported'],
    ['coded four times', Buffer.from(RECORD), 'gzip, gzip, gzip, gzip', 'response_encoding_unsupported'],
    ['a bomb', gzipSync(Buffer.alloc(30_000_000, 0x20)), 'gzip', 'record_too_large'],
  ])('a body %s is refused', async (_what, body, coding, code) => {
    upstream.answer = answers(body, { 'Content-Encoding': coding });
    expectRefusal(await get(), 502, code);
  });
});

describe('what the upstream’s framing may not do', () => {
  const raw = (bytes: string, end = false): void => {
    upstream.answer = (_request, socket) => {
      socket.write(bytes);
      if (end) socket.end();
    };
  };
  const type = 'Content-Type: application/json\r\n';
  test.each([
    [
      'two Content-Lengths that differ',
      `HTTP/1.1 200 OK\r\n${type}Content-Length: 11\r\nContent-Length: 12\r\n\r\n{"id":"C1"} `,
    ],
    [
      'Content-Length and Transfer-Encoding',
      `HTTP/1.1 200 OK\r\n${type}Content-Length: 11\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n{"id":"C1"}\r\n0\r\n\r\n`,
    ],
    ['no status line', `${CANARY} hello\r\n\r\n`],
    ['HTTP/0.9', `{"id":"${CANARY}"}`],
    ['a head that is too long', `HTTP/1.1 200 OK\r\n${type}X: ${'a'.repeat(100_000)}\r\n\r\n{}`],
    [
      'a chunk size that is none',
      `HTTP/1.1 200 OK\r\n${type}Transfer-Encoding: chunked\r\n\r\n${CANARY}\r\n`,
    ],
  ])('%s is refused', async (_what, bytes) => {
    raw(bytes, true);
    const answer = await get();
    expect(answer.status).toBe(502);
    expect(['upstream_malformed', 'upstream_aborted', 'upstream_unreachable']).toContain(
      jsonOf(answer)['code'],
    );
    expectNoCanary(answer);
  });
  test('bytes behind an answer are given to nobody', async () => {
    upstream.answer = (request, socket) => {
      if (request.target.endsWith('C1'))
        socket.write(
          `HTTP/1.1 200 OK\r\n${type}Content-Length: 11\r\n\r\n{"id":"C1"}HTTP/1.1 200 OK\r\n${type}Content-Length: 21\r\n\r\n{"id":"${CANARY}"}`,
        );
      else answers('{"id":"C2"}')(request, socket);
    };
    const wire = await Wire.open(running.port);
    for (let i = 0; i < 5; i++) {
      wire.write(requestText('GET /customers/C1', running.caller));
      const first = await wire.answer();
      expect(jsonOf(first)).toEqual({ id: 'C1' });
      wire.write(requestText('GET /customers/C2', running.caller));
      const second = await wire.answer();
      expect(textOf(second)).not.toContain(CANARY);
    }
    wire.destroy();
  });
  test('an answer that ends with its connection is taken as the upstream’s HTTP/1.0 has it', async () => {
    raw(`HTTP/1.0 200 OK\r\n${type}\r\n{"id":"C1"}`, true);
    expect(jsonOf(await get())).toEqual({ id: 'C1' });
  });
});

describe('HTTP/1.0 callers', () => {
  test('get a short answer with its length', async () => {
    upstream.answer = answers(RECORD);
    const answer = await exchange(running.port, requestText('GET /customers/C1 HTTP/1.0', running.caller));
    expect(textOf(answer)).toBe(SHOWN);
    expect(headerOf(answer, 'content-length')).toBe(String(Buffer.byteLength(SHOWN)));
    expect(headerOf(answer, 'transfer-encoding')).toBeUndefined();
  });
  test('get a long answer without chunks, up to the end of the connection', async () => {
    upstream.answer = answers(`{"items":[${LONG}]}`);
    const answer = await exchange(running.port, requestText('GET /customers HTTP/1.0', running.caller));
    expect(headerOf(answer, 'transfer-encoding')).toBeUndefined();
    expect((JSON.parse(textOf(answer)) as { items: unknown[] }).items).toHaveLength(10_000);
  });
  test('are not told that a broken answer is whole: the connection is reset', async () => {
    upstream.answer = answers(`{"items":[${LONG}, oops]}`);
    const wire = await Wire.open(running.port);
    wire.write(requestText('GET /customers HTTP/1.0', running.caller));
    await wire.untilClosed();
    expect(wire.received.length).toBeGreaterThan(0);
    expect(wire.reset).toBe(true);
  });
});

describe('callers that leave', () => {
  test('before the upstream has answered: it is broken off, and on record', async () => {
    upstream.answer = () => undefined;
    const wire = await Wire.open(running.port);
    wire.write(requestText('GET /customers/C1', running.caller));
    await expect.poll(() => upstream.received.length).toBe(1);
    const before = running.records().length;
    // One that merely ends its side is waited with for a while (test/found/a3-legitimate-clients.test.ts).
    wire.socket.resetAndDestroy();
    await expect.poll(() => upstream.aborted).toBe(1);
    await expect.poll(() => running.records().length).toBe(before + 1);
    expect(running.records().at(-1)).toMatchObject({
      outcome: 'error',
      response: { status: 499 },
      reasons: [{ code: 'request_aborted' }],
    });
  });
  test('in the middle of an answer: the upstream is broken off, and the last part says so', async () => {
    let stopped = false;
    upstream.answer = (_request, socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`);
      const piece = Buffer.from(`${LONG.slice(0, LONG.indexOf('},') + 1)},`.repeat(400));
      const feed = (): void => {
        if (socket.destroyed) {
          stopped = true;
          return;
        }
        socket.write(`${piece.length.toString(16)}\r\n`);
        socket.write(piece);
        if (socket.write('\r\n')) setTimeout(feed, 2);
        else socket.once('drain', feed).once('close', feed);
      };
      const open = Buffer.from('{"items":[');
      socket.write(`${open.length.toString(16)}\r\n${open.toString()}\r\n`);
      feed();
    };
    const wire = await Wire.open(running.port);
    wire.write(requestText('GET /customers', running.caller));
    await expect.poll(() => wire.received.length, { timeout: 8000 }).toBeGreaterThan(500_000);
    const id = /sluice-decision-id: (\S+)/.exec(wire.received.toString('latin1'))![1]!;
    wire.destroy();
    await expect.poll(() => stopped, { timeout: 8000 }).toBe(true);
    await expect
      .poll(
        () =>
          running
            .records()
            .filter((r) => r.decision_id === id)
            .at(-1)?.part.last,
        { timeout: 8000 },
      )
      .toBe(true);
    expect(
      running
        .records()
        .filter((r) => r.decision_id === id)
        .at(-1),
    ).toMatchObject({
      outcome: 'error',
      reasons: [{ code: 'request_aborted' }],
    });
  });
});
