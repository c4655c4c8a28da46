/** Where copies of records are sent, each at least once, as the lines of the journal. */
import { hash } from 'node:crypto';
import { write as writeFd } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { errno, makeDirectory } from '../directory.ts';
import type { Store } from '../index/store.ts';
import { PositionFile } from './position.ts';

const write = promisify(writeFd);

/** Each worker sends its own chain's records only, so two never interleave within a line or a position file. */
export function fileSink(dir: string, origin: string, path: string): Store {
  const positions = new PositionFile(dir, `file-${hash('sha256', path, 'hex').slice(0, 8)}.${origin}`);
  // Opened for each batch: a file that was rotated away, or was not writable a minute ago, needs no restart.
  return {
    name: `file:${path}`,
    positions: async () => positions.all(),
    async take(of, copies, position) {
      makeDirectory(dirname(path));
      const file = await open(path, 'a', 0o640);
      try {
        await writeAll(file.fd, copies.map((c) => `${c.line}\n`).join(''));
        await file.datasync();
      } finally {
        await file.close();
      }
      positions.set(of, position);
    },
    close: async () => undefined,
  };
}

export function stdoutSink(dir: string, origin: string): Store {
  const positions = new PositionFile(dir, `stdout.${origin}`);
  return {
    name: 'stdout',
    positions: async () => positions.all(),
    async take(of, copies, position) {
      await writeAll(1, copies.map((c) => `${c.line}\n`).join(''));
      positions.set(of, position);
    },
    close: async () => undefined,
  };
}

async function writeAll(fd: number, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += (await write(fd, bytes, at, bytes.length - at, null)).bytesWritten;
    } catch (e) {
      // A pipe whose reader is slow.
      if (errno(e) !== 'EAGAIN') throw e;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
