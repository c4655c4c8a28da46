/**
 * The grants that hold for a request, and the count of their uses. Read for every request: nothing is cached, so that a grant that was revoked or
 * used up holds for no further request, on whichever sidecar.
 */
import type { Database } from '../model/database.ts';
import type { GrantQuery, GrantSource, HeldGrants } from '../model/grant.ts';
import type { Grant } from '../model/input.ts';
import { append } from './events.ts';
import type { GrantRow } from './tables.ts';

const NONE: HeldGrants = Object.freeze({ grants: Object.freeze([]), limited: null });

export const createGrantSource = (database: Database): GrantSource => ({
  async active(query) {
    const rows = await database.query<GrantRow>(
      `SELECT * FROM sluice_grants WHERE subject = $1 AND (state = 'active' OR (state = 'used_up' AND id = $3))
       AND from_at <= $2 AND until_at > $2 ORDER BY id`,
      [query.subject, query.at.getTime(), query.isCounted ? (query.named ?? '') : ''],
    );
    return rows.length === 0 ? NONE : held(rows, query);
  },
  use: (id, { subject, at, decision_id }) =>
    database.transaction(async (tx) => {
      const now = at.getTime();
      const counted = await tx.query(
        `UPDATE sluice_grants SET uses = uses + 1, state = CASE WHEN uses + 1 >= max_uses THEN 'used_up' ELSE state END
         WHERE id = $1 AND subject = $2 AND state = 'active' AND from_at <= $3 AND until_at > $3
         AND (max_uses IS NULL OR uses < max_uses) RETURNING uses`,
        [id, subject, now],
      );
      if (counted.length === 0) return false;
      await append(tx, id, { at: now, who: subject, what: 'used', note: null, decision_id });
      return true;
    }),
});

function held(rows: readonly GrantRow[], query: GrantQuery): HeldGrants {
  const grants: Grant[] = [];
  let limited: HeldGrants['limited'] = null;
  for (const row of rows) {
    const isLimited = row.max_uses !== null || row.max_records !== null;
    if (isLimited && !(row.id === query.named && isWithin(row, query))) continue;
    if (!coversId(row, query)) continue;
    grants.push(spelled(row, query));
    if (isLimited) limited = { id: row.id, max_records: row.max_records };
  }
  return grants.length === 0 ? NONE : { grants, limited };
}

const isWithin = (row: GrantRow, { purpose, resource }: GrantQuery): boolean =>
  row.purpose === purpose && (row.resource === null || row.resource === resource);

const coversId = ({ ids }: GrantRow, { id }: GrantQuery): boolean =>
  ids === null || (id !== null && (JSON.parse(ids) as string[]).includes(id));

/**
 * As the policy sees it, members in the order of canonical JSON. Of its ids only the one that is asked for. Without `from`: it has begun, and the time
 * that the policy gets is rounded down, so that a grant would not hold for the first second after its approval.
 */
const spelled = (row: GrantRow, { id }: GrantQuery): Grant => ({
  categories: JSON.parse(row.categories) as string[],
  ...(row.ids === null || id === null ? {} : { data_subject: id }),
  id: row.id,
  purpose: row.purpose,
  ...(row.resource === null ? {} : { resource: row.resource }),
  until: new Date(row.until_at!).toISOString(),
});
