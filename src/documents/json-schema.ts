/** JSON Schemas for editors and other tools: the annotations of `kinds.ts` as standard keywords. */
import type { Schema } from './reader.ts';
import { ENV_PATTERN } from './secrets.ts';

const DRAFT = 'https://json-schema.org/draft/2020-12/schema';
/** A schema as a file of its own. */
export const schemaFile = <S extends object>(schema: S): { readonly $schema: string } & S => ({
  $schema: DRAFT,
  ...schema,
});

const OWN = new Set(['kind', 'one_of', 'min', 'max', 'lines']);

/** @param fromEnv any text may be `env:NAME` */
export const jsonSchema = (title: string, schema: Schema, fromEnv: boolean): Record<string, unknown> =>
  schemaFile({ title, ...standard(schema, fromEnv) });

function standard(schema: Schema, fromEnv: boolean): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema))
    if (!OWN.has(key) && !key.startsWith('~')) out[key] = inner(key, value, fromEnv);
  // What has a default may be left out.
  if (schema.required)
    out['required'] = schema.required.filter((name) => schema.properties?.[name]?.default === undefined);
  if (schema.one_of) out['oneOf'] = schema.one_of.map((name) => ({ required: [name] }));
  if (schema.pattern && fromEnv) out['pattern'] = `^(?:${ENV_PATTERN}$|${schema.pattern.replace(/^\^/, '')})`;
  if (schema.kind === 'secret' && schema.lines === undefined) out['pattern'] = `^(?:${ENV_PATTERN}|file:.+)$`;
  if (fromEnv && schema.enum?.every((value) => typeof value === 'string')) {
    delete out['enum'];
    out['anyOf'] = [{ enum: schema.enum }, { pattern: `^${ENV_PATTERN}$` }];
  }
  if (schema.min !== undefined || schema.max !== undefined)
    out['description'] = [schema.description, `(${schema.min ?? ''}…${schema.max ?? ''})`]
      .filter(Boolean)
      .join(' ');
  return out;
}

const isSchemaMap = (key: string): boolean => key === 'properties' || key === 'patternProperties';

function inner(key: string, value: unknown, fromEnv: boolean): unknown {
  if (isSchemaMap(key))
    return Object.fromEntries(
      Object.entries(value as object).map(([k, s]) => [k, standard(s as Schema, fromEnv)]),
    );
  if (key === 'anyOf') return (value as Schema[]).map((s) => standard(s, fromEnv));
  if ((key === 'items' || key === 'additionalProperties') && typeof value === 'object')
    return standard(value as Schema, fromEnv);
  return value;
}
