/** Part `decision_log.sinks`: destinations of copies of the records. */
import {
  address,
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
} from '../../documents/kinds.ts';
import type { Report } from '../../documents/faults.ts';
import { headerFault } from '../../documents/secrets.ts';

const name = Type.String({
  pattern: '^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$',
  description:
    'names the sink in metrics, and the file with its position: a new name gets all records of the journal again',
});

const tlsFiles = {
  ca: optional(
    path({ description: 'PEM file with the trusted authorities; default: those of the operating system' }),
  ),
  cert: optional(path({ description: 'PEM file with the client certificate' })),
  key: optional(path({ description: 'PEM' })),
};
const tls = defaulted(section(tlsFiles), {});

const timeout = defaulted(
  duration({ min: '100ms', max: '60s', description: 'longest wait for an acknowledgement' }),
  '10s',
);

const http = section(
  {
    name,
    url: url({ description: 'where batches are posted' }),
    bearer: optional(secret({ description: 'token for the header Authorization' })),
    tls,
    timeout,
    labels: defaulted(table(Type.String(), { description: 'added to the labels of each event' }), {}),
  },
  { description: 'posts batches of decision events as OPA writes them: a JSON array, compressed with gzip' },
);

const otlp = section(
  {
    name,
    url: url({ description: 'where logs are posted, such as https://collector.example.com:4318/v1/logs' }),
    bearer: optional(secret({ description: 'token for the header Authorization' })),
    headers: defaulted(
      table(secret(), { description: 'other headers of every request; each value is a secret' }),
      {},
    ),
    tls,
    timeout,
    encoding: defaulted(Type.Enum(['protobuf', 'json'], { description: 'of the requests' }), 'protobuf'),
    resource: defaulted(
      table(Type.String(), {
        description: 'attributes of the resource; service.name is sluice unless it is given here',
      }),
      {},
    ),
  },
  { description: 'posts OpenTelemetry log records (OTLP/HTTP, gzip)' },
);

const syslog = section(
  {
    name,
    address: address({
      description: 'of a server that takes syslog over TLS, such as logs.example.com:6514',
    }),
    tls,
    timeout,
    facility: defaulted(
      Type.Integer({ minimum: 0, maximum: 23, description: 'RFC 5424 §6.2.1; 13 is log audit' }),
      13,
    ),
    structured_data_id: defaulted(
      Type.String({
        pattern: '^[A-Za-z0-9_.-]{1,21}@[0-9]{1,10}$',
        description:
          'name of the structured data, NAME@NUMBER with your private enterprise number; 32473 is the one of examples',
      }),
      'sluice@32473',
    ),
  },
  { description: 'sends each record as a message of syslog (RFC 5424) over TLS (RFC 5425)' },
);

const nats = section(
  {
    name,
    servers: Type.Array(
      address({ description: 'of a server of the cluster, such as nats.example.com:4222' }),
      { minItems: 1 },
    ),
    subject: defaulted(
      Type.String({
        pattern:
          '^([A-Za-z0-9_-]+|\\{(origin|kind|outcome)\\})(\\.([A-Za-z0-9_-]+|\\{(origin|kind|outcome)\\}))*$',
        description: 'of the messages; {origin}, {kind} and {outcome} are those of the record',
      }),
      'sluice.decisions.{origin}',
    ),
    tls: optional(section(tlsFiles, { description: 'absent: the connection is not encrypted' })),
    token: optional(secret()),
    user: optional(Type.String({ minLength: 1 })),
    password: optional(secret()),
    credentials: optional(path({ description: 'file with the JWT and the key of a user (.creds)' })),
    timeout,
    window: defaulted(
      Type.Integer({
        minimum: 1,
        maximum: 500,
        description:
          'messages that are under way at once. 1: none is sent before the one before it is acknowledged',
      }),
      100,
    ),
  },
  { description: 'publishes each record to a stream of NATS JetStream' },
);

export const sinksSchema = Type.Array(
  Type.Union([
    section({ file: path() }),
    section({ stdout: Type.Literal(true) }),
    section({ http }),
    section({ nats }),
    section({ otlp }),
    section({ syslog }),
  ]),
  {
    maxItems: 8,
    description:
      'destinations that receive a copy of each record at least once, in the order of its chain: {file: PATH}, {stdout: true}, {http: …}, {nats: …}, {otlp: …} or {syslog: …}',
  },
);

export type SinkConfig = Static<typeof sinksSchema>[number];
export type TlsFiles = Static<typeof http>['tls'];
export type HttpSink = Static<typeof http>;
export type NatsSink = Static<typeof nats>;
export type OtlpSink = Static<typeof otlp>;
export type SyslogSink = Static<typeof syslog>;

/** The settings that sinks at other machines share, and the name with which messages and files tell them apart. */
export const remoteOf = (sink: SinkConfig) =>
  'http' in sink
    ? { kind: 'http' as const, ...sink.http }
    : 'nats' in sink
      ? { kind: 'nats' as const, tls: {}, ...sink.nats }
      : 'otlp' in sink
        ? { kind: 'otlp' as const, ...sink.otlp }
        : 'syslog' in sink
          ? { kind: 'syslog' as const, ...sink.syslog }
          : null;

/** @param report paths start at `decision_log` */
export function checkSinks(sinks: readonly SinkConfig[], report: Report): void {
  const names = new Set<string>();
  for (const [i, sink] of sinks.entries()) {
    const remote = remoteOf(sink);
    if (remote === null) continue;
    const { kind, name, tls } = remote;
    const at = ['decision_log', 'sinks', i, kind];
    if (names.has(name))
      report([...at, 'name'], 'is the name of another sink, whose position it would share');
    names.add(name);
    if ((tls.cert === undefined) !== (tls.key === undefined))
      report([...at, 'tls'], 'needs both cert and key, or neither');
    if ('nats' in sink) {
      const { servers, token, password, credentials, user } = sink.nats;
      if ([token, user, credentials].filter((way) => way !== undefined).length > 1)
        report(at, 'needs at most one of token, user and credentials');
      if ((user === undefined) !== (password === undefined))
        report(at, 'needs both user and password, or neither');
      const isHere = servers.every(({ host }) => /^(127\.|localhost$|::1$)/.test(host));
      if (sink.nats.tls === undefined && !isHere && (token ?? password) !== undefined)
        report([...at, 'tls'], 'is absent, so that the secret would be sent unencrypted');
    }
    if ('otlp' in sink)
      for (const [header, value] of Object.entries(sink.otlp.headers)) {
        const fault = headerFault(value);
        if (fault !== null) report([...at, 'headers', header], fault);
      }
    if (
      (remote.kind === 'http' || remote.kind === 'otlp') &&
      !/^https:/i.test(remote.url) &&
      (tls.ca ?? tls.cert) !== undefined
    )
      report([...at, 'tls'], 'is given for a URL that is not https:');
  }
}
