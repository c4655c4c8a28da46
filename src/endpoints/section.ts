/** The addresses that Sluice listens on, and limits for each request. */
import { address, defaulted, duration, optional, path, section, size, Type } from '../documents/kinds.ts';

const tls = (client_ca: string) =>
  section({
    cert: path({ description: 'PEM file with the certificate chain' }),
    key: path({ description: 'PEM' }),
    client_ca: optional(path({ description: client_ca })),
  });

export const listenSchema = section(
  {
    proxy: defaulted(address({ description: 'listener for callers' }), '127.0.0.1:8080'),
    admin: defaulted(
      address({ description: 'listener for health, metrics and audit; keep it off public networks' }),
      '127.0.0.1:8081',
    ),
    data_subjects: defaulted(
      address({
        description: 'listener of the page of customers, if there is a section `data_subject_page`',
      }),
      '127.0.0.1:8082',
    ),
    tls: optional(tls('PEM file; callers must then present a certificate that this authority signed')),
    admin_tls: optional(
      tls('PEM file; callers of the admin API may then present a certificate that this authority signed'),
    ),
  },
  { description: 'addresses of the two listeners' },
);

export const limitsSchema = section(
  {
    header_bytes: defaulted(
      size({ min: '1KiB', max: '256KiB', description: 'maximum size of all header fields together' }),
      '16KiB',
    ),
    header_count: defaulted(Type.Integer({ minimum: 8, maximum: 1000 }), 100),
    header_timeout: defaulted(duration({ min: '100ms', max: '5m' }), '10s'),
    request_timeout: defaulted(duration({ min: '100ms', max: '1h' }), '60s'),
    keep_alive_timeout: defaulted(duration({ min: '100ms', max: '10m' }), '15s'),
    connections: defaulted(Type.Integer({ minimum: 1, maximum: 1_000_000 }), 10_000),
    in_flight: defaulted(
      Type.Integer({ minimum: 1, maximum: 100_000, description: 'maximum number of concurrent requests' }),
      1_000,
    ),
    target: defaulted(
      size({ min: '256B', max: '64KiB', description: 'maximum length of path and query' }),
      '8KiB',
    ),
    request_body: defaulted(size({ min: '0B', max: '1GiB' }), '1MiB'),
    record: defaulted(
      size({ min: '1KiB', max: '256MiB', description: 'maximum size of one record of an answer' }),
      '4MiB',
    ),
    record_members: defaulted(
      Type.Integer({
        minimum: 100,
        maximum: 10_000_000,
        description:
          'maximum number of parts of one record: elements and attributes of XML, pairs of a form, embedded resources and data subjects of JSON',
      }),
      100_000,
    ),
    depth: defaulted(
      Type.Integer({ minimum: 4, maximum: 1_000, description: 'maximum nesting depth of an answer' }),
      64,
    ),
    decoded_ratio: defaulted(
      Type.Integer({
        minimum: 2,
        maximum: 10_000,
        description: 'maximum ratio of decompressed to compressed size of an answer',
      }),
      200,
    ),
    group: defaulted(
      size({
        min: '64KiB',
        max: '1GiB',
        description: 'maximum size of an answer that is buffered to count groups',
      }),
      '32MiB',
    ),
    shutdown: defaulted(
      duration({ min: '0s', max: '10m', description: 'how long a shutdown waits for requests in progress' }),
      '10s',
    ),
  },
  { description: 'limits of a request' },
);
