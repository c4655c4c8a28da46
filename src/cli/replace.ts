/** Replaces a file atomically, so that a watching sidecar never reads a partial file. */
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { SluiceError } from '../errors.ts';

/**
 * An existing file keeps its permissions, and a link stays a link. A pipe or device (`/dev/stdout`) is written to, not replaced.
 * @param what its name in the error
 * @throws SluiceError `input_invalid`
 */
export async function replaceFile(file: string, content: string | Uint8Array, what = file): Promise<void> {
  const target = await realpath(file).catch(() => file);
  const partial = join(dirname(target), `.${basename(target)}.${randomUUID().slice(0, 8)}.partial`);
  try {
    const there = await stat(file).catch(() => null);
    if (there !== null && !there.isFile()) return await writeFile(file, content);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(partial, content, there === null ? {} : { mode: there.mode });
    // The umask reduces the permissions of a new file.
    if (there !== null) await chmod(partial, there.mode);
    await rename(partial, target);
  } catch (cause) {
    throw new SluiceError('input_invalid', { message: `${what} cannot be written.`, cause });
  } finally {
    await rm(partial, { force: true });
  }
}
