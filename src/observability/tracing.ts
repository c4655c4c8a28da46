/** Spans of requests and their stages, exported over OTLP/HTTP by the SDK of OpenTelemetry. Loaded only where `tracing` is configured. */
import { readFileSync } from 'node:fs';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { SluiceError } from '../errors.ts';
import { parentOf, type Tracing } from '../model/trace.ts';
import type { TracingConfig } from './section.ts';

export interface OpenTracing {
  readonly begin: Tracing;
  /** spans by what became of them */
  readonly counts: { exported: number; failed: number };
  close(): Promise<void>;
}

/** An end waits no longer for a collector. */
const CLOSE_MS = 2000;

/** @throws SluiceError `config_invalid` if a certificate cannot be read */
export function createTracing(config: TracingConfig): OpenTracing {
  const { url, headers, tls, timeout, sample, callers, resource } = config;
  const counts = { exported: 0, failed: 0 };
  const exporter = new OTLPTraceExporter({
    url,
    headers,
    timeoutMillis: timeout,
    httpAgentOptions: { keepAlive: true, ...filesOf(tls) },
  });
  const counting: SpanExporter = {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        counts[result.code === 0 ? 'exported' : 'failed'] += spans.length;
        done(result);
      }),
    forceFlush: () => exporter.forceFlush(),
    shutdown: () => exporter.shutdown(),
  };
  const ratio = new TraceIdRatioBasedSampler(sample);
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'sluice', ...resource }),
    sampler: callers === 'follow' ? new ParentBasedSampler({ root: ratio }) : ratio,
    spanProcessors: [new BatchSpanProcessor({ exporter: counting, exportTimeoutMillis: timeout })],
  });
  const tracer = provider.getTracer('sluice');

  const begin: Tracing = (method, incoming, at) => {
    const parent = parentOf(incoming);
    const context =
      parent === null
        ? ROOT_CONTEXT
        : trace.setSpanContext(ROOT_CONTEXT, {
            traceId: parent.traceId,
            spanId: parent.spanId,
            traceFlags: parent.isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
            isRemote: true,
          });
    const came = at.getTime();
    const span = tracer.startSpan(method, { kind: SpanKind.SERVER, startTime: came }, context);
    const { traceId, spanId } = span.spanContext();
    const isSampled = span.isRecording();
    const state = parent?.headers['tracestate'];
    const onward = {
      traceparent: `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`,
      ...(state === undefined ? {} : { tracestate: state }),
    };
    if (!isSampled) return { id: traceId, headers: onward };
    const own = trace.setSpan(ROOT_CONTEXT, span);
    return {
      id: traceId,
      headers: onward,
      spans: {
        stage: (name, from, until) =>
          tracer.startSpan(name, { startTime: came + from }, own).end(came + until),
        end(after, told, isError) {
          for (const [name, value] of Object.entries(told))
            if (value !== null) span.setAttribute(name, value);
          const route = told['http.route'];
          if (typeof route === 'string') span.updateName(route);
          if (isError) span.setStatus({ code: SpanStatusCode.ERROR });
          span.end(came + after);
        },
      },
    };
  };
  return {
    begin,
    counts,
    async close() {
      const late = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_MS).unref());
      await Promise.race([provider.shutdown().catch(() => undefined), late]);
    },
  };
}

function filesOf(tls: TracingConfig['tls']): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
  const out: { ca?: Buffer; cert?: Buffer; key?: Buffer } = {};
  for (const kind of ['ca', 'cert', 'key'] as const) {
    const file = tls[kind];
    if (file === undefined) continue;
    try {
      out[kind] = readFileSync(file);
    } catch (cause) {
      throw new SluiceError('config_invalid', {
        message: `${file} cannot be read (${(cause as NodeJS.ErrnoException).code}). Correct tracing.tls.${kind}.`,
        cause,
      });
    }
  }
  return out;
}
