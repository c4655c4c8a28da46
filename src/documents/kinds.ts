/**
 * The kinds of values that documents hold beyond JSON's types. Each has a JSON Schema (how it is written in YAML) and a static type
 * (what the rest of Sluice gets). `reader.ts` converts the one to the other, by the annotation `kind`.
 */
import { type Static, type TProperties, type TSchema, Type } from 'typebox';
import { Compile } from 'typebox/schema';

export { type Static, type TSchema, Type };

/** Compiles a schema to a fast check of values, for long documents. */
export const compiledCheck = (schema: TSchema): ((value: unknown) => boolean) => {
  const validator = Compile(schema);
  return (value) => validator.Check(value);
};

/**
 * Compiles a schema to a check that says what is wrong. It names members of the schema and never a value, nor a member that the schema does
 * not have.
 * @returns null: nothing is wrong
 */
export const compiledFault = (schema: TSchema): ((value: unknown) => string | null) => {
  const validator = Compile(schema);
  return (value) => {
    if (validator.Check(value)) return null;
    const [first] = validator.Errors(value)[1];
    if (first === undefined) return 'it is wrong';
    const { keyword, params, instancePath, message } = first;
    const place = (path: string): string => (path === '' ? 'it' : path);
    if (keyword === 'boolean' || keyword === 'additionalProperties')
      return `${place(keyword === 'boolean' ? parentOf(instancePath) : instancePath)} has a member that is not known here`;
    const rule = keyword === 'required' ? `lacks ${params.requiredProperties.join(', ')}` : message;
    return `${place(instancePath)} ${rule}`;
  };
};

const parentOf = (pointer: string): string => pointer.slice(0, pointer.lastIndexOf('/'));

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

/** `500ms`, `10s`, `5m`, `12h`, `30d`; converted to milliseconds */
export const duration = (o: { min?: string; max?: string; default?: string; description?: string } = {}) =>
  Type.Unsafe<number>({
    type: 'string',
    kind: 'duration',
    pattern: '^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$',
    ...o,
  });

/** `64KiB`, `4MiB`, `1GiB`, or a number of bytes; converted to bytes */
export const size = (o: { min?: string; max?: string; default?: string; description?: string } = {}) =>
  Type.Unsafe<number>({
    type: ['string', 'integer'],
    kind: 'size',
    pattern: '^[0-9]+(B|KiB|MiB|GiB|TiB)?$',
    ...o,
  });

/**
 * `env:NAME` or `file:PATH`, never the secret itself; converted to the secret. A value of several lines may also be a PEM public key, which
 * is no secret and may be in the document.
 */
export const secret = (o: { lines?: 'several'; description?: string } = {}) =>
  Type.Unsafe<string>({ type: 'string', kind: 'secret', ...o });

/** `env:NAME` or `file:PATH`, or a PostgreSQL URL without a password; converted to the URL */
export const database = (o: { description?: string } = {}) =>
  Type.Unsafe<string>({ type: 'string', kind: 'database', ...o });

/** a path, relative to the configuration file; converted to an absolute path */
export const path = (o: { default?: string; description?: string } = {}) =>
  Type.Unsafe<string>({ type: 'string', kind: 'path', minLength: 1, ...o });

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:8080`, `[::1]:8080`, `localhost:0` */
export const address = (o: { default?: string; description?: string } = {}) =>
  Type.Unsafe<Address>({ type: 'string', kind: 'address', ...o });

/** a pointer in the grammar of `model/pointer.ts` */
export const pointer = (o: { description?: string } = {}) =>
  Type.Unsafe<string>({ type: 'string', kind: 'pointer', ...o });

/** an `http:` or `https:` URL without credentials; stays text */
export const url = (o: { description?: string } = {}) =>
  Type.Unsafe<string>({ type: 'string', kind: 'url', ...o });

/** An object that may have no other members. */
export const section = <P extends TProperties>(
  properties: P,
  options: { description?: string; one_of?: string[] } = {},
) => Type.Object(properties, { additionalProperties: false, ...options });

/** A member that may be left out, and then has this value. */
export const defaulted = <S extends TSchema>(schema: S, value: unknown): Present<S> =>
  Type.Optional({ ...schema, default: value }) as unknown as Present<S>;

/** Not required by the schema of its object, but never absent after reading. */
type Present<S extends TSchema> = ReturnType<typeof Type.Unsafe<Static<S>>>;

export const optional = Type.Optional;

/** One item, or a list of at least one; converted to a list */
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
