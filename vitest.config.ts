import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Compiled code of the processes that tests start, and what OPA has compiled. Safe to remove at any time. */
const cache = join(import.meta.dirname, 'node_modules/.cache/sluice');
const OLD_MS = 3 * 24 * 3_600_000;

function directory(name: string): string {
  const dir = join(cache, name);
  mkdirSync(dir, { recursive: true });
  for (const entry of readdirSync(dir)) {
    const path = join(dir, entry);
    const stat = statSync(path, { throwIfNoEntry: false });
    // Node's cache is a folder for each version of Node, which grows with every change of a source file.
    const since = stat?.isDirectory() ? stat.birthtimeMs : stat?.mtimeMs;
    if (since !== undefined && since < Date.now() - OLD_MS) rmSync(path, { recursive: true, force: true });
  }
  return dir;
}

// In the environment, so that every process inherits them.
process.env['NODE_COMPILE_CACHE'] ??= directory('node');
process.env['SLUICE_TEST_COMPILED'] = directory('opa');

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/warm.ts'],
    setupFiles: ['test/support/opa-memo.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    isolate: false,
    maxWorkers: 2,
  },
});
