/** Decisions that somebody must look at afterwards, such as emergency access. */

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
  /** Resolves when the open review is stored. @throws SluiceError `store_unavailable`: then the request must be refused */
  open(decision: Reviewable): Promise<void>;
}

/** Also tells whose reviews are late: who has one does not get access without approval again. */
export interface ReviewDesk extends Reviews {
  /** number of reviews of a subject's decisions that are open beyond their date */
  overdue(subject: string): Promise<number>;
}
