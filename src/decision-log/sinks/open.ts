/** Opens a sink of the configuration. It connects at the first record, so that a server that is down delays nothing. */
import { createSink, type Destination, type Sink } from './destination.ts';
import { httpDestination } from './http.ts';
import { natsDestination } from './nats.ts';
import { fileDestination, stdoutDestination } from './local.ts';
import { otlpDestination } from './otlp.ts';
import type { SinkConfig } from './section.ts';
import { syslogDestination } from './syslog.ts';

export const openSink = (dir: string, origin: string, sink: SinkConfig): Sink =>
  createSink(dir, origin, destinationOf(dir, sink));

function destinationOf(dir: string, sink: SinkConfig): Destination {
  if ('file' in sink) return fileDestination(dir, sink.file);
  if ('http' in sink) return httpDestination(sink.http);
  if ('nats' in sink) return natsDestination(sink.nats);
  if ('otlp' in sink) return otlpDestination(sink.otlp);
  if ('syslog' in sink) return syslogDestination(sink.syslog);
  return stdoutDestination(dir);
}
