/** `opa check --strict` with the input's schema: finds a misspelled member of the input before it denies every request. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PolicyDirectory } from '../../../policy/directory.ts';
import { isObject } from '../../../documents/yaml.ts';
import type { Opa } from '../../../policy/opa/opa.ts';
import type { Fault } from '../../../documents/faults.ts';
import { faultsOf } from '../../../policy/opa/faults.ts';
import { DisclosureInputSchema } from '../../../policy/schemas/documents.ts';
import { everySchema, LogInputSchema, schemaText } from '../emitted.ts';
import type { Staged } from '../stage.ts';

/** true if rules name their own schemas in annotations */
export const annotated = (files: PolicyDirectory): boolean =>
  files.rego.some((f) => /^#\s+schemas:/m.test(f.text));

const INPUT = 'input.schema.json';
/** What any entrypoint may read: that of `sluice/disclosure` holds those of the others but `sluice/log`. */
const InputSchema = {
  ...DisclosureInputSchema,
  properties: { ...DisclosureInputSchema.properties, ...LogInputSchema.properties },
};

export async function strict(opa: Opa, staged: Staged, ownSchemas: boolean): Promise<Fault[]> {
  const dir = join(staged.dir, 'schemas');
  await mkdir(dir);
  for (const [name, schema] of Object.entries(everySchema()))
    await writeFile(join(dir, name.replace('.schema.json', '.json')), schemaText(schema));
  await writeFile(join(staged.dir, INPUT), schemaText(InputSchema));
  const run = await opa.run(
    [
      'check',
      '--strict',
      '--max-errors',
      '0',
      '--format',
      'json',
      '--schema',
      ownSchemas ? 'schemas' : INPUT,
      staged.rego,
    ],
    { cwd: staged.dir },
  );
  if (run.code === 0) return [];
  const errors = (parsed(run.stderr) ?? parsed(run.stdout))?.errors ?? [];
  const open = new Set(
    errors.filter(isOpen).map((e) => `${e.location?.file}:${e.location?.row}:${e.location?.col}`),
  );
  return faultsOf(run, '')
    .filter((f) => !open.has(`${f.file}:${f.line}:${f.column}`))
    .map((f) => ({ ...f, ...(f.file === undefined ? {} : { file: staged.original(f.file) }) }));
}

/** The schema of an object, also of one that may be null. */
function objectIn(schema: unknown): { readonly [name: string]: unknown } | undefined {
  if (!isObject(schema)) return undefined;
  const any = schema['anyOf'];
  return Array.isArray(any) ? any.find((one) => isObject(one) && one['type'] === 'object') : schema;
}

interface TypeError {
  readonly location?: { readonly file?: string; readonly row?: number; readonly col?: number };
  readonly details?: { readonly ref?: readonly { readonly value: unknown }[]; readonly pos?: number };
}

const parsed = (text: string): { readonly errors?: readonly TypeError[] } | null => {
  try {
    return JSON.parse(text) as { errors?: readonly TypeError[] };
  } catch {
    return null;
  }
};

/** OPA reads an object schema with listed members as closed. Sluice's objects may have others (custom claims, obligations). */
function isOpen({ details }: TypeError): boolean {
  if (details?.ref === undefined || details.pos === undefined) return false;
  let schema: unknown = InputSchema;
  for (const { value } of details.ref.slice(1, details.pos)) {
    const properties = objectIn(schema)?.['properties'];
    schema = isObject(properties) ? properties[String(value)] : undefined;
  }
  const found = objectIn(schema);
  return found?.['additionalProperties'] === true || isObject(found?.['patternProperties']);
}
