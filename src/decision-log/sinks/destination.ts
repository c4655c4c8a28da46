/**
 * What sinks share. The journal is their queue: a batch is read from it, sent, acknowledged, and only then is the position written. So
 * nothing is buffered beyond a batch, a crash sends the last batch again, and a destination that is down for a day costs disk alone.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../../errors.ts';
import { errno, makeDirectory } from '../journal/directory.ts';
import { type Lock, tryLock } from '../journal/lock.ts';
import type { Copy, Position, Store } from '../index/store.ts';
import { PositionFile } from './position.ts';
import type { TlsFiles } from './section.ts';

export interface Destination {
  /** as in the configuration: `http:central` */
  readonly name: string;
  /** of its files in the journal's directory; default: made of the name */
  readonly base?: string;
  /**
   * Resolves when the destination has acknowledged all copies, which are of one origin and in its order.
   * @throws SluiceError `sink_unavailable`: they are sent again later; `sink_refused`: this sink stops until the next start
   */
  send(origin: string, copies: readonly Copy[]): Promise<void>;
  close(): Promise<void>;
}

/** `sink_unavailable`, with the time that the destination asks to wait */
export class Unavailable extends SluiceError {
  /** milliseconds */
  readonly wait: number;

  constructor(name: string, why: string, { wait = 0, cause }: { wait?: number; cause?: unknown } = {}) {
    super('sink_unavailable', { message: `The sink ${name} takes no records: ${why}.`, cause });
    this.wait = wait;
  }
}

export const refused = (name: string, why: string): SluiceError =>
  new SluiceError(
    'sink_refused',
    `The sink ${name} has stopped: ${why}. Nothing is lost: correct the cause and restart, and it goes on with the same record.`,
  );

export interface Sink {
  readonly store: Store;
  /** true if this process also sends the records of processes that have ended; called before each look at the journal */
  takesLeftOver(): boolean;
}

/** Each process sends its own chain, and one of them the chains that no process has any more. Each chain has a file with its position. */
export function createSink(dir: string, own: string, destination: Destination): Sink {
  const folder = join(dir, 'sinks');
  const base = destination.base ?? destination.name.replace(':', '-');
  const files = new Map<string, PositionFile>();
  let elected: Lock | null = null;
  const fileOf = (origin: string): PositionFile => {
    const file = files.get(origin) ?? new PositionFile(dir, `${base}.${origin}`);
    files.set(origin, file);
    return file;
  };
  fileOf(own);

  return {
    store: {
      name: destination.name,
      positions: async () => new Map([...files.values()].flatMap((file) => [...file.all()])),
      async take(origin, copies, position: Position) {
        if (copies.length > 0) await destination.send(origin, copies);
        fileOf(origin).set(origin, position);
      },
      async close() {
        elected?.release();
        await destination.close();
      },
    },
    takesLeftOver() {
      makeDirectory(folder);
      if (elected?.inPlace() !== true) {
        elected?.release();
        elected = tryLock(join(folder, `${base}.left-over.lock`), 0);
      }
      // Since the last look, other processes may have written positions, and ended.
      for (const origin of files.keys()) if (origin !== own) files.delete(origin);
      if (elected !== null)
        for (const file of readdirSync(folder))
          if (file.startsWith(`${base}.`) && file.endsWith('.json'))
            fileOf(file.slice(base.length + 1, -'.json'.length));
      return elected !== null;
    },
  };
}

/**
 * Certificates and keys as Node takes them. They are read at each connection, so that renewed ones need no restart.
 * @throws SluiceError `config_invalid`
 */
export function readTls(files: TlsFiles, sink: string): { ca?: string; cert?: string; key?: string } {
  const out: { ca?: string; cert?: string; key?: string } = {};
  for (const kind of ['ca', 'cert', 'key'] as const) {
    const file = files[kind];
    if (file === undefined) continue;
    try {
      out[kind] = readFileSync(file, 'utf8');
    } catch (cause) {
      throw new SluiceError('config_invalid', {
        message: `The sink ${sink}: ${file} cannot be read (${errno(cause)}). Correct decision_log.sinks, tls.${kind}.`,
        cause,
      });
    }
  }
  return out;
}
