/** Reads the options of a route's `response` strictly: with a misspelled option a body would be misread. */
import { SluiceError } from '../../../errors.ts';

type Options = { readonly [name: string]: unknown };

const fault = (message: string): SluiceError => new SluiceError('config_invalid', message);

/** @throws SluiceError `config_invalid` */
export function onlyOptions(format: string, options: Options, known: readonly string[]): void {
  for (const name of Object.keys(options))
    if (!known.includes(name))
      throw fault(
        `The ${format} format has no option ${JSON.stringify(name)}; it has ${known.length > 0 ? known.join(', ') : 'none'}.`,
      );
}

/** @throws SluiceError `config_invalid` */
export function choice<T extends string | boolean>(
  options: Options,
  name: string,
  fallback: T,
  values: readonly T[],
): T {
  const value = options[name] ?? fallback;
  const found = values.find((v) => v === value);
  if (found === undefined) throw fault(`The option ${name} is one of ${values.join(', ')}.`);
  return found;
}

/** One ASCII character, as its code; null for the empty text. @throws SluiceError `config_invalid` */
export function character(options: Options, name: string, fallback: string): number | null {
  const value = options[name] ?? fallback;
  if (value === '') return null;
  if (
    typeof value !== 'string' ||
    value.length !== 1 ||
    value.charCodeAt(0) > 0x7e ||
    /[\r\n0-9A-Za-z]/.test(value)
  )
    throw fault(`The option ${name} is one ASCII character that is no letter, digit or line end.`);
  return value.charCodeAt(0);
}

/** An integer from 0 to `most`. @throws SluiceError `config_invalid` */
export function integer(options: Options, name: string, most: number): number {
  const value = options[name] ?? 0;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > most)
    throw fault(`The option ${name} is a whole number up to ${most}.`);
  return value;
}

/** Up to 16 characters of printable ASCII; null where it is not given. @throws SluiceError `config_invalid` */
export function word(options: Options, name: string): string | null {
  const value = options[name];
  if (value === undefined) return null;
  if (typeof value !== 'string' || !/^[!-~](?:[ -~]{0,14}[!-~])?$/.test(value))
    throw fault(`The option ${name} is a text of 1 to 16 printable ASCII characters.`);
  return value;
}

/** A list of texts. @throws SluiceError `config_invalid` */
export function texts(options: Options, name: string): readonly string[] {
  const value = options[name];
  if (!Array.isArray(value) || value.length === 0 || value.some((text) => typeof text !== 'string'))
    throw fault(`The option ${name} is a list of texts.`);
  return value as readonly string[];
}

/** Names to texts. @throws SluiceError `config_invalid` */
export function mapping(options: Options, name: string): ReadonlyMap<string, string> {
  const value = options[name] ?? {};
  const entries =
    typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [['', 0]];
  const found = new Map<string, string>();
  for (const [key, text] of entries) {
    if (typeof text !== 'string') throw fault(`The option ${name} gives each name a text.`);
    found.set(String(key), text);
  }
  return found;
}
