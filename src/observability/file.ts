/**
 * A file that is read again whenever it changes. The watcher of the operating system makes that prompt, looking every
 * `poll` makes it certain (network file systems and mounted config maps do not tell). A file is swapped in whole: what
 * cannot be read never replaces what could, but it is told, so that whoever relies on the file can refuse.
 */
import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Clock } from './clock.ts';
import { textOf } from '../documents/complete.ts';
import { readStable, stampOf } from './stable.ts';

export interface ObservedFile<T> {
  /** last content that could be read */
  readonly value: T;
  /** why the file cannot be used now; null while it can */
  readonly error: Error | null;
  /** milliseconds since the epoch when it broke; null while it can be used */
  readonly brokenSince: number | null;
  /** looks for a change now; @param anew reads the file even if nothing tells of a change */
  look(anew?: boolean): void;
  close(): void;
}

export interface Observation<T> {
  readonly path: string;
  /** @param before the text that it was read from last; null: this is the first time */
  readonly parse: (text: string, before: string | null) => T;
  readonly clock: Clock;
  /** milliseconds */
  readonly poll?: number;
  readonly onChange?: () => void;
  readonly onError?: (error: Error) => void;
}

/** A writer that truncates and writes anew is given this long before the file counts as broken. */
const SETTLE_MS = 200;

/** @throws what reading or `parse` throws, the first time */
export function observeFile<T>({
  path,
  parse,
  clock,
  poll = 1_000,
  onChange,
  onError,
}: Observation<T>): ObservedFile<T> {
  const first = readStable(path);
  let text = textOf(first.bytes);
  let value = parse(text, null);
  let seen = first.stamp;
  let error: Error | null = null;
  let failingSince: number | null = null;
  let brokenSince: number | null = null;
  let watcher: FSWatcher | null = null;

  function look(anew = false): void {
    const now = stampOf(path);
    if (now === seen && failingSince === null && !anew) return;
    try {
      const { bytes, stamp } = readStable(path);
      const next = textOf(bytes);
      const changed = next !== text;
      if (changed) value = parse(next, text);
      text = next;
      seen = stamp;
      failingSince = brokenSince = error = null;
      if (changed) onChange?.();
    } catch (e) {
      failingSince ??= performance.now();
      if (performance.now() - failingSince < SETTLE_MS) {
        setTimeout(() => look(), SETTLE_MS).unref();
        return;
      }
      const told = error !== null;
      error = e as Error;
      brokenSince ??= clock.now().getTime();
      seen = now;
      if (!told) {
        onChange?.();
        onError?.(error);
      }
    }
  }

  const timer = setInterval(() => look(), poll);
  timer.unref();
  try {
    // The directory, since editors and config maps replace the file rather than write to it.
    watcher = watch(dirname(path), { persistent: false }, (_event, name) => {
      if (name === null || name === basename(path) || name.startsWith('..')) look();
    });
    watcher.on('error', () => watcher?.close());
  } catch {
    // No watcher here: polling alone.
  }

  return {
    get value() {
      return value;
    },
    get error() {
      return error;
    },
    get brokenSince() {
      return brokenSince;
    },
    look,
    close() {
      clearInterval(timer);
      watcher?.close();
    },
  };
}
