/** Where copies of records are sent, each at least once, as the lines of the journal. */
import { hash } from 'node:crypto';
import { write as writeFd } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { errno, makeDirectory } from '../journal/directory.ts';
import { tryLock } from '../journal/lock.ts';
import type { Store } from '../index/store.ts';
import { PositionFile } from './position.ts';

const write = promisify(writeFd);

/**
 * Each worker sends its own chain's records only, so no two write one position file; the sink itself they write in turn,
 * since what the kernel does not take in one piece would meet the lines of another.
 */
export function fileSink(dir: string, origin: string, path: string): Store {
  const name = `file-${hash('sha256', path, 'hex').slice(0, 8)}`;
  const positions = new PositionFile(dir, `${name}.${origin}`);
  // Opened for each batch: a file that was rotated away, or was not writable a minute ago, needs no restart.
  return {
    name: `file:${path}`,
    positions: async () => positions.all(),
    async take(of, copies, position) {
      makeDirectory(dirname(path));
      await inTurn(dir, name, async () => {
        const file = await open(path, 'a+', 0o640);
        try {
          // A write that was broken off: what comes now must not become part of its last line.
          const begin = (await endsMidLine(file)) ? '\n' : '';
          await writeAll(file.fd, begin + copies.map((c) => `${c.line}\n`).join(''));
          await file.datasync();
        } finally {
          await file.close();
        }
      });
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
      await inTurn(dir, 'stdout', () => writeAll(1, copies.map((c) => `${c.line}\n`).join('')));
      positions.set(of, position);
    },
    close: async () => undefined,
  };
}

/** One process at a time, of those that share a journal's directory. */
async function inTurn(dir: string, name: string, work: () => Promise<void>): Promise<void> {
  const path = join(dir, 'sinks', `${name}.lock`);
  let lock = tryLock(path, 0);
  while (lock === null) {
    // Asked for again rather than waited for: the thread also answers queries.
    await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 10));
    lock = tryLock(path, 0);
  }
  try {
    await work();
  } finally {
    lock.release();
  }
}

async function endsMidLine(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return false;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] !== 10;
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
