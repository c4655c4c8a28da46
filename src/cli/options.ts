/** Parsers of option values that several commands share, and checks of options that depend on others. */
import { type Command, InvalidArgumentError } from 'commander';
import { SluiceError } from '../errors.ts';
import type { Tier } from '../model/input.ts';

export const oneOf =
  <T extends string>(known: readonly T[]) =>
  (text: string): T => {
    const found = known.find((k) => k === text);
    if (found === undefined) throw new InvalidArgumentError(`One of ${known.join(', ')} is wanted.`);
    return found;
  };

export const whole = (low: number, high: number) => (text: string) => {
  const n = Number(text);
  if (!Number.isInteger(n) || n < low || n > high)
    throw new InvalidArgumentError(`A whole number from ${low} to ${high} is wanted.`);
  return n;
};

/** An option that can be repeated, each time with one or several names: `--role a,b --role c` */
export const names = (value: string, before: string[] = []): string[] => [
  ...before,
  ...value.split(',').map((v) => v.trim()),
];

export const tier = (value: string): Tier => {
  if (!/^[123]$/.test(value)) throw new InvalidArgumentError('A tier is 1, 2 or 3.');
  return Number(value) as Tier;
};

export const clearance = (value: string): number | null => {
  if (value === 'none') return null;
  if (!/^\d{1,3}$/.test(value)) throw new InvalidArgumentError('A number, or none, is wanted.');
  return Number(value);
};

const BY = 'who does this: recorded as it is given, and verified by nobody';

/** `--by`: who makes a change. @param otherwise who it is without the option; absent: it is required */
export const by = (command: Command, otherwise?: string): Command =>
  otherwise === undefined
    ? command.requiredOption('--by <name>', BY)
    : command.option('--by <name>', `${BY}; default: ${otherwise}`);

/**
 * Rejects an option that would have no effect.
 * @param ignored names as commander writes them: `exitCode`
 * @param why continues the sentence after the option's name
 * @throws SluiceError `usage_invalid`
 */
export function refuse(command: Command, ignored: readonly string[], why: string): void {
  const given = command.options.find(
    (o) => ignored.includes(o.attributeName()) && command.getOptionValueSource(o.attributeName()) === 'cli',
  );
  if (given !== undefined) throw new SluiceError('usage_invalid', `${given.long} ${why}`);
}
