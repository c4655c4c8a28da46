/** The processes of `sluice serve` with several workers, with workers that the test scripts. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('a stop while the first worker becomes ready starts no other, and the process ends', async () => {
  const child = join(import.meta.dirname, '../support/crew-child.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [child], { timeout: 30_000 });
  expect(stdout).toBe('1 started\n');
});
