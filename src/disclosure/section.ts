/** The keys of treatments, by id; and the formats that a route may name. */
import type { Path, Report } from '../documents/faults.ts';
import { isCharset } from './formats/shared/charsets.ts';
import { responseFault } from './response-check.ts';
import { optional, secret, section, type Static, table, Type } from '../documents/kinds.ts';
import { layoutOf } from './media.ts';
import { FORMATS } from './formats/formats.ts';

/** what a route's `response.format` may be */
export const RESPONSE_FORMATS: readonly string[] = FORMATS.map(({ name }) => name);

const keySchema = section({
  use: Type.Unsafe<'pseudonymize' | 'tokenize' | 'encrypt' | 'data_subjects'>(
    Type.Enum(['pseudonymize', 'tokenize', 'encrypt', 'data_subjects'], {
      description: 'use of the key; each key has one use',
    }),
  ),
  secret: secret({
    lines: 'several',
    description: 'base64 of at least 32 random bytes; for encrypt the recipient’s public key, PEM or JWK',
  }),
  from: optional(
    Type.String({
      description: 'RFC 3339 date or time from which the key is current; default: always',
    }),
  ),
  recipient: optional(
    Type.String({ minLength: 1, description: 'recipient that owns the public key; only for `encrypt`' }),
  ),
});

export const keysSchema = table(keySchema, { key: '^[A-Za-z0-9_.-]{1,64}$' });

export type KeyConfig = Static<typeof keySchema>;

/**
 * What the schema of a route cannot say of its bodies: charsets, options of their formats, and whether a format has several records.
 * @param path of the route
 */
export function checkBodies(
  {
    records,
    response,
    request: { charset },
  }: {
    readonly records?: string | undefined;
    readonly response: Parameters<typeof responseFault>[0];
    readonly request: { readonly charset?: string | undefined };
  },
  path: Path,
  report: Report,
): void {
  const fault = responseFault(response);
  if (fault !== null) report([...path, 'response', fault.key], fault.message);
  const { format } = response;
  if (records !== undefined && format != null && layoutOf(format) === 'single')
    report(
      [...path, 'records'],
      `a response in the format ${format} is one record, so it has no pointer to records: remove this key`,
    );
  if (charset !== undefined && !isCharset(charset))
    report([...path, 'request', 'charset'], 'names no charset that is supported (docs/formats.md#charsets)');
}
