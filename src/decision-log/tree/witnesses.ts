/** Shows checkpoints to witnesses, who cosign what continues all that they have seen (C2SP tlog-witness). https://c2sp.org/tlog-witness */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../../errors.ts';
import { errno, replaceFile } from '../journal/directory.ts';
import type { WitnessConfig } from '../section.ts';
import { readCheckpoint } from './checkpoint.ts';
import { logDirectory } from './log.ts';
import { consistencyProof, type Nodes } from './merkle.ts';
import { COSIGNS, openNote, readKey, splitNote } from './note.ts';
import { readTree, TileMissing } from './tiles.ts';

export interface WitnessState {
  readonly name: string;
  /** size that it has seen last */
  readonly size: number;
  /** null: it has taken the newest checkpoint */
  readonly problem: string | null;
}

export interface Witness {
  readonly name: string;
  /**
   * @returns the cosignature as a line, without its newline; null: it keeps the checkpoint and signs nothing
   * @throws SluiceError `checkpoint_refused`: it has seen what this checkpoint does not continue; `witness_unavailable`
   */
  show(dir: string, origin: string, note: string): Promise<string | null>;
}

/** @throws SluiceError `config_invalid` for a key that is none */
export function openWitness(config: WitnessConfig, now: () => Date): Witness {
  return 'dir' in config ? directory(config.dir, now) : remote(config);
}

function directory(path: string, now: () => Date): Witness {
  return {
    name: path,
    async show(_dir, origin, note) {
      const to = join(path, origin);
      const file = join(to, `${now().toISOString().slice(0, 10)}.checkpoint`);
      try {
        mkdirSync(to, { recursive: true });
        replaceFile(file, note);
      } catch (cause) {
        throw new SluiceError('witness_unavailable', {
          message: `The checkpoint cannot be written to ${to} (${errno(cause)}).`,
          cause,
        });
      }
      return null;
    },
  };
}

const MOST_BYTES = 64 << 10;
const TRIES = 3;

function remote({ url, key: spelled, timeout }: Extract<WitnessConfig, { readonly url: string }>): Witness {
  const key = readKey(spelled);
  if (key.type !== COSIGNS)
    throw new SluiceError(
      'config_invalid',
      `${spelled} is a key of a log, not of a witness. A witness prints its own with \`sluice signing keys --witness\`.`,
    );
  const endpoint = `${url.replace(/\/$/, '')}/add-checkpoint`;
  /** origin → the size that it has seen last */
  const seen = new Map<string, number>();
  const unavailable = (why: string, cause?: unknown): SluiceError =>
    new SluiceError('witness_unavailable', {
      message: `The witness ${key.name} does not answer: ${why}.`,
      cause,
    });

  async function ask(body: string): Promise<{ readonly status: number; readonly text: string }> {
    try {
      const answer = await fetch(endpoint, {
        method: 'POST',
        body,
        headers: { 'content-type': 'text/plain; charset=utf-8' },
        redirect: 'error',
        signal: AbortSignal.timeout(timeout),
      });
      const chunks: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of answer.body ?? []) {
        size += chunk.byteLength;
        if (size > MOST_BYTES) throw unavailable('its answer is too long');
        chunks.push(chunk);
      }
      return { status: answer.status, text: Buffer.concat(chunks).toString() };
    } catch (cause) {
      if (cause instanceof SluiceError) throw cause;
      throw unavailable((cause as { cause?: { code?: string } }).cause?.code ?? (cause as Error).name, cause);
    }
  }

  return {
    name: key.name,
    async show(dir, origin, note) {
      const { size, log } = readCheckpoint(note);
      const tree = readTree(logDirectory(dir, origin), size);
      const refused = (why: string): SluiceError =>
        new SluiceError(
          'checkpoint_refused',
          `The witness ${key.name} refuses the checkpoint of ${log} over ${size} records: ${why}. If it has seen another history of this log, the journal was altered or an older copy was restored.`,
        );
      for (let tries = 0; tries < TRIES; tries++) {
        const old = seen.get(origin) ?? 0;
        if (old > size) throw refused(`it has seen ${old} records`);
        const proof = proofOf(tree, old, size, log).map((h) => `${h.toString('base64')}\n`);
        const { status, text } = await ask(`old ${old}\n${proof.join('')}\n${note}`);
        if (status === 200) {
          const signed = splitNote(note);
          const { signatures } = openNote(`${signed.text}\n${text}`, [key]);
          if (!signatures.some(({ type }) => type === COSIGNS)) throw unavailable('it did not cosign');
          seen.set(origin, size);
          return text.split('\n').find((line) => line.startsWith(`\u2014 ${key.name} `))!;
        }
        if (status !== 409)
          throw status >= 500 || status === 429 ? unavailable(`HTTP ${status}`) : refused(`HTTP ${status}`);
        if (!/^(0|[1-9][0-9]{0,15})\n?$/.test(text)) throw refused('HTTP 409');
        if (Number(text) === old) throw refused('it has seen another tree of this size');
        seen.set(origin, Number(text));
      }
      throw unavailable('it has another state at each question');
    },
  };
}

function proofOf(tree: Nodes, old: number, size: number, log: string): readonly Buffer[] {
  try {
    return consistencyProof(tree, old, size);
  } catch (cause) {
    if (!(cause instanceof TileMissing)) throw cause;
    throw new SluiceError('chain_broken', {
      message: `The tiles of ${log} are damaged (${cause.message}), so its checkpoint cannot be shown. Remove its directory \`tile\` in the journal: it is made again.`,
      cause,
    });
  }
}
