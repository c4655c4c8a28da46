/**
 * Changes on disk: `fs.watch` where it works, and a look every few seconds because on network file systems, bind mounts
 * and ConfigMaps it does not always.
 */
import { type FSWatcher, watch } from 'node:fs';

const QUIET_MS = 100;
const LOOK_MS = 2000;

export interface WatchOptions {
  readonly path: string;
  readonly recursive: boolean;
  /** a text that changes when the files do */
  fingerprint(): Promise<string>;
}

export const watchPath = (
  { path, recursive, fingerprint }: WatchOptions,
  changed: () => void,
): (() => void) => {
  let closed = false;
  let quiet: NodeJS.Timeout | undefined;
  // Not known at first: what changed between the load and the first look is told by the first look, which always calls.
  let last: string | undefined;
  let looking = false;
  let again = false;
  const look = async (): Promise<void> => {
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    do {
      again = false;
      // Unreadable for a moment, as during a rename, counts as a change: the load reports what is wrong.
      const now = await fingerprint().catch(() => 'unreadable');
      if (closed) break;
      if (now !== last) changed();
      last = now;
    } while (again);
    looking = false;
  };
  const soon = (): void => {
    clearTimeout(quiet);
    quiet = setTimeout(() => void look(), QUIET_MS);
    quiet.unref();
  };
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(path, { recursive, persistent: false }, soon);
    watcher.on('error', () => watcher?.close());
  } catch {
    // no inotify here: the look below is enough
  }
  const timer = setInterval(() => void look(), LOOK_MS);
  timer.unref();
  void look();
  return () => {
    closed = true;
    clearTimeout(quiet);
    clearInterval(timer);
    watcher?.close();
  };
};
