/** Reads parameters of treatments, which come from catalogs and policies, strictly. Errors name the parameter. */
import { SluiceError } from '../../errors.ts';

export type Parameters = { readonly [parameter: string]: unknown };

export const fault = (message: string): SluiceError => new SluiceError('catalog_invalid', message);

export function onlyKnown(parameters: Parameters, known: readonly string[]): void {
  for (const name of Object.keys(parameters)) {
    if (!known.includes(name))
      throw fault(`unknown parameter "${name}"; known here: ${known.length > 0 ? known.join(', ') : 'none'}`);
  }
}

/** An integer from 0 to `most`. */
export function natural(parameters: Parameters, name: string, fallback: number, most: number): number {
  const value = parameters[name];
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > most)
    throw fault(`${name}: a whole number from 0 to ${most} is wanted`);
  return value;
}

export function oneOf<T extends string | number>(
  parameters: Parameters,
  name: string,
  fallback: T,
  values: readonly T[],
): T {
  const value = parameters[name];
  if (value === undefined) return fallback;
  const found = values.find((candidate) => candidate === value);
  if (found === undefined) throw fault(`${name}: one of ${values.join(', ')} is wanted`);
  return found;
}

export function text(parameters: Parameters, name: string): string | undefined {
  const value = parameters[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value === '') throw fault(`${name}: a text is wanted`);
  return value;
}
