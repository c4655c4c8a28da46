/** What `env:NAME` and `file:PATH` stand for. Nothing else resolves them, and no message tells what they hold. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

export interface Origin {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** relative paths start here */
  readonly directory: string;
}

export type Resolved = { readonly value: string } | { readonly fault: string };

export const ENV_PATTERN = 'env:[A-Za-z_][A-Za-z0-9_]*';
const ENV = new RegExp(`^${ENV_PATTERN}$`);

/** `env:NAME`, well formed */
export const namesVariable = (text: string): boolean => ENV.test(text);

/** @returns null for a text that does not begin with `env:` */
export function fromEnvironment(text: string, { env }: Pick<Origin, 'env'>): Resolved | null {
  if (!text.startsWith('env:')) return null;
  if (!namesVariable(text))
    return { fault: 'names no environment variable: write env:NAME, of letters, digits and _' };
  const name = text.slice('env:'.length);
  const held = env[name];
  return held === undefined || held === ''
    ? { fault: `the environment variable ${name} is not set` }
    : { value: held };
}

/** A line break at the end of the file is not part of the secret. @returns null for a text that does not begin with `file:` */
function fromFile(text: string, { directory }: Origin): Resolved | null {
  if (!text.startsWith('file:')) return null;
  try {
    const path = resolve(directory, text.slice('file:'.length));
    return { value: readFileSync(path, 'utf8').replace(/\r?\n$/, '') };
  } catch (e) {
    return {
      fault: `the secret's file cannot be read (${(e as NodeJS.ErrnoException).code ?? 'unknown error'})`,
    };
  }
}

/** @returns null for a text that is no reference */
export const fromReference = (text: string, origin: Origin): Resolved | null =>
  fromEnvironment(text, origin) ?? fromFile(text, origin);

/** What a secret of several lines may be without being secret. */
const PUBLIC_PEM = /^\s*-----BEGIN (?:[A-Z]+ )?(?:PUBLIC KEY|CERTIFICATE)-----/;

/** Whether a document may hold the text itself, though a reference is expected there. */
export const isOpen = (text: string, kind: 'secret' | 'database', lines?: 'several'): boolean =>
  kind === 'database' ? !hasPassword(text) : lines === 'several' && PUBLIC_PEM.test(text);

/** true also for what cannot be read as a URL, since nobody knows what is in it */
function hasPassword(text: string): boolean {
  if (!URL.canParse(text)) return true;
  const { password, searchParams } = new URL(text);
  return password !== '' || [...searchParams.keys()].some((key) => /pass/i.test(key));
}

/** @param value what the reference stands for */
export function checkSecret(value: string, lines?: 'several'): Resolved {
  if (value.trim() === '') return { fault: 'the secret is empty' };
  if (value.includes('\0') || (lines === undefined && /[\r\n]/.test(value)))
    return { fault: 'the secret has more than one line' };
  if (value.startsWith('\ufeff'))
    return { fault: 'the secret begins with a byte order mark: write its file without one' };
  return { value };
}

/** RFC 9110 §5.5, without obs-text, which one reader takes for Latin-1 and another for UTF-8 */
const HEADER_TEXT = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;

/** Of a secret that is sent in a header; null: it can be. */
export const headerFault = (value: string): string | null =>
  HEADER_TEXT.test(value)
    ? null
    : 'the secret has a character that no header can carry: ASCII only, without control characters, a byte order mark or space at an end';
