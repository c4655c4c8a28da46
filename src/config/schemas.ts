/** The JSON Schemas of what `schemas/` has of the configuration. */
import { consentAnswerSchema, consentsDocumentSchema } from '../consent/section.ts';
import { jsonSchema } from '../documents/json-schema.ts';
import type { Schema } from '../documents/reader.ts';
import { configSchema } from './schema.ts';

/** file name → schema */
export const configSchemas = (): Record<string, unknown> => ({
  'sluice.schema.json': jsonSchema('sluice.yaml', configSchema as unknown as Schema, true),
  'consents.schema.json': jsonSchema('consents.yaml', consentsDocumentSchema as unknown as Schema, false),
  'consent-answer.schema.json': jsonSchema(
    'answer of a service of consents',
    consentAnswerSchema as unknown as Schema,
    false,
  ),
});
