/** Not in `served.ts`, which is also used outside vitest. */
import { test } from 'vitest';
import type { Cleaning } from './served.ts';

/** A test with a cleaning of its own, which other tests can run beside. */
export const cleanedTest = test.extend<{ cleaning: Cleaning }>({
  cleaning: async ({ onTestFinished }, use) => {
    const cleaning: Cleaning = [];
    onTestFinished(() => {
      for (const clean of cleaning.reverse()) clean();
    });
    await use(cleaning);
  },
});
