/** `numbers.range_step`, `rand.intn` */
import { createHmac } from 'node:crypto';
import { numberOf, type RegoValue } from '../../values.ts';
import { fail, int64, integer, string, tooLarge } from '../operands.ts';
import type { Family } from '../types.ts';

/** a result of more numbers would fill the memory */
const MAX_NUMBERS = 1n << 20n;

const range = (from: bigint, to: bigint, step: bigint): RegoValue => {
  if (step <= 0n) return fail('the step must be positive');
  const count = (from <= to ? to - from : from - to) / step + 1n;
  if (count > MAX_NUMBERS) {
    return tooLarge(`numbers.range_step was asked for ${count} numbers; at most ${MAX_NUMBERS} are listed`);
  }
  const direction = from <= to ? step : -step;
  return Array.from({ length: Number(count) }, (_, i) => numberOf(String(from + direction * BigInt(i))));
};

/** A number below n, determined by seed, name and n. It is taken from 128 bits more than n has, so that it is practically uniform. */
const random = (seed: string, name: string, n: bigint): bigint => {
  const mac = (part: number): Buffer =>
    createHmac('sha512', seed).update(`rand.intn\0${part}\0${n}\0${name}`).digest();
  return BigInt(`0x${mac(0).toString('hex')}`) % n;
};

export const numbers: Family = {
  'numbers.range_step': ([from, to, step]) => range(integer(from), integer(to), integer(step)),
  'rand.intn': ([name, n], context) => {
    const text = string(name);
    const bound = int64(n);
    if (bound === 0n) return 0;
    return numberOf(String(random(context.seed, text, bound < 0n ? -bound : bound)));
  },
};
