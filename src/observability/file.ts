/**
 * A file that is read again when it changes. The operating system's watcher reports changes promptly. Polling catches the rest:
 * network file systems and mounted config maps report none. Unreadable content never replaces readable content, but it is
 * reported, so that users of the file can refuse.
 */
import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type Clock, millis } from './clock.ts';
import { textOf } from '../documents/complete.ts';
import { readStable, stampOf } from './stable.ts';

export interface ObservedFile<T> {
  /** last readable content */
  readonly value: T;
  /** why the file cannot be used now; null while it can */
  readonly error: Error | null;
  /** `millis` of the clock when it became unusable; null while it is usable */
  readonly brokenSince: number | null;
  /** checks for a change now; @param anew reads the file even if it seems unchanged */
  look(anew?: boolean): void;
  close(): void;
}

export interface Observation<T> {
  readonly path: string;
  /** @param before the text of the previous read; null: this is the first read */
  readonly parse: (text: string, before: string | null) => T;
  readonly clock: Clock;
  /** milliseconds */
  readonly poll?: number;
  /** called when `value` is another one, and when the file becomes unusable or usable again; the new state is in force */
  readonly onChange?: () => void;
  /** called once when the file becomes unusable, before `onChange` */
  readonly onError?: (error: Error) => void;
}

/** A writer that truncates and rewrites has this long before the file counts as broken. */
const SETTLE_MS = 200;

/** @throws errors of the first read or `parse` */
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
  let settling: NodeJS.Timeout | undefined;

  function look(anew = false): void {
    const now = stampOf(path);
    if (now === seen && failingSince === null && !anew) return;
    let isChanged: boolean;
    try {
      const { bytes, stamp } = readStable(path);
      const next = textOf(bytes);
      isChanged = next !== text || error !== null;
      if (next !== text) value = parse(next, text);
      text = next;
      seen = stamp;
      failingSince = brokenSince = error = null;
    } catch (e) {
      failingSince ??= performance.now();
      if (performance.now() - failingSince < SETTLE_MS) {
        clearTimeout(settling);
        settling = setTimeout(() => look(), SETTLE_MS).unref();
        return;
      }
      isChanged = error === null;
      error = e as Error;
      brokenSince ??= millis(clock);
      seen = now;
      if (isChanged) onError?.(error);
    }
    // Outside of `try`: what `onChange` throws says nothing about the file.
    if (isChanged) onChange?.();
  }

  const timer = setInterval(() => look(), poll);
  timer.unref();
  try {
    // Watch the directory, since editors and config maps replace the file instead of writing to it.
    watcher = watch(dirname(path), { persistent: false }, (_event, name) => {
      if (name === null || name === basename(path) || name.startsWith('..')) look();
    });
    watcher.on('error', () => watcher?.close());
  } catch {
    // No watcher is available here; only polling.
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
      clearTimeout(settling);
      watcher?.close();
    },
  };
}
