/** Signatures of webhooks after the Standard Webhooks specification 1.0. https://www.standardwebhooks.com */
import { createHmac } from 'node:crypto';

const PREFIX = 'whsec_';

/** @returns null: not of this form */
export function signingKey(secret: string): Buffer | null {
  if (!secret.startsWith(PREFIX)) return null;
  const text = secret.slice(PREFIX.length);
  const key = Buffer.from(text, 'base64');
  const isExact = key.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '');
  return isExact && key.length >= 24 && key.length <= 64 ? key : null;
}

/** @param seconds since 1970 */
export function signedHeaders(
  key: Buffer,
  id: string,
  seconds: number,
  body: string,
): Readonly<Record<string, string>> {
  const signature = createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64');
  return {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': `v1,${signature}`,
  };
}
