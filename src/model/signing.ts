/** What Sluice signs, so that others can check it: receipts, certificates, links. */

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
}

export interface PublicKey {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
  readonly kid: string;
  readonly alg: 'EdDSA';
  readonly use: 'sig';
}
