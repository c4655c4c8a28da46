/**
 * Encryption at rest in the format of age (https://age-encryption.org/v1): an ephemeral key agreement for each recipient, then chunks of 64 KiB, each
 * authenticated with its number and the last one marked. So memory stays constant, a file that is cut off or altered anywhere is refused, and `age -d` reads it. Whoever
 * encrypts needs only public keys.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { fromReference } from '../documents/secrets.ts';
import { SluiceError } from '../errors.ts';
import type { SecretSource } from './secret.ts';

/** Its cryptography takes a while to load, and most commands need none. */
const loaded = () => import('age-encryption');

const MAGIC = Buffer.from('age-encryption.org/v1\n');

/**
 * @param recipients public keys, `age1…`
 * @returns encrypts one stream
 * @throws SluiceError `config_invalid` for a text that is none
 */
export async function encryption(
  recipients: readonly string[],
): Promise<(plain: Readable) => Promise<Readable>> {
  const { Encrypter } = await loaded();
  const encrypter = new Encrypter();
  for (const recipient of recipients)
    try {
      encrypter.addRecipient(recipient);
    } catch (cause) {
      throw new SluiceError('config_invalid', {
        message: `${recipient} is not the public key of an age identity (age1…).`,
        cause,
      });
    }
  return async (plain) => nodeStream(await encrypter.encrypt(webStream(plain)));
}

/** Secret keys of recipients. */
export type Identities = readonly string[];

/** @param references `env:NAME` or `file:PATH`, each holding the lines of a file of `age-keygen` @throws SluiceError `config_invalid`, never with the key */
export const readIdentities = (references: readonly string[], source: SecretSource): Identities =>
  references.flatMap((reference) => {
    const held = fromReference(reference, { env: source.env, directory: source.baseDir });
    if (held === null) throw invalid('write env:NAME or file:PATH; do not write the key itself');
    if ('fault' in held) throw invalid(held.fault);
    const keys = held.value.split(/\s*\n/).filter((line) => line !== '' && !line.startsWith('#'));
    for (const key of keys)
      if (!/^AGE-SECRET-KEY-(PQ-)?1[A-Z0-9]+$/.test(key))
        throw invalid('it holds something else than age identities');
    return keys;
  });

const invalid = (why: string): SluiceError => new SluiceError('config_invalid', `--identity: ${why}.`);

export async function isEncrypted(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0);
    return bytesRead === MAGIC.length && buffer.equals(MAGIC);
  } finally {
    await file.close();
  }
}

/**
 * The content of a file, decrypted if it is encrypted. A file that was altered or cut off fails where this is noticed, before its bytes are returned.
 * @throws SluiceError `input_invalid` if no identity fits
 */
export async function openFile(path: string, identities: Identities): Promise<Readable> {
  const raw = createReadStream(path, { highWaterMark: 1 << 20 });
  // Whoever reads it gets the error, too.
  raw.on('error', () => undefined);
  if (!(await isEncrypted(path))) return raw;
  try {
    if (identities.length === 0)
      throw new SluiceError('input_invalid', `${path} is encrypted: name the key with --identity.`);
    const { Decrypter } = await loaded();
    const decrypter = new Decrypter();
    for (const identity of identities) decrypter.addIdentity(identity);
    return nodeStream(await decrypter.decrypt(webStream(raw)));
  } catch (cause) {
    raw.destroy();
    if (cause instanceof SluiceError) throw cause;
    throw new SluiceError('input_invalid', {
      message: `${path} cannot be decrypted: no identity that was named is a recipient of it, or its first bytes were altered.`,
      cause,
    });
  }
}

/** A new key pair, as `age-keygen` writes it. */
export async function newIdentity(): Promise<{ readonly identity: string; readonly recipient: string }> {
  const { generateX25519Identity, identityToRecipient } = await loaded();
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

const webStream = (stream: Readable) =>
  Readable.toWeb(stream) as unknown as globalThis.ReadableStream<Uint8Array>;
const nodeStream = (stream: globalThis.ReadableStream<Uint8Array>): Readable =>
  Readable.fromWeb(stream as unknown as ReadableStream);
