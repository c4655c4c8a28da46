/** Keys of treatments, by id. */
import { type Static, Type } from 'typebox';
import { optional, secret, section, table } from '../documents/kinds.ts';

const keySchema = section({
  use: Type.Unsafe<'pseudonymize' | 'tokenize' | 'encrypt' | 'data_subjects'>(
    Type.Enum(['pseudonymize', 'tokenize', 'encrypt', 'data_subjects'], {
      description: 'what the key is for; a key serves one use',
    }),
  ),
  secret: secret({
    lines: 'several',
    description: 'base64 of at least 32 random bytes; for encrypt the recipient’s public key, PEM or JWK',
  }),
  from: optional(
    Type.String({
      description: 'RFC 3339 date or time from which the key is current; without it, since ever',
    }),
  ),
  recipient: optional(
    Type.String({ minLength: 1, description: 'whose public key it is; for encrypt, and only there' }),
  ),
});

export const keysSchema = table(keySchema, { key: '^[A-Za-z0-9_.-]{1,64}$' });

export type KeyConfig = Static<typeof keySchema>;
