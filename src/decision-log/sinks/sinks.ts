/** Sinks receive a copy of each record at least once, as the line of the journal. */
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
 * Each worker sends only the records of its own chain, so it has its own position file. Writes to the sink itself are
 * serialized by a lock, because the kernel may split a write, and lines of two workers would mix.
 */
export function fileSink(dir: string, origin: string, path: string): Store {
  const name = `file-${hash('sha256', path, 'hex').slice(0, 8)}`;
  const positions = new PositionFile(dir, `${name}.${origin}`);
  // The file is opened for each batch, so log rotation and temporary errors need no restart.
  return {
    name: `file:${path}`,
    positions: async () => positions.all(),
    async take(of, copies, position) {
      makeDirectory(dirname(path));
      await inTurn(dir, name, async () => {
        const file = await open(path, 'a+', 0o640);
        try {
          // An interrupted write may have left a partial line; the next record must not be appended to it.
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

/** Runs `work` in one process at a time, among those that share a journal's directory. */
async function inTurn(dir: string, name: string, work: () => Promise<void>): Promise<void> {
  const path = join(dir, 'sinks', `${name}.lock`);
  let lock = tryLock(path, 0);
  while (lock === null) {
    // Poll instead of a blocking wait, because this thread also answers queries.
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
      // The reader of a pipe is slow.
      if (errno(e) !== 'EAGAIN') throw e;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
