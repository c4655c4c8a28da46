/** What commands that check a signed document share. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { isSluiceError, SluiceError } from '../errors.ts';
import type { Io } from './io.ts';

/** @param file `-`: stdin. @throws SluiceError `input_invalid` */
export async function contentOf(file: string, io: Io): Promise<string> {
  if (file === '-') return text(io.stdin);
  try {
    return readFileSync(resolve(io.cwd, file), 'utf8');
  } catch (cause) {
    throw new SluiceError('input_invalid', {
      message: `${file} cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'}).`,
      cause,
    });
  }
}

/** The answer is no; anything else that is thrown says that there is no answer. */
const NEGATIVE: readonly string[] = [
  'signature_invalid',
  'signature_expired',
  'receipt_unknown',
  'certificate_unknown',
];

/** Runs a check that prints its positive result, and prints the negative one with exit code 1. */
export async function holding(
  what: string,
  { json }: { readonly json?: boolean },
  io: Io,
  check: () => Promise<void>,
): Promise<void> {
  try {
    await check();
  } catch (e) {
    if (!isSluiceError(e) || !NEGATIVE.includes(e.code)) throw e;
    io.exitCode = 1;
    if (json)
      io.stdout.write(`${JSON.stringify({ holds: false, code: e.code, message: e.message }, null, 2)}\n`);
    else io.stdout.write(`The ${what} does not hold: ${e.message} [${e.code}]\n`);
  }
}
