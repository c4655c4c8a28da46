/** Texts with a long run of one character, as the tests answer or refuse them. */
import { ANSWERED, REFUSED } from '../../test/support/long-runs.ts';
import type { Limit } from './run.ts';

const refused = (work: () => unknown) => (): void => {
  try {
    work();
  } catch {
    // the tests say that it is refused
  }
};

export const runs: readonly Limit[] = [
  {
    name: 'a run of one character in 200 kB of a request',
    measured: [...ANSWERED.map(([, work]) => work), ...REFUSED.map(([, work]) => refused(work))],
  },
];
