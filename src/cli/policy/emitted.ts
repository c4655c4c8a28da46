/** All schemas that the code defines, as stored in `schemas/`. */
import { schemaFile } from '../../documents/json-schema.ts';
import { configSchemas } from '../../config/index.ts';
import { accessRequestSchema } from '../../endpoints/admin/api/access-requests.ts';
import { openApi } from '../../endpoints/admin/api/openapi.ts';
import { decisionLogSchemas, decisionRecordSchema } from '../../decision-log/schemas.ts';
import { Type } from '../../documents/kinds.ts';
import { dataSchemas } from '../../policy/schemas/data.ts';
import { scenarioFileSchema } from '../../policy/schemas/scenario.ts';
import { policySchemas } from '../../policy/schemas/documents.ts';
import { outputSchemas } from './output-schemas.ts';

/** Members of the record are those that a sink would get. */
export const LogInputSchema = Type.Object(
  { decision_record: decisionRecordSchema, sink: Type.String({ description: 'as in metrics: http:NAME' }) },
  { additionalProperties: false, title: 'Input of sluice/log' },
);

let known: Readonly<Record<string, object>> | undefined;

/** file name → schema, by name */
export function everySchema(): Readonly<Record<string, object>> {
  known ??= Object.fromEntries(
    Object.entries({
      ...policySchemas(),
      ...Object.fromEntries(
        Object.entries(dataSchemas).map(([name, s]) => [`policy-${name}.schema.json`, schemaFile(s)]),
      ),
      ...Object.fromEntries(Object.entries(outputSchemas).map(([name, s]) => [name, schemaFile(s)])),
      'scenario.schema.json': schemaFile(scenarioFileSchema),
      ...(configSchemas() as Record<string, object>),
      ...decisionLogSchemas(),
      'log-input.schema.json': schemaFile(LogInputSchema),
      'access-request.schema.json': schemaFile(accessRequestSchema),
      'openapi.json': openApi(),
    }).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  return known;
}

export const schemaText = (schema: object): string => `${JSON.stringify(schema, null, 2)}\n`;
