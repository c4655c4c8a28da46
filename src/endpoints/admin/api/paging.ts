/** Pages of lists that are sorted by time and id: a cursor is the place of the last one that was given. */
import { SluiceError } from '../../../errors.ts';

export interface Place {
  readonly at: number;
  readonly id: string;
}

const DEFAULT_LIMIT = 100;

export interface PageQuery {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

/**
 * @param read reads one more than the page has, to see whether there are others
 * @throws SluiceError `input_invalid` for a cursor that is none
 */
export async function page<T>(
  { limit = DEFAULT_LIMIT, cursor }: PageQuery,
  read: (limit: number, after: Place | undefined) => Promise<readonly T[]>,
  placeOf: (item: T) => Place,
): Promise<{ readonly items: readonly T[]; readonly cursor: string | null }> {
  const found = await read(limit + 1, cursor === undefined ? undefined : placeIn(cursor));
  const items = found.slice(0, limit);
  return { items, cursor: found.length > limit ? cursorOf(placeOf(items.at(-1)!)) : null };
}

const cursorOf = ({ at, id }: Place): string => Buffer.from(JSON.stringify([at, id])).toString('base64url');

function placeIn(cursor: string): Place {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    value = null;
  }
  const [at, id, ...more] = Array.isArray(value) ? (value as unknown[]) : [];
  if (!Number.isSafeInteger(at) || typeof id !== 'string' || id.includes('\0') || more.length > 0)
    throw new SluiceError('input_invalid', 'The cursor is none that a page has given. Begin without one.');
  return { at: at as number, id };
}
