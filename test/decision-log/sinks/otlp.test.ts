/** OpenTelemetry logs: what a collector reads, by the definitions that the project generates from its .proto files, and what is sent again. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
// The version of this package that has the generated definitions.
import root from 'otlp-definitions/build/src/generated/root.js';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createDecisionLog } from '../../../src/decision-log/decision-log.ts';
import { feed } from '../../../src/decision-log/index/feeder.ts';
import { readCopy } from '../../../src/decision-log/journal/copy.ts';
import { createSink } from '../../../src/decision-log/sinks/destination.ts';
import { otlpDestination } from '../../../src/decision-log/sinks/otlp.ts';
import type { OtlpSink } from '../../../src/decision-log/sinks/section.ts';
import { silentLogger } from '../../../src/observability/logger.ts';
import { draft } from '../../support/decision-records.ts';
import { openJournal, recordsOf, temporaryDirectory, writeJournal } from '../../support/journals.ts';

interface Message {
  decode(bytes: Uint8Array): object;
  encode(value: object): { finish(): Uint8Array };
  fromObject(value: object): object;
  toObject(message: object, options: object): object;
}
const { ExportLogsServiceRequest, ExportLogsServiceResponse } = (
  root as unknown as {
    opentelemetry: {
      proto: {
        collector: {
          logs: { v1: Record<'ExportLogsServiceRequest' | 'ExportLogsServiceResponse', Message> };
        };
      };
    };
  }
).opentelemetry.proto.collector.logs.v1;

interface Attribute {
  readonly key: string;
  readonly value: {
    readonly stringValue?: string;
    readonly intValue?: string;
    readonly arrayValue?: { values: { stringValue: string }[] };
  };
}
interface Logs {
  readonly resourceLogs: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeLogs: readonly {
      readonly scope: { readonly name: string };
      readonly logRecords: readonly {
        readonly timeUnixNano: string;
        readonly severityNumber: number;
        readonly severityText: string;
        readonly eventName?: string;
        readonly body: { readonly stringValue: string };
        readonly attributes: readonly Attribute[];
        readonly traceId: string;
      }[];
    }[];
  }[];
}

/** @param answer status, or the number of records that it rejects */
async function collector(
  encoding: 'json' | 'protobuf',
  answer: (n: number) => number | { rejects: number } = () => 200,
) {
  const received: { readonly headers: IncomingHttpHeaders; readonly logs: Logs; readonly taken: boolean }[] =
    [];
  const server = createServer(async (req, res) => {
    const parts: Buffer[] = [];
    for await (const part of req) parts.push(part as Buffer);
    const body = gunzipSync(Buffer.concat(parts));
    const message =
      encoding === 'protobuf'
        ? ExportLogsServiceRequest.decode(body)
        : // In JSON, ids are hexadecimal and not Base64.
          ExportLogsServiceRequest.fromObject(
            JSON.parse(body.toString(), (key, value) =>
              key === 'traceId' ? Buffer.from(value as string, 'hex').toString('base64') : value,
            ),
          );
    const logs = ExportLogsServiceRequest.toObject(message, {
      longs: String,
      bytes: String,
    }) as unknown as Logs;
    const said = answer(received.length);
    const status = typeof said === 'number' ? said : 200;
    received.push({ headers: req.headers, logs, taken: said === 200 });
    const partialSuccess =
      typeof said === 'number' ? {} : { rejectedLogRecords: said.rejects, errorMessage: 'C100000' };
    const reply = { partialSuccess };
    res
      .writeHead(status)
      .end(encoding === 'json' ? JSON.stringify(reply) : ExportLogsServiceResponse.encode(reply).finish());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}/v1/logs`,
    received,
    records: () =>
      received
        .filter(({ taken }) => taken)
        .flatMap(({ logs }) => logs.resourceLogs.flatMap((r) => r.scopeLogs.flatMap((s) => s.logRecords))),
  };
}

const settings = (url: string, over: Partial<OtlpSink> = {}): OtlpSink => ({
  name: 'otel',
  url,
  headers: {},
  tls: {},
  timeout: 5000,
  encoding: 'protobuf',
  resource: {},
  ...over,
});

async function feedOnce(dir: string, origin: string, sink: OtlpSink): Promise<string> {
  const { store } = createSink(dir, origin, otlpDestination(sink));
  try {
    await feed(dir, store);
    return 'fed';
  } catch (e) {
    return `${(e as { code: string }).code}: ${(e as Error).message}`;
  } finally {
    await store.close();
  }
}
const plain = (attributes: readonly Attribute[]) =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.stringValue ?? value.arrayValue?.values.map((v) => v.stringValue) ?? Number(value.intValue),
    ]),
  );

describe('the sink otlp', () => {
  test.each(['protobuf', 'json'] as const)(
    'posts log records that a collector reads, in %s',
    async (encoding) => {
      const dir = temporaryDirectory();
      const trace_id = '4bf92f3577b34da6a3ce929d0e0e4736';
      const journal = await openJournal(dir);
      for (let i = 0; i < 3; i++) await journal.append(draft(i, i === 1 ? { trace_id } : {}));
      await journal.close();
      const { origin } = journal;
      const to = await collector(encoding);
      const sink = settings(to.url, {
        encoding,
        bearer: 's3cret',
        headers: { 'x-tenant': 'cn' },
        resource: { 'deployment.environment.name': 'prod' },
      });
      expect(await feedOnce(dir, origin, sink)).toBe('fed');
      expect(to.received[0]!.headers).toMatchObject({
        'content-type': encoding === 'json' ? 'application/json' : 'application/x-protobuf',
        'content-encoding': 'gzip',
        authorization: 'Bearer s3cret',
        'x-tenant': 'cn',
      });
      const [{ resource, scopeLogs }] = to.received[0]!.logs.resourceLogs as [Logs['resourceLogs'][number]];
      expect(plain(resource.attributes)).toEqual({
        'service.name': 'sluice',
        'service.instance.id': origin,
        'deployment.environment.name': 'prod',
      });
      expect(scopeLogs[0]!.scope.name).toBe('sluice');
      const records = to.records();
      expect(records.map(({ body }) => readCopy(body.stringValue))).toEqual(recordsOf(dir));
      expect(records.map(({ severityNumber, severityText }) => [severityNumber, severityText])).toEqual([
        [13, 'WARN'],
        [9, 'INFO'],
        [9, 'INFO'],
      ]);
      const [first, second] = recordsOf(dir);
      expect(records[1]!.timeUnixNano).toBe(`${Date.parse(second!.timestamp)}000000`);
      expect(
        records.map(({ traceId }) => (traceId ? Buffer.from(traceId, 'base64').toString('hex') : '')),
      ).toEqual(['', trace_id, '']);
      expect(plain(records[0]!.attributes)).toEqual({
        'log.record.uid': `${origin}/1`,
        'user.id': 'u-0',
        'client.address': '10.0.0.7',
        'http.request.method': 'GET',
        'http.route': 'GET /api/customers/{id}',
        'http.response.status_code': 200,
        'sluice.decision_id': first!.decision_id,
        'sluice.kind': 'disclosure',
        'sluice.outcome': 'denied',
        'sluice.action': 'read',
        'sluice.resource': 'customer',
        'sluice.purpose': 'after_sales',
        'sluice.recipient': 'internal',
        'sluice.policy.revision': 'abcdef0123456789',
        'sluice.origin': origin,
        'sluice.seq': 1,
        'sluice.reasons': ['purpose_not_allowed'],
      });
    },
  );

  test('sends a batch again while the collector refuses for a moment, and loses nothing', async () => {
    const dir = temporaryDirectory();
    const to = await collector('protobuf', (n) => [503, 429, 500][n] ?? 200);
    const log = await createDecisionLog(
      { journal: { dir: './journal', instance: 'test' }, sinks: [{ otlp: settings(to.url) }] },
      { logger: silentLogger, baseDir: dir },
    );
    onTestFinished(() => log.close());
    for (let i = 0; i < 30; i++) await log.append(draft(i));
    await vi.waitFor(() => expect(log.status().copies['otlp:otel']).toMatchObject({ ok: true, lag: 0 }), {
      timeout: 60_000,
      interval: 100,
    });
    const uids = to.records().map(({ attributes }) => plain(attributes)['log.record.uid']);
    expect(uids).toEqual(Array.from({ length: 30 }, (_, i) => `${log.origin}/${i + 1}`));
  }, 90_000);

  test.each(['protobuf', 'json'] as const)(
    'stops where a collector rejects records, in %s',
    async (encoding) => {
      const dir = temporaryDirectory();
      const origin = await writeJournal(dir, 4);
      const to = await collector(encoding, () => ({ rejects: 2 }));
      const said = await feedOnce(dir, origin, settings(to.url, { encoding }));
      expect(said).toMatch(new RegExp(`^sink_refused: .*rejected 2 of 4 records from seq 1 of ${origin}`));
      expect(said).not.toContain('C100000');
      expect(await feedOnce(dir, origin, settings((await collector(encoding)).url, { encoding }))).toBe(
        'fed',
      );
    },
  );
});
