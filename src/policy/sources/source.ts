/** Where a policy comes from. */
import type { PolicyBundle } from '../bundle/bundle.ts';

export interface Loaded {
  readonly bundle: PolicyBundle;
  /** called once the policy is live */
  accepted(): Promise<void>;
}

export interface PolicySource {
  readonly name: string;
  /**
   * null: nothing new since the last load. Says the same of a policy that was refused: it is not tried again until it changes.
   * @param anew reads and answers even if nothing is new
   * @throws SluiceError `policy_unavailable` or `bundle_unavailable` when the source cannot be read at the moment
   */
  load(anew?: boolean): Promise<Loaded | null>;
  /** what may stand in for the source at a start at which it cannot be reached */
  fallback?(): Promise<Loaded | null>;
  /** calls back when there may be something new, until the returned function is called */
  watch(changed: () => void): () => void;
}

export const nothingToAccept = async (): Promise<void> => undefined;
