import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FAULTS } from './faults.ts';

const ROOT = new URL('../..', import.meta.url).pathname;

test('`npm run faults` names tests that there are, and each file of faults', () => {
  const lacking = FAULTS.filter(
    ({ file, test }) => !readFileSync(join(ROOT, file), 'utf8').includes(`'${test}`),
  );
  expect(lacking).toEqual([]);
  const files = readdirSync(import.meta.dirname).filter(
    (f) => f.endsWith('.test.ts') && f !== 'list.test.ts',
  );
  const named = new Set(FAULTS.map(({ file }) => file));
  expect(files.filter((f) => !named.has(`test/faults/${f}`))).toEqual([]);
});
