/** An archive in an S3-compatible store: a segment goes only when the store has sent back its copy, and nothing there is written over. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
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
  ['a name that is empty', {}, 's3://logs/a//b', 'is not s3://BUCKET/PREFIX'],
  ['a control character', {}, 's3://logs/a\nb', 'is not s3://BUCKET/PREFIX'],
  [
    'http to another machine',
    { AWS_ENDPOINT_URL: 'http://store.example:9000' },
    PLACE,
    'http://store.example:9000 is not encrypted',
  ],
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

test.each(['s3://logs/日志/审计 2026', "s3://logs/a+b&c=d/(x)!'*~%41é?#@:"])(
  'the prefix %s is written, listed and read',
  async (place) => {
    const { dir, before } = await journal();
    expect(await run(['archive', '--journal', dir, '--to', place])).toMatchObject({ code: 0, stderr: '' });
    expect([...store.objects.keys()][0]?.startsWith(`${place.slice('s3://logs/'.length)}/`)).toBe(true);
    const back = join(temporaryDirectory(), 'back');
    expect(await run(['unarchive', place, '--to', back])).toMatchObject({ code: 0, stderr: '' });
    expect([...segmentsIn(back)]).toEqual([...before].slice(0, -1));
  },
);

/** A configuration whose archive is the store, with keys that only the environment of the sidecar has. */
function configured(dir: string, s3: string, place = PLACE): string {
  const folder = temporaryDirectory();
  const file = join(folder, 'sluice.yaml');
  writeFileSync(
    file,
    `version: 1
upstreams: { crm: { url: "http://127.0.0.1:9" } }
identity: { api_keys: [{ id: erp, sha256: "${'0'.repeat(64)}", subject: { id: erp, organization: internal } }] }
policy: { dir: . }
consent: { file: ./consents.yaml }
routes: [{ match: "GET /x", upstream: crm, resource: x, action: read }]
decision_log:
  journal: { dir: ${dir} }
  archive:
    to: ${place}
    s3: { ${s3} }
`,
  );
  return file;
}

test('decision_log.archive says where, and its keys win over those of the environment', async () => {
  const { dir, before } = await journal();
  const file = configured(
    dir,
    `endpoint: "${store.url}", region: ${ACCESS.region}, access_key_id: "env:ARCHIVE_ID", secret_access_key: "env:ARCHIVE_SECRET", lock: { mode: compliance, days: 30 }`,
  );
  const env = {
    ARCHIVE_ID: ACCESS.id,
    ARCHIVE_SECRET: ACCESS.secret,
    AWS_ACCESS_KEY_ID: 'other',
    AWS_SECRET_ACCESS_KEY: 'other',
    AWS_SESSION_TOKEN: 'other',
    AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
    AWS_REGION: 'other',
  };
  const earliest = Date.now() + 30 * 86_400_000;
  expect(await run(['archive', '--config', file], env)).toMatchObject({ code: 0, stderr: '' });
  expect(store.objects.size).toBe(2 * (before.size - 1));
  const puts = store.requests.filter(({ method }) => method === 'PUT');
  for (const { headers } of puts) {
    expect(headers['x-amz-object-lock-mode']).toBe('COMPLIANCE');
    const until = Date.parse(String(headers['x-amz-object-lock-retain-until-date']));
    expect(until).toBeGreaterThanOrEqual(earliest);
    expect(until).toBeLessThanOrEqual(Date.now() + 30 * 86_400_000);
  }
  const back = join(temporaryDirectory(), 'back');
  expect(await run(['unarchive', PLACE, '--to', back, '--config', file], env)).toMatchObject({ code: 0 });
  expect([...segmentsIn(back)]).toEqual([...before].slice(0, -1));
});

test('without --to and decision_log.archive nobody knows where to', async () => {
  const { dir } = await journal();
  expect(await run(['archive', '--journal', dir])).toMatchObject({
    stderr: expect.stringContaining('configure decision_log.archive, or give --to'),
  });
});

const VERIFY = `
import json, sys
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
asked = json.load(sys.stdin)
said = []
for r in asked["requests"]:
    authorization = r["headers"]["authorization"]
    names = authorization.split("SignedHeaders=")[1].split(",")[0].split(";")
    request = AWSRequest(method=r["method"], url=r["url"], headers={n: r["headers"][n] for n in names})
    request.context["timestamp"] = r["headers"]["x-amz-date"]
    auth = S3SigV4Auth(Credentials(asked["id"], asked["secret"]), "s3", asked["region"])
    text = auth.string_to_sign(request, auth.canonical_request(request))
    said.append(authorization.endswith("Signature=" + auth.signature(text, request)))
print(json.dumps(said))
`;
const hasBotocore = spawnSync('python3', ['-c', 'import botocore']).status === 0;
if (!hasBotocore)
  console.warn('Skipped: botocore does not verify signatures, since python3 cannot import it.');

test.skipIf(!hasBotocore)('botocore computes the same signatures', async () => {
  for (const place of [PLACE, 's3://logs/日志/审计 2026', "s3://logs/a+b&c=d/(x)!'*~%41é?#@:"]) {
    const { dir } = await journal();
    expect((await run(['archive', '--journal', dir, '--to', place])).code).toBe(0);
    const back = join(temporaryDirectory(), 'back');
    expect((await run(['unarchive', place, '--to', back])).code).toBe(0);
  }
  expect(new Set(store.requests.map(({ method }) => method))).toEqual(new Set(['GET', 'PUT']));
  const verified = (secret: string): boolean[] =>
    JSON.parse(
      spawnSync('python3', ['-c', VERIFY], {
        input: JSON.stringify({ ...ACCESS, secret, requests: store.requests }),
        encoding: 'utf8',
      }).stdout,
    ) as boolean[];
  expect(verified(ACCESS.secret)).toEqual(store.requests.map(() => true));
  expect(verified('other')).toEqual(store.requests.map(() => false));
});
