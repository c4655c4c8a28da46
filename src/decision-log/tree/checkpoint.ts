/** Checkpoints: the size and the root of a log, signed (C2SP tlog-checkpoint). https://c2sp.org/tlog-checkpoint */
import { SluiceError } from '../../errors.ts';
import type { NoteSigner } from '../../model/signing.ts';
import { HASH_BYTES } from './merkle.ts';
import { signatureOf, splitNote } from './note.ts';

export interface Checkpoint {
  /** names the log */
  readonly log: string;
  readonly size: number;
  readonly root: Buffer;
}

/** Signed with the key, under the name of the log. */
export async function signCheckpoint({ log, size, root }: Checkpoint, signer: NoteSigner): Promise<string> {
  const text = `${log}\n${size}\n${root.toString('base64')}\n`;
  return `${text}\n${await signatureOf(text, log, signer)}`;
}

/** What a note says; its signatures are not checked. @throws SluiceError `signature_invalid` */
export function readCheckpoint(note: string): Checkpoint {
  const [log, size, base64, ...more] = splitNote(note).text.slice(0, -1).split('\n');
  const root = Buffer.from(base64 ?? '', 'base64');
  if (
    log === undefined ||
    log === '' ||
    !/^(0|[1-9][0-9]{0,15})$/.test(size ?? '') ||
    !Number.isSafeInteger(Number(size)) ||
    root.length !== HASH_BYTES ||
    root.toString('base64') !== base64 ||
    more.includes('')
  )
    throw new SluiceError(
      'signature_invalid',
      'The checkpoint is refused: it does not name a log, a size and a root.',
    );
  return { log, size: Number(size), root };
}
