/** Work beside the requests, in processes of its own. */
import type { ChildProcess } from 'node:child_process';
import { setPriority } from 'node:os';

/** as `nice` without a number */
const NICE = 10;

/** Lowers the priority of a process that has just been started. Where that is not permitted, it stays as it is. */
export function giveWay({ pid }: Pick<ChildProcess, 'pid'>): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, NICE);
  } catch {
    // it has ended, or a sandbox forbids it
  }
}
