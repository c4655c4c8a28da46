/** What is restored is what was there, and finds data subjects again; no chain is continued that the other machine may go on with. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MANIFEST } from '../../src/cli/backup.ts';
import { createDecisionLog, type OpenDecisionLog } from '../../src/decision-log/decision-log.ts';
import { newIdentity } from '../../src/decision-log/age.ts';
import { grow } from '../../src/decision-log/tree/log.ts';
import { verify } from '../../src/decision-log/verify/verify.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { draft } from '../support/decision-records.ts';
import { runCommand } from '../support/io.ts';
import { recordsOf, temporaryDirectory } from '../support/journals.ts';
import { newSigner } from '../support/notes.ts';

const KEY = await newIdentity();

function machine(recipients = true) {
  const dir = temporaryDirectory();
  writeFileSync(
    join(dir, 'sluice.yaml'),
    `version: 1
upstreams: { crm: { url: "http://127.0.0.1:9" } }
identity: { api_keys: [{ id: erp, sha256: "${'0'.repeat(64)}", subject: { id: erp, organization: internal } }] }
policy: { dir: ./policies }
consent: { store: true }
store: { sqlite: ./store.db }
routes: [{ match: "GET /x", upstream: crm, resource: x, action: read }]
decision_log:
  journal: { dir: ./journal, min_free: 64KiB, instance: crm }
${recipients ? `  encryption: { recipients: [${KEY.recipient}] }\n` : ''}`,
  );
  const journal = join(dir, 'journal');
  const run = (...argv: string[]) =>
    runCommand(argv, { cwd: dir, columns: 160, env: { KEY: `${KEY.identity}\n` } });
  const open = () =>
    createDecisionLog(
      { journal: { dir: journal, min_free: 65_536, instance: 'crm', segment_size: 20_000 } },
      { logger: silentLogger },
    );
  return { dir, journal, run, open };
}

const about = (log: OpenDecisionLog, n: number) =>
  draft(n, { disclosure: { ...draft(n).disclosure!, data_subjects: [log.dataSubject(`顾客-${n % 3}`)] } });

const rowsOf = (path: string): number => {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return (db.prepare('SELECT count(*) AS n FROM note').get() as { n: number }).n;
  } finally {
    db.close();
  }
};

test('a backup that is made while records are written is restored, and the chains are not continued', async () => {
  const old = machine();
  const log = await old.open();
  for (let i = 0; i < 60; i++) await log.append(about(log, i));
  const settings = { dir: old.journal, name: 'example.com/sluice', signer: newSigner() };
  await grow(log.origin, settings);
  const store = new DatabaseSync(join(old.dir, 'store.db'));
  store.exec('PRAGMA journal_mode=WAL; CREATE TABLE note (n INTEGER)');
  let isWriting = true;
  const writing = (async () => {
    for (let i = 60; isWriting; i++) {
      await log.append(about(log, i));
      store.prepare('INSERT INTO note VALUES (?)').run(i);
    }
  })();
  for (const name of ['one', 'two', 'three'])
    expect(await old.run('backup', name)).toMatchObject({ code: 0, stderr: '' });
  isWriting = false;
  await writing;
  await log.close();
  store.close();
  expect(statSync(join(old.dir, 'three/keys/data-subject.key.age')).size).toBeGreaterThan(0);
  expect(existsSync(join(old.dir, 'three/journal/data-subject.key'))).toBe(false);

  const restored = machine();
  const back = join(old.dir, 'three');
  const done = await restored.run('restore', back, '--identity', 'env:KEY');
  expect(done).toMatchObject({ code: 0, stderr: '' });
  expect(done.stdout).toContain('intact; the store; data-subject.key');
  const [all, some] = [recordsOf(old.journal), recordsOf(restored.journal)];
  expect(some.length).toBeGreaterThan(60);
  expect(some).toEqual(all.slice(0, some.length));
  expect(rowsOf(join(restored.dir, 'store.db'))).toBeGreaterThan(0);
  const found = await restored.run('decisions', 'query', '--data-subject', '顾客-1', '--count-by', 'kind');
  expect(found).toMatchObject({ code: 0, stderr: '' });

  // The chain of the backup may have gone on elsewhere: this machine begins another one.
  const next = await restored.open();
  expect(next.origin).not.toBe(log.origin);
  expect(next.origin).toMatch(/^crm-/);
  await next.append(about(next, 1));
  await next.close();
  expect((await verify({ dir: restored.journal, key: null })).problems).toEqual([]);
  expect((await grow(log.origin, { ...settings, dir: restored.journal }))!.checkpoint.size).toBe(some.length);
  const again = await restored.open();
  expect(again.origin).toBe(next.origin);
  await again.close();
});

test('nothing is overwritten, and without the key of the backup nothing is written', async () => {
  const old = machine();
  const log = await old.open();
  await log.append(about(log, 1));
  await log.close();
  expect(await old.run('backup', 'out')).toMatchObject({ code: 0 });
  expect(await old.run('backup', 'out')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Name a new directory'),
  });
  const before = readdirSync(old.journal).sort();
  const over = await old.run('restore', 'out', '--identity', 'env:KEY');
  expect(over).toMatchObject({ code: 3, stderr: expect.stringContaining('Nothing is overwritten') });
  expect(readdirSync(old.journal).sort()).toEqual(before);
  const other = machine();
  for (const identity of [[], ['--identity', 'env:OTHER']]) {
    const { code } = await runCommand(['restore', join(old.dir, 'out'), ...identity], {
      cwd: other.dir,
      env: { OTHER: (await newIdentity()).identity },
    });
    expect(code).toBe(3);
    expect(existsSync(other.journal)).toBe(false);
  }
});

test('a backup in which a byte was altered, or a file is missing or was added, is refused as a whole', async () => {
  const old = machine();
  const log = await old.open();
  for (let i = 0; i < 5; i++) await log.append(about(log, i));
  await log.close();
  expect(await old.run('backup', 'out')).toMatchObject({ code: 0 });
  const out = join(old.dir, 'out');
  const files = readdirSync(out, { recursive: true, encoding: 'utf8' }).filter(
    (f) => f !== 'manifest.json' && statSync(join(out, f)).isFile(),
  );
  const other = machine();
  const refused = async (dir: string) => {
    const { code, stderr } = await other.run('restore', dir, '--identity', 'env:KEY');
    expect([code, stderr]).toEqual([3, expect.stringContaining('not as it was written')]);
    expect(existsSync(other.journal)).toBe(false);
  };
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...files),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      async (file, where, by) => {
        const bytes = readFileSync(join(out, file));
        const altered = Buffer.from(bytes);
        if (bytes.length === 0) return;
        altered[where % bytes.length]! ^= by;
        writeFileSync(join(out, file), altered);
        await refused(out);
        writeFileSync(join(out, file), bytes.subarray(0, where % bytes.length));
        await refused(out);
        writeFileSync(join(out, file), bytes);
      },
    ),
    { numRuns: 15 },
  );
  const copy = join(temporaryDirectory(), 'copy');
  cpSync(out, copy, { recursive: true });
  writeFileSync(join(copy, 'journal', 'crm-00000000.head'), '');
  await refused(copy);
  expect(await other.run('restore', out, '--identity', 'env:KEY')).toMatchObject({ code: 0 });
});

test.each([
  'null',
  '[]',
  '{"format":"sluice-backup/1"}',
  '{"format":"sluice-backup/1","files":{}}',
  '{"format":"sluice-backup/1","files":null,"chains":[]}',
])('a directory whose manifest is %s is no backup', async (manifest) => {
  const other = machine();
  mkdirSync(join(other.dir, 'back'));
  writeFileSync(join(other.dir, 'back', MANIFEST), manifest);
  const { code, stderr } = await other.run('restore', 'back');
  expect({ code, stderr }).toMatchObject({ code: 3, stderr: expect.stringContaining('is no backup') });
  expect(existsSync(other.journal)).toBe(false);
});

test('check and backup warn of a generated key without a copy, until there is one', async () => {
  const it = machine(false);
  mkdirSync(join(it.dir, 'policies'));
  const log = await it.open();
  await log.append(about(log, 1));
  await log.close();
  const warned = async () =>
    (await it.run('check', '--config', 'sluice.yaml')).stdout.includes('neither in a backup');
  expect(await warned()).toBe(true);
  const made = await it.run('backup', 'out');
  expect([made.code, made.stderr]).toEqual([
    0,
    expect.stringContaining('nobody finds a data subject in the log again'),
  ]);
  expect(existsSync(join(it.dir, 'out/keys'))).toBe(false);
  expect(await warned()).toBe(true);
  expect(await it.run('recovery', 'share', '--of', '3', '--need', '2', '--out', 'shares')).toMatchObject({
    code: 0,
  });
  expect(await warned()).toBe(false);
  const other = machine();
  const log2 = await other.open();
  await log2.close();
  expect(await other.run('backup', 'out')).toMatchObject({ code: 0, stderr: '' });
  expect(readFileSync(join(other.journal, 'data-subject.key.saved'), 'utf8')).toMatch(/ backup\n$/);
});
