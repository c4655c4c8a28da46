/** `--watch`: does something, and again whenever a file below the paths has changed, until interrupted. */
import { stat } from 'node:fs/promises';
import { isSluiceError } from '../../errors.ts';
import { stampOf } from '../../observability/stable.ts';
import { listPolicyFiles } from '../../policy/directory.ts';
import type { Io } from '../io.ts';

const EVERY_MS = 100;
const SETTLING_MS = 20;
const NEVER = new Promise<never>(() => undefined);

/**
 * Looks at sizes and times: that works on every file system, mounted and networked ones included.
 * @param work is given a signal that says that its results are no longer wanted, because a file has changed meanwhile
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
        // A policy that does not compile is what somebody who edits it has half the time.
        if (outdated.aborted) return;
        if (!isSluiceError(e)) throw e;
        io.stderr.write(`sluice: ${e.message} [${e.code}]\n`);
      })
      .then(() => {
        if (!outdated.aborted) io.stderr.write('Watching; Ctrl-C ends it.\n');
      });
    let changed: boolean;
    try {
      // What is no fault of a policy ends the watch.
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
 * The fingerprint once two looks agree: an editor may still write, and a file that changed a moment ago looks different at every look.
 * Work that began before would be outdated at once, and be done twice.
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
