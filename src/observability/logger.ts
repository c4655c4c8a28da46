/** Structured logs on stderr or stdout (pino). A log line has codes, ids and paths of fields; never a value. */
import { type DestinationStream, type Logger as Pino, pino } from 'pino';
import { isSluiceError } from '../errors.ts';

export type Logger = Pick<Pino, 'debug' | 'info' | 'warn' | 'error'>;

function stderr(): DestinationStream {
  // Write complete lines of at most one page: workers share a pipe, and longer writes could mix (pipe(7)).
  const destination = pino.destination({ fd: 2, sync: false, maxWrite: 4096 });
  // A full disk must not end the process.
  destination.on('error', () => undefined);
  return destination;
}

export const createLogger = (
  options: { level?: string; worker?: number } = {},
  destination: DestinationStream = stderr(),
): Logger =>
  pino(
    {
      level: options.level ?? 'info',
      base: options.worker === undefined ? null : { worker: options.worker },
      // Message, stack and cause of a foreign error may quote upstream data: only names and Sluice's own messages are logged.
      serializers: {
        err: (e: unknown) =>
          isSluiceError(e)
            ? { code: e.code, message: e.message }
            : { name: (e as Error)?.name, code: (e as { code?: string })?.code },
      },
    },
    destination,
  );

export const silentLogger: Logger = pino({ level: 'silent' });
