import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

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

/** Files that start processes or ask a policy thousands of questions come first: the last one to end has nobody to share with. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification): boolean =>
      /\/test\/(cli|docs|faults)\/|\/test\/found\/a1-workers|\/test\/default-policy\/rego/.test(moduleId);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/warm.ts'],
    setupFiles: ['src/json-parse.ts', 'test/support/opa-memo.ts'],
    // What is waited for comes, however busy the machine is: these end a test that hangs, and measure nothing.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 20_000 } },
    pool: 'forks',
    isolate: false,
    maxWorkers: 2,
  },
});
