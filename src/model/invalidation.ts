/**
 * Announces every change that may give a caller another answer than before. Whoever brings a change into force announces it, after it is in
 * force and before anything else runs. A cache of callers' answers subscribes, or its key contains everything that its answers depend on.
 */
export type Change =
  /** Another policy is live. Scope: every caller. */
  | { readonly kind: 'policy'; readonly revision: string }
  /** Consents or aliases have changed. Scope: one data subject; null: all. */
  | { readonly kind: 'consents'; readonly data_subject: string | null }
  /** Keys of an issuer were replaced, or can no longer be read. Scope: its tokens. */
  | { readonly kind: 'keys'; readonly issuer: string }
  /** The list of revocations was replaced, or can no longer be read. Scope: every credential. */
  | { readonly kind: 'revocations' };

export type ChangeKind = Change['kind'];
export type ChangeOf<K extends ChangeKind> = Extract<Change, { readonly kind: K }>;

export type Announce = (change: Change) => void;

export interface Invalidation {
  /** @throws what a subscriber throws; the others are called all the same */
  readonly announce: Announce;
  /** @returns a function that ends the subscription */
  subscribe<K extends ChangeKind>(kind: K, subscriber: (change: ChangeOf<K>) => void): () => void;
}

export function createInvalidation(): Invalidation {
  const subscribers = new Map<ChangeKind, Set<(change: Change) => void>>();
  return {
    announce(change) {
      const failures: unknown[] = [];
      for (const subscriber of subscribers.get(change.kind) ?? []) {
        try {
          subscriber(change);
        } catch (e) {
          failures.push(e);
        }
      }
      if (failures.length > 0) throw failures[0];
    },
    subscribe(kind, subscriber) {
      const called = subscriber as (change: Change) => void;
      const ofKind = subscribers.get(kind) ?? new Set();
      subscribers.set(kind, ofKind.add(called));
      return () => void ofKind.delete(called);
    },
  };
}
