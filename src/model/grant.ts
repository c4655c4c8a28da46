/** Grants as the pipeline uses them: which ones hold for a request, and the count of their uses. */
import type { Grant } from './input.ts';

/** What a request asks for, as far as the scope of a grant depends on it. */
export interface GrantQuery {
  /** `subject.id` */
  readonly subject: string;
  readonly at: Date;
  readonly purpose: string;
  /** type of the resource */
  readonly resource: string;
  /** id of the resource; null: the request is about many */
  readonly id: string | null;
  /** the grant that the request names; null: none */
  readonly named: string | null;
  /** The request still goes on, and its use of the grant that it names is counted: one that is used up since holds for it. */
  readonly isCounted: boolean;
}

export interface HeldGrants {
  readonly grants: readonly Grant[];
  /** the one among them whose uses or records are limited: a request that goes on has used it */
  readonly limited: { readonly id: string; readonly max_records: number | null } | null;
}

export interface GrantUse {
  readonly subject: string;
  readonly at: Date;
  readonly decision_id: string;
}

export interface GrantSource {
  /**
   * The grants that hold for a request. A limited one is among them only if the request names it and is within its scope, so that no request uses
   * it up unawares, and none relies on it uncounted.
   * @throws SluiceError `store_unavailable`
   */
  active(query: GrantQuery): Promise<HeldGrants>;
  /**
   * Counts one use, atomically.
   * @returns false: none was left, or the grant has ended in between
   * @throws SluiceError `store_unavailable`
   */
  use(id: string, use: GrantUse): Promise<boolean>;
}
