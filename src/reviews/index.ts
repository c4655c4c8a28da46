/** Reviews in the store: opened by decisions, closed by people. */
import { SluiceError } from '../errors.ts';
import type { Database, Migration, Queries, Row } from '../model/database.ts';
import type { Journaled } from '../model/journaled.ts';
import { mayBeSame, namesOf } from '../model/realm.ts';
import type { Reviewable, ReviewDesk } from '../model/review.ts';

export const REVIEW_MIGRATIONS: readonly Migration[] = [
  {
    name: 'reviews/1',
    isAdditive: true,
    sql: `
      CREATE TABLE sluice_reviews (
        decision_id text PRIMARY KEY, subject text NOT NULL, purpose text NOT NULL, tier bigint, recipient text NOT NULL,
        action text NOT NULL, resource text NOT NULL, opened_at bigint NOT NULL, due_at bigint NOT NULL,
        closed_at bigint, closed_by text, verdict text, note text
      );
      CREATE INDEX sluice_reviews_open ON sluice_reviews (subject, due_at) WHERE closed_at IS NULL`,
  },
];

export type Verdict = 'justified' | 'unjustified';
export const VERDICTS: readonly Verdict[] = ['justified', 'unjustified'];

/** Moments are milliseconds since 1970. */
export interface Review extends Row {
  readonly decision_id: string;
  readonly subject: string;
  readonly purpose: string;
  readonly tier: number | null;
  readonly recipient: string;
  readonly action: string;
  readonly resource: string;
  readonly opened_at: number;
  readonly due_at: number;
  readonly closed_at: number | null;
  readonly closed_by: string | null;
  readonly verdict: Verdict | null;
  readonly note: string | null;
}

export interface ReviewFilter {
  readonly state?: 'open' | 'overdue' | 'closed';
  readonly subject?: string;
  readonly limit: number;
  /** the last of the page before */
  readonly after?: { readonly at: number; readonly id: string };
}

export interface ReviewStore extends ReviewDesk {
  /** the oldest first */
  list(filter: ReviewFilter): Promise<readonly Review[]>;
  /**
   * @param by who closes it: never the subject whose decision it is about
   * @throws SluiceError `review_not_found`, `review_closed`, `review_of_own_decision`
   */
  close(
    decisionId: string,
    by: string,
    verdict: Verdict,
    note: string,
    journaled: Journaled<Review>,
  ): Promise<Review>;
}

/** @param due milliseconds in which a review must be closed */
export function createReviews(database: Database, due: number, now: () => Date): ReviewStore {
  return {
    async open(
      { decision_id, timestamp, subject, purpose, tier, recipient, action, resource }: Reviewable,
      queries?: Queries,
    ) {
      const at = Date.parse(timestamp);
      await (queries?.query ?? database.write)(
        `INSERT INTO sluice_reviews (decision_id, subject, purpose, tier, recipient, action, resource, opened_at, due_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
        [decision_id, subject, purpose, tier, recipient, action, resource, at, at + due],
      );
    },
    list: ({ state, subject = null, limit, after }) =>
      database.query<Review>(
        `SELECT * FROM sluice_reviews WHERE ${CONDITION[state ?? 'any']} AND (CAST($1 AS text) IS NULL OR subject = $1)
         AND opened_at <= CAST($2 AS bigint) AND (opened_at, decision_id) > (CAST($4 AS bigint), CAST($5 AS text))
         ORDER BY opened_at, decision_id LIMIT $3`,
        [subject, now().getTime(), limit, after?.at ?? -1, after?.id ?? ''],
      ),
    async overdue(subject) {
      const [row] = await database.query<{ readonly n: number }>(
        'SELECT count(*) AS n FROM sluice_reviews WHERE subject = ANY($1) AND closed_at IS NULL AND due_at < $2',
        [namesOf(subject), now().getTime()],
      );
      return row?.n ?? 0;
    },
    close: (decisionId, by, verdict, note, journaled) =>
      database.transaction(async (tx) => {
        const [review] = await tx.query<Review>(
          `SELECT * FROM sluice_reviews WHERE decision_id = $1 ${database.forUpdate}`,
          [decisionId],
        );
        if (review === undefined)
          throw new SluiceError('review_not_found', `No review of the decision ${decisionId} was asked for.`);
        if (review.closed_at !== null)
          throw new SluiceError(
            'review_closed',
            `The review was closed on ${new Date(review.closed_at).toISOString()} by ${review.closed_by}.`,
          );
        if (mayBeSame(review.subject, by))
          throw new SluiceError(
            'review_of_own_decision',
            'Nobody reviews what they did themselves: somebody else has to close it.',
          );
        const [closed] = await tx.query<Review>(
          'UPDATE sluice_reviews SET closed_at = $2, closed_by = $3, verdict = $4, note = $5 WHERE decision_id = $1 RETURNING *',
          [decisionId, now().getTime(), by, verdict, note],
        );
        await journaled(closed!, tx);
        return closed!;
      }),
  };
}

const CONDITION: Readonly<Record<NonNullable<ReviewFilter['state']> | 'any', string>> = {
  any: 'TRUE',
  open: 'closed_at IS NULL',
  overdue: 'closed_at IS NULL AND due_at < $2',
  closed: 'closed_at IS NOT NULL',
};
