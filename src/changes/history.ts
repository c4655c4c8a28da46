/** What one caller did, and what was done about their access. */
import type { QueryInterface } from '../decision-log/index/query.ts';
import type { Revocation, RevocationRecords } from '../identity/index.ts';
import type { Review, ReviewStore } from '../reviews/index.ts';

type DecisionPage = Awaited<ReturnType<QueryInterface['query']>>;

export interface SubjectHistory {
  of(
    subject: string,
    page: { readonly limit: number; readonly cursor?: string },
  ): Promise<{
    /** the newest first */
    readonly revocations: readonly Revocation[];
    readonly reviews: readonly Review[];
    readonly decisions: DecisionPage['decisions'];
    /** of the decisions */
    readonly cursor: string | null;
  }>;
}

const MOST_REVIEWS = 1_000;

export const subjectHistory = (
  revocations: Pick<RevocationRecords, 'ofSubject'>,
  reviews: Pick<ReviewStore, 'list'>,
  log: Pick<QueryInterface, 'query'>,
): SubjectHistory => ({
  async of(subject, page) {
    const [revoked, reviewed, { decisions, cursor }] = await Promise.all([
      revocations.ofSubject(subject),
      reviews.list({ subject, limit: MOST_REVIEWS }),
      log.query({ subject, ...page }),
    ]);
    return { revocations: revoked, reviews: reviewed, decisions, cursor };
  },
});
