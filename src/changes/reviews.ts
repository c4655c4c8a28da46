/** Reviews that are closed. */
import type { Review, ReviewStore, Verdict } from '../reviews/index.ts';
import { type Recorder, recorded } from './change.ts';

export interface ReviewChanges extends Pick<ReviewStore, 'list'> {
  /** @throws as `ReviewStore.close` */
  close(decisionId: string, verdict: Verdict, note: string, recorder: Recorder): Promise<Review>;
}

export const reviewChanges = (reviews: ReviewStore): ReviewChanges => ({
  list: (filter) => reviews.list(filter),
  close: (decisionId, verdict, note, recorder) =>
    recorded<Review, Review>(
      recorder,
      (review) => ({
        kind: 'admin',
        operation: 'reviews.close',
        reasons: [{ code: `review_${verdict}` }],
        purpose: review.purpose,
        justification: note,
        labels: { reviewed: decisionId, holder: review.subject },
      }),
      (journaled) => reviews.close(decisionId, recorder.by, verdict, note, journaled),
    ),
});
