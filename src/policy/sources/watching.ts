/**
 * Detects changes on disk: by `fs.watch`, and by polling every few seconds, because `fs.watch` does not always work on network
 * file systems, bind mounts and ConfigMaps.
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
  // Undefined at first, so that the first poll always calls back: the files may have changed since they were loaded.
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
      // Files that cannot be read, e.g. during a rename, count as changed; loading them reports the error.
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
    // no inotify on this system: polling is enough
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
