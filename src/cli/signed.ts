/** What commands that check a signed document share. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { isSluiceError, SluiceError } from '../errors.ts';
import type { SignedType } from '../model/signing.ts';
import { verifierOf } from '../signing/index.ts';
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

export interface KeysOption {
  readonly keys?: string;
  readonly json?: boolean;
}

/** `--keys FILE`: for whoever has the document and the public keys, and no sidecar. */
export const withKeys = (cmd: Command): Command =>
  cmd.option(
    '--keys <file>',
    'check the signature alone, with this JWK Set ("sluice signing keys", /.well-known/jwks.json); needs no configuration and no store',
  );

/** Says that the signature fits, and what cannot be said without the store. */
export async function checkOffline(
  type: SignedType,
  what: { readonly name: string; readonly unchecked: string },
  token: string,
  options: KeysOption & { readonly keys: string },
  io: Io,
): Promise<void> {
  const signing = verifierOf(await contentOf(options.keys, io), options.keys);
  await holding(what.name, options, io, async () => {
    const { payload, kid } = await signing.verify(type, token);
    const { name, unchecked } = what;
    if (options.json)
      io.stdout.write(
        `${JSON.stringify({ signature_holds: true, kid, payload, not_checked: unchecked }, null, 2)}\n`,
      );
    else
      io.stdout.write(
        `The signature of the ${name} holds: the key ${kid} has signed exactly this.\n${JSON.stringify(payload, null, 2)}\nNot checked: ${unchecked}.\n`,
      );
  });
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
