/** Any k shares restore the key that finds data subjects in the log; k − 1 do not. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { combine } from 'shamir-secret-sharing';
import { expect, test } from 'vitest';
import { dataSubjectHasher } from '../../src/decision-log/data-subject.ts';
import { generateKey } from '../../src/decision-log/secret.ts';
import { runCommand } from '../support/io.ts';
import { temporaryDirectory } from '../support/journals.ts';

async function shared(of: number, need: number) {
  const dir = temporaryDirectory();
  const { key } = generateKey(join(dir));
  const run = (...argv: string[]) => runCommand(['recovery', ...argv], { cwd: dir });
  const made = await run(
    'share',
    '--journal',
    '.',
    '--of',
    String(of),
    '--need',
    String(need),
    '--out',
    'shares',
  );
  expect(made).toMatchObject({ code: 0, stderr: '' });
  const files = readdirSync(join(dir, 'shares'))
    .sort()
    .map((f) => join('shares', f));
  expect(files).toHaveLength(of);
  return { dir, key, run, files };
}

/** All choices of `k` items. */
const choices = <T>(items: readonly T[], k: number): T[][] =>
  k === 0
    ? [[]]
    : items.flatMap((item, i) => choices(items.slice(i + 1), k - 1).map((rest) => [item, ...rest]));

test('any k shares restore the key, and k − 1 do not', async () => {
  const { dir, key, run, files } = await shared(5, 3);
  for (const [i, some] of choices(files, 3).entries()) {
    expect(await run('combine', ...some, '--out', `key-${i}`)).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(join(dir, `key-${i}`), 'utf8').trim()).toBe(key.toString());
    expect(statSync(join(dir, `key-${i}`)).mode & 0o777).toBe(0o600);
  }
  for (const some of choices(files, 2)) {
    const { code, stderr } = await run('combine', ...some, '--out', 'none');
    expect([code, stderr]).toEqual([
      3,
      expect.stringContaining('3 different shares are needed, and 2 were given'),
    ]);
    // Nor does the library, if it is asked all the same.
    const bytes = some.map(
      (f) => new Uint8Array(Buffer.from(readFileSync(join(dir, f), 'utf8').split(' ').at(-2)!, 'base64url')),
    );
    expect(Buffer.from(await combine(bytes)).equals(key)).toBe(false);
  }
  expect((await run('combine', files[0]!, files[0]!, files[0]!, '--out', 'none')).stderr).toContain(
    '1 were given',
  );
});

test('a share that was copied wrongly is named, and shares of different runs are refused', async () => {
  const { dir, run, files } = await shared(3, 2);
  expect(await run('share', '--journal', '.', '--of', '3', '--need', '2', '--out', 'others')).toMatchObject({
    code: 0,
  });
  const mixed = await run('combine', files[0]!, files[1]!.replace('shares', 'others'), '--out', 'none');
  expect([mixed.code, mixed.stderr]).toEqual([3, expect.stringContaining('do not make the key')]);
  const text = readFileSync(join(dir, files[0]!), 'utf8');
  const at = text.lastIndexOf(' ') - 5;
  writeFileSync(
    join(dir, files[0]!),
    text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1),
  );
  const miscopied = await run('combine', ...files.slice(0, 2), '--out', 'none');
  expect([miscopied.code, miscopied.stderr]).toEqual([
    3,
    expect.stringContaining('1-of-3.share is not a share as it was written'),
  ]);
});

test('nothing is overwritten, and a key that is not there is not shared', async () => {
  const { run, files } = await shared(2, 2);
  const again = await run('share', '--journal', '.', '--of', '2', '--need', '2', '--out', 'shares');
  expect([again.code, again.stderr]).toEqual([3, expect.stringContaining('exists')]);
  expect((await run('combine', ...files, '--out', 'data-subject.key')).stderr).toContain(
    'exists, and is left as it is',
  );
  expect(
    (await run('share', '--journal', 'shares', '--of', '2', '--need', '2', '--out', 'x')).stderr,
  ).toContain('holds no data-subject.key');
  expect(await run('share', '--journal', '.', '--of', '2', '--need', '3', '--out', 'x')).toMatchObject({
    code: 2,
  });
});

test('the name of the key in a share is the one that records have', async () => {
  const { key, files } = await shared(2, 2);
  expect(files[0]).toContain(dataSubjectHasher(key).kid);
});
