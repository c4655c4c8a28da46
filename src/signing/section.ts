/** Section `signing`: the key that signs receipts, certificates and links. */
import { defaulted, optional, path, secret, section, type Static, Type } from '../documents/kinds.ts';

export const signingSchema = section(
  {
    key: optional(
      secret({
        lines: 'several',
        description:
          'private Ed25519 key, as JWK or PEM (PKCS #8); by default a key is generated. Several machines need the same key',
      }),
    ),
    file: defaulted(
      path({ description: 'where the generated key is kept; made at its first use, if `key` is absent' }),
      './data/signing.jwk',
    ),
    retired: defaulted(
      Type.Array(secret({ lines: 'several' }), {
        maxItems: 16,
        description:
          'keys that do not sign any more, or not yet: they are published, and what they signed is valid. JWK or PEM, the public part is enough',
      }),
      [],
    ),
  },
  { description: 'key that signs receipts, certificates and links' },
);

export type SigningConfig = Static<typeof signingSchema>;
