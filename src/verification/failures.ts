/** Failed proofs of each caller: whoever tries case numbers or codes gets only so many tries. Each process counts for itself. */
import { LRUCache } from 'lru-cache';

export interface Failures {
  isBlocked(caller: string): boolean;
  count(caller: string): void;
  /** takes back one that was counted before its proof was checked */
  forgive(caller: string): void;
}

const WINDOW = 10 * 60_000;
const CALLERS = 10_000;

interface Window {
  readonly until: number;
  failures: number;
}

/** @param now milliseconds of a clock that nobody sets */
export function createFailures(most: number, now: () => number = () => performance.now()): Failures {
  const windows = new LRUCache<string, Window>({ max: CALLERS });
  const current = (caller: string): Window | null => {
    const window = windows.get(caller);
    return window !== undefined && window.until > now() ? window : null;
  };
  return {
    isBlocked: (caller) => (current(caller)?.failures ?? 0) >= most,
    count(caller) {
      const window = current(caller);
      if (window === null) windows.set(caller, { until: now() + WINDOW, failures: 1 });
      else window.failures++;
    },
    forgive(caller) {
      const window = current(caller);
      if (window !== null && window.failures > 0) window.failures--;
    },
  };
}
