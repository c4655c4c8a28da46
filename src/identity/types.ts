/** Input and output of the identity module. */
import type { PeerCertificate } from '../model/exchange.ts';
import type { Agent, Subject } from '../model/input.ts';

export interface Authenticated {
  /** frozen; the same object while the credential is cached */
  readonly subject: Subject;
  /** frozen; absent: the subject itself asks */
  readonly agent?: Agent;
  /** of the token; empty for a credential without claims */
  readonly claims: Readonly<Record<string, unknown>>;
  /** SHA-256 digests, in hexadecimal, by which it may be revoked: of a token's signing input, of an API key, of a certificate */
  readonly digests: readonly string[];
  /** issuer of the token, `api-key:<id>` or `certificate` */
  readonly issuer: string;
  /** milliseconds since the epoch */
  readonly expires: number;
  /** purpose if neither request, token nor route name one */
  readonly purpose: string | null;
}

/** Request headers, names in lower case. A list means that the header was repeated. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface Peer {
  readonly ip: string | null;
  /** only if the TLS layer has verified it */
  readonly certificate?: PeerCertificate;
}

export interface Identity {
  /**
   * Returns synchronously for a cached credential.
   * @throws SluiceError `token_*`, `keys_unavailable` (thrown or as a rejection)
   */
  authenticate(headers: Headers, peer: Peer): Authenticated | Promise<Authenticated>;
  /**
   * Whether who was let in would still be: called between the parts of a long answer. It does not look at the expiry.
   * @throws SluiceError `token_revoked`, `keys_unavailable` (thrown or as a rejection)
   */
  recheck(authenticated: Authenticated, peer: Peer): void | Promise<void>;
  /** for `/readyz`: true if all issuers have usable keys */
  ready(): Promise<{ readonly ok: boolean; readonly detail?: string }>;
  /** number of cached tokens, and of cache hits; for metrics */
  readonly remembered: { readonly size: number; readonly hits: number; readonly misses: number };
  /** reads key files and revocations now, and starts a fetch of the keys at URLs */
  refresh(): void;
  close(): Promise<void>;
}
