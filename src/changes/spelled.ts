/** Rows of the store as JSON: what the commands print with `--json`, and what the admin API answers. */
import type { Confirmation, Hold, RequestEvent, RequestRow } from '../erasure/index.ts';
import type { GrantEvent, GrantRow, GrantState } from '../grants/index.ts';
import type { ApiKeyRow, Revocation } from '../identity/index.ts';
import type { NoticeRow, NoticeState } from '../notices/index.ts';
import type { Review } from '../reviews/index.ts';
import type { DemandRow } from '../shares/index.ts';

export const iso = (ms: number): string => new Date(ms).toISOString();
const isoOrNull = (ms: number | null): string | null => (ms === null ? null : iso(ms));

export const reviewJson = ({ opened_at, due_at, closed_at, ...rest }: Review) => ({
  ...rest,
  opened_at: iso(opened_at),
  due_at: iso(due_at),
  closed_at: isoOrNull(closed_at),
});

export const revocationJson = (r: Revocation) => ({
  ...r,
  issued_before: isoOrNull(r.issued_before),
  starts_at: isoOrNull(r.starts_at),
  ends_at: isoOrNull(r.ends_at),
  revoked_at: iso(r.revoked_at),
  restored_at: isoOrNull(r.restored_at),
});

export const keyJson = (row: ApiKeyRow) => ({
  ...row,
  subject: JSON.parse(row.subject) as object,
  created_at: iso(row.created_at),
  expires_at: iso(row.expires_at),
  revoked_at: isoOrNull(row.revoked_at),
});

export function grantJson(grant: GrantRow, state: GrantState) {
  const {
    digest: _,
    approved_as: _roles,
    callback: _told,
    categories,
    ids,
    approved_by,
    duration,
    ...rest
  } = grant;
  return {
    ...rest,
    state,
    categories: JSON.parse(categories) as string[],
    ids: ids === null ? null : (JSON.parse(ids) as string[]),
    approved_by: JSON.parse(approved_by) as string[],
    duration_seconds: duration / 1000,
    requested_at: iso(grant.requested_at),
    starts_at: isoOrNull(grant.starts_at),
    from_at: isoOrNull(grant.from_at),
    until_at: isoOrNull(grant.until_at),
  };
}

/** For lists: ids of records are personal data, and are counted. */
export function listedGrantJson(grant: GrantRow, state: GrantState) {
  const { ids, ...rest } = grantJson(grant, state);
  return { ...rest, ids: ids?.length ?? null };
}

export const grantEventJson = (event: GrantEvent) => ({ ...event, at: iso(event.at) });

/** A request of a data subject. */
export function requestJson(request: RequestRow, is_overdue: boolean) {
  const { requested_at, due_at, closed_at, ...rest } = request;
  return {
    ...rest,
    holds: JSON.parse(request.holds) as Hold[],
    confirmations: JSON.parse(request.confirmations) as Confirmation[],
    requested_at: iso(requested_at),
    due_at: iso(due_at),
    closed_at: isoOrNull(closed_at),
    is_overdue,
  };
}

export const requestEventJson = (event: RequestEvent) => ({ ...event, at: iso(event.at) });

export const demandJson = (demand: DemandRow) => ({
  ...demand,
  opened_at: iso(demand.opened_at),
  due_at: iso(demand.due_at),
  first_at: iso(demand.first_at),
  last_at: iso(demand.last_at),
  confirmed_at: isoOrNull(demand.confirmed_at),
});

export const noticeJson = (notice: NoticeRow, state: NoticeState) => ({
  ...notice,
  state,
  data: notice.data === null ? null : (JSON.parse(notice.data) as Readonly<Record<string, unknown>>),
  created_at: iso(notice.created_at),
  next_at: isoOrNull(notice.next_at),
  retry_until: iso(notice.retry_until),
  delivered_at: isoOrNull(notice.delivered_at),
  acknowledged_at: isoOrNull(notice.acknowledged_at),
});
