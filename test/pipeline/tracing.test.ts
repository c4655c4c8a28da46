/** Traces: what is taken from a caller, what the upstream gets, what the record says, and the spans that a collector reads. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import root from 'otlp-definitions/build/src/generated/root.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parentOf } from '../../src/model/trace.ts';
import { type Running, startSluice } from '../support/sluice.ts';

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly {
    readonly key: string;
    readonly value: { stringValue?: string; intValue?: string };
  }[];
  readonly status?: { readonly code?: number };
}
interface Message {
  fromObject(value: object): object;
  toObject(message: object, options: object): object;
}
const { ExportTraceServiceRequest } = (
  root as unknown as {
    opentelemetry: { proto: { collector: { trace: { v1: { ExportTraceServiceRequest: Message } } } } };
  }
).opentelemetry.proto.collector.trace.v1;

const PARENT = '00f067aa0ba902b7';
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceparent = (flags = '01', trace = TRACE) => `00-${trace}-${PARENT}-${flags}`;

describe('a caller’s traceparent', () => {
  test.each([
    [traceparent(), { traceId: TRACE, spanId: PARENT, isSampled: true }],
    [traceparent('00'), { traceId: TRACE, spanId: PARENT, isSampled: false }],
    [`cc-${TRACE}-${PARENT}-01-what-the-future-will-be-like`, { traceId: TRACE, isSampled: true }],
  ])('%s is read', (header, parent) => {
    expect(parentOf({ traceparent: header })).toMatchObject(parent);
    expect(parentOf({ traceparent: header })?.headers['traceparent']).toMatch(
      new RegExp(`^00-${TRACE}-${PARENT}-0[01]$`),
    );
  });

  test.each([
    `${traceparent()}-extra`,
    `ff-${TRACE}-${PARENT}-01`,
    traceparent('01', '0'.repeat(32)),
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    traceparent('01', TRACE.toUpperCase()),
    `${traceparent()}, ${traceparent()}`,
    '',
  ])('%j is ignored', (header) => {
    expect(parentOf({ traceparent: header })).toBeNull();
  });

  test('whatever it is, only its own form is passed on', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (tail, tracestate) => {
        const found = parentOf({ traceparent: `01-${TRACE}-${PARENT}-01-${tail}`, tracestate });
        if (found !== null) expect(found.headers['traceparent']).toBe(traceparent());
        expect(found?.headers['tracestate'] ?? '').toMatch(/^[\t\x20-\x7e]{0,512}$/);
      }),
    );
    expect(parentOf({ traceparent: traceparent(), tracestate: 'rojo=1,congo=t61rcWkgMzE' })?.headers).toEqual(
      {
        traceparent: traceparent(),
        tracestate: 'rojo=1,congo=t61rcWkgMzE',
      },
    );
    for (const tracestate of ['a', 'a=1,b', 'A=1', 'a=\u00e4', `a=${'x'.repeat(257)}`, 'x'.repeat(600)])
      expect(parentOf({ traceparent: traceparent(), tracestate })?.headers).toEqual({
        traceparent: traceparent(),
      });
  });
});

describe('a sidecar', () => {
  const seen: IncomingHttpHeaders[] = [];
  const spans: Span[] = [];
  const resources: unknown[] = [];
  const upstream = createServer((req, res) => {
    seen.push(req.headers);
    res.setHeader('Content-Type', 'application/json').end('{"id":"C1","name":"张三","phone":"13812345678"}');
  });
  const collector = createServer(async (req, res) => {
    const parts: Buffer[] = [];
    for await (const part of req) parts.push(part as Buffer);
    const bytes = Buffer.concat(parts);
    const text = (req.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString();
    const ids = /^(?:trace|span|parentSpan)Id$/;
    const message = ExportTraceServiceRequest.fromObject(
      JSON.parse(text, (key, value) =>
        ids.test(key) ? Buffer.from(value as string, 'hex').toString('base64') : value,
      ),
    );
    const { resourceSpans } = ExportTraceServiceRequest.toObject(message, {
      longs: String,
      bytes: String,
    }) as {
      resourceSpans: { resource: { attributes: unknown }; scopeSpans: { spans: Span[] }[] }[];
    };
    for (const { resource, scopeSpans } of resourceSpans) {
      resources.push(resource.attributes);
      spans.push(...scopeSpans.flatMap((scope) => scope.spans));
    }
    res.setHeader('Content-Type', 'application/json').end('{}');
  });
  const urlOf = (server: typeof upstream): string =>
    `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const hex = (id: string): string => Buffer.from(id, 'base64').toString('hex');
  const attributesOf = (span: Span) =>
    Object.fromEntries(
      span.attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]),
    );

  let off: Running;
  beforeAll(async () => {
    for (const server of [upstream, collector])
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    off = await startSluice({ upstream: urlOf(upstream) });
  }, 120_000);
  afterAll(async () => {
    await off?.close();
    for (const server of [upstream, collector]) {
      server.closeAllConnections();
      server.close();
    }
  });

  const ask = async (
    to: Running,
    headers: Record<string, string> = {},
    path = '/customers/C1',
  ): Promise<Headers> => {
    const answer = await fetch(`http://127.0.0.1:${to.port}${path}`, {
      headers: { ...to.caller, ...headers },
    });
    await answer.text();
    return answer.headers;
  };
  const tracing = (over: object = {}) =>
    startSluice({
      upstream: urlOf(upstream),
      config: {
        tracing: { url: `${urlOf(collector)}/v1/traces`, sample: 1, resource: { region: 'cn' }, ...over },
      },
    });

  test('without tracing: passes on what the caller says, and the record has the id of the trace', async () => {
    await ask(off, { traceparent: traceparent(), tracestate: 'rojo=1' });
    expect(seen.at(-1)).toMatchObject({ traceparent: traceparent(), tracestate: 'rojo=1' });
    await ask(off, { traceparent: 'nonsense', tracestate: 'rojo=1' });
    await ask(off);
    for (const headers of seen.slice(-2)) {
      expect(headers).not.toHaveProperty('traceparent');
      expect(headers).not.toHaveProperty('tracestate');
    }
    expect(off.records().map(({ trace_id }) => trace_id)).toEqual([TRACE, null, null]);
  });

  test('with tracing: spans of the request and its stages, in the caller’s trace, and the upstream is below them', async () => {
    const on = await tracing();
    const decision = (await ask(on, { traceparent: traceparent(), tracestate: 'rojo=1' })).get(
      'sluice-decision-id',
    );
    await ask(on, { traceparent: traceparent('00', '1'.repeat(32)) });
    await ask(on, {}, '/unknown');
    const [sampled, unsampled] = seen.slice(-2);
    const records = on.records();
    await on.close();

    expect(records.map(({ trace_id }) => trace_id)).toEqual([
      TRACE,
      '1'.repeat(32),
      expect.stringMatching(/^[0-9a-f]{32}$/),
    ]);
    // The caller keeps no spans of the second trace.
    expect(unsampled!['traceparent']).toMatch(new RegExp(`^00-${'1'.repeat(32)}-[0-9a-f]{16}-00$`));
    expect(spans.some(({ traceId }) => hex(traceId) === '1'.repeat(32))).toBe(false);

    const ours = spans.filter(({ traceId }) => hex(traceId) === TRACE);
    const server = ours.find(({ parentSpanId }) => hex(parentSpanId) === PARENT)!;
    expect([server.name, server.kind]).toEqual(['GET /customers/{id}', 2]);
    expect(sampled).toMatchObject({
      traceparent: `00-${TRACE}-${hex(server.spanId)}-01`,
      tracestate: 'rojo=1',
    });
    expect(hex(server.spanId)).not.toBe(PARENT);
    expect(attributesOf(server)).toEqual({
      'http.request.method': 'GET',
      'http.route': 'GET /customers/{id}',
      'http.response.status_code': 200,
      'sluice.decision_id': decision,
      'sluice.outcome': 'modified',
      'sluice.action': 'read',
      'sluice.resource': 'customer',
      'sluice.purpose': 'after_sales',
    });
    const stages = ours.filter((span) => span !== server);
    expect(stages.every(({ parentSpanId }) => parentSpanId === server.spanId)).toBe(true);
    expect(stages.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['identity', 'routing', 'decision', 'policy', 'upstream', 'disclosure']),
    );
    const [from, until] = [BigInt(server.startTimeUnixNano), BigInt(server.endTimeUnixNano)];
    for (const { startTimeUnixNano, endTimeUnixNano } of stages) {
      expect(BigInt(startTimeUnixNano)).toBeGreaterThanOrEqual(from);
      expect(BigInt(endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(startTimeUnixNano));
      expect(BigInt(endTimeUnixNano)).toBeLessThanOrEqual(until);
    }

    const refused = spans.find((span) => hex(span.traceId) === records[2]!.trace_id && span.kind === 2)!;
    expect(attributesOf(refused)).toMatchObject({ 'http.response.status_code': 404 });
    expect(JSON.stringify(resources[0])).toContain('"sluice"');
    // Values of records and ids of people are not for a system of traces.
    const all = JSON.stringify(spans);
    for (const value of ['张三', '13812345678', 'C1"', 'u-1']) expect(all).not.toContain(value);
  }, 60_000);

  test('samples the traces that begin here, and where it ignores callers, theirs as well', async () => {
    const none = await tracing({ sample: 0 });
    const ignoring = await tracing({ sample: 0, callers: 'ignore' });
    const before = spans.length;
    await ask(none);
    await ask(ignoring, { traceparent: traceparent('01', '2'.repeat(32)) });
    await ask(none, { traceparent: traceparent('01', '3'.repeat(32)) });
    await Promise.all([none.close(), ignoring.close()]);
    expect(new Set(spans.slice(before).map(({ traceId }) => hex(traceId)))).toEqual(
      new Set(['3'.repeat(32)]),
    );
  }, 60_000);

  test('answers as always while the collector is down, and counts what was given up', async () => {
    const lost = await tracing({ url: 'http://127.0.0.1:9/v1/traces', timeout: '100ms' });
    await ask(lost);
    expect((await lost.admin('/metrics')).text).toContain('sluice_spans_total{result="failed"}');
    const began = performance.now();
    await lost.close();
    expect(performance.now() - began).toBeLessThan(20_000);
  }, 60_000);
});
