/** An archive in an S3-compatible store: a segment goes only when the store has sent back its copy, and nothing there is written over. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { newIdentity } from '../../src/decision-log/age.ts';
import { draft } from '../support/decision-records.ts';
import { runCommand } from '../support/io.ts';
import { openJournal, temporaryDirectory } from '../support/journals.ts';
import { ACCESS, objectStore } from '../support/object-store.ts';

const PLACE = 's3://logs/sluice/2026';
let store: Awaited<ReturnType<typeof objectStore>>;
beforeEach(async () => {
  store = await objectStore();
});
afterEach(() => store.close());

const segmentsIn = (dir: string): Map<string, string> =>
  new Map(
    readdirSync(dir)
      .filter((name) => name.endsWith('.jsonl'))
      .sort()
      .map((name) => [name, readFileSync(join(dir, name), 'utf8')]),
  );

async function journal() {
  const dir = temporaryDirectory();
  const log = await openJournal(dir, { segmentSize: 8000 });
  for (let i = 0; i < 20; i++) await log.append(draft(i));
  await log.close();
  const before = segmentsIn(dir);
  expect(before.size).toBeGreaterThan(3);
  return { dir, before };
}

const run = (argv: string[], env: Record<string, string> = {}) =>
  runCommand(['decisions', ...argv], {
    env: {
      AWS_ACCESS_KEY_ID: ACCESS.id,
      AWS_SECRET_ACCESS_KEY: ACCESS.secret,
      AWS_REGION: ACCESS.region,
      AWS_ENDPOINT_URL: store.url,
      ...env,
    },
    columns: 160,
  });
const archive = (dir: string, ...more: string[]) =>
  run(['archive', '--journal', dir, '--to', PLACE, ...more]);

test('segments go to the store with their anchors, the journal verifies, and they come back', async () => {
  const { dir, before } = await journal();
  expect(await archive(dir)).toMatchObject({ code: 0, stderr: '' });
  const moved = [...before.keys()].slice(0, -1);
  expect([...segmentsIn(dir).keys()]).toEqual([...before.keys()].slice(-1));
  expect([...store.objects.keys()].sort()).toEqual(
    moved.flatMap((name) => [`sluice/2026/${name}.gz`, `sluice/2026/${name}.gz.anchor`]),
  );
  for (const name of moved)
    expect(gunzipSync(store.objects.get(`sluice/2026/${name}.gz`)!).toString()).toBe(before.get(name));
  const anchors = moved.map((name) => store.objects.get(`sluice/2026/${name}.gz.anchor`)!.toString());
  expect(anchors.join('')).toBe(readFileSync(join(dir, 'archived.ndjson'), 'utf8'));
  expect(existsSync(join(dir, 'outgoing'))).toBe(false);
  expect((await run(['verify', '--journal', dir])).code).toBe(0);

  // What is beside, and deeper, is no part of the archive.
  store.objects.set('sluice/2026/deeper/a.jsonl.gz', Buffer.from('x'));
  store.objects.set('sluice/20261/b.0000000000000001.jsonl.gz', Buffer.from('x'));
  const back = join(temporaryDirectory(), 'back');
  expect(await run(['unarchive', PLACE, '--to', back])).toMatchObject({ code: 0, stderr: '' });
  expect([...segmentsIn(back)]).toEqual([...before].slice(0, -1));
  expect(readdirSync(back)).toEqual(moved);
  const one = join(temporaryDirectory(), 'one');
  expect((await run(['unarchive', `${PLACE}/${moved[1]}.gz`, '--to', one])).code).toBe(0);
  expect([...segmentsIn(one).keys()]).toEqual([moved[1]]);
});

test('--s3-endpoint wins over the environment, and --json names what was moved', async () => {
  const { dir, before } = await journal();
  const { code, stdout } = await run(
    ['archive', '--journal', dir, '--to', 's3://logs', '--s3-endpoint', `${store.url}/`, '--json'],
    { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' },
  );
  expect(code).toBe(0);
  const files = stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { file: string }).file);
  expect(files).toEqual([...before.keys()].slice(0, -1).map((name) => `${name}.gz`));
  expect([...store.objects.keys()]).toEqual(files.flatMap((file) => [file, `${file}.anchor`]));
});

test.each([false, true])(
  'after a store failed between the copy and its anchor, the next run goes on with the same bytes (encrypted: %s)',
  async (encrypted) => {
    const { dir, before } = await journal();
    const { identity, recipient } = await newIdentity();
    const more = encrypted ? ['--recipient', recipient] : [];
    store.interfere(({ key }) => (key.endsWith('.anchor') ? { status: 503 } : null));
    const failed = await archive(dir, ...more);
    expect(failed).toMatchObject({ code: 3, stderr: expect.stringContaining('was answered with 503') });
    expect(failed.stderr).toContain('[journal_unwritable]');
    expect(segmentsIn(dir)).toEqual(before);
    expect(existsSync(join(dir, 'archived.ndjson'))).toBe(false);
    expect((await run(['verify', '--journal', dir])).code).toBe(0);
    const [[key, first]] = [...store.objects] as [[string, Buffer]];

    store.interfere(() => null);
    store.asked.length = 0;
    expect((await archive(dir, ...more)).code).toBe(0);
    expect(store.objects.get(key)).toEqual(first);
    expect(store.asked).not.toContain(`PUT ${key}`);
    const back = join(temporaryDirectory(), 'back');
    const said = await run(['unarchive', PLACE, '--to', back, '--identity', 'env:KEY'], { KEY: identity });
    expect(said).toMatchObject({ code: 0, stderr: '' });
    expect([...segmentsIn(back)]).toEqual([...before].slice(0, -1));
  },
);

test('a copy that waits for a store is gone when content is removed', async () => {
  const { dir } = await journal();
  store.interfere(({ method }) => (method === 'PUT' ? { status: 500 } : null));
  await archive(dir);
  expect(readdirSync(join(dir, 'outgoing'))).toHaveLength(1);
  const { code, stderr } = await run(['remove', '--journal', dir, '--until', '2000-01-01', '--basis', 'law']);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(existsSync(join(dir, 'outgoing'))).toBe(false);
});

test('a copy for other recipients than now is never sent', async () => {
  const { dir } = await journal();
  const [old, now] = [await newIdentity(), await newIdentity()];
  store.interfere(({ method }) => (method === 'PUT' ? { status: 500 } : null));
  expect((await archive(dir, '--recipient', old.recipient)).code).toBe(3);
  store.interfere(() => null);
  expect((await archive(dir, '--recipient', now.recipient)).code).toBe(0);
  const back = join(temporaryDirectory(), 'back');
  expect(
    (await run(['unarchive', PLACE, '--to', back, '--identity', 'env:KEY'], { KEY: now.identity })).code,
  ).toBe(0);
});

test.each([
  ['other bytes under the name', 'input_invalid', 'is not the copy that was made here', null],
  [
    'a store that keeps other bytes than it was sent',
    'input_invalid',
    'is not the copy that was made here',
    () => {
      let put = false;
      return ({ method }: { method: string }) => {
        if (method === 'PUT') put = true;
        else if (put) return { status: 200, body: 'other' };
        return null;
      };
    },
  ],
  [
    'a refusal',
    'journal_unwritable',
    '403 AccessDenied',
    () => () => ({ status: 403, body: '<Error><Code>AccessDenied</Code></Error>' }),
  ],
  ['a bucket that moved', 'journal_unwritable', '301', () => () => ({ status: 301 })],
])('%s leaves the journal and the store as they were', async (_, code, said, interference) => {
  const { dir, before } = await journal();
  const [name] = before.keys();
  if (interference === null) store.objects.set(`sluice/2026/${name}.gz`, Buffer.from('of somebody else'));
  else store.interfere(interference());
  const there = new Map(store.objects);
  const { code: exit, stderr } = await archive(dir);
  expect(exit).toBe(3);
  expect(stderr).toContain(said);
  expect(stderr).toContain(`[${code}]`);
  expect(segmentsIn(dir)).toEqual(before);
  expect(existsSync(join(dir, 'archived.ndjson'))).toBe(false);
  for (const [key, bytes] of there) expect(store.objects.get(key)).toEqual(bytes);
});

test.each<[string, Record<string, string>, string, string]>([
  ['a wrong secret', { AWS_SECRET_ACCESS_KEY: 'wrong' }, PLACE, '403 SignatureDoesNotMatch'],
  ['no secret', { AWS_SECRET_ACCESS_KEY: '' }, PLACE, 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY'],
  ['nobody at the endpoint', { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }, PLACE, 'ECONNREFUSED'],
  ['an endpoint that is no URL', { AWS_ENDPOINT_URL: 'localhost' }, PLACE, 'is not an http or https URL'],
  ['no such bucket', {}, 's3://other/x', '404 NoSuchBucket'],
  ['a prefix that would be encoded', {}, 's3://logs/日志', 'is not s3://BUCKET/PREFIX'],
  ['a step upwards', {}, 's3://logs/../x', 'is not s3://BUCKET/PREFIX'],
])('%s: both commands say so, and the journal stays', async (_, env, place, said) => {
  const { dir, before } = await journal();
  const archived = await run(['archive', '--journal', dir, '--to', place], env);
  expect(archived).toMatchObject({ code: 3, stderr: expect.stringContaining(said) });
  expect(archived.stderr).not.toContain(ACCESS.secret);
  expect(segmentsIn(dir)).toEqual(before);
  const back = join(temporaryDirectory(), 'back');
  expect(await run(['unarchive', place, '--to', back], env)).toMatchObject({
    code: 3,
    stderr: expect.stringContaining(said),
  });
});

test('an altered object, and a prefix without segments, are refused by unarchive', async () => {
  const { dir } = await journal();
  await archive(dir);
  const back = join(temporaryDirectory(), 'back');
  expect((await run(['unarchive', 's3://logs/none', '--to', back])).stderr).toContain(
    'has no archived segment',
  );
  const [key, bytes] = [...store.objects].find(([k]) => k.endsWith('.gz'))!;
  store.objects.set(key, bytes.subarray(0, -9));
  expect(await run(['unarchive', PLACE, '--to', back])).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('was altered or cut off'),
  });
  expect(readdirSync(back)).toEqual([]);
});
