/** Set at run time, a flag that V8 does not know is ignored. On the command line Node refuses it, and says which. */
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { V8_FLAGS } from '../../src/cli/serve/v8-flags.ts';

const start = (...flags: readonly string[]): string =>
  spawnSync(process.execPath, [...flags, '-e', 'process.stderr.write("started")'], { encoding: 'utf8' })
    .stderr;

test('this Node knows every flag of V8 that serve sets, and refuses one that it does not know', () => {
  expect(start(...V8_FLAGS)).toBe('started');
  expect(start(...V8_FLAGS, '--no-such-flag-of-v8')).toContain('--no-such-flag-of-v8');
});
