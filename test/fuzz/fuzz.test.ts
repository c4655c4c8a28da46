import { expect, test } from 'vitest';
import { fuzz } from './loop.ts';
import { TARGETS } from './targets.ts';

// `http` runs by itself in CI, with a count of cases instead of a time.
const BODIES = TARGETS.filter(({ name }) => name !== 'http');

// `npm run fuzz` goes on for longer, with other seeds.
const CASES = 250;

test(`${CASES} cases of a fixed seed find nothing`, { timeout: 300_000 }, async () => {
  const { cases, failures } = await fuzz(BODIES, { seed: 20261122, cases: CASES });
  expect(failures.map(({ target, number, what }) => `${target} case ${number}: ${what}`)).toEqual([]);
  expect(cases).toBe(CASES);
});
