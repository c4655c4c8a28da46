/** A JSON text that is the same for equal values: numbers as doubles, as Go's JSON writes them, keys sorted. */
import { isNumber, numberText, type RegoNumber, type RegoValue } from '../../values.ts';
import { marshal } from '../json/objects.ts';
import { jsonNumber } from '../yaml/words.ts';

const double = (n: RegoNumber): RegoValue => jsonNumber(Number(numberText(n)));

const normal = (v: RegoValue): RegoValue => {
  if (isNumber(v)) return double(v);
  if (Array.isArray(v)) return v.map(normal);
  return v instanceof Map ? new Map([...v].map(([key, item]) => [key, normal(item)] as const)) : v;
};

export const canonical = (v: RegoValue): string => marshal(normal(v));
