/** Validates YAML files against the schema that their header names; reports all faults with their places. */
import { didYouMean } from '../../../documents/near-name.ts';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { createRequire } from 'node:module';
import type { Ajv2020, ErrorObject, ValidateFunction } from 'ajv/dist/2020.js';
import { tokensOf } from '../../../model/pointer.ts';
import { readYaml, type YamlDocument } from '../../../documents/yaml.ts';
import type { Fault } from '../../../documents/faults.ts';
import { everySchema } from '../emitted.ts';

/** https://github.com/redhat-developer/yaml-language-server#using-inlined-schema */
const HEADER = /^#\s*yaml-language-server:\s*\$schema=(\S+)/m;

export const headerOf = (text: string): string | null => HEADER.exec(text.slice(0, 4096))?.[1] ?? null;

const require = createRequire(import.meta.url);
let ajv: Ajv2020 | undefined;

/** Loaded when the first document is validated: a sidecar reads scenarios only if its policy has some. */
function validator(): Ajv2020 {
  if (ajv !== undefined) return ajv;
  const library = require('ajv/dist/2020.js') as typeof import('ajv/dist/2020.js');
  const formats = require('ajv-formats') as typeof import('ajv-formats');
  ajv = new library.Ajv2020({ allErrors: true, strict: false, verbose: true });
  formats.default(ajv, ['date-time', 'date', 'time', 'email', 'uri', 'uuid', 'ipv4', 'ipv6']);
  return ajv;
}

const compiled = new Map<string, ValidateFunction>();

export interface ReadDocument {
  /** null: the file is not YAML; see `faults` */
  readonly document: YamlDocument | null;
  /** base name of the schema that applies, e.g. `policy-roles.schema.json` */
  readonly schema: string | null;
  readonly faults: readonly Fault[];
  /** what could not be checked, and the reason */
  readonly unchecked: readonly Fault[];
}

/** @param fallback schema of a file that names none */
export function readDocument(file: string, text: string, fallback: string | null): ReadDocument {
  const read = readYaml(file, text);
  if ('faults' in read) return { document: null, schema: null, faults: read.faults, unchecked: [] };
  const { document } = read;
  const header = headerOf(text);
  const name = header === null ? fallback : basename(header);
  if (name === null) return { document, schema: null, faults: [], unchecked: [] };
  const validate = validatorOf(name, header === null ? null : resolve(dirname(file), header));
  if (validate === null)
    return {
      document,
      schema: name,
      faults: [],
      unchecked: [
        {
          file,
          line: 1,
          column: 1,
          message: `the schema that the header names is not there, so the file was not checked against it: ${header}`,
        },
      ],
    };
  validate(document.value);
  return { document, schema: name, faults: placed(validate.errors ?? [], document), unchecked: [] };
}

/** Sluice's schemas by name, wherever the policy directory is; other schemas from their file. */
function validatorOf(name: string, path: string | null): ValidateFunction | null {
  const own = everySchema()[name];
  const key = own === undefined ? `file ${path}` : name;
  let validate = compiled.get(key);
  if (validate === undefined) {
    if (own === undefined && (path === null || !existsSync(path))) return null;
    try {
      validate = validator().compile(own ?? (JSON.parse(readFileSync(path!, 'utf8')) as object));
    } catch {
      return null;
    }
    compiled.set(key, validate);
  }
  return validate;
}

function placed(errors: readonly ErrorObject[], document: YamlDocument): Fault[] {
  const unions = errors.filter((e) => e.keyword === 'anyOf' || e.keyword === 'oneOf');
  const within = (e: ErrorObject, u: ErrorObject): boolean => e.schemaPath.startsWith(`${u.schemaPath}/`);
  return errors
    .filter((e) => e.keyword !== 'boolean' && e.keyword !== 'if')
    .filter((e) => {
      // For a union, report the deepest errors of its branches; if there are none, report that no branch matches.
      const around = unions.find((u) => u !== e && within(e, u));
      if (around !== undefined) return e.instancePath.length > around.instancePath.length;
      if (!unions.includes(e)) return true;
      return !errors.some((x) => x !== e && within(x, e) && x.instancePath.length > e.instancePath.length);
    })
    .filter((e) => !isMisspelled(e, errors))
    .map((e) => faultOf(e, document));
}

/** Reports a missing key as misspelled if a similar key is present. */
const isMisspelled = (missing: ErrorObject, errors: readonly ErrorObject[]): boolean => {
  const { missingProperty } = missing.params as { missingProperty?: string };
  return (
    missingProperty !== undefined &&
    errors.some(
      (e) =>
        e.instancePath === missing.instancePath &&
        typeof e.params['additionalProperty'] === 'string' &&
        didYouMean(e.params['additionalProperty'], keysOf(e)) ===
          didYouMean(missingProperty, [missingProperty]),
    )
  );
};

const keysOf = ({ parentSchema }: ErrorObject): readonly string[] =>
  Object.keys((parentSchema as { properties?: object } | undefined)?.properties ?? {});

function faultOf(error: ErrorObject, document: YamlDocument): Fault {
  const path = steps(error.instancePath, document.value);
  const where = path.length === 0 ? '' : `${path.join('.')}: `;
  const params = error.params as {
    additionalProperty?: string;
    missingProperty?: string;
    allowedValues?: readonly unknown[];
    propertyName?: string;
  };
  if (params.additionalProperty !== undefined) {
    const known = keysOf(error);
    const [form] = Object.keys(
      (error.parentSchema as { patternProperties?: object }).patternProperties ?? {},
    );
    if (known.length === 0 && form !== undefined)
      return document.fault(
        [...path, params.additionalProperty],
        `${where}"${params.additionalProperty}" is not a name: it must match ${form}`,
        'key',
      );
    const hint =
      didYouMean(params.additionalProperty, known) ||
      (known.length > 0 ? `; known: ${known.join(', ')}` : '');
    return document.fault(
      [...path, params.additionalProperty],
      `${where}unknown key "${params.additionalProperty}"${hint}`,
      'key',
    );
  }
  if (params.missingProperty !== undefined)
    return document.fault(path, `${where}"${params.missingProperty}" is missing`);
  if (params.allowedValues !== undefined) {
    const words = params.allowedValues.map(String);
    const hint = typeof error.data === 'string' ? didYouMean(error.data, words) : '';
    return document.fault(path, `${where}one of ${words.join(', ')} is wanted${hint}`);
  }
  if (params.propertyName !== undefined)
    return document.fault(
      [...path, params.propertyName],
      `${where}"${params.propertyName}" is not a name`,
      'key',
    );
  const about = (error.parentSchema as { description?: string } | undefined)?.description;
  const what = error.keyword === 'anyOf' ? 'has none of the forms that it may have' : error.message;
  return document.fault(path, `${where}${what}${about === undefined ? '' : ` (${about})`}`);
}

/** a JSON Pointer as steps; positions of a list are numbers */
function steps(pointer: string, root: unknown): (string | number)[] {
  let here = root;
  return tokensOf(pointer).map((key) => {
    const step = Array.isArray(here) ? Number(key) : key;
    here = (here as { readonly [k: string]: unknown } | null)?.[key];
    return step;
  });
}
