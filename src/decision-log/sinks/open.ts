/** Opens a sink of the configuration. It connects at the first record, so that a server that is down delays nothing. */
import type { WorkerSettings } from '../index/protocol.ts';
import { remoteSink, type Sink } from './destination.ts';
import { httpDestination } from './http.ts';
import { syslogDestination } from './syslog.ts';
import { fileSink, stdoutSink } from './sinks.ts';

export function openSink(dir: string, origin: string, sink: WorkerSettings['sinks'][number]): Sink {
  if ('http' in sink) return remoteSink(dir, origin, httpDestination(sink.http));
  if ('syslog' in sink) return remoteSink(dir, origin, syslogDestination(sink.syslog));
  const store = 'file' in sink ? fileSink(dir, origin, sink.file) : stdoutSink(dir, origin);
  return { store, takesLeftOver: () => false };
}
