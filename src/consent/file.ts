/**
 * Consents in a YAML file. A withdrawal counts from the moment it is written. A file that has become unreadable may hold new
 * withdrawals, so lookups are refused until it can be read again, unless `stale_if_error` allows the last good content for a while.
 */
import type { ConsentConfig } from './section.ts';
import { isSluiceError, SluiceError } from '../errors.ts';
import type { ConsentSource, DataSubjectState } from '../model/consent.ts';
import type { Announce } from '../model/invalidation.ts';
import { type Clock, millis } from '../observability/clock.ts';
import { UNMARKED } from '../documents/complete.ts';
import { observeFile } from '../observability/file.ts';
import type { Logger } from '../observability/logger.ts';
import { readConsents } from './document.ts';
import { aliasesIn } from './entry.ts';
import { createStates, type Prepared } from './states.ts';
import { unavailable } from './unavailable.ts';

export interface ConsentDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  /** whether the live policy reads `from` and `until`; if not given, the configuration alone decides */
  readonly readsDates?: () => boolean;
  readonly announce?: Announce;
}

export type FileConfig = Pick<ConsentConfig, 'poll' | 'stale_if_error' | 'expose_dates'> & {
  readonly file: string;
};

/** @throws SluiceError `consent_invalid`, `consent_unavailable` when the file cannot be used at the start */
export function openConsentFile(
  config: FileConfig,
  { clock, logger, readsDates = () => false, announce }: ConsentDependencies,
): ConsentSource {
  const states = createStates(() => config.expose_dates || readsDates());
  const load = (text: string, before: string | null) => {
    const { document, tolerated, isUnmarked } = readConsents(text, config.file, before);
    const { data_subjects } = document;
    if (isUnmarked) logger.warn({ file: config.file }, `consents: ${UNMARKED}`);
    for (const { line, message } of tolerated)
      logger.error({ file: config.file, line }, `consents: ${message}: this person's records are withheld`);
    const entries = new Map<string, Prepared>();
    for (const [id, entry] of Object.entries(data_subjects)) entries.set(id, states.prepare(entry));
    return { entries, aliases: aliasesIn(document.aliases) };
  };
  const file = open(config.file, () =>
    observeFile({
      path: config.file,
      parse: load,
      clock,
      poll: config.poll,
      onChange: () => announce?.({ kind: 'consents', scope: 'all' }),
      onError: (err) =>
        logger.error({ err, file: config.file }, 'consents cannot be read: lookups are refused'),
    }),
  );

  const usable = (): boolean =>
    file.brokenSince === null || millis(clock) - file.brokenSince < config.stale_if_error;

  return {
    aliases(values) {
      if (!usable()) throw unavailable();
      return file.value.aliases(values);
    },
    lookup: (ids, at) => {
      if (!usable()) throw unavailable();
      const { entries } = file.value;
      const time = at.getTime();
      const found = new Map<string, DataSubjectState>();
      for (const id of ids) {
        const entry = entries.get(id);
        if (entry) found.set(id, states.resolve(entry, time));
      }
      return found;
    },
    ready: () => {
      const { error } = file;
      return Promise.resolve(
        error === null
          ? { ok: true }
          : { ok: false, detail: isSluiceError(error) ? error.message : 'the file cannot be read' },
      );
    },
    refresh: () => file.look(true),
    close: () => Promise.resolve(file.close()),
  };
}

function open<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (isSluiceError(cause)) throw cause;
    throw new SluiceError('consent_unavailable', {
      message: `The consents ${path} cannot be read (${(cause as NodeJS.ErrnoException).code ?? (cause as Error).message}): check consent.file. Where nobody has agreed to anything yet, "version: 1" and "data_subjects: {}" are enough.`,
      cause,
    });
  }
}
