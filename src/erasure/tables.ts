/** Tables of requests of data subjects. A request is never deleted; an event is never changed. */
import type { Mark } from '../model/consent.ts';
import type { Migration, Row } from '../model/database.ts';
import type { Kind, State } from '../model/erasure.ts';
import { endOf } from '../model/moment.ts';

const TABLES = `
CREATE TABLE erasure_requests (
  id text PRIMARY KEY, kind text NOT NULL, data_subject text NOT NULL, state text NOT NULL, requested_at bigint NOT NULL, due_at bigint NOT NULL,
  requested_by text NOT NULL, note text, holds text NOT NULL DEFAULT '[]', confirmations text NOT NULL DEFAULT '[]', closed_at bigint,
  closed_by text, evidence text, reason text
);
CREATE UNIQUE INDEX erasure_requests_open ON erasure_requests (data_subject, kind) WHERE state IN ('requested', 'in_progress');
CREATE INDEX erasure_requests_of ON erasure_requests (data_subject, requested_at);
CREATE INDEX erasure_requests_age ON erasure_requests (requested_at, id);
CREATE TABLE erasure_events (
  request_id text NOT NULL, number bigint NOT NULL, at bigint NOT NULL, who text NOT NULL, what text NOT NULL, note text,
  decision_id text, PRIMARY KEY (request_id, number)
);
CREATE TABLE erasure_marks (data_subject text PRIMARY KEY, marks text NOT NULL);`;

/** The function is of the tables of consents (consent/1): marks are part of the same states. */
const ANNOUNCING = [
  'announce_insert AFTER INSERT ON erasure_marks REFERENCING NEW TABLE AS changed',
  'announce_update AFTER UPDATE ON erasure_marks REFERENCING OLD TABLE AS before NEW TABLE AS changed',
  'announce_delete AFTER DELETE ON erasure_marks REFERENCING OLD TABLE AS changed',
  'announce_truncate AFTER TRUNCATE ON erasure_marks',
]
  .map(
    (trigger) => `CREATE TRIGGER ${trigger} FOR EACH STATEMENT EXECUTE FUNCTION sluice_announce_consents();`,
  )
  .join('\n');

export const ERASURE_MIGRATIONS: readonly Migration[] = [
  {
    name: 'erasure/1',
    isAdditive: true,
    sql: { sqlite: TABLES, postgres: `${TABLES}\n${ANNOUNCING}` },
  },
];

/** A category that must be kept although its erasure was asked for. */
export interface Hold {
  readonly category: string;
  /** the law or the proceedings that demand it */
  readonly basis: string;
  /** RFC 3339, a day or a moment: after it, the data is to be deleted, too */
  readonly until: string;
}

/** An upstream has confirmed that it holds nothing more of the person. */
export interface Confirmation {
  readonly upstream: string;
  readonly status: number;
  /** RFC 3339 */
  readonly at: string;
}

/** Moments are milliseconds. Lists are JSON. */
export interface RequestRow extends Row {
  readonly id: string;
  readonly kind: Kind;
  readonly data_subject: string;
  readonly state: State;
  readonly requested_at: number;
  readonly due_at: number;
  readonly requested_by: string;
  readonly note: string | null;
  readonly holds: string;
  readonly confirmations: string;
  readonly closed_at: number | null;
  readonly closed_by: string | null;
  /** where the proof of the deletion is kept */
  readonly evidence: string | null;
  /** why it was rejected, or lifted */
  readonly reason: string | null;
}

export interface RequestEvent extends Row {
  readonly request_id: string;
  readonly number: number;
  readonly at: number;
  readonly who: string;
  readonly what: EventName;
  readonly note: string | null;
  readonly decision_id: string | null;
}

export type EventName =
  | 'requested'
  | 'accepted'
  | 'held'
  | 'released'
  | 'confirmed'
  | 'failed'
  | 'completed'
  | 'rejected'
  | 'lifted';

export const holdsOf = ({ holds }: Pick<RequestRow, 'holds'>): readonly Hold[] => JSON.parse(holds) as Hold[];
export const confirmationsOf = ({ confirmations }: RequestRow): readonly Confirmation[] =>
  JSON.parse(confirmations) as Confirmation[];

export const isOpen = ({ state }: Pick<RequestRow, 'state'>): boolean =>
  state === 'requested' || state === 'in_progress';

/** Open after its time; or partly completed, and a hold is over, so that what it kept is to be deleted. */
export const isOverdue = (row: RequestRow, now: number): boolean =>
  (isOpen(row) && row.due_at < now) ||
  (row.state === 'partly' && holdsOf(row).some(({ until }) => endOf(until) < now));

/** Flags that `marksBy` gives, besides those of held categories. */
export const MARKS = ['erasure_pending', 'erased', 'restricted'] as const;

/** What the policy is to see of a person by their requests. */
export function marksBy(requests: readonly Pick<RequestRow, 'kind' | 'state' | 'holds'>[]): readonly Mark[] {
  const marks = requests.flatMap((request): readonly Mark[] => {
    const { kind, state } = request;
    if (kind === 'restriction') return isOpen(request) ? [{ flag: 'restricted', until: null }] : [];
    if (kind !== 'erasure' || state === 'rejected' || state === 'lifted') return [];
    return [
      { flag: isOpen(request) ? 'erasure_pending' : 'erased', until: null },
      ...holdsOf(request).map(({ category, until }) => ({ flag: `held:${category}`, until: endOf(until) })),
    ];
  });
  // Of two holds of a category, the longer one.
  const byFlag = new Map<string, Mark>();
  for (const mark of marks) {
    const known = byFlag.get(mark.flag);
    if (known === undefined || (known.until !== null && mark.until !== null && mark.until > known.until))
      byFlag.set(mark.flag, mark);
  }
  return [...byFlag.values()].sort((a, b) => (a.flag < b.flag ? -1 : 1));
}
