/**
 * The kinds of value a configuration holds beyond JSON's: how each is spelled in YAML (its JSON Schema) and what the rest
 * of Sluice gets to see (its static type). `reader.ts` turns one into the other; the annotation `kind` says how.
 */
import { type Static, type TProperties, type TSchema, Type } from 'typebox';
import { Compile } from 'typebox/compile';

export { type Static, type TSchema, Type };

/** A check of values that is compiled, for documents that are long. */
export const compiledCheck = (schema: TSchema): ((value: unknown) => boolean) => {
  const validator = Compile(schema);
  return (value) => validator.Check(value);
};

export type Kind =
  | 'text'
  | 'duration'
  | 'size'
  | 'secret'
  | 'database'
  | 'path'
  | 'address'
  | 'pointer'
  | 'url';

/** Text that may not be empty. Any text may be `env:NAME`, of whatever kind. */
export const text = (o: { description?: string } = {}) =>
  Type.Unsafe<string>({ type: 'string', kind: 'text', minLength: 1, ...o });

/** `500ms`, `10s`, `5m`, `12h`, `30d`; seen as milliseconds */
export const duration = (o: { min?: string; max?: string; default?: string; description?: string } = {}) =>
  Type.Unsafe<number>({
    type: 'string',
    kind: 'duration',
    pattern: '^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$',
    ...o,
  });

/** `64KiB`, `4MiB`, `1GiB`, or a number of bytes; seen as bytes */
export const size = (o: { min?: string; max?: string; default?: string; description?: string } = {}) =>
  Type.Unsafe<number>({
    type: ['string', 'integer'],
    kind: 'size',
    pattern: '^[0-9]+(B|KiB|MiB|GiB|TiB)?$',
    ...o,
  });

/**
 * `env:NAME` or `file:PATH`, never the secret itself; seen as the secret. One of several lines may be a PEM public key, which is no
 * secret and may stand in the file.
 */
export const secret = (o: { lines?: 'several'; description?: string } = {}) =>
  Type.Unsafe<string>({ type: 'string', kind: 'secret', ...o });

/** `env:NAME` or `file:PATH`, or a PostgreSQL URL without a password; seen as the URL */
export const database = (o: { description?: string } = {}) =>
  Type.Unsafe<string>({ type: 'string', kind: 'database', ...o });

/** a path, relative to the configuration file; seen as an absolute path */
export const path = (o: { default?: string; description?: string } = {}) =>
  Type.Unsafe<string>({ type: 'string', kind: 'path', minLength: 1, ...o });

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:8080`, `[::1]:8080`, `localhost:0` */
export const address = (o: { default?: string; description?: string } = {}) =>
  Type.Unsafe<Address>({ type: 'string', kind: 'address', ...o });

/** a JSON Pointer as design §5.4 extends it (`*`, positions, `[key=value]`) */
export const pointer = (o: { description?: string } = {}) =>
  Type.Unsafe<string>({ type: 'string', kind: 'pointer', ...o });

/** an `http:` or `https:` URL without credentials; seen as text */
export const url = (o: { description?: string } = {}) =>
  Type.Unsafe<string>({ type: 'string', kind: 'url', ...o });

/** An object that refuses members it does not know. */
export const section = <P extends TProperties>(
  properties: P,
  options: { description?: string; one_of?: string[] } = {},
) => Type.Object(properties, { additionalProperties: false, ...options });

/** May be left out; is there nevertheless, as `value`, for whoever reads the configuration. */
export const defaulted = <S extends TSchema>(schema: S, value: unknown): Present<S> =>
  Type.Optional({ ...schema, default: value }) as unknown as Present<S>;

/** A schema that its object does not require, with a value that is never absent. */
type Present<S extends TSchema> = ReturnType<typeof Type.Unsafe<Static<S>>>;

export const optional = Type.Optional;

/** One, or a list of at least one; seen as a list */
export const oneOrMore = <S extends TSchema>(item: S, options: { description?: string } = {}) =>
  Type.Unsafe<readonly Static<S>[]>({
    anyOf: [item, Type.Array(item, { minItems: 1, uniqueItems: true })],
    kind: 'one_or_more',
    ...options,
  });

export const table = <S extends TSchema>(value: S, options: { key?: string; description?: string } = {}) => {
  const { key = '^.+$', ...rest } = options;
  return Type.Record(Type.String({ pattern: key }), value, rest);
};
