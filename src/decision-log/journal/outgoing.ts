/** Copies of segments on their way to an object store. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../../errors.ts';
import { digestOf } from './digest.ts';
import { OUTGOING, type Segment } from './directory.ts';
import { type ObjectStore, StoreFailed } from './object-store.ts';

/** Where the copy of a segment waits: under a name of its content and of those who can read it. Other copies, of runs that were interrupted, are removed. */
export async function outgoing(
  dir: string,
  segment: Segment,
  recipients: readonly string[],
): Promise<string> {
  const id = createHash('sha256')
    .update([await digestOf(segment.path), ...[...recipients].sort()].join('\n'))
    .digest('hex');
  forgetOutgoing(dir, id);
  return join(dir, OUTGOING, id);
}

/** Removes copies that wait for an object store, which may have content that the journal has no more. */
export function forgetOutgoing(dir: string, except: string | null = null): void {
  const root = join(dir, OUTGOING);
  if (!existsSync(root)) return;
  if (except === null) rmSync(root, { recursive: true });
  else
    for (const name of readdirSync(root)) if (name !== except) rmSync(join(root, name), { recursive: true });
}

/**
 * Puts the copy and its anchor. An object that is there with the same bytes is from a run that was interrupted. It is asked for before anything is put: not
 * every store heeds `If-None-Match`.
 */
export async function send(store: ObjectStore, name: string, path: string, anchor: string): Promise<void> {
  try {
    const wanted = await digestOf(path);
    let found = await store.digest(name);
    if (found === null) {
      await store.put(name, { path });
      found = await store.digest(name);
    }
    if (found !== wanted)
      throw new SluiceError(
        'input_invalid',
        `${store.url}/${name} is not the copy that was made here. Move it away and archive again; the segment was left where it is.`,
      );
    await store.put(`${name}.anchor`, anchor, true);
  } catch (cause) {
    if (!(cause instanceof StoreFailed)) throw cause;
    throw new SluiceError('journal_unwritable', {
      message: `${store.url} cannot be used: ${cause.message}. The segment was left where it is.`,
      cause,
    });
  }
}
