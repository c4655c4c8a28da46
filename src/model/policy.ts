/** The interface of the policy for other modules: one pinned snapshot at a time. */
import type { DecisionAnswer, DisclosureAnswer } from './answers.ts';
import type { Catalog } from './catalog.ts';
import type { AdminAnswer, AdminInput } from './administration.ts';
import type { DisclosureInput, PolicyInput } from './input.ts';

export type NameKind = 'flag' | 'purpose' | 'category' | 'recipient' | 'status';

/** Names that the policy's data define. Of a kind that they do not list, any name is known. */
export interface KnownNames {
  knows(kind: NameKind, name: string): boolean;
  /** for messages; empty: any name */
  known(kind: NameKind): readonly string[];
}

/**
 * An immutable policy: rules, data and catalogs of one revision. A request takes a snapshot at its start and uses it to its end.
 * The methods never throw if the policy fails: an undefined, malformed or failed evaluation is a denial whose reason
 * has the code of the failure (`policy_undefined`, `policy_answer_malformed`, `policy_evaluation_failed`, …).
 */
export interface PolicySnapshot {
  /** that consents and flags of data subjects may use */
  readonly names: KnownNames;
  readonly revision: string;
  /** name of the bundle or directory that it was loaded from */
  readonly bundle: string;
  readonly catalogs: ReadonlyMap<string, Catalog>;
  /** data documents of the policy (purposes, partners, …), read by routing and commands */
  readonly data: { readonly [name: string]: unknown };
  /** false: `from` and `until` of consents can be omitted from the input, so that more data subjects share a state */
  readonly reads_consent_dates: boolean;
  /** names of attributes of records (a catalog's `attributes`) that answers may depend on; null: any */
  readonly reads_attributes: readonly string[] | null;
  decide(input: PolicyInput): DecisionAnswer;
  disclose(input: DisclosureInput): DisclosureAnswer;
  /** Whether a call of the admin API is permitted. A policy without `sluice/admin` permits none. */
  administer(input: AdminInput): AdminAnswer;
}

/** The entrypoint that says what sinks get of a record (docs/sinks.md); a policy need not have it. */
export const LOG = 'sluice/log';

/** The rules of a policy that has `sluice/log`, as the thread that copies records loads them. */
export interface CopyRules {
  readonly wasm: Uint8Array;
  /** JSON */
  readonly data: Uint8Array;
  /** paths of the record that the rule reads; null: any */
  readonly reads: readonly (readonly string[])[] | null;
  readonly evaluation_ms: number;
  readonly memory_mb: number;
  readonly input_bytes: number;
}

export interface PolicyStore {
  /** @throws SluiceError `policy_unavailable` if no policy was ever activated */
  current(): PolicySnapshot;
  status(): {
    readonly ok: boolean;
    readonly revision: string | null;
    readonly activated_at: string | null;
    /** the last failed load, if it is newer than the live policy */
    readonly error: { readonly code: string; readonly message: string; readonly at: string } | null;
  };
  close(): Promise<void>;
}

/** A value in the policy's data; undefined: there is none. */
export const settingOf = (data: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>(
    (at, key) =>
      typeof at === 'object' && at !== null && Object.hasOwn(at, key)
        ? (at as { readonly [name: string]: unknown })[key]
        : undefined,
    data,
  );
