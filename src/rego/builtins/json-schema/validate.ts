/** Validates a document against a schema and reports the mismatches that gojsonschema reports. */
import { compareNumbers, integerOf } from '../../order.ts';
import {
  isNumber,
  NumberText,
  numberText,
  type RegoNumber,
  type RegoObject,
  type RegoValue,
} from '../../values.ts';
import { fail } from '../operands.ts';
import { shortest } from '../text/go-fmt.ts';
import { canonical } from './canonical.ts';
import type { Schema } from './compile.ts';
import { type Mismatch, type MismatchType, mismatch } from './faults.ts';
import { isFormat } from './formats.ts';

type Path = readonly string[];

/** a deeper recursion means that the schema refers to itself endlessly */
const MAX_DEPTH = 400;

/** The mismatches of one validation, and a score: of several alternatives, the one with the highest score is reported. */
class Result {
  readonly mismatches: Mismatch[] = [];
  score = 0;

  get valid(): boolean {
    return this.mismatches.length === 0;
  }

  add(type: MismatchType, path: Path, details: { readonly [name: string]: string | number } = {}): void {
    this.mismatches.push(mismatch(type, path, details));
    this.score -= 1;
  }

  merge(other: Result): void {
    this.mismatches.push(...other.mismatches);
    this.score += other.score;
  }
}

const typeOf = (v: RegoValue): string => {
  if (v === null) return 'null';
  if (isNumber(v)) return integerOf(v) === undefined ? 'number' : 'integer';
  return Array.isArray(v) ? 'array' : v instanceof Map ? 'object' : typeof v;
};

const fits = (type: string, types: readonly string[]): boolean =>
  types.length === 0 || types.includes(type) || (type === 'integer' && types.includes('number'));

const spell = (n: RegoNumber): string => shortest(Number(numberText(n)));

/** exact: both are scaled to integers by the same power of ten */
const isMultiple = (n: RegoNumber, of: RegoNumber): boolean => {
  const scale = (x: RegoNumber): number => {
    const m = /^-?\d+(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(numberText(x));
    return Math.max(0, (m?.[1]?.length ?? 0) - Number(m?.[2] ?? 0));
  };
  const places = Math.max(scale(n), scale(of));
  const whole = (x: RegoNumber): bigint => {
    const [mantissa = '', power = '0'] = numberText(x).split(/[eE]/);
    return (
      integerOf(new NumberText(`${mantissa}e${Number(power) + places}`)) ?? fail('a number is out of range')
    );
  };
  return whole(n) % whole(of) === 0n;
};

const check = (s: Schema, v: RegoValue, path: Path, depth: number): Result => {
  const result = new Result();
  validate(s, v, result, path, depth);
  return result;
};

const validate = (s: Schema, v: RegoValue, result: Result, path: Path, depth: number): void => {
  if (depth > MAX_DEPTH) fail('the schema refers to itself endlessly');
  if (s.pass !== undefined) {
    if (!s.pass) result.add('false', path);
    return;
  }
  if (s.ref !== undefined) {
    validate(s.ref, v, result, path, depth + 1);
    return;
  }
  const given = typeOf(v);
  if (!fits(given, s.types)) {
    const expected = s.types.length > 1 ? `[${s.types.join(',')}]` : (s.types[0] ?? '');
    result.add('invalid_type', path, { expected, given });
    return;
  }
  combinations(s, v, result, path, depth + 1);
  if (Array.isArray(v)) arrayRules(s, v, result, path, depth + 1);
  if (v instanceof Map) objectRules(s, v, result, path, depth + 1);
  if (isNumber(v)) numberRules(s, v, result, path);
  common(s, v, result, path);
  if (v instanceof Map) {
    for (const [name, child] of inOrder(s.properties)) {
      const value = v.get(name);
      if (value !== undefined) validate(child, value, result, [...path, name], depth + 1);
    }
  }
  if (typeof v === 'string') stringRules(s, v, result, path);
  result.score += 1;
};

/** Go iterates over objects in random order; here the names are sorted */
const inOrder = <T>(m: ReadonlyMap<string, T>): readonly (readonly [string, T])[] =>
  [...m].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));

const namesOf = (v: RegoObject): readonly string[] => [...v.keys()].map(String).sort();

const better = (best: Result | undefined, r: Result): Result =>
  best === undefined || r.score > best.score ? r : best;

const combinations = (s: Schema, v: RegoValue, result: Result, path: Path, depth: number): void => {
  if (s.anyOf.length > 0) {
    let best: Result | undefined;
    const found = s.anyOf.some((option) => {
      const r = check(option, v, path, depth);
      if (!r.valid) best = better(best, r);
      return r.valid;
    });
    if (!found) {
      result.add('number_any_of', path);
      if (best !== undefined) result.merge(best);
    }
  }
  if (s.oneOf.length > 0) {
    let best: Result | undefined;
    let valid = 0;
    for (const option of s.oneOf) {
      const r = check(option, v, path, depth);
      if (r.valid) valid += 1;
      else if (valid === 0) best = better(best, r);
    }
    if (valid !== 1) {
      result.add('number_one_of', path);
      if (valid === 0 && best !== undefined) result.merge(best);
    }
  }
  if (s.allOf.length > 0) {
    let valid = 0;
    for (const option of s.allOf) {
      const r = check(option, v, path, depth);
      if (r.valid) valid += 1;
      result.merge(r);
    }
    if (valid !== s.allOf.length) result.add('number_all_of', path);
  }
  if (s.not !== undefined && check(s.not, v, path, depth).valid) result.add('number_not', path);
  if (v instanceof Map) dependencies(s, v, result, path, depth);
  conditions(s, v, result, path, depth);
  result.score += 1;
};

const dependencies = (s: Schema, v: RegoObject, result: Result, path: Path, depth: number): void => {
  for (const name of namesOf(v)) {
    const dependency = s.dependencies.get(name);
    if (dependency === undefined) continue;
    if (!Array.isArray(dependency)) {
      validate(dependency as Schema, v, result, path, depth);
      continue;
    }
    for (const needed of dependency as readonly string[]) {
      if (!v.has(needed)) result.add('missing_dependency', path, { dependency: needed });
    }
  }
};

const conditions = (s: Schema, v: RegoValue, result: Result, path: Path, depth: number): void => {
  if (s.if === undefined) return;
  const holds = check(s.if, v, path, depth).valid;
  const branch = holds ? s.then : s.else;
  if (branch === undefined) return;
  const r = check(branch, v, path, depth);
  if (r.valid) return;
  result.add(holds ? 'condition_then' : 'condition_else', path);
  result.merge(r);
};

const common = (s: Schema, v: RegoValue, result: Result, path: Path): void => {
  if (s.const !== undefined && canonical(v) !== s.const) result.add('const', path, { allowed: s.const });
  if (s.enum !== undefined && !s.enum.includes(canonical(v))) {
    result.add('enum', path, { allowed: s.enum.length === 0 ? '(none)' : s.enum.join(', ') });
  }
  if (s.format !== undefined && typeof v === 'string' && !isFormat(s.format, v)) {
    result.add('format', path, { format: s.format });
  }
  result.score += 1;
};

const arrayRules = (s: Schema, v: readonly RegoValue[], result: Result, path: Path, depth: number): void => {
  const at = (schema: Schema, i: number): Result =>
    check(schema, v[i] as RegoValue, [...path, String(i)], depth);
  if (s.items !== undefined) {
    for (let i = 0; i < v.length; i++) result.merge(at(s.items, i));
  } else if (s.tuple.length > 0) {
    for (let i = 0; i < Math.min(s.tuple.length, v.length); i++) result.merge(at(s.tuple[i] as Schema, i));
    if (s.additionalItems === false && v.length > s.tuple.length)
      result.add('array_no_additional_items', path);
    if (typeof s.additionalItems === 'object') {
      for (let i = s.tuple.length; i < v.length; i++) result.merge(at(s.additionalItems, i));
    }
  }
  if (s.minItems !== undefined && v.length < s.minItems)
    result.add('array_min_items', path, { min: s.minItems });
  if (s.maxItems !== undefined && v.length > s.maxItems)
    result.add('array_max_items', path, { max: s.maxItems });
  if (s.uniqueItems) {
    const seen = new Map<string, number>();
    v.forEach((item, j) => {
      const key = canonical(item);
      const i = seen.get(key);
      if (i !== undefined) result.add('unique', path, { i, j });
      seen.set(key, j);
    });
  }
  if (s.contains !== undefined) {
    let best: Result | undefined;
    const { contains } = s;
    const found = v.some((_, i) => {
      const r = at(contains, i);
      if (!r.valid) best = better(best, r);
      return r.valid;
    });
    if (!found) {
      result.add('contains', path);
      if (best !== undefined) result.merge(best);
    }
  }
  result.score += 1;
};

const objectRules = (s: Schema, v: RegoObject, result: Result, path: Path, depth: number): void => {
  if (s.minProperties !== undefined && v.size < s.minProperties) {
    result.add('array_min_properties', path, { min: s.minProperties });
  }
  if (s.maxProperties !== undefined && v.size > s.maxProperties) {
    result.add('array_max_properties', path, { max: s.maxProperties });
  }
  for (const property of s.required) {
    if (v.has(property)) result.score += 1;
    else result.add('required', path, { property });
  }
  for (const name of namesOf(v)) {
    const value = v.get(name) as RegoValue;
    let matched = false;
    for (const [pattern, child] of s.patternProperties) {
      if (!pattern.matcher(name).find()) continue;
      matched = true;
      result.merge(check(child, value, [...path, name], depth));
    }
    if (matched) result.score += 1;
    if (matched || s.properties.has(name)) continue;
    if (s.additionalProperties === false)
      result.add('additional_property_not_allowed', path, { property: name });
    else if (typeof s.additionalProperties === 'object') {
      result.merge(check(s.additionalProperties, value, [...path, name], depth));
    }
  }
  if (s.propertyNames !== undefined) {
    for (const name of namesOf(v)) {
      const r = check(s.propertyNames, name, path, depth);
      if (r.valid) continue;
      result.add('invalid_property_name', path, { property: name });
      result.merge(r);
    }
  }
  result.score += 1;
};

const stringRules = (s: Schema, v: string, result: Result, path: Path): void => {
  const length = [...v].length;
  if (s.minLength !== undefined && length < s.minLength) result.add('string_gte', path, { min: s.minLength });
  if (s.maxLength !== undefined && length > s.maxLength) result.add('string_lte', path, { max: s.maxLength });
  if (s.pattern !== undefined && !s.pattern.matcher(v).find()) {
    result.add('pattern', path, { pattern: s.pattern.pattern() });
  }
  result.score += 1;
};

const numberRules = (s: Schema, v: RegoNumber, result: Result, path: Path): void => {
  if (s.multipleOf !== undefined && !isMultiple(v, s.multipleOf)) {
    result.add('multiple_of', path, { multiple: spell(s.multipleOf) });
  }
  const { maximum, exclusiveMaximum, minimum, exclusiveMinimum } = s;
  if (maximum !== undefined && compareNumbers(v, maximum) > 0)
    result.add('number_lte', path, { max: spell(maximum) });
  if (exclusiveMaximum !== undefined && compareNumbers(v, exclusiveMaximum) >= 0) {
    result.add('number_lt', path, { max: spell(exclusiveMaximum) });
  }
  if (minimum !== undefined && compareNumbers(v, minimum) < 0)
    result.add('number_gte', path, { min: spell(minimum) });
  if (exclusiveMinimum !== undefined && compareNumbers(v, exclusiveMinimum) <= 0) {
    result.add('number_gt', path, { min: spell(exclusiveMinimum) });
  }
  result.score += 1;
};

export const mismatchesOf = (s: Schema, document: RegoValue): readonly Mismatch[] =>
  check(s, document, [], 0).mismatches;
