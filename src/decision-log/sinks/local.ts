/** A file and standard output: they get each record as a line. */
import { hash } from 'node:crypto';
import { write as writeFd } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { errno, makeDirectory } from '../journal/directory.ts';
import { tryLock } from '../journal/lock.ts';
import type { Destination } from './destination.ts';

const write = promisify(writeFd);

/** The file is opened for each batch, so that log rotation and temporary errors need no restart. */
export function fileDestination(dir: string, path: string): Destination {
  const base = `file-${hash('sha256', path, 'hex').slice(0, 8)}`;
  return {
    name: `file:${path}`,
    base,
    async send(_origin, copies) {
      makeDirectory(dirname(path));
      await inTurn(dir, base, async () => {
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
    },
    close: async () => undefined,
  };
}

export const stdoutDestination = (dir: string): Destination => ({
  name: 'stdout',
  send: (_origin, copies) =>
    inTurn(dir, 'stdout', () => writeAll(1, copies.map((c) => `${c.line}\n`).join(''))),
  close: async () => undefined,
});

/**
 * Runs `work` in one process at a time, among those that share a journal's directory: the kernel may split a write, and lines of two workers
 * would mix.
 */
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
