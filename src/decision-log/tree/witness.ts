/**
 * A witness of other logs: cosigns a checkpoint that continues all that it has seen of the log, and nothing else (C2SP tlog-witness,
 * tlog-cosignature). It keeps the newest checkpoint of each log in a file. https://c2sp.org/tlog-witness
 */
import { hash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../../errors.ts';
import type { NoteSigner } from '../../model/signing.ts';
import type { Logger } from '../../observability/logger.ts';
import { errno, makeDirectory, replaceFile } from '../journal/directory.ts';
import { type Lock, tryLock } from '../journal/lock.ts';
import type { WitnessSettings } from '../section.ts';
import { type Checkpoint, readCheckpoint } from './checkpoint.ts';
import { EMPTY_ROOT, HASH_BYTES, isConsistent } from './merkle.ts';
import { COSIGNS, cosignatureOf, type NoteKey, openNote, readKey, SIGNS, spellKey } from './note.ts';

export interface WitnessAnswer {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422 | 503;
  readonly type: string;
  readonly body: string;
}

export interface LogWitness {
  /** @param body of a request `add-checkpoint` */
  add(body: string): Promise<WitnessAnswer>;
}

/** checkpoints with a valid signature that were refused are kept, as evidence; the first ones of each log and reason */
const MOST_REFUSED = 100;
const LOCK_MS = 2_000;

/** The key by which others know this witness. */
export const witnessKey = (name: string, signer: NoteSigner): string =>
  spellKey({ name, type: COSIGNS, key: signer.publicKey() });

/** @throws SluiceError `config_invalid` for a key that is none */
export function createWitness(
  { name, dir, logs }: WitnessSettings,
  { signer, now, logger }: { readonly signer: NoteSigner; readonly now: () => Date; readonly logger: Logger },
): LogWitness {
  const known = logs.map(({ log, key }) => ({ log, key: read(key) }));
  const keysOf = (log: string): readonly NoteKey[] =>
    known
      .filter((k) => k.log === log || (k.log.endsWith('/*') && log.startsWith(k.log.slice(0, -1))))
      .map(({ key }) => ({ name: log, type: SIGNS, key: key.key }));

  async function add(body: string): Promise<WitnessAnswer> {
    const request = parsed(body);
    if (request === null) return said(400, 'The request is no `add-checkpoint` of C2SP tlog-witness.');
    const { old, proof, note } = request;
    let checkpoint: Checkpoint;
    try {
      checkpoint = readCheckpoint(note);
    } catch (e) {
      return said(400, (e as Error).message);
    }
    const { log, size, root } = checkpoint;
    const keys = keysOf(log);
    if (keys.length === 0) return said(404, 'This witness does not know the log.');
    let text: string;
    try {
      const opened = openNote(note, keys);
      if (opened.signatures.length === 0)
        return said(403, 'No signature is of a key that this witness trusts for the log.');
      ({ text } = opened);
    } catch (e) {
      return said(403, (e as Error).message);
    }
    if (old > size) return said(400, 'The old size is larger than the checkpoint.');
    const file = join(dir, hash('sha256', log, 'hex'));
    makeDirectory(dir);
    const lock = await inTurn(`${file}.lock`);
    if (lock === null) return said(503, 'Another checkpoint of this log is being cosigned.');
    try {
      const seen = existsSync(file) ? readCheckpoint(readFileSync(file, 'utf8')) : null;
      const refuse = (why: Refusal, answer: WitnessAnswer): WitnessAnswer => {
        if (keep(join(dir, 'refused'), `${why}-${hash('sha256', log, 'hex').slice(0, 16)}`, text, body))
          logger.error(
            { log, size, seen: seen?.size ?? 0, why },
            'a checkpoint does not continue what was seen of its log',
          );
        return answer;
      };
      if (old !== (seen?.size ?? 0)) {
        const conflict = sized(seen?.size ?? 0);
        // Whoever asks with a size from before is only behind; whoever has fewer records than were seen has lost some.
        return seen !== null && size < seen.size ? refuse('not-continued', conflict) : conflict;
      }
      if (seen !== null && old === size && !seen.root.equals(root))
        return refuse('other-tree', sized(seen.size));
      if (!isConsistent(old, size, proof, seen?.root ?? EMPTY_ROOT, root))
        return refuse('not-continued', said(422, 'The checkpoint does not continue the tree that was seen.'));
      const line = await cosignatureOf(text, name, signer, Math.floor(now().getTime() / 1000));
      replaceFile(file, `${note}${line}`);
      return { status: 200, type: 'text/plain; charset=utf-8', body: line };
    } finally {
      lock.release();
    }
  }

  return {
    async add(body) {
      try {
        return await add(body);
      } catch (cause) {
        logger.error({ err: cause, dir, detail: errno(cause) }, 'what the witness has seen cannot be kept');
        return said(503, 'What this witness has seen cannot be kept, so nothing is cosigned.');
      }
    },
  };
}

/** Polls: a blocking wait would stop every other request. */
async function inTurn(path: string): Promise<Lock | null> {
  const until = performance.now() + LOCK_MS;
  for (;;) {
    const lock = tryLock(path, 0);
    if (lock !== null || performance.now() > until) return lock;
    await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 10));
  }
}

function read(key: string): NoteKey {
  const found = readKey(key);
  if (found.type === SIGNS) return found;
  throw new SluiceError('config_invalid', `${key} is a key of a witness, not of a log.`);
}

const said = (status: WitnessAnswer['status'], message: string): WitnessAnswer => ({
  status,
  type: 'text/plain; charset=utf-8',
  body: `${message}\n`,
});
const sized = (size: number): WitnessAnswer => ({ status: 409, type: 'text/x.tlog.size', body: `${size}\n` });

/**
 * Anybody can send checkpoints that the log has published, older ones or with a wrong proof, and so fill what is kept of `not-continued`. `other-tree`
 * contradicts itself what was seen, and only the key of the log can make one.
 */
type Refusal = 'not-continued' | 'other-tree';

/** @returns false: it is kept already, or there are enough */
function keep(dir: string, group: string, text: string, body: string): boolean {
  makeDirectory(dir);
  const name = `${group}-${hash('sha256', text, 'hex').slice(0, 16)}`;
  const kept = readdirSync(dir).filter((file) => file.startsWith(group));
  if (kept.length >= MOST_REFUSED || kept.includes(name)) return false;
  writeFileSync(join(dir, name), body, { mode: 0o640, flush: true });
  return true;
}

interface AddCheckpoint {
  readonly old: number;
  readonly proof: readonly Buffer[];
  readonly note: string;
}

function parsed(body: string): AddCheckpoint | null {
  const end = body.indexOf('\n\n');
  const [first, ...lines] = body.slice(0, Math.max(0, end)).split('\n');
  const old = /^old (0|[1-9][0-9]{0,15})$/.exec(first ?? '')?.[1];
  const proof = lines.map((line) => Buffer.from(line, 'base64'));
  if (old === undefined || proof.length > 63 || proof.some((h) => h.length !== HASH_BYTES)) return null;
  return { old: Number(old), proof, note: body.slice(end + 2) };
}
