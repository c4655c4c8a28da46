/** Sections of the configuration for logs, for the labels of decision records, and for traces. */
import type { Report } from '../documents/faults.ts';
import {
  defaulted,
  duration,
  optional,
  path,
  secret,
  section,
  type Static,
  table,
  Type,
  url,
} from '../documents/kinds.ts';
import { headerFault } from '../documents/secrets.ts';

export const observabilitySchema = section(
  {
    log_level: defaulted(Type.Enum(['debug', 'info', 'warn', 'error']), 'info'),
    labels: defaulted(
      table(Type.String({ maxLength: 256 }), {
        key: '^[a-z][a-z0-9_]*$',
        description: 'labels that are added to every decision record',
      }),
      {},
    ),
  },
  { description: 'logs and labels' },
);

export const tracingSchema = section(
  {
    url: url({ description: 'where spans are posted, such as https://collector.example.com:4318/v1/traces' }),
    headers: defaulted(
      table(secret(), { description: 'headers of every request to the URL; each value is a secret' }),
      {},
    ),
    tls: defaulted(
      section({
        ca: optional(path({ description: 'PEM file with the trusted authorities' })),
        cert: optional(path({ description: 'PEM file with the client certificate' })),
        key: optional(path({ description: 'PEM' })),
      }),
      {},
    ),
    timeout: defaulted(duration({ min: '100ms', max: '60s' }), '10s'),
    sample: defaulted(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description: 'share of the traces that begin here of which spans are kept',
      }),
      0.1,
    ),
    callers: defaulted(
      Type.Enum(['follow', 'ignore'], {
        description:
          'of a trace that a caller has begun, spans are kept if it keeps them (follow), or by sample as of any other (ignore)',
      }),
      'follow',
    ),
    resource: defaulted(
      table(Type.String(), {
        description: 'attributes of the resource; service.name is sluice unless it is given here',
      }),
      {},
    ),
  },
  { description: 'spans of requests and their stages, exported as OpenTelemetry traces (OTLP/HTTP)' },
);

export type TracingConfig = Static<typeof tracingSchema>;

export function checkTracing({ headers, tls, url: to }: TracingConfig, report: Report): void {
  for (const [name, value] of Object.entries(headers)) {
    const fault = headerFault(value);
    if (fault !== null) report(['tracing', 'headers', name], fault);
  }
  if ((tls.cert === undefined) !== (tls.key === undefined))
    report(['tracing', 'tls'], 'needs both cert and key, or neither');
  if (!/^https:/i.test(to) && (tls.ca ?? tls.cert) !== undefined)
    report(['tracing', 'tls'], 'is given for a URL that is not https:');
}
