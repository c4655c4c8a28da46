/**
 * Announces every change that may give a caller another answer than before. Whoever brings a change into force announces it, after it is in
 * force and before anything else runs. A cache of callers' answers subscribes, or its key contains everything that its answers depend on.
 *
 * The passing of time is not announced: an answer that depends on a date (of a consent, a grant, a token, `stale_if_error`) must not be
 * cached beyond it.
 */
export interface Change {
  readonly kind: ChangeKind;
  readonly scope: Scope;
}

export type ChangeKind =
  /** another policy is live */
  | 'policy'
  /** consents or aliases have changed, cannot be read, or can be read again */
  | 'consents'
  /** the same of an issuer's keys */
  | 'keys'
  /** the same of revocations, in the file or in the store */
  | 'revocations';

/** Whose answers may be others now. A subscriber that cannot tell which of its answers are concerned drops all of them. */
export type Scope =
  | 'all'
  /** callers with a token of this issuer */
  | { readonly issuer: string }
  /** one caller, by `subject.id` */
  | { readonly subject: string }
  /** all answers with records about this person */
  | { readonly data_subject: string };

export type Announce = (change: Change) => void;

export interface Invalidation {
  /** Calls every subscriber. It never throws: the change is in force, whatever becomes of its announcement. */
  readonly announce: Announce;
  /**
   * @param subscriber called for every change, also of a kind or scope that it does not know; it must not throw
   * @returns a function that ends the subscription
   */
  subscribe(subscriber: Announce): () => void;
}

/** @param failed told what a subscriber throws; if not given, the process ends: a cache that was not cleared could give answers from before the change */
export function createInvalidation(failed: (error: unknown) => void = crash): Invalidation {
  const subscribers = new Set<Announce>();
  return {
    announce(change) {
      for (const subscriber of subscribers) {
        try {
          subscriber(change);
        } catch (e) {
          failed(e);
        }
      }
    },
    subscribe(subscriber) {
      subscribers.add(subscriber);
      return () => void subscribers.delete(subscriber);
    },
  };
}

function crash(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}
