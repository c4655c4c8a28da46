/** Shares: what recipients outside have received, and what they still have to confirm. */

/** Whether data for this recipient leaves the organisation. */
export const isOutside = (recipient: string): boolean => recipient !== 'internal';

/** What became of the data that a recipient had. */
export const HOW = ['destroyed', 'archived'] as const;
export type How = (typeof HOW)[number];

export interface Share {
  readonly decision_id: string;
  readonly recipient: string;
  readonly purpose: string;
  /** RFC 3339 */
  readonly timestamp: string;
  /** pseudonyms, as in `disclosure.data_subjects` */
  readonly data_subjects: readonly string[];
}

/** Requests to confirm that expired data was destroyed or archived. */
export interface Confirmations {
  /** not answered yet */
  readonly open: number;
  /** of these, beyond their date */
  readonly overdue: number;
}

export interface Shares {
  /** Resolves when it is stored: nothing may leave before. @throws SluiceError `store_unavailable` */
  note(share: Share): Promise<void>;
  /** @throws SluiceError `store_unavailable` */
  confirmations(recipient: string, at: Date): Promise<Confirmations>;
}
