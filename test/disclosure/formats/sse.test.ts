/** Server-sent events through a whole Sluice: what leaves of each event, when it leaves, and what is on record by then. */
import fc from 'fast-check';
import { execFile } from 'node:child_process';
import type { Socket } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EventCutter, eventsIn } from '../../../src/model/event-stream.ts';
import { answers, chunks, type HostileUpstream, startHostile } from '../../support/hostile.ts';
import { CUSTOMER_ROUTES, type Running, startSluice } from '../../support/sluice.ts';
import { exchange, headerOf, jsonOf, requestText, Wire } from '../../support/wire.ts';

let upstream: HostileUpstream;
let sluice: Running;
beforeAll(async () => {
  upstream = await startHostile();
  const [, list] = CUSTOMER_ROUTES;
  const route = { ...list, records: undefined, response: { format: 'sse' } };
  sluice = await startSluice({
    upstream: upstream.url,
    dataSubjects: { C9: { flags: ['restricted'] } },
    obligations: {},
    routes: [
      { ...route, match: 'GET /events' },
      {
        ...route,
        match: 'GET /named',
        response: {
          format: 'sse',
          options: { events: ['customer'], ids: 'keep', retry: 'keep', texts: ['[DONE]'] },
        },
      },
      { ...route, match: 'GET /undeclared', response: {} },
      { ...route, match: 'GET /lists', records: '/items/*' },
      { ...route, match: 'GET /xml', response: { format: 'sse', options: { format: 'xml' } } },
    ],
  });
});
afterAll(async () => {
  await sluice.close();
  await upstream.close();
});

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
const ask = (path: string, method = 'GET') =>
  exchange(sluice.port, requestText(`${method} ${path}`, sluice.caller));

/** A finite stream, cut at the given sizes. */
function streams(body: string | Buffer, cuts: readonly number[] = []): void {
  upstream.answer = (_request, socket) => {
    socket.write(Buffer.concat([Buffer.from(HEAD), chunks(Buffer.from(body), cuts)]));
  };
}

/** the stream without what keeps it alive */
const eventsOf = (body: Buffer): string => body.toString().replaceAll(/^:\n\n/gm, '');

const one = (id: string): string =>
  JSON.stringify({ id, name: '张三', phone: '13812345678', id_number: '110101199003074514', unknown: 'x' });
const shown = (id: string): string => `{"id":"${id}","name":"张三","phone":"138****5678"}`;

test('the data of each event is disclosed, and nothing else of it passes', async () => {
  streams(
    `\ufeff: secret comment\nid: secret-id\nretry: 1234\nsecret: field\ndata: ${one('C1')}\n\nevent: secret\ndata: ${one('C2')}\n\ndata:${one('C3')}\n\n`,
  );
  const got = await ask('/events');
  expect([got.status, headerOf(got, 'content-type'), headerOf(got, 'x-accel-buffering')]).toEqual([
    200,
    'text/event-stream',
    'no',
  ]);
  expect(eventsOf(got.body)).toBe(`data: ${shown('C1')}\n\ndata: ${shown('C3')}\n\n`);
  expect(sluice.records().at(-1)).toMatchObject({ part: { last: true } });
});

test('an event of a restricted person is left out, and recorded', async () => {
  streams(`data: ${one('C1')}\n\ndata: ${one('C9')}\n\ndata: ${one('C2')}\n\n`);
  const got = await ask('/events');
  expect(eventsOf(got.body)).toBe(`data: ${shown('C1')}\n\ndata: ${shown('C2')}\n\n`);
  const id = headerOf(got, 'sluice-decision-id');
  const parts = sluice.records().filter(({ decision_id }) => decision_id === id);
  expect(parts.map(({ disclosure }) => disclosure?.records_withheld)).toEqual([0, 1, 0]);
});

test('names, ids and retry pass where the route says so', async () => {
  streams(
    `event: customer\nid: 7\nretry: 0500\ndata: ${one('C1')}\n\nevent: other\ndata: ${one('C2')}\n\nid: a b\ndata: [DONE]\n\nid: 8\n\n`,
  );
  expect(eventsOf((await ask('/named')).body)).toBe(
    `event: customer\nid: 7\nretry: 500\ndata: ${shown('C1')}\n\ndata: [DONE]\n\nid: 8\n\n`,
  );
});

test('records within an event', async () => {
  const items = (...ids: string[]): string => `{"total":${ids.length},"items":[${ids.map(one).join(',')}]}`;
  streams(`data: ${items('C1', 'C9')}\n\ndata: ${items('C9')}\n\n`);
  expect(eventsOf((await ask('/lists')).body)).toBe(`data: {"total":null,"items":[${shown('C1')}]}\n\n`);
});

test('other formats of data, and data of several lines', async () => {
  streams('data: <customer>\ndata: <id>C1</id><name>A&#10;&#13;event: x</name>\ndata: </customer>\n\n');
  const got = eventsOf((await ask('/xml')).body);
  expect(got.split('\n').every((line) => line === '' || line.startsWith('data: '))).toBe(true);
  expect(got).toContain('<id>C1</id>');
  streams(`data: {\ndata:   "id": "C1",\rdata:   "name": "张三"\r\ndata: }\n\n`);
  expect(eventsOf((await ask('/events')).body)).toBe(
    'data: {\ndata:   "id": "C1",\ndata:   "name": "张三"\ndata: }\n\n',
  );
});

test('what comes before a malformed event leaves, and the stream is broken off with a record', async () => {
  streams(`data: ${one('C1')}\n\ndata: {"id":"C2",\n\ndata: ${one('C3')}\n\n`);
  const wire = await Wire.open(sluice.port);
  wire.write(requestText('GET /events', sluice.caller));
  await wire.until('C1');
  await wire.untilClosed();
  expect(wire.received.toString()).not.toContain('C3');
  expect(sluice.records().at(-1)).toMatchObject({
    outcome: 'error',
    reasons: [{ code: 'response_malformed' }],
  });
});

test('HEAD, 204 and errors are answered at once', async () => {
  upstream.answer = (_request, socket) => void socket.write(HEAD);
  const head = await ask('/events', 'HEAD');
  expect([head.status, headerOf(head, 'content-type'), head.body.length]).toEqual([
    200,
    'text/event-stream',
    0,
  ]);
  upstream.answer = (_request, socket) =>
    void socket.write('HTTP/1.1 204 No Content\r\nContent-Type: text/event-stream\r\n\r\n');
  expect((await ask('/events')).status).toBe(204);
  upstream.answer = (_request, socket) => void socket.write(HEAD.replace('200 OK', '500 No'));
  expect(jsonOf(await ask('/events'))).toMatchObject({ code: 'upstream_status_withheld' });
});

test('a stream is refused where the route does not expect one, and anything else where it does', async () => {
  upstream.answer = (_request, socket) => void socket.write(HEAD);
  expect(jsonOf(await ask('/undeclared'))).toMatchObject({ code: 'response_format_unsupported' });
  upstream.answer = answers(one('C1'));
  expect(jsonOf(await ask('/events'))).toMatchObject({ code: 'response_format_unsupported' });
});

/** A stream that the test goes on with. */
async function begun(path = '/events'): Promise<{ wire: Wire; send(text: string): void }> {
  let socket: Socket | undefined;
  upstream.answer = (_request, given) => {
    socket = given;
    given.write(HEAD);
  };
  const wire = await Wire.open(sluice.port);
  wire.write(requestText(`GET ${path}`, sluice.caller));
  await wire.until(':\n\n');
  const send = (text: string): void => {
    const bytes = Buffer.from(text);
    socket!.write(
      Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]),
    );
  };
  return { wire, send };
}

test('an event leaves when it is complete, without another byte, and its record is durable by then', async () => {
  const { wire, send } = await begun();
  for (const [n, end] of ['\n\n', '\r\r', '\r\n\r\n', '\r\n\r'].entries()) {
    send(`data: ${one(`E${n}`)}${end}`);
    await wire.until(`"E${n}"`);
    const last = sluice.records().at(-1);
    expect(last).toMatchObject({ disclosure: { records: 1 }, part: { last: false, number: n + 2 } });
  }
  wire.destroy();
});

test('a comment keeps the connection alive, without its text and without a record', async () => {
  const { wire, send } = await begun();
  const before = sluice.records().length;
  for (let n = 0; n < 3; n++) {
    const seen = wire.received.length;
    send(': secret\n');
    await wire.until(':\n\n', seen);
  }
  expect(wire.received.toString()).not.toContain('secret');
  expect(sluice.records().length).toBe(before);
  wire.destroy();
});

const LINE = fc.constantFrom('\n', '\r', '\r\n');
const field = fc.constantFrom(
  'data: a',
  'data:b',
  'data',
  'data:  c',
  ': x',
  ':',
  'id: 1',
  'event: e',
  'other',
  'retry: 5',
  'é: ü',
);

test('wherever a stream is cut, its events are the same', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.oneof(field, fc.constant('')), LINE), { maxLength: 30 }),
      fc.boolean(),
      fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 60 }),
      fc.integer({ min: 1, max: 4 }),
      (lines, mark, sizes, atOnce) => {
        const bytes = Buffer.from(`${mark ? '\ufeff' : ''}${lines.flat().join('')}`);
        const found: unknown[] = [];
        const cutter = new EventCutter(1 << 20, () => new Error('too large'), atOnce);
        for (let at = 0, n = 0; at < bytes.length; n++) {
          const size = sizes[n % Math.max(1, sizes.length)] ?? bytes.length;
          let next = Uint8Array.from(bytes.subarray(at, at + size));
          for (let more = true; more; next = new Uint8Array(0)) {
            const arrived = cutter.push(next);
            more = arrived.more;
            const events = arrived.events === null ? [] : [...eventsIn(arrived.events)];
            expect(events.length).toBeLessThanOrEqual(atOnce);
            found.push(...events);
          }
          at += size;
        }
        expect(found.map(plain)).toEqual(reference(bytes.toString('utf8')));
      },
    ),
    { numRuns: 2000 },
  );
});

test('an event of very many lines takes little more memory than its bytes', async () => {
  const program = `
    import { eventsIn } from ${JSON.stringify(new URL('../../../src/model/event-stream.ts', import.meta.url).href)};
    const lines = Buffer.from('data:\\n'.repeat(690_000) + '\\n');
    const [event] = eventsIn(lines);
    console.log(event.data.length);`;
  // Each line kept as an object of its own would take more than 60 MB.
  const limited = [
    '--max-old-space-size=24',
    '--max-semi-space-size=1',
    '--input-type=module',
    '-e',
    program,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, limited);
  expect(stdout.trim()).toBe('689999');
});

test('of many tiny events that arrive at once, few are read at once, and all leave', async () => {
  streams('data:{"id":"C1"}\n\n'.repeat(3000));
  const got = await ask('/events');
  expect(eventsOf(got.body)).toBe('data: {"id":"C1"}\n\n'.repeat(3000));
  const id = headerOf(got, 'sluice-decision-id');
  const parts = sluice.records().filter(({ decision_id }) => decision_id === id);
  const records = parts.map(({ disclosure }) => disclosure?.records ?? 0);
  expect(Math.max(...records)).toBeLessThanOrEqual(256);
  expect(records.reduce((sum, n) => sum + n, 0)).toBe(3000);
});

const plain = (event: unknown): unknown => {
  const { data, ...rest } = event as { data: Uint8Array | null };
  return { ...rest, data: data === null ? null : Buffer.from(data).toString() };
};

/** The events of a whole stream, as the standard says. */
function reference(text: string): unknown[] {
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/);
  lines.pop();
  const events: unknown[] = [];
  let fields: [string, string][] = [];
  for (const line of lines) {
    if (line !== '') {
      const [, name = '', value = ''] = /^([^:]*)(?::[ ]?(.*))?$/.exec(line)!;
      if (['data', 'event', 'id', 'retry'].includes(name)) fields.push([name, value]);
      continue;
    }
    const last = (name: string): string | null => fields.findLast(([n]) => n === name)?.[1] ?? null;
    const data = fields.filter(([n]) => n === 'data').map(([, v]) => v);
    if (fields.length > 0)
      events.push({
        event: last('event'),
        id: last('id'),
        retry: last('retry') === null ? null : Number(last('retry')),
        data: data.length === 0 ? null : data.join('\n'),
      });
    fields = [];
  }
  return events;
}
