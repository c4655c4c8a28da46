/** Decisions that somebody must look at afterwards, such as emergency access. */
import type { Queries } from './database.ts';

/** A decision that was allowed on the condition that it is reviewed. */
export interface Reviewable {
  readonly decision_id: string;
  /** RFC 3339 */
  readonly timestamp: string;
  /** `subject.id` */
  readonly subject: string;
  readonly purpose: string;
  readonly tier: number | null;
  readonly recipient: string;
  readonly action: string;
  /** type of the resource; which record it was, the decision log knows */
  readonly resource: string;
}

export interface Reviews {
  /**
   * Resolves when the open review is stored.
   * @param queries of the transaction that makes what is reviewed; without it the review is stored at once
   * @throws SluiceError `store_unavailable`: then the request must be refused
   */
  open(decision: Reviewable, queries?: Queries): Promise<void>;
}

/** Also tells whose reviews are late: who has one does not get access without approval again. */
export interface ReviewDesk extends Reviews {
  /** number of reviews of a subject's decisions that are open beyond their date */
  overdue(subject: string): Promise<number>;
}
