/** The interface of a policy source: directory, file or URL. */
import type { PolicyBundle } from '../bundle/bundle.ts';

export interface Loaded {
  readonly bundle: PolicyBundle;
  /** called once the policy is live */
  accepted(): Promise<void>;
}

export interface PolicySource {
  readonly name: string;
  /**
   * null: nothing changed since the last load, whether that policy was activated or refused.
   * @param anew loads even if nothing changed
   * @throws SluiceError `policy_unavailable` or `bundle_unavailable` when the source cannot be read at the moment
   */
  load(anew?: boolean): Promise<Loaded | null>;
  /** a stored policy, for a start during which the source cannot be reached */
  fallback?(): Promise<Loaded | null>;
  /** Calls back when the source may have changed. @returns a function that ends this */
  watch(changed: () => void): () => void;
}

export const nothingToAccept = async (): Promise<void> => undefined;
