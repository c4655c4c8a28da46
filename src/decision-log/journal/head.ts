/**
 * The head of a chain holds its last seq and hash. A truncated chain still verifies as a chain; only the head shows that
 * records are missing. The head is overwritten in place after every commit, so it survives `kill -9`, and is flushed
 * later. After a power cut it may be behind the chain, but never ahead, because it is written after the records are on disk.
 *
 * Two slots of 512 bytes are written in turn, so a power cut can damage only one. `sum` detects any changed byte.
 * `mac`, computed with `decision_log.journal.key`, prevents an attacker who can write files but lacks the key from
 * forging a head for a rewritten chain.
 */
import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import { closeSync, constants, fsync, openSync, readFileSync, write as writeFd, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { canonical } from './canonical.ts';
import { isHash } from './chain.ts';
import { type FileIdentity, identityOf, isSame, statOf } from '../file-identity.ts';

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
  /** the newer valid slot */
  readonly latest: Extract<SlotState, { state: 'good' }> | null;
  /** a slot is damaged, or the file is not exactly two slots long */
  readonly damaged: boolean;
}

/** null: the file does not exist */
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

/** Writes a head file. Only the process that holds the origin's lock may do so. */
export class HeadWriter {
  readonly #path: string;
  readonly #fd: number;
  readonly #file: FileIdentity;
  readonly #key: Buffer | null;
  #slot = 0;
  #failure: unknown = null;
  #writing: Promise<void> = Promise.resolve();

  /** Creates or opens the file and writes both slots. @throws errors of the file system */
  constructor(path: string, head: Head, key: Buffer | null) {
    this.#path = path;
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o640);
    this.#file = identityOf(this.#fd);
    this.#key = key;
    const bytes = encode(head, key);
    writeSync(this.#fd, bytes, 0, SLOT, 0);
    writeSync(this.#fd, bytes, 0, SLOT, SLOT);
  }

  /** True if the path still names the open file. */
  inPlace(): boolean {
    return isSame(statOf(this.#path), this.#file);
  }

  close(): void {
    closeSync(this.#fd);
  }

  /**
   * Resolves once the head is in the file, where it survives `kill -9`. Heads are written in the order of the calls, off the
   * main thread, because a busy file system delays even a write of 512 bytes. `sync` reports a failure.
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

  /** Resolves once the head is on disk. @throws errors of the file system */
  async sync(head: Head): Promise<void> {
    await this.put(head);
    if (this.#failure !== null) throw this.#failure;
    await sync(this.#fd);
  }
}
