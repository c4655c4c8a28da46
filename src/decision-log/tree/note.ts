/**
 * Signed notes with Ed25519 (C2SP signed-note) and timestamped cosignatures of witnesses (C2SP tlog-cosignature, `cosignature/v1`).
 * https://c2sp.org/signed-note, https://c2sp.org/tlog-cosignature
 */
import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto';
import { SluiceError } from '../../errors.ts';
import type { NoteSigner } from '../../model/signing.ts';

/** the type byte of a key: it signs notes, or cosigns them with the time */
export const SIGNS = 1;
export const COSIGNS = 4;
export type NoteKeyType = typeof SIGNS | typeof COSIGNS;

export interface NoteKey {
  readonly name: string;
  readonly type: NoteKeyType;
  readonly key: KeyObject;
}

export interface NoteSignature {
  readonly name: string;
  readonly type: NoteKeyType;
  /** of a cosignature: seconds since 1970 */
  readonly time: number | null;
}

const MAX_NOTE = 64 << 10;
/** as in the note package of Go: each costs the check of a signature */
const MOST_SIGNATURES = 100;
const DASH = '\u2014 ';

const rawOf = (key: KeyObject): Buffer =>
  Buffer.from((key.export({ format: 'jwk' }) as { x: string }).x, 'base64url');

const idOf = ({ name, type, key }: NoteKey): Buffer =>
  Buffer.from(
    hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(type), rawOf(key)]), 'hex'),
    'hex',
  ).subarray(0, 4);

/** `NAME+ID+BASE64`: how a key is named for those who check */
export const spellKey = (key: NoteKey): string =>
  `${key.name}+${idOf(key).toString('hex')}+${Buffer.concat([Buffer.of(key.type), rawOf(key.key)]).toString('base64')}`;

/** @throws SluiceError `input_invalid` */
export function readKey(text: string): NoteKey {
  const [, name, id, base64] = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim()) ?? [];
  const bytes = Buffer.from(base64 ?? '', 'base64');
  const type = bytes[0];
  if (name !== undefined && (type === SIGNS || type === COSIGNS) && bytes.length === 33) {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: bytes.subarray(1).toString('base64url') };
    const key: NoteKey = { name, type, key: createPublicKey({ key: jwk, format: 'jwk' }) };
    if (idOf(key).toString('hex') === id) return key;
  }
  throw new SluiceError(
    'input_invalid',
    `${JSON.stringify(text.slice(0, 120))} is not a key of signed notes: NAME+ID+BASE64, of type Ed25519.`,
  );
}

export const isKeyName = (name: string): boolean => /^[^\s+]+$/u.test(name);

const line = (key: NoteKey, signature: Buffer): string =>
  `${DASH}${key.name} ${Buffer.concat([idOf(key), signature]).toString('base64')}\n`;

/** The line of a signature. @param text ends with a newline */
export const signatureOf = async (text: string, name: string, signer: NoteSigner): Promise<string> =>
  line({ name, type: SIGNS, key: signer.publicKey() }, await signer.sign(text));

const cosigned = (text: string, time: number): string => `cosignature/v1\ntime ${time}\n${text}`;

/** The line of a cosignature. @param time seconds since 1970 */
export async function cosignatureOf(
  text: string,
  name: string,
  signer: NoteSigner,
  time: number,
): Promise<string> {
  const stamp = Buffer.alloc(8);
  stamp.writeBigUInt64BE(BigInt(time));
  return line(
    { name, type: COSIGNS, key: signer.publicKey() },
    Buffer.concat([stamp, await signer.sign(cosigned(text, time))]),
  );
}

const invalid = (why: string): SluiceError =>
  new SluiceError('signature_invalid', `The checkpoint is refused: ${why}.`);

/** The text of a note and the lines of its signatures, unchecked. @throws SluiceError `signature_invalid` */
export function splitNote(note: string): { readonly text: string; readonly lines: readonly string[] } {
  const end = note.lastIndexOf('\n\n');
  if (
    note.length > MAX_NOTE ||
    end === -1 ||
    !note.endsWith('\n') ||
    /[\u0000-\u0009\u000b-\u001f]/.test(note)
  )
    throw invalid('it is not a signed note');
  const lines = note.slice(end + 2, -1).split('\n');
  if (lines.length > MOST_SIGNATURES) throw invalid(`it has more than ${MOST_SIGNATURES} signatures`);
  return { text: note.slice(0, end + 1), lines };
}

/**
 * Checks a note. Signatures of other keys are ignored.
 * @returns what was signed by one of the keys; there may be no signature
 * @throws SluiceError `signature_invalid`: not a note, or the signature of one of the keys is wrong
 */
export function openNote(
  note: string,
  keys: readonly NoteKey[],
): { readonly text: string; readonly signatures: readonly NoteSignature[] } {
  const { text, lines } = splitNote(note);
  const signatures: NoteSignature[] = [];
  for (const signed of lines) {
    const [, name, base64] = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/u.exec(signed) ?? [];
    if (name === undefined || base64 === undefined) throw invalid('a line of its signatures cannot be read');
    const bytes = Buffer.from(base64, 'base64');
    const key = keys.find((k) => k.name === name && idOf(k).equals(bytes.subarray(0, 4)));
    if (key === undefined) continue;
    const time = key.type === COSIGNS && bytes.length === 76 ? Number(bytes.readBigUInt64BE(4)) : null;
    const isValid =
      key.type === SIGNS
        ? bytes.length === 68 && verify(null, Buffer.from(text), key.key, bytes.subarray(4))
        : time !== null && verify(null, Buffer.from(cosigned(text, time)), key.key, bytes.subarray(12));
    if (!isValid) throw invalid(`the signature of ${name} is wrong`);
    signatures.push({ name, type: key.type, time });
  }
  return { text, signatures };
}
