/**
 * Reads a YAML document against a schema: finds faults with their places, fills in defaults, and converts kinds (`kinds.ts`). It works on
 * nodes rather than on values, because only nodes know their place in the file. Longer than most files: it has a case for each JSON Schema
 * keyword that our schemas use. Any other keyword is an internal error.
 */
import { Document, isAlias, isMap, isScalar, isSeq, type Node, type YAMLMap } from 'yaml';
import { SluiceError } from '../errors.ts';
import type { Fault, Path } from './faults.ts';
import type { Kind } from './kinds.ts';
import { didYouMean } from './near-name.ts';
import type { Origin } from './secrets.ts';
import { convert, describeKind, textOf } from './values.ts';
import type { YamlDocument } from './yaml.ts';

export interface Schema {
  readonly type?: string | readonly string[];
  readonly kind?: Kind | 'one_or_more';
  readonly one_of?: readonly string[];
  readonly properties?: { readonly [name: string]: Schema };
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly patternProperties?: { readonly [pattern: string]: Schema };
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly min?: string;
  readonly max?: string;
  readonly lines?: 'several';
  readonly description?: string;
}

const KEYWORDS: ReadonlySet<string> = new Set<keyof Schema | 'title' | 'examples'>([
  ...([
    'type',
    'kind',
    'one_of',
    'properties',
    'required',
    'additionalProperties',
    'patternProperties',
  ] as const),
  ...([
    'items',
    'anyOf',
    'enum',
    'const',
    'default',
    'pattern',
    'minLength',
    'maxLength',
    'minItems',
  ] as const),
  ...([
    'maxItems',
    'uniqueItems',
    'minimum',
    'maximum',
    'min',
    'max',
    'lines',
    'description',
    'title',
    'examples',
  ] as const),
]);

/** Where references (`env:`, `file:`) are resolved; null: texts are no references. */
export type References = (Origin & { readonly literalSecrets: boolean }) | null;

interface Context {
  readonly tree: Document;
  readonly placeOf: YamlDocument['placeOf'];
  readonly references: References;
  readonly faults: Fault[];
}

/** @returns the value, not to be used if there are faults; each fault has a path and a place */
export function readDocument(
  { file, tree, root, placeOf }: YamlDocument,
  schema: Schema,
  references: References,
): { readonly value: unknown; readonly faults: readonly Fault[] } {
  const faults: Fault[] = [];
  const value = read({ tree, placeOf, references, faults }, schema, root, []);
  return { value, faults: faults.map((fault) => ({ file, ...fault })) };
}

/** Reads a value that comes from no file. @returns faults with a path each, without a place */
export function readPlain(
  given: unknown,
  schema: Schema,
  references: References,
): { readonly value: unknown; readonly faults: readonly Required<Pick<Fault, 'path' | 'message'>>[] } {
  const tree = new Document(given);
  const faults: Fault[] = [];
  const nowhere = { line: 1, column: 1 };
  const value = read({ tree, placeOf: () => nowhere, references, faults }, schema, tree.contents, []);
  return { value, faults: faults.map(({ path = [], message }) => ({ path, message })) };
}

/** The value of a node with a fault. The result of a reading with faults is never used. */
const UNREAD = undefined;
const MAX_DEPTH = 40;

function read(
  context: Context,
  schema: Schema,
  given: Node | null | undefined,
  path: Path,
  at?: Node,
): unknown {
  const written = isAlias(given) ? given.resolve(context.tree) : given;
  const node = numberFrom(context, schema, written) ?? written;
  const fault = (message: string): typeof UNREAD => {
    context.faults.push({ ...context.placeOf(node ?? at), path, message });
    return UNREAD;
  };
  for (const keyword of Object.keys(schema))
    if (!KEYWORDS.has(keyword) && !keyword.startsWith('~'))
      throw new SluiceError(
        'internal',
        `The schema at ${path.join('.')} uses "${keyword}", which the reader does not know.`,
      );
  if (path.length > MAX_DEPTH) return fault('is nested too deeply');

  const kind = typeOf(node);
  if (schema.anyOf) {
    const value = readAny(context, schema, kind, node, path, fault);
    return schema.kind === 'one_or_more' && value !== UNREAD && !Array.isArray(value) ? [value] : value;
  }
  if (!accepts(schema, kind)) return fault(`must be ${describe(schema)}`);
  if (isMap(node)) return readMap(context, schema, node, path);
  if (isSeq(node)) {
    if (schema.minItems !== undefined && node.items.length < schema.minItems)
      return fault(`needs at least ${schema.minItems} item${schema.minItems === 1 ? '' : 's'}`);
    if (schema.maxItems !== undefined && node.items.length > schema.maxItems)
      return fault(`has more than ${schema.maxItems} items`);
    const items = node.items.map((item, i) =>
      read(context, schema.items ?? {}, item as Node, [...path, i], node),
    );
    if (schema.uniqueItems && new Set(items.map((i) => JSON.stringify(i))).size < items.length)
      return fault('names the same thing twice');
    return items;
  }
  let value = isScalar(node) ? node.value : null;
  if (typeof value === 'string') {
    const held = context.references === null ? { value } : textOf(value, schema, context.references);
    if ('fault' in held) return fault(held.fault);
    value = held.value;
  }
  const wrong = check(schema, value);
  if (wrong) return fault(wrong);
  if (schema.kind === undefined || schema.kind === 'one_or_more') return value;
  const converted = convert(schema.kind, value, schema, context.references?.directory ?? '/');
  return 'fault' in converted ? fault(converted.fault) : converted.value;
}

/** For `env:NAME` where the schema allows no text: the number or boolean that the variable holds. */
function numberFrom(context: Context, schema: Schema, node: Node | null | undefined): Node | null {
  const { references } = context;
  if (references === null || !isScalar(node) || typeof node.value !== 'string' || takesText(schema))
    return null;
  const held = textOf(node.value, {}, references);
  if ('fault' in held || held.value === node.value || !/^(?:-?\d+(?:\.\d+)?|true|false)$/.test(held.value))
    return null;
  const value = context.tree.createNode(JSON.parse(held.value));
  if (node.range) value.range = node.range;
  return accepts(schema, typeOf(value)) ? value : null;
}

const takesText = (schema: Schema): boolean =>
  schema.anyOf
    ? schema.anyOf.some(takesText)
    : schema.enum === undefined && schema.const === undefined && accepts(schema, 'string');

function readMap(context: Context, schema: Schema, node: YAMLMap, path: Path): unknown {
  // Without a prototype, since a table's keys can be any name, `constructor` included.
  const out: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  const known = schema.properties ?? {};
  const tables = Object.entries(schema.patternProperties ?? {});
  const open = schema.additionalProperties;
  for (const pair of node.items) {
    const key = isScalar(pair.key) ? String(pair.key.value) : '';
    const here = [...path, key];
    const refuse = (message: string): void => {
      context.faults.push({ ...context.placeOf((pair.key as Node) ?? node), path: here, message });
    };
    const inTable = tables.find(([pattern]) => new RegExp(pattern, 'u').test(key))?.[1];
    const inner = Object.hasOwn(known, key)
      ? known[key]
      : (inTable ?? (typeof open === 'object' ? open : open === false || tables.length > 0 ? null : {}));
    if (inner) out[key] = read(context, inner, pair.value as Node | null, here, (pair.key as Node) ?? node);
    else if (tables.length > 0) refuse(`is not a name that can stand here (${tables[0]![0]})`);
    else refuse(`unknown key${didYouMean(key, Object.keys(known))}`);
  }
  const missing = (name: string, message: string): void => {
    context.faults.push({ ...context.placeOf(node), path: [...path, name], message });
  };
  for (const [name, inner] of Object.entries(known)) {
    if (name in out) continue;
    if (inner.default !== undefined)
      out[name] = read(context, inner, context.tree.createNode(inner.default), [...path, name], node);
    else if (schema.required?.includes(name)) missing(name, 'is missing');
  }
  if (schema.one_of) {
    const given = schema.one_of.filter((name) => name in out);
    if (given.length !== 1)
      context.faults.push({
        ...context.placeOf(node),
        path,
        message: `needs exactly one of ${schema.one_of.join(', ')}${given.length === 0 ? '' : `; it has ${given.join(' and ')}`}`,
      });
  }
  return out;
}

/** The first alternative of a union without faults, else the faults of the alternative with the fewest. */
function readAny(
  context: Context,
  schema: Schema,
  type: NodeType,
  node: Node | null | undefined,
  path: Path,
  fault: (message: string) => undefined,
): unknown {
  let nearest: readonly Fault[] | null = null;
  const fitting = (schema.anyOf ?? []).filter((s) => accepts(s, type));
  for (const alternative of fitting) {
    const trial: Context = { ...context, faults: [] };
    const value = read(trial, alternative, node, path);
    if (trial.faults.length === 0) return value;
    if (nearest === null || trial.faults.length < nearest.length) nearest = trial.faults;
  }
  if (nearest === null || (fitting.length > 1 && type !== 'object'))
    return fault(`must be ${describe(schema)}`);
  const rivals = rivalsOf(fitting);
  const held = rivals.filter((name) => isMap(node) && node.has(name));
  if (held.length > 1)
    return fault(`needs exactly one of ${rivals.join(', ')}; it has ${held.join(' and ')}`);
  context.faults.push(...nearest);
  return UNREAD;
}

/** Members by which alternatives are told apart: each is required by one, and unknown to all others. */
const rivalsOf = (alternatives: readonly Schema[]): readonly string[] =>
  alternatives.flatMap(
    (schema) =>
      schema.required?.find((name) =>
        alternatives.every((other) => other === schema || other.properties?.[name] === undefined),
      ) ?? [],
  );

function check(schema: Schema, value: unknown): string | null {
  if (schema.const !== undefined && value !== schema.const) return `must be ${JSON.stringify(schema.const)}`;
  if (schema.enum && !schema.enum.includes(value)) {
    const meant = typeof value === 'string' ? didYouMean(value, schema.enum.map(String)) : '';
    return `must be one of ${schema.enum.join(', ')}${meant}`;
  }
  if (typeof value === 'string') {
    if (schema.minLength !== undefined && value.length < schema.minLength) return 'is empty';
    if (schema.maxLength !== undefined && value.length > schema.maxLength)
      return `is longer than ${schema.maxLength} characters`;
    if (schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(value))
      return `must be ${schema.kind ? describe(schema) : `text of the form ${schema.pattern}`}`;
  }
  if (typeof value === 'number') {
    if (schema.minimum !== undefined && value < schema.minimum) return `must be at least ${schema.minimum}`;
    if (schema.maximum !== undefined && value > schema.maximum) return `must be at most ${schema.maximum}`;
  }
  return null;
}

type NodeType = 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean' | 'null';

function typeOf(node: Node | null | undefined): NodeType {
  if (isMap(node)) return 'object';
  if (isSeq(node)) return 'array';
  const value = isScalar(node) ? node.value : null;
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value === 'boolean' ? 'boolean' : 'string';
}

function accepts(schema: Schema, type: NodeType): boolean {
  if (schema.anyOf) return schema.anyOf.some((s) => accepts(s, type));
  const types = typesOf(schema);
  return types.length === 0 || types.includes(type) || (type === 'integer' && types.includes('number'));
}

function typesOf(schema: Schema): readonly string[] {
  if (schema.type !== undefined) return typeof schema.type === 'string' ? [schema.type] : schema.type;
  const values = schema.enum ?? (schema.const === undefined ? [] : [schema.const]);
  return [...new Set(values.map((v) => (v === null ? 'null' : typeof v)))];
}

const NAMES: Readonly<Record<string, string>> = {
  object: 'a section',
  array: 'a list',
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  null: 'null',
};

function describe(schema: Schema): string {
  if (schema.anyOf) return [...new Set(schema.anyOf.map(describe))].join(' or ');
  if (schema.kind && schema.kind !== 'one_or_more') return describeKind(schema.kind);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return `one of ${schema.enum.join(', ')}`;
  return typesOf(schema)
    .map((t) => NAMES[t] ?? t)
    .join(' or ');
}
