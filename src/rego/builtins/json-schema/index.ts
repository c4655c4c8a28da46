/** `json.match_schema`, `json.verify_schema`. Schemas are never fetched: a reference must point into the schema itself. */
import { LRUCache } from 'lru-cache';
import { encode, fieldsOf, parseJson, type RegoValue } from '../../values.ts';
import { marshal } from '../json/objects.ts';
import { fail, isLimit } from '../operands.ts';
import type { Family } from '../types.ts';
import { compileSchema, type Schema } from './compile.ts';
import { fault, SchemaFault } from './faults.ts';
import { mismatchesOf } from './validate.ts';

/** the document of an operand: a JSON text, an object or an array */
const documentOf = (v: RegoValue | undefined): RegoValue => {
  if (typeof v === 'string') {
    try {
      return parseJson(v);
    } catch (e) {
      if (isLimit(e)) throw e;
      return fault('invalid JSON string');
    }
  }
  // Converted to JSON, since a schema cannot describe sets or keys that are not strings.
  return v instanceof Map || Array.isArray(v)
    ? parseJson(marshal(v))
    : fault('wrong type, expected string or object');
};

const schemas = new LRUCache<string, Schema>({ max: 100 });

const schemaOf = (v: RegoValue | undefined): Schema => {
  const key = v === undefined ? '' : encode(v);
  let schema = schemas.get(key);
  if (schema === undefined) {
    schema = compileSchema(documentOf(v));
    schemas.set(key, schema);
  }
  return schema;
};

/** an error in the schema makes the call undefined */
const orUndefined = <T>(run: () => T): T => {
  try {
    return run();
  } catch (e) {
    return e instanceof SchemaFault ? fail(e.message) : throwAgain(e);
  }
};

const throwAgain = (e: unknown): never => {
  throw e;
};

export const schema: Family = {
  'json.verify_schema': ([v]) => {
    try {
      schemaOf(v);
      return [true, null];
    } catch (e) {
      return e instanceof SchemaFault ? [false, `jsonschema: ${e.message}`] : throwAgain(e);
    }
  },
  'json.match_schema': ([document, v]) =>
    orUndefined(() => {
      const found = mismatchesOf(schemaOf(v), documentOf(document));
      return [
        found.length === 0,
        found.map(({ error, type, field, desc }) => fieldsOf({ error, type, field, desc })),
      ];
    }),
};
