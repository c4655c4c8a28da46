/** What checking a proof has found. */
export type Finding =
  | {
      readonly data_subject: string;
      /** uses it; false: it was used in between */
      readonly use?: (at: Date) => Promise<boolean>;
    }
  | { readonly failure: 'failed' | 'expired' };

export const FAILED: Finding = Object.freeze({ failure: 'failed' });
export const EXPIRED: Finding = Object.freeze({ failure: 'expired' });
