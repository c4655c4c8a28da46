/** A transaction ends in time, whatever its work waits for: others wait for its rows, in SQLite for every write. */
import { SluiceError } from '../errors.ts';
import type { Queries } from '../model/database.ts';

/** how long the work of a transaction may take, in milliseconds */
export const WORK_MS = 30_000;

/**
 * Work that is late is no longer waited for, and its later queries are refused: they would run outside of its transaction.
 * @param ms null: no limit
 * @throws SluiceError `store_unavailable`; what `work` throws
 */
export async function inTime<T>(
  work: (queries: Queries) => Promise<T>,
  ms: number | null,
  query: Queries['query'],
): Promise<T> {
  let hasEnded = false;
  const late = (): SluiceError =>
    new SluiceError(
      'store_unavailable',
      `A transaction of the store did not end within ${ms} ms and was rolled back: find what it waited for (the disk of the audit journal, a service that does not answer).`,
    );
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    if (ms !== null) timer = setTimeout(() => reject(late()), ms);
  });
  const queries: Queries = {
    query: async (sql, parameters) => {
      if (hasEnded)
        throw new SluiceError('store_unavailable', 'The transaction of the store has ended already.');
      return query(sql, parameters);
    },
  };
  try {
    return await Promise.race([work(queries), deadline]);
  } finally {
    hasEnded = true;
    clearTimeout(timer);
  }
}
