/** `when`: conditions that distinguish requests with the same method and path. */
import type { RouteConfig } from './section.ts';
import { tokensOf } from '../model/pointer.ts';
import { at, type Steps } from './pointer.ts';
import type { Parameters } from './query.ts';
import type { Headers } from './types.ts';

export type Source = 'query' | 'headers' | 'body';
type Value = string | number | boolean;

export interface Condition {
  readonly source: Source;
  /** name of a parameter, lower-case name of a header, or pointer */
  readonly key: string;
  readonly steps: Steps;
  /** accepted values; null: only presence counts */
  readonly values: readonly Value[] | null;
  readonly present: boolean;
}

export function compileConditions(when: RouteConfig['when']): readonly Condition[] {
  if (!when) return [];
  const { query = {}, headers = {}, body = {} } = when;
  return [
    ...Object.entries(query).map(([key, c]) => condition('query', key, c)),
    ...Object.entries(headers).map(([key, c]) => condition('headers', key.toLowerCase(), c)),
    ...Object.entries(body).map(([key, c]) => condition('body', key, c)),
  ];
}

function condition(source: Source, key: string, given: unknown): Condition {
  const steps = source === 'body' ? tokensOf(key) : [];
  if (typeof given === 'object' && given !== null && 'present' in given)
    return { source, key, steps, values: null, present: given.present === true };
  const values = (Array.isArray(given) ? given : [given]) as readonly Value[];
  // Outside a body every value is text.
  return { source, key, steps, values: source === 'body' ? values : values.map(String), present: true };
}

export function holdsOutside(c: Condition, parameters: Parameters, headers: Headers): boolean {
  if (c.source === 'query') {
    const found = parameters.filter(([name]) => name === c.key);
    if (c.values === null) return found.length > 0 === c.present;
    return found.length === 1 && c.values.includes(found[0]![1]);
  }
  const value = headers[c.key];
  if (c.values === null) return (value !== undefined) === c.present;
  if (typeof value !== 'string') return false;
  return c.values.includes(c.key === 'soapaction' ? value.replace(/^"(.*)"$/, '$1') : value);
}

export function holdsInBody(c: Condition, body: unknown): boolean {
  const value = at(body, c.steps);
  if (c.values === null) return (value !== undefined) === c.present;
  return c.values.includes(value as Value);
}

/** True if no request can satisfy both. */
export const exclude = (a: readonly Condition[], b: readonly Condition[]): boolean =>
  a.some((c) => b.some((d) => c.source === d.source && c.key === d.key && apart(c, d)));

function apart(c: Condition, d: Condition): boolean {
  if (c.values === null || d.values === null) return c.present !== d.present;
  return !c.values.some((v) => d.values?.includes(v));
}

/** True if `a` requires all that `b` requires, and more. Then `a` is the more specific. */
export const refines = (a: readonly Condition[], b: readonly Condition[]): boolean =>
  a.length > b.length &&
  b.every((d) => a.some((c) => c.source === d.source && c.key === d.key && within(c, d)));

function within(c: Condition, d: Condition): boolean {
  if (d.values === null) return c.present === d.present;
  return c.values?.every((v) => d.values?.includes(v)) ?? false;
}
