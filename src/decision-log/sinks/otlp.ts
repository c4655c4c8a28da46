/** OpenTelemetry logs over OTLP/HTTP: a log record for each decision record, whose body is the line. */
import { createRequire } from 'node:module';
import type * as Otlp from '@opentelemetry/otlp-transformer';
import type * as Resources from '@opentelemetry/resources';
import type { CopyMask, DecisionRecord, Outcome } from '../../model/record.ts';
import type { Copy } from '../index/store.ts';
import type { Destination } from './destination.ts';
import { postedBatches } from './posting.ts';
import type { OtlpSink } from './section.ts';

type LogRecord = Parameters<typeof Otlp.JsonLogsSerializer.serializeRequest>[0][number];

/** https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber */
const SEVERITY: Readonly<Record<Outcome, readonly [number: 9 | 13 | 17, text: string]>> = {
  error: [17, 'ERROR'],
  denied: [13, 'WARN'],
  modified: [9, 'INFO'],
  allowed: [9, 'INFO'],
  observed: [9, 'INFO'],
};

export function otlpDestination(settings: OtlpSink): Destination {
  const { name, url, bearer, headers, tls, timeout, encoding, resource } = settings;
  // Loaded where a sink needs it: most sidecars have none.
  const load = createRequire(import.meta.url);
  const { JsonLogsSerializer, ProtobufLogsSerializer } = load(
    '@opentelemetry/otlp-transformer',
  ) as typeof Otlp;
  const { resourceFromAttributes } = load('@opentelemetry/resources') as typeof Resources;
  const serializer = encoding === 'json' ? JsonLogsSerializer : ProtobufLogsSerializer;
  const scope = { name: 'sluice' };

  return postedBatches({
    sink: `otlp:${name}`,
    url,
    tls,
    timeout,
    headers: {
      ...headers,
      'content-type': encoding === 'json' ? 'application/json' : 'application/x-protobuf',
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
    },
    encode(origin, copies) {
      const of = resourceFromAttributes({
        'service.name': 'sluice',
        ...resource,
        'service.instance.id': origin,
      });
      const records = copies.map((copy) => ({
        ...logRecord(copy),
        resource: of,
        instrumentationScope: scope,
      }));
      return serializer.serializeRequest(records)!;
    },
    // A client must not send again what was rejected (OTLP specification, "Partial Success"), and leaves no record out: it stops.
    refusal(body) {
      if (body.length === 0) return null;
      const rejected = Number(serializer.deserializeResponse(body).partialSuccess?.rejectedLogRecords ?? 0);
      return rejected > 0 ? `it has rejected ${rejected}` : null;
    },
  });
}

function logRecord({ record, line }: Copy): Omit<LogRecord, 'resource' | 'instrumentationScope'> {
  const at = Date.parse(record.timestamp);
  const time: [number, number] = [Math.floor(at / 1000), (at % 1000) * 1e6];
  const [severityNumber, severityText] = SEVERITY[record.outcome];
  return {
    hrTime: time,
    hrTimeObserved: time,
    severityNumber,
    severityText,
    eventName: `sluice.${record.kind}`,
    body: line,
    attributes: attributesOf(record),
    droppedAttributesCount: 0,
    ...(typeof record.trace_id === 'string'
      ? { spanContext: { traceId: record.trace_id, spanId: '', traceFlags: 0 } }
      : {}),
  };
}

/** Names of the semantic conventions where there are some; a masked copy may lack any member. */
function attributesOf(record: DecisionRecord & CopyMask): LogRecord['attributes'] {
  const { origin, seq, request, resource, response, subject, policy } = record;
  const values: { readonly [name: string]: unknown } = {
    'log.record.uid': `${origin}/${seq}`,
    'user.id': subject?.id,
    'client.address': request?.client_ip,
    'http.request.method': request?.method,
    'http.route': request?.route,
    'http.response.status_code': response?.status,
    'sluice.decision_id': record.decision_id,
    'sluice.kind': record.kind,
    'sluice.outcome': record.outcome,
    'sluice.action': record.action,
    'sluice.resource': resource?.type,
    'sluice.purpose': record.purpose,
    'sluice.recipient': record.recipient,
    'sluice.policy.revision': policy?.revision,
    'sluice.origin': origin,
    'sluice.seq': seq,
  };
  const reasons = Array.isArray(record.reasons) ? record.reasons.map(({ code }) => code) : [];
  const told = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
  return {
    ...Object.fromEntries(told),
    ...(reasons.length === 0 ? {} : { 'sluice.reasons': reasons }),
  } as LogRecord['attributes'];
}
