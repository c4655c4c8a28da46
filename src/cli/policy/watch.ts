/** `--watch`: runs work, and again when a file below the paths has changed, until interrupted. */
import { stat } from 'node:fs/promises';
import { isSluiceError } from '../../errors.ts';
import { stampOf } from '../../observability/stable.ts';
import { listPolicyFiles } from '../../policy/directory.ts';
import type { Io } from '../io.ts';

const EVERY_MS = 100;
const SETTLING_MS = 20;
const NEVER = new Promise<never>(() => undefined);

/**
 * Compares sizes and times, which works on every file system, including mounted and networked ones.
 * @param work receives a signal that is aborted when a file has changed, so that its results are no longer needed
 * @param signal ends the watch
 */
export async function watching(
  io: Io,
  paths: readonly string[],
  work: (outdated: AbortSignal) => Promise<void>,
  signal: AbortSignal = interrupted(),
): Promise<void> {
  for (;;) {
    const before = await settled(paths);
    const change = new AbortController();
    const outdated = AbortSignal.any([signal, change.signal]);
    const working = work(outdated)
      .catch((e: unknown) => {
        // A policy often does not compile while somebody edits it.
        if (outdated.aborted) return;
        if (!isSluiceError(e)) throw e;
        io.stderr.write(`sluice: ${e.message} [${e.code}]\n`);
      })
      .then(() => {
        if (!outdated.aborted) io.stderr.write('Watching; Ctrl-C ends it.\n');
      });
    let changed: boolean;
    try {
      // An error that is not a fault of the policy ends the watch.
      changed = await Promise.race([changeOf(paths, before, outdated), working.then(() => NEVER)]);
    } finally {
      change.abort();
    }
    await working;
    if (!changed) return;
    if (io.stdout.isTTY) io.stdout.write('\u001b[2J\u001b[H');
  }
}

/**
 * Returns the fingerprint once two passes agree: an editor may still be writing, and a file that changed just now differs at every pass.
 * Work that started earlier would be outdated at once and be done twice.
 */
async function settled(paths: readonly string[]): Promise<string> {
  for (let before = await fingerprint(paths); ; ) {
    await new Promise((done) => setTimeout(done, SETTLING_MS));
    const now = await fingerprint(paths);
    if (now === before) return now;
    before = now;
  }
}

/** false: the wait was ended */
async function changeOf(paths: readonly string[], before: string, signal: AbortSignal): Promise<boolean> {
  do {
    if (!(await pause(signal))) return false;
  } while ((await fingerprint(paths)) === before);
  return true;
}

async function fingerprint(paths: readonly string[]): Promise<string> {
  const all: string[] = [];
  for (const path of paths) {
    const s = await stat(path).catch(() => null);
    if (s?.isDirectory())
      for (const f of await listPolicyFiles(path).catch(() => [])) all.push(`${path}/${f.path} ${f.stamp}`);
    else all.push(`${path} ${stampOf(path)}`);
  }
  return all.join('\n');
}

/** false: the wait was ended */
const pause = (signal: AbortSignal): Promise<boolean> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve(false);
    const stop = (): void => {
      clearTimeout(timer);
      resolve(false);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve(true);
    }, EVERY_MS);
    signal.addEventListener('abort', stop, { once: true });
  });

function interrupted(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort()).once('SIGTERM', () => controller.abort());
  return controller.signal;
}
