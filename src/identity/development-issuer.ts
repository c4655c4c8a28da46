/**
 * An issuer for demos and tests. Its key is generated at start and exists only in memory. Never configure one for
 * real data; only `sluice demo` and the examples use it.
 */
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

export interface DevelopmentIssuer {
  readonly issuer: string;
  readonly audience: string;
  /** public keys only */
  readonly jwks: { readonly keys: readonly JWK[] };
  /**
   * @param claims take precedence over the added ones: iss, aud, iat, exp
   * @param lifetime seconds
   * @param at time of issue; default: now
   */
  sign(claims: Readonly<Record<string, unknown>>, lifetime?: number, at?: Date): Promise<string>;
}

export async function createDevelopmentIssuer(
  issuer = 'https://idp.sluice.example',
  audience = 'sluice',
): Promise<DevelopmentIssuer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const key: JWK = { ...(await exportJWK(publicKey)), kid: 'development', alg: 'ES256', use: 'sig' };
  return {
    issuer,
    audience,
    jwks: { keys: [key] },
    sign(claims, lifetime = 8 * 3600, at = new Date()) {
      const iat = Math.floor(at.getTime() / 1000);
      return new SignJWT({ iss: issuer, aud: audience, iat, exp: iat + lifetime, ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: 'development', typ: 'JWT' })
        .sign(privateKey);
    },
  };
}
