/** Keys of the log: the minimum length, keys named on a command line (`env:NAME`, `file:PATH`), and the generated key beside a journal. */
import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeOnce } from '../documents/once.ts';
import { fromReference } from '../documents/secrets.ts';
import { isSluiceError, SluiceError } from '../errors.ts';
import { errno } from './journal/directory.ts';

/** Shorter keys could be guessed. */
const MIN_BYTES = 16;
export const GENERATED = 'data-subject.key';
/** beside the key: where it was saved, a line each */
const SAVED = `${GENERATED}.saved`;

export interface SecretSource {
  readonly env: { readonly [name: string]: string | undefined };
  /** base of relative paths */
  readonly baseDir: string;
}

/** @throws SluiceError `config_invalid`, naming `where` and never the value */
export function readSecret(reference: string, where: string, source: SecretSource): Buffer {
  const held = fromReference(reference, { env: source.env, directory: source.baseDir });
  if (held === null)
    throw new SluiceError(
      'config_invalid',
      `${where}: write env:NAME or file:PATH; do not write the key itself.`,
    );
  if ('fault' in held) throw new SluiceError('config_invalid', `${where}: ${held.fault}.`);
  return keyBytes(held.value, where);
}

/** @throws SluiceError `config_invalid`, naming `where` and never the value */
export function keyBytes(secret: string, where: string): Buffer {
  const bytes = Buffer.from(secret.trim());
  if (bytes.length < MIN_BYTES)
    throw new SluiceError(
      'config_invalid',
      `${where}: the key has ${bytes.length} bytes; it needs at least ${MIN_BYTES}.`,
    );
  return bytes;
}

/** The generated key beside a journal; null if there is none. */
export function generatedKey(dir: string): Buffer | null {
  const path = join(dir, GENERATED);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (e) {
    if (errno(e) === 'ENOENT') return null;
    throw new SluiceError('config_unreadable', {
      message: `${path} cannot be read (${errno(e)}).`,
      cause: e,
    });
  }
  const bytes = Buffer.from(text.trim());
  if (bytes.length < MIN_BYTES)
    throw new SluiceError(
      'config_invalid',
      `${path} holds no key of at least ${MIN_BYTES} bytes. Restore the file, or move it away so that a new key is generated.`,
    );
  return bytes;
}

/** Generates a key file, mode 0600, unless it exists. @param secret the key to write again after its file was lost */
export function generateKey(
  dir: string,
  secret: string = randomBytes(32).toString('hex'),
): {
  readonly key: Buffer;
  readonly created: boolean;
  readonly path: string;
} {
  const path = join(dir, GENERATED);
  const existing = generatedKey(dir);
  if (existing !== null) return { key: existing, created: false, path };
  try {
    const created = writeOnce(path, `${secret}\n`);
    return { key: generatedKey(dir)!, created, path };
  } catch (e) {
    if (isSluiceError(e)) throw e;
    throw new SluiceError('journal_unwritable', {
      message: `${path} cannot be written (${errno(e)}).`,
      cause: e,
    });
  }
}

/** Notes that the generated key beside a journal is somewhere else, too. @param how time and means */
export const noteSaved = (dir: string, how: string): void =>
  appendFileSync(join(dir, SAVED), `${how}\n`, { mode: 0o640, flush: true });

/** True if the only copy of the key is beside the journal: it was generated, and neither backed up nor shared. */
export const isUnsaved = (dir: string): boolean =>
  existsSync(join(dir, GENERATED)) && !existsSync(join(dir, SAVED));
