/** Consents in the store. A page of records is one round trip. */
import type { Database } from '../model/database.ts';
import type { Logger } from '../observability/logger.ts';
import { entryOf, UNREADABLE } from './entry.ts';
import type { ConsentEntry } from './schema.ts';
import type { EntrySource } from './source.ts';

/** The database belongs to the caller, who closes it. */
export function storedEntries(database: Database, logger: Logger): EntrySource {
  let isWarned = false;
  const read = (text: string): ConsentEntry => {
    const entry = parsed(text);
    if (entry !== null) return entry;
    if (!isWarned)
      logger.error(
        {},
        'an entry in consent_subjects cannot be trusted: the records of its data subject are withheld until it is corrected',
      );
    isWarned = true;
    return UNREADABLE;
  };
  return {
    async entries(ids) {
      const rows = await database.query<{ data_subject: string; entry: string }>(
        'SELECT data_subject, entry FROM consent_subjects WHERE data_subject = ANY($1)',
        [ids],
      );
      return new Map(rows.map(({ data_subject, entry }) => [data_subject, read(entry)]));
    },
    async aliases(type, values) {
      const rows = await database.query<{ alias: string; data_subject: string }>(
        'SELECT alias, data_subject FROM consent_aliases WHERE type = $1 AND alias = ANY($2)',
        [type, values],
      );
      return new Map(rows.map(({ alias, data_subject }) => [alias, data_subject]));
    },
    async ready() {
      const { ok, detail } = await database.ready();
      return ok || detail === undefined ? { ok } : { ok, detail };
    },
    close: async () => undefined,
  };
}

/** An entry of the store; null: it cannot be trusted. */
export function parsed(text: string): ConsentEntry | null {
  try {
    return entryOf(JSON.parse(text));
  } catch {
    return null;
  }
}
