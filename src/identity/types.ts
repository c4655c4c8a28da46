/** What the identity stage gives and takes. */
import type { PeerCertificate } from '../model/exchange.ts';
import type { Subject } from '../model/input.ts';

export interface Authenticated {
  /** frozen; the same object for as long as the credential is remembered */
  readonly subject: Subject;
  /** of the token; empty for a credential without claims */
  readonly claims: Readonly<Record<string, unknown>>;
  /** issuer of the token, `api-key:<id>` or `certificate` */
  readonly issuer: string;
  /** milliseconds since the epoch */
  readonly expires: number;
  /** acted for when neither request, token nor route name a purpose */
  readonly purpose: string | null;
}

/** Request headers, names in lower case. A list means that the header stood more than once. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface Peer {
  readonly ip: string | null;
  /** only when the TLS layer has verified it */
  readonly certificate?: PeerCertificate;
}

export interface Identity {
  /**
   * Answers at once for a credential that is remembered.
   * @throws SluiceError `token_*`, `keys_unavailable` (thrown or as a rejection)
   */
  authenticate(headers: Headers, peer: Peer): Authenticated | Promise<Authenticated>;
  /** for `/readyz`: have all issuers usable keys? */
  ready(): Promise<{ readonly ok: boolean; readonly detail?: string }>;
  /** entries remembered now, and how often memory has answered; for metrics */
  readonly remembered: { readonly size: number; readonly hits: number; readonly misses: number };
  /** reads key files and revocations now, and asks for the keys at URLs */
  refresh(): void;
  close(): Promise<void>;
}
