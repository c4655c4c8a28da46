/** Structured logs on stderr or stdout (pino). A log line has codes, ids and paths of fields; never a value. */
import { type DestinationStream, type Logger as Pino, pino } from 'pino';
import { isSluiceError } from '../errors.ts';

export type Logger = Pick<Pino, 'debug' | 'info' | 'warn' | 'error'>;

export const createLogger = (
  options: { level?: string; name?: string } = {},
  destination: DestinationStream = pino.destination({ fd: 2, sync: false }),
): Logger =>
  pino(
    {
      name: options.name ?? 'sluice',
      level: options.level ?? 'info',
      base: null,
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
