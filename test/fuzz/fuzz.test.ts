import { expect, test } from 'vitest';
import { fuzz } from './loop.ts';
import { TARGETS } from './targets.ts';

// `http` runs by itself in CI, with a count of cases instead of a time.
const BODIES = TARGETS.filter(({ name }) => name !== 'http');

test('twenty seconds of a fixed seed find nothing', { timeout: 90_000 }, async () => {
  const { cases, failures } = await fuzz(BODIES, { seed: 20261122, milliseconds: 20_000 });
  expect(failures.map(({ target, number, what }) => `${target} case ${number}: ${what}`)).toEqual([]);
  expect(cases).toBeGreaterThan(50);
});
