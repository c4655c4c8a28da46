/** Filters as JSON objects: names with values or operators, joined by lists (`$or`). The common part of Parse and MongoDB. */
import { isObject, isPlain, isScalar, type Json, type Reading } from './grammar.ts';

/**
 * `value`: a scalar or a list of scalars. `not`: operators again. `element`: a filter of list elements. `shape`: a geometric shape,
 * with its own members.
 */
export type Operand = 'value' | 'not' | 'element' | 'shape';

export interface JsonDialect {
  /** `$or` …: a list of filters */
  readonly logical: ReadonlySet<string>;
  readonly operators: ReadonlyMap<string, Operand>;
  /** true for an object that represents one value, such as a date */
  isValue(value: Json): boolean;
}

export const operators = (kinds: { readonly [O in Operand]?: string }): ReadonlyMap<string, Operand> =>
  new Map(
    Object.entries(kinds).flatMap(([operand, names]) =>
      names.split(' ').map((name) => [name, operand as Operand] as const),
    ),
  );

export function readFilter(filter: unknown, dialect: JsonDialect, reading: Reading, prefix = ''): void {
  if (!isObject(filter)) reading.refuse('is not a JSON object');
  for (const [key, value] of Object.entries(filter)) {
    if (!key.startsWith('$')) clause(`${prefix}${key}`, value, dialect, reading);
    else if (!dialect.logical.has(key)) reading.refuse('has an operator that is not known');
    else if (!Array.isArray(value)) reading.refuse('has something that is not a list of filters');
    else for (const inner of value as unknown[]) readFilter(inner, dialect, reading, prefix);
  }
}

function clause(name: string, value: unknown, dialect: JsonDialect, reading: Reading): void {
  reading.field(name);
  if (isValue(value, dialect)) return;
  if (!isObject(value) || Object.keys(value).length === 0)
    reading.refuse('has an object where a value is wanted');
  for (const [key, operand] of Object.entries(value)) {
    const kind = dialect.operators.get(key);
    if (kind === undefined) reading.refuse('has an operator that is not known');
    if (kind === 'not' || (kind === 'element' && isOperators(operand)))
      clause(name, operand, dialect, reading);
    else if (kind === 'element') readFilter(operand, dialect, reading, `${name}.`);
    else if (kind === 'shape' ? !isShape(operand, dialect) : !isValue(operand, dialect))
      reading.refuse('has a filter within a value');
  }
}

const isOperators = (value: unknown): boolean =>
  isObject(value) && Object.keys(value).length > 0 && Object.keys(value).every((key) => key.startsWith('$'));

const isValue = (value: unknown, dialect: JsonDialect): boolean =>
  Array.isArray(value)
    ? value.every((item) => isPlain(item) || (isObject(item) && dialect.isValue(item)))
    : isScalar(value) || (isObject(value) && dialect.isValue(value));

const SHAPES: ReadonlySet<string> = new Set([
  ...['$box', '$polygon', '$center', '$centerSphere', '$geometry', '$point', '$maxDistance', '$minDistance'],
  ...['type', 'coordinates', '__type', 'latitude', 'longitude'],
]);

const isShape = (value: unknown, dialect: JsonDialect): boolean => {
  if (Array.isArray(value)) return value.every((item) => isShape(item, dialect));
  if (!isObject(value)) return isScalar(value);
  return Object.entries(value).every(([key, inner]) => SHAPES.has(key) && isShape(inner, dialect));
};
