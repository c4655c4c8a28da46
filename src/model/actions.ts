/** The actions of requests, and sets of actions that several modules distinguish. */
import type { ActionName } from './input.ts';

export const ACTIONS = [
  'read',
  'search',
  'export',
  'create',
  'update',
  'delete',
] as const satisfies readonly ActionName[];

const setOf = (...names: readonly ActionName[]): ReadonlySet<string> => new Set(names);

export const READS = setOf('read', 'search', 'export');
/** actions whose response is a list of records */
export const LISTS = setOf('search', 'export');
export const WRITES = setOf('create', 'update', 'delete');
/** actions whose body is a record; the more common one first */
export const RECORD_WRITES = ['update', 'create'] as const;
export const SENDS_RECORD = setOf(...RECORD_WRITES);
