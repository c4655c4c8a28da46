/** An archive that only the holder of a key can read: whoever writes it needs none, and no altered byte of it is taken for a record. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Decrypter } from 'age-encryption';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newIdentity } from '../../src/decision-log/age.ts';
import { archive } from '../../src/decision-log/journal/archive.ts';
import { unarchive } from '../../src/decision-log/journal/unarchive.ts';
import { verifyFile } from '../../src/decision-log/verify/file.ts';
import { verify } from '../../src/decision-log/verify/verify.ts';
import { gunzipSync, gzipSync } from 'node:zlib';
import { draft } from '../support/decision-records.ts';
import { runCommand } from '../support/io.ts';
import { openJournal, recordsOf, temporaryDirectory } from '../support/journals.ts';

async function archived() {
  const [dir, to] = [temporaryDirectory(), temporaryDirectory()];
  const log = await openJournal(dir, { segmentSize: 8000 });
  for (let i = 0; i < 20; i++) await log.append(draft(i));
  await log.close();
  const before = new Map(
    readdirSync(dir)
      .filter((f) => f.endsWith('.jsonl'))
      .map((f) => [f, readFileSync(join(dir, f))] as const),
  );
  const records = recordsOf(dir);
  const keys = [await newIdentity(), await newIdentity()];
  const run = () =>
    archive({
      dir,
      to,
      before: null,
      key: null,
      recipients: keys.map(({ recipient }) => recipient),
      copied: async () => Number.POSITIVE_INFINITY,
    });
  return { dir, to, before, records, keys: keys.map(({ identity }) => identity), run };
}

const encryptedIn = (dir: string): string[] =>
  readdirSync(dir)
    .filter((f) => f.endsWith('.jsonl.gz.age'))
    .sort()
    .map((f) => join(dir, f));

test('segments are encrypted for each recipient, as any program of age reads them, and the journal verifies', async () => {
  const { dir, to, before, keys, run } = await archived();
  const moved = await run();
  expect(moved.map(({ file }) => join(to, file))).toEqual(encryptedIn(to));
  expect(await verify({ dir, key: null })).toMatchObject({
    ok: true,
    origins: [{ archived: moved.at(-1)!.last }],
  });
  for (const identity of keys)
    for (const path of encryptedIn(to)) {
      const decrypter = new Decrypter();
      decrypter.addIdentity(identity);
      const plain = gunzipSync(await decrypter.decrypt(readFileSync(path)));
      expect(plain).toEqual(before.get(path.slice(to.length + 1).replace('.gz.age', '')));
      expect(readFileSync(path).includes('u-1')).toBe(false);
    }
});

test('a copy that an interrupted run left is written again', async () => {
  const { dir, to, keys, before, run } = await archived();
  const [first] = [...before.keys()].sort();
  writeFileSync(join(to, `${first}.gz.age`), 'another text');
  writeFileSync(join(to, `${first}.gz.age.new`), 'half a copy');
  await run();
  const back = join(dir, '..', `${dir.split('/').at(-1)}-back`);
  await unarchive({ from: encryptedIn(to), to: back, identities: [keys[1]!] });
  expect(readFileSync(join(back, first!))).toEqual(before.get(first!));
  rmSync(back, { recursive: true });
});

test('a byte that was altered anywhere, and a cut anywhere, are refused, and nothing of the file is left', async () => {
  const { to, keys, run } = await archived();
  await run();
  const [path] = encryptedIn(to) as [string];
  const bytes = readFileSync(path);
  const back = temporaryDirectory();
  const check = async (altered: Buffer) => {
    writeFileSync(path, altered);
    await expect(unarchive({ from: [path], to: back, identities: [keys[0]!] })).rejects.toMatchObject({
      code: 'input_invalid',
    });
    expect(readdirSync(back)).toEqual([]);
    const verified = await verifyFile(path, [], { identities: [keys[0]!] }).then(
      ({ ok }) => ok,
      () => false,
    );
    expect(verified).toBe(false);
  };
  const MAGIC = 22;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: MAGIC, max: bytes.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
      async (at, by) => {
        const altered = Buffer.from(bytes);
        altered[at]! ^= by;
        await check(altered);
      },
    ),
    { numRuns: 40 },
  );
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: MAGIC, max: bytes.length - 1 }), (end) =>
      check(bytes.subarray(0, end)),
    ),
    { numRuns: 20 },
  );
});

test('by command: archive, verify with the key, read back and ask', async () => {
  const { dir, to, records, keys, run: _ } = await archived();
  const stranger = (await newIdentity()).identity;
  const { identity, recipient } = await newIdentity();
  const KEY = `# created: today\n# public key: ${recipient}\n${identity}\n`;
  const run = (argv: string[], env: Record<string, string> = {}) =>
    runCommand(['decisions', ...argv], { env, columns: 160 });
  expect(await run(['archive', '--journal', dir, '--to', to, '--recipient', recipient])).toMatchObject({
    code: 0,
    stderr: '',
  });
  const files = encryptedIn(to);
  expect(files.length).toBeGreaterThan(1);
  const identified = ['--identity', 'env:KEY'];
  expect((await run(['verify', ...files, ...identified], { KEY })).stdout).toMatch(/records: intact/);
  const without = await run(['verify', ...files]);
  expect(without).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('is encrypted: name the key with --identity'),
  });
  for (const wrong of [stranger, keys[0]!])
    expect(await run(['verify', ...files, ...identified], { KEY: wrong })).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('no identity that was named is a recipient'),
    });
  const back = join(temporaryDirectory(), 'back');
  expect(await run(['unarchive', to, '--to', back, ...identified], { KEY })).toMatchObject({
    code: 0,
    stderr: '',
  });
  expect(existsSync(join(back, 'archived.ndjson'))).toBe(false);
  const back2 = recordsOf(back);
  expect(back2).toEqual(records.slice(0, back2.length));
  expect(
    (await run(['query', '--journal', back, '--json', '--limit', '1000'])).stdout.trim().split('\n'),
  ).toHaveLength(back2.length);
  expect((await run(['unarchive', to, '--to', back, ...identified], { KEY })).stderr).toContain(
    'exists. Name an empty directory',
  );
});

test.each([
  ['plain:text', 'write env:NAME or file:PATH'],
  ['env:NONE', 'is not set'],
  ['env:KEY', 'something else than age identities'],
])('an identity %s is refused without a word of it', async (reference, said) => {
  const { dir } = await archived();
  const [file] = readdirSync(dir).filter((f) => f.endsWith('.jsonl'));
  const { code, stderr } = await runCommand(
    ['decisions', 'verify', join(dir, file!), '--identity', reference],
    {
      env: { KEY: 'secret words' },
    },
  );
  expect(code).toBe(3);
  expect(stderr).toContain(said);
  expect(stderr).not.toContain('secret words');
});

test('a recipient that is no public key is refused, and nothing is moved', async () => {
  const { dir, to } = await archived();
  const { code, stderr } = await runCommand([
    'decisions',
    'archive',
    '--journal',
    dir,
    '--to',
    to,
    '--recipient',
    'age1nobody',
  ]);
  expect(code).toBe(3);
  expect(stderr).toContain('age1nobody is not the public key of an age identity');
  expect(readdirSync(to)).toEqual([]);
});

test.each([
  ['one long line', 'zeros', Buffer.alloc(100 << 20, '0'), 'longer than any record'],
  ['a file that unpacks to far more', 'lines', Buffer.alloc(100 << 20, '{"a":1}\n'), 'unpacks to more than'],
  ['a line without an end', 'half', Buffer.from('{"origin":'), 'a line that does not end'],
])('%s is not taken out of an archive, and nothing of it is left', async (_, name, content, said) => {
  const [from, to] = [temporaryDirectory(), temporaryDirectory()];
  const file = join(from, `${name}-0011aabb.0000000000000001.jsonl.gz`);
  writeFileSync(file, gzipSync(content));
  const ran = await runCommand(['decisions', 'unarchive', file, '--to', to]);
  expect(ran).toMatchObject({ code: 3, stderr: expect.stringContaining(said) });
  expect(readdirSync(to)).toEqual([]);
});

test('a file that unpacks to far more than records do is not verified to its end', async () => {
  const file = join(temporaryDirectory(), 'a.jsonl.gz');
  writeFileSync(file, gzipSync(Buffer.alloc(100 << 20, '0')));
  expect(await runCommand(['decisions', 'verify', file])).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('unpacks to more than'),
  });
});
