/** The functions that Go's text/template predefines. */
import { bytesOf, stringOf } from '../../values.ts';
import { queryEscape } from '../encoding.ts';
import { fail } from '../operands.ts';
import { isTrue, NONE, sprint, sprintfValues, sprintln, type Value, valueFrom } from './values.ts';

export type TemplateFunction = (args: readonly Value[]) => Value;

const text = (value: string): Value => ({ kind: 'string', value });
const bool = (value: boolean): Value => ({ kind: 'bool', value });

const one = (args: readonly Value[]): Value =>
  args.length === 1 ? (args[0] as Value) : fail('exactly one argument is expected');

/** the kind for comparisons: strings and json.Number are both strings; none and nil compare to everything */
const kindOf = (v: Value): string => (v.kind === 'number' ? 'string' : v.kind === 'nil' ? 'none' : v.kind);

const equals = (a: Value, b: Value): boolean => {
  const [x, y] = [kindOf(a), kindOf(b)];
  if (x !== y)
    return x === 'none' || y === 'none' ? false : fail('values of different kinds are not compared');
  if (x === 'none') return true;
  if (a.kind === 'list' || a.kind === 'map') return fail('lists and maps are not compared');
  return 'value' in a && 'value' in b && a.value === b.value;
};

const less = (a: Value, b: Value): boolean => {
  const [x, y] = [kindOf(a), kindOf(b)];
  if (x !== y || !['int', 'float', 'string'].includes(x)) return fail('values that have no order');
  if (x === 'string') return Buffer.compare(bytesOf(textOf(a)), bytesOf(textOf(b))) < 0;
  return (a as { value: number | bigint }).value < (b as { value: number | bigint }).value;
};

const textOf = (v: Value): string =>
  v.kind === 'string' || v.kind === 'number' ? v.value : fail('a string is expected');

const compareWith =
  (holds: (a: Value, b: Value) => boolean): TemplateFunction =>
  (args) => {
    const [a, b] = args;
    return args.length === 2 && a !== undefined && b !== undefined
      ? bool(holds(a, b))
      : fail('two arguments are expected');
  };

const position = (v: Value, most: number): number => {
  if (v.kind !== 'int' || v.value < 0n || v.value > BigInt(most)) return fail('an index out of range');
  return Number(v.value);
};

const step = (v: Value, key: Value): Value => {
  switch (v.kind) {
    case 'list':
      return valueFrom(v.value[position(key, v.value.length - 1)]);
    case 'map':
      return key.kind === 'string' ? valueFrom(v.value.get(key.value)) : fail('a key is a string');
    case 'string':
    case 'number': {
      const bytes = bytesOf(v.value);
      return { kind: 'int', value: BigInt(bytes[position(key, bytes.length - 1)] as number) };
    }
    default:
      return fail('the value cannot be indexed');
  }
};

const slice = (args: readonly Value[]): Value => {
  const [v, ...bounds] = args;
  if (v === undefined || bounds.length > 3) return fail('too many bounds');
  if (v.kind === 'list') {
    const end = bounds[1] === undefined ? v.value.length : position(bounds[1], v.value.length);
    const start = bounds[0] === undefined ? 0 : position(bounds[0], end);
    return { kind: 'list', value: v.value.slice(start, end) };
  }
  const bytes = bytesOf(textOf(v));
  if (bounds.length > 2) return fail('a string has no capacity');
  const end = bounds[1] === undefined ? bytes.length : position(bounds[1], bytes.length);
  const start = bounds[0] === undefined ? 0 : position(bounds[0], end);
  return text(stringOf(bytes.slice(start, end)));
};

const lengthOf = (v: Value): number => {
  if (v.kind === 'map') return v.value.size;
  return v.kind === 'list' ? v.value.length : bytesOf(textOf(v)).length;
};

/** a single string unchanged; otherwise all values printed */
const joined = (args: readonly Value[]): string =>
  args.length === 1 && args[0]?.kind === 'string' ? args[0].value : sprint(args);

const HTML: { readonly [c: string]: string } = {
  '&': '&amp;',
  "'": '&#39;',
  '"': '&#34;',
  '<': '&lt;',
  '>': '&gt;',
  '\0': '\ufffd',
};

const hex4 = (c: string): string => `\\u${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;

const js = (s: string): string =>
  [...s]
    .map((c) => {
      if (c === '\\' || c === "'" || c === '"') return `\\${c}`;
      if ('<>&='.includes(c) || c < ' ') return hex4(c);
      return c > '~' && !/[\p{L}\p{M}\p{N}\p{P}\p{S}]/u.test(c) ? hex4(c) : c;
    })
    .join('');

export const FUNCTIONS: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  ['and', (args) => args.find((v) => !isTrue(v)) ?? args.at(-1) ?? fail('an argument is expected')],
  ['or', (args) => args.find(isTrue) ?? args.at(-1) ?? fail('an argument is expected')],
  ['not', (args) => bool(!isTrue(one(args)))],
  ['len', (args) => ({ kind: 'int', value: BigInt(lengthOf(one(args))) })],
  ['index', ([v, ...keys]) => keys.reduce(step, v ?? NONE)],
  ['slice', slice],
  ['print', (args) => text(sprint(args))],
  ['println', (args) => text(sprintln(args))],
  [
    'printf',
    ([layout, ...args]) =>
      text(sprintfValues(layout?.kind === 'string' ? layout.value : fail('a format is a string'), args)),
  ],
  ['html', (args) => text(joined(args).replace(/[&'"<>\0]/g, (c) => HTML[c] as string))],
  ['js', (args) => text(js(joined(args)))],
  ['urlquery', (args) => text(queryEscape(joined(args)))],
  [
    'eq',
    ([a, ...others]) =>
      a === undefined || others.length === 0
        ? fail('two arguments are expected')
        : bool(others.some((b) => equals(a, b))),
  ],
  ['ne', compareWith((a, b) => !equals(a, b))],
  ['lt', compareWith(less)],
  ['le', compareWith((a, b) => less(a, b) || equals(a, b))],
  ['gt', compareWith((a, b) => !(less(a, b) || equals(a, b)))],
  ['ge', compareWith((a, b) => !less(a, b))],
]);
