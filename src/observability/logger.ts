/** Structured logs on stderr or stdout (pino). A log line has codes, ids and paths of fields; never a value. */
import { type DestinationStream, type Logger as Pino, pino } from 'pino';
import { isSluiceError } from '../errors.ts';

export type Logger = Pick<Pino, 'debug' | 'info' | 'warn' | 'error'>;

function stderr(): DestinationStream {
  // Writes of whole lines and of one page at most: workers share a pipe, and longer ones could meet within a line (pipe(7)).
  const destination = pino.destination({ fd: 2, sync: false, maxWrite: 4096 });
  // A full disk behind the log must not end the process.
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
      // A foreign error's message, stack or cause may quote what an upstream sent: only names and our own words are kept.
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
