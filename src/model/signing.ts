/** What Sluice signs, so that others can check it: receipts, certificates, links. */
import type { KeyObject } from 'node:crypto';

/** Kinds of signed documents. One is never accepted as another: the kind is `typ` of the signed header (RFC 8725, section 3.11). */
export type SignedType =
  | 'access-request'
  | 'consent-receipt'
  | 'erasure-certificate'
  | 'subject-link'
  | 'subject-session';

export interface Signed {
  readonly payload: Readonly<Record<string, unknown>>;
  /** RFC 7638 thumbprint of the key */
  readonly kid: string;
}

export interface Signing {
  /**
   * @returns a compact JWS (RFC 7515)
   * @throws SluiceError `signing_key_unavailable`
   */
  sign(type: SignedType, payload: Readonly<Record<string, unknown>>): Promise<string>;
  /**
   * Checks form, kind, key, signature, and `exp` where the payload has one.
   * @throws SluiceError `signature_invalid`, `signature_expired`, `signing_key_unavailable`
   */
  verify(type: SignedType, token: string): Promise<Signed>;
  /** Public keys (RFC 7517), the one that signs first. @throws SluiceError `signing_key_unavailable` */
  publicKeys(): { readonly keys: readonly PublicKey[] };
  /** the same key, for signed notes */
  readonly notes: NoteSigner;
}

export interface PublicKey {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
  readonly kid: string;
  readonly alg: 'EdDSA';
  readonly use: 'sig';
}

/** Raw Ed25519 signatures of texts that end with a newline, for formats other than JWS; no JWS is signed over such a text. */
export interface NoteSigner {
  /** @throws SluiceError `signing_key_unavailable` */
  publicKey(): KeyObject;
  /** @throws SluiceError `signing_key_unavailable` */
  sign(text: string): Promise<Buffer>;
}
