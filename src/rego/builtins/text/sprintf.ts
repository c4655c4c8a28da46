/** `sprintf` and `print`. */
import { isNumber, numberText, type RegoNumber, type RegoValue } from '../../values.ts';
import { array, string } from '../operands.ts';
import type { Family } from '../types.ts';
import { type Argument, sprintf } from './go-fmt.ts';
import { spell } from './rego-source.ts';

const MAX = 1n << 63n;

const numberArgument = (n: RegoNumber): Argument => {
  const text = numberText(n);
  if (/^-?\d+$/.test(text)) {
    const value = BigInt(text);
    return value >= -MAX && value < MAX ? { type: 'int64', value } : { type: '*big.Int', value };
  }
  const value = Number(text);
  // OPA passes a number with an exponent and without a point to Go's formatter as text.
  return text.includes('.') && Number.isFinite(value)
    ? { type: 'float64', value }
    : { type: 'string', value: text };
};

const argumentOf = (v: RegoValue): Argument => {
  if (isNumber(v)) return numberArgument(v);
  return { type: 'string', value: typeof v === 'string' ? v : spell(v) };
};

/** Each argument of `print` is the set of its values: an empty set prints `<undefined>`, several values print several lines. */
function* lines(args: readonly RegoValue[], soFar: readonly string[]): Generator<string> {
  const [first, ...rest] = args;
  if (first === undefined) {
    yield soFar.join(' ');
    return;
  }
  const values = first instanceof Set ? [...first] : [first];
  if (values.length === 0) yield* lines(rest, [...soFar, '<undefined>']);
  for (const v of values) yield* lines(rest, [...soFar, typeof v === 'string' ? v : spell(v)]);
}

export const format: Family = {
  sprintf: ([layout, args]) => sprintf(string(layout), array(args).map(argumentOf)),
  'internal.print': ([args], context) => {
    for (const line of lines(array(args), [])) context.print(line);
    return true;
  },
  trace: ([note], context) => {
    context.print(string(note));
    return true;
  },
};
