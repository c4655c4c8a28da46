/**
 * The head of a chain: how far it reached. A chain whose tail was cut off is still a chain; only the head knows that
 * there was more. It is written over in place after every commit (so it survives `kill -9`) and made durable lazily
 * (so a power cut may leave it behind the chain, never ahead: it is written after the records are on disk).
 *
 * Two slots of 512 bytes, written in turn: a slot torn by a power cut leaves the other. `sum` finds any changed byte;
 * `mac`, made with `decision_log.journal.key`, keeps whoever may write files but does not hold the key from making a
 * head that fits a rewritten chain.
 */
import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import { closeSync, constants, fsync, openSync, readFileSync, write as writeFd, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { canonical } from './canonical.ts';
import { isHash } from './chain.ts';
import { type FileIdentity, identityOf, isSame, statOf } from '../identity.ts';

export interface Head {
  readonly origin: string;
  readonly seq: number;
  readonly hash: string;
  readonly at: string;
}

const SLOT = 512;
const [sync, write] = [promisify(fsync), promisify(writeFd)];

function encode(head: Head, key: Buffer | null): Buffer {
  const signed = canonical(head);
  const mac = key === null ? null : createHmac('sha256', key).update(`sluice head\n${signed}`).digest('hex');
  const body = canonical({ ...head, mac });
  const text = `${body.slice(0, -1)},"sum":"${hash('sha256', body, 'hex')}"}`;
  return Buffer.from(`${text.padEnd(SLOT - 1)}\n`);
}

export type SlotState =
  | { readonly state: 'good'; readonly head: Head; readonly signed: 'yes' | 'unchecked' | 'no' | 'wrong' }
  | { readonly state: 'damaged' };

function decode(bytes: Buffer, key: Buffer | null): SlotState {
  try {
    const {
      mac,
      sum: _,
      ...head
    } = JSON.parse(bytes.toString('latin1')) as Head & {
      mac: string | null;
      sum: string;
    };
    if (!isHash(head.hash) || !Number.isSafeInteger(head.seq) || head.seq < 0) return { state: 'damaged' };
    const body = canonical({ ...head, mac });
    const text = `${body.slice(0, -1)},"sum":"${hash('sha256', body, 'hex')}"}`;
    if (!bytes.equals(Buffer.from(`${text.padEnd(SLOT - 1)}\n`))) return { state: 'damaged' };
    return { state: 'good', head, signed: signature(head, mac, key) };
  } catch {
    return { state: 'damaged' };
  }
}

function signature(head: Head, mac: string | null, key: Buffer | null): 'yes' | 'unchecked' | 'no' | 'wrong' {
  if (mac === null) return 'no';
  if (key === null) return 'unchecked';
  const wanted = createHmac('sha256', key)
    .update(`sluice head\n${canonical(head)}`)
    .digest();
  const given = Buffer.from(mac, 'hex');
  return given.length === wanted.length && timingSafeEqual(given, wanted) ? 'yes' : 'wrong';
}

export interface HeadState {
  /** the newer good slot */
  readonly latest: Extract<SlotState, { state: 'good' }> | null;
  /** a slot is damaged, or the file is not exactly two slots long */
  readonly damaged: boolean;
}

/** null: there is no such file */
export function readHead(path: string, key: Buffer | null): HeadState | null {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (e) {
    if ((e as { code?: string }).code === 'ENOENT') return null;
    throw e;
  }
  const slots = [decode(bytes.subarray(0, SLOT), key), decode(bytes.subarray(SLOT, 2 * SLOT), key)];
  let latest: HeadState['latest'] = null;
  for (const slot of slots) {
    if (slot.state === 'good' && (latest === null || slot.head.seq > latest.head.seq)) latest = slot;
  }
  return { latest, damaged: bytes.length !== 2 * SLOT || slots.some((s) => s.state === 'damaged') };
}

/** Writes a head file; one owner, the process that holds the origin's lock. */
export class HeadWriter {
  readonly #path: string;
  readonly #fd: number;
  readonly #file: FileIdentity;
  readonly #key: Buffer | null;
  #slot = 0;
  #failure: unknown = null;
  #writing: Promise<void> = Promise.resolve();

  /** Creates or opens the file and writes both slots. @throws what the file system says */
  constructor(path: string, head: Head, key: Buffer | null) {
    this.#path = path;
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o640);
    this.#file = identityOf(this.#fd);
    this.#key = key;
    const bytes = encode(head, key);
    writeSync(this.#fd, bytes, 0, SLOT, 0);
    writeSync(this.#fd, bytes, 0, SLOT, SLOT);
  }

  /** The file that is written to is the one that the directory names. */
  inPlace(): boolean {
    return isSame(statOf(this.#path), this.#file);
  }

  close(): void {
    closeSync(this.#fd);
  }

  /**
   * Resolves once the head is in the file, where it survives `kill -9`; heads are written in the order of the calls. Off the main
   * thread: a file system that is busy committing keeps the writer of even 512 bytes waiting. `sync` tells of a failure.
   */
  put(head: Head): Promise<void> {
    this.#slot = 1 - this.#slot;
    const at = this.#slot * SLOT;
    this.#writing = this.#writing.then(async () => {
      try {
        await write(this.#fd, encode(head, this.#key), 0, SLOT, at);
        this.#failure = null;
      } catch (e) {
        this.#failure = e;
      }
    });
    return this.#writing;
  }

  /** The head is written and on disk. @throws what the file system says */
  async sync(head: Head): Promise<void> {
    await this.put(head);
    if (this.#failure !== null) throw this.#failure;
    await sync(this.#fd);
  }
}
