/** The values of a template, and how Go prints them. Numbers from the data are strings (json.Number); literals are numbers. */
import { compare } from '../../order.ts';
import { isNumber, numberText, type RegoObject, type RegoValue } from '../../values.ts';
import { fail } from '../operands.ts';
import { type Argument, formatArgument, sprintf } from '../text/go-fmt.ts';

export type Value =
  /** a missing key */
  | { readonly kind: 'none' }
  | { readonly kind: 'nil' }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'int'; readonly value: bigint }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'number'; readonly value: string }
  | { readonly kind: 'list'; readonly value: readonly RegoValue[] }
  | { readonly kind: 'map'; readonly value: RegoObject };

export const NONE: Value = { kind: 'none' };

export const valueFrom = (v: RegoValue | undefined): Value => {
  if (v === undefined) return NONE;
  if (v === null) return { kind: 'nil' };
  if (typeof v === 'boolean') return { kind: 'bool', value: v };
  if (typeof v === 'string') return { kind: 'string', value: v };
  if (isNumber(v)) return { kind: 'number', value: numberText(v) };
  if (Array.isArray(v)) return { kind: 'list', value: v };
  return v instanceof Map ? { kind: 'map', value: v } : fail('a template cannot use a set');
};

/** refuses sets and keys that are not strings */
export const checkData = (v: RegoValue): void => {
  if (v instanceof Set) fail('a template cannot use a set');
  if (Array.isArray(v)) v.forEach(checkData);
  if (v instanceof Map) {
    for (const [key, item] of v) {
      if (typeof key !== 'string') fail('a key is not a string');
      checkData(item);
    }
  }
};

export const isTrue = (v: Value): boolean => {
  switch (v.kind) {
    case 'none':
    case 'nil':
      return false;
    case 'bool':
      return v.value;
    case 'int':
      return v.value !== 0n;
    case 'float':
      return v.value !== 0;
    case 'map':
      return v.value.size > 0;
    default:
      return v.value.length > 0;
  }
};

export const inOrder = (m: RegoObject): readonly (readonly [string, RegoValue])[] =>
  [...m].map(([key, item]) => [String(key), item] as const).sort(([a], [b]) => compare(a, b));

const argumentOf = (v: Value): Argument => {
  switch (v.kind) {
    case 'none':
    case 'nil':
      return { type: '<nil>' };
    case 'bool':
      return { type: 'bool', value: v.value };
    case 'int':
      return { type: 'int', value: v.value };
    case 'float':
      return { type: 'float64', value: v.value };
    case 'string':
      return { type: 'string', value: v.value };
    case 'number':
      return { type: 'json.Number', value: v.value };
    case 'list':
      return { type: '[]interface {}', items: v.value.map((item) => argumentOf(valueFrom(item))) };
    case 'map':
      return {
        type: 'map[string]interface {}',
        members: inOrder(v.value).map(([key, item]) => [key, argumentOf(valueFrom(item))] as const),
      };
  }
};

/** Go's fmt.Sprint of one value; a missing one prints as `<no value>` */
export const print = (v: Value): string =>
  v.kind === 'none' || v.kind === 'nil' ? '<undefined>' : formatArgument(argumentOf(v));

const isText = (v: Value): boolean => v.kind === 'string' || v.kind === 'number';

/** Go's fmt.Sprint: a space between two values if neither is a string */
export const sprint = (values: readonly Value[]): string =>
  values
    .map((v, i) => {
      const before = values[i - 1];
      const space = before !== undefined && !isText(before) && !isText(v) ? ' ' : '';
      return space + formatArgument(argumentOf(v));
    })
    .join('');

export const sprintln = (values: readonly Value[]): string =>
  `${values.map((v) => formatArgument(argumentOf(v))).join(' ')}\n`;

export const sprintfValues = (layout: string, values: readonly Value[]): string =>
  sprintf(layout, values.map(argumentOf));
