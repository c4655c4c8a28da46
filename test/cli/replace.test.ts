/** A file that a command writes as a whole. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdtempSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { replaceFile } from '../../src/cli/replace.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-replace-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test.each([0o664, 0o600, 0o444])('keeps permissions %o, whatever the umask', async (mode) => {
  const file = join(dir, 'a');
  writeFileSync(file, 'before');
  chmodSync(file, mode);
  await replaceFile(file, 'after');
  expect(statSync(file).mode & 0o777).toBe(mode);
  expect(readFileSync(file, 'utf8')).toBe('after');
  expect(readdirSync(dir)).toEqual(['a']);
});

test('a link stays a link', async () => {
  writeFileSync(join(dir, 'a'), 'before');
  symlinkSync('a', join(dir, 'link'));
  await replaceFile(join(dir, 'link'), 'after');
  expect(lstatSync(join(dir, 'link')).isSymbolicLink()).toBe(true);
  expect(readFileSync(join(dir, 'a'), 'utf8')).toBe('after');
});

test('a pipe is written to, and not replaced by a file', async () => {
  const pipe = join(dir, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const [text] = await Promise.all([readFile(pipe, 'utf8'), replaceFile(pipe, 'after')]);
  expect(text).toBe('after');
  expect(statSync(pipe).isFIFO()).toBe(true);
});

test('a directory is refused, and stays', async () => {
  await expect(replaceFile(dir, 'after', 'The bundle')).rejects.toMatchObject({
    code: 'input_invalid',
    message: 'The bundle cannot be written.',
  });
  expect(readdirSync(dir)).toEqual([]);
});
