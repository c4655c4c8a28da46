import type { Queries } from './database.ts';

/**
 * Called by a store inside the transaction of a change, as its last step. Resolves when the change is on record and durable; what it throws
 * undoes the change.
 * @param queries of that transaction
 */
export type Journaled<T> = (change: T, queries: Queries) => Promise<void>;
