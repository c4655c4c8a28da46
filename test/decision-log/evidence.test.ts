/** Evidence bundles: what they hold, and that both checkers, which share no code, refuse any that was changed. */
import { execFile, execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createGzip, gunzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkBundle } from '../../src/decision-log/evidence/check.ts';
import { SCRIPT } from '../../src/decision-log/evidence/script.ts';
import { runCommand } from '../support/io.ts';
import { openJournal, temporaryDirectory, writeJournal } from '../support/journals.ts';
import { newDecisionId } from '../../src/decision-log/ids.ts';
import { draft } from '../support/decision-records.ts';
import { HeadWriter } from '../../src/decision-log/journal/head.ts';
import { GENESIS } from '../../src/decision-log/journal/chain.ts';
import { manifestText } from '../../src/decision-log/evidence/bundle.ts';
import { signatureOf } from '../../src/decision-log/tree/note.ts';
import { createSigning } from '../../src/signing/index.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { seal } from '../support/version1.ts';

const has = (command: string, ...args: string[]): boolean => {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};
const hasPython = has('python3', '--version') && has('openssl', 'version');
if (!hasPython) {
  if (process.env['SLUICE_PYTHON'] === 'required') throw new Error('python3 and openssl are not both here');
  console.warn('skipped: python3 and openssl are not both here, so verify.py is not run');
}

/** A journal of two chains, with a decision in three parts. */
async function journal(): Promise<{ dir: string; cwd: string; long: string }> {
  const [dir, cwd] = [temporaryDirectory(), temporaryDirectory()];
  makeKey(cwd);
  await writeJournal(dir, 40);
  const other = await openJournal(dir, { instance: 'other' });
  const long = newDecisionId();
  for (let i = 0; i < 9; i++) {
    await other.append(draft(i));
    const number = Math.floor(i / 3) + 1;
    if (i % 3 === 0)
      await other.append(draft(i, { decision_id: long, part: { number, last: number === 3 } }));
  }
  await other.close();
  return { dir, cwd, long };
}

/** The key of a command that has no configuration. */
const makeKey = (cwd: string): unknown =>
  createSigning({ file: join(cwd, 'data/signing.jwk'), retired: [] }, { logger: silentLogger }).publicKeys();

async function exported(...filter: string[]) {
  const { dir, cwd, long } = await journal();
  const at = { cwd };
  const ran = await runCommand(
    ['decisions', 'export', '--journal', dir, '--format', 'bundle', '-o', 'evidence', ...filter],
    at,
  );
  expect(ran).toMatchObject({ code: 0, stdout: '' });
  return { dir, cwd, long, bundle: join(cwd, 'evidence'), said: ran.stderr };
}

const filesOf = (dir: string): string[] =>
  (readdirSync(dir, { recursive: true }) as string[]).filter((f) => statSync(join(dir, f)).isFile()).sort();

/** The script as it came with the bundle, or that of Sluice for a bundle that was changed. */
const script = (dir: string, ...args: string[]): Promise<{ code: number; out: string }> => {
  const file = join(temporaryDirectory(), 'verify.py');
  writeFileSync(file, SCRIPT);
  return new Promise((resolve) =>
    execFile('python3', [file, ...args, dir], (e, out, err) =>
      resolve({ code: e === null ? 0 : Number(e.code), out: out + err }),
    ),
  );
};

const refused = expect.objectContaining({ code: 'signature_invalid' });

describe('an evidence bundle', () => {
  test('has whole decisions, their proofs, and a manifest that says who exported what', async () => {
    const { bundle, long, said } = await exported('--subject', 'u-3');
    const manifest = JSON.parse(readFileSync(join(bundle, 'manifest.json'), 'utf8'));
    // u-3, u-10 … of 40 numbers, and number 3 of the other chain; the long decision is of u-0
    expect(manifest).toMatchObject({
      format: 'sluice-evidence-bundle/1',
      name: 'sluice',
      filter: { subject: 'u-3' },
      decisions: [...Array(40).keys()].filter((n) => n % 7 === 3).length + 1,
      policies: [{ revision: 'abcdef0123456789', bundle: 'policies', file: null }],
    });
    expect(manifest.records).toBe(manifest.decisions);
    expect(manifest.by).not.toBe('');
    expect(said).toContain(`${manifest.records} records of ${manifest.decisions} decisions`);
    expect(said).toContain('1 policy revision named by digest only');
    expect(filesOf(bundle)).toEqual(
      [...manifest.files.map(({ path }: { path: string }) => path), 'manifest.json', 'manifest.note'].sort(),
    );
    const lines = readFileSync(join(bundle, 'records.ndjson'), 'utf8').split('\n').slice(0, -1);
    expect(new Set(lines).size).toBe(lines.length);
    expect(lines.join('')).not.toContain(long);
  });

  test('takes all parts of a decision, although the filter fits one of them', async () => {
    const { dir, cwd, long } = await journal();
    const ran = await runCommand(
      // The first part is of u-0, which the others are not.
      ['decisions', 'export', '--journal', dir, '--format', 'bundle', '-o', 'e.tgz', '--subject', 'u-0'],
      { cwd },
    );
    expect(ran.code).toBe(0);
    const tar = gunzipSync(readFileSync(join(cwd, 'e.tgz'))).toString('latin1');
    expect(tar.split(`"decision_id":"${long}"`).length - 1).toBe(3);
    const held = await runCommand(['decisions', 'verify', 'e.tgz'], { cwd });
    expect(held).toMatchObject({ code: 0, stdout: expect.stringContaining('The bundle holds') });
    expect(readdirSync(cwd).sort()).toEqual(['data', 'e.tgz']);
  });

  test('is checked by its own script, and the key of somebody else is refused by both', async ({ skip }) => {
    const { bundle, cwd, dir } = await exported('--subject', 'u-3');
    const [key] = readFileSync(join(bundle, 'keys.txt'), 'utf8').split('\n');
    const elsewhere = temporaryDirectory();
    const made = await runCommand(['decisions', 'checkpoint', '--journal', temporaryCopy(dir), '--json'], {
      cwd: elsewhere,
    });
    const { key: foreign } = JSON.parse(made.stdout.split('\n')[0]!) as { key: string };
    const verify = (...more: string[]) => runCommand(['decisions', 'verify', bundle, ...more], { cwd });
    expect((await verify()).stdout).toContain('Not checked: whose key it is');
    const held = await verify('--public-key', key!);
    expect(held).toMatchObject({ code: 0, stdout: expect.not.stringContaining('Not checked') });
    expect(await verify('--public-key', foreign)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('not signed with the key'),
    });
    if (!hasPython) skip();
    const own = execFileSync('python3', [join(bundle, 'verify.py')], { encoding: 'utf8' });
    expect(own).toContain('The bundle holds');
    expect(own).toContain('NOT CHECKED: whose key it is');
    expect(await script(bundle, '--key', key!, '--list')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/modified u-3 read after_sales\n(?:.*\n)*The bundle holds/),
    });
    expect(await script(bundle, '--key', foreign)).toMatchObject({
      code: 1,
      out: expect.stringContaining('not signed with the key'),
    });
  });

  test('may hold records of version 1', async ({ skip }) => {
    const [dir, cwd] = [temporaryDirectory(), temporaryDirectory()];
    const origin = 'test-0011aabb';
    let link = { origin, seq: 1, prev_hash: GENESIS };
    for (let i = 0; i < 5; i++) {
      const { record, bytes } = seal(draft(i), link);
      appendFileSync(join(dir, `${origin}.0000000000000001.jsonl`), bytes);
      link = { origin, seq: i + 2, prev_hash: record.hash };
    }
    const head = { origin, seq: 5, hash: link.prev_hash, at: '2026-11-22T08:00:00.000Z' };
    new HeadWriter(join(dir, `${origin}.head`), head, null).close();
    await writeJournal(dir, 1);
    makeKey(cwd);
    await runCommand(['decisions', 'export', '--journal', dir, '--format', 'bundle', '-o', 'old'], { cwd });
    const { manifest } = await checkBundle(join(cwd, 'old'), null);
    expect(manifest.records).toBe(6);
    if (!hasPython) skip();
    expect(await script(join(cwd, 'old'))).toMatchObject({ code: 0 });
  });

  test.each([
    ['export', '--format', 'bundle', '-o', 'evidence'],
    ['prove', '', '-o', 'a.json'],
  ])('is not made with a key that nobody else has: %s', async (command, ...more) => {
    const { dir, long } = await journal();
    const elsewhere = temporaryDirectory();
    const args = more.map((arg) => (arg === '' ? long : arg));
    const ran = await runCommand(['decisions', command, ...args, '--journal', dir], { cwd: elsewhere });
    expect(ran).toMatchObject({ code: 2, stderr: expect.stringContaining('decisions checkpoint') });
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  test.each([
    ['zeros', Buffer.alloc(100 << 20)],
    ['newlines', Buffer.alloc(100 << 20, '\n')],
  ])('is refused if it unpacks to far more than a bundle does: %s', async (_, content) => {
    const { cwd } = await journal();
    const tar = pack();
    tar.entry({ name: 'bomb/records.ndjson' }, content);
    tar.finalize();
    const packed: Buffer[] = [];
    for await (const chunk of tar.pipe(createGzip())) packed.push(chunk as Buffer);
    writeFileSync(join(cwd, 'bomb.tar.gz'), Buffer.concat(packed));
    const ran = await runCommand(['decisions', 'verify', 'bomb.tar.gz'], { cwd });
    expect(ran).toMatchObject({ code: 3, stderr: expect.stringContaining('unpacks to more than') });
    expect(readdirSync(cwd).sort()).toEqual(['bomb.tar.gz', 'data']);
  });

  test('is not made of nothing, nor over something', async () => {
    const { dir, cwd } = await journal();
    const make = (...more: string[]) =>
      runCommand(['decisions', 'export', '--journal', dir, '--format', 'bundle', ...more], { cwd });
    expect(await make('-o', 'a', '--subject', 'nobody')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no decision fits'),
    });
    expect(await make()).toMatchObject({ code: 2, stderr: expect.stringContaining('-o') });
    mkdirSync(join(cwd, 'b'));
    expect(await make('-o', 'b')).toMatchObject({ code: 2, stderr: expect.stringContaining('already') });
    expect(readdirSync(cwd)).not.toContain('a');
  });
});

const temporaryCopy = (dir: string): string => {
  const copy = temporaryDirectory();
  cpSync(dir, copy, { recursive: true, filter: (path) => !path.includes('tlog') });
  return copy;
};

describe('a bundle that was changed', () => {
  const made = async (): Promise<string> => (await exported('--subject', 'u-3')).bundle;

  test('is refused by Sluice, whichever byte was changed', async () => {
    const bundle = await made();
    const files = filesOf(bundle);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...files),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.integer({ min: 1, max: 255 }),
        async (name, place, flip) => {
          const path = join(bundle, name);
          const before = readFileSync(path);
          const after = Buffer.from(before);
          after[Math.floor(place * after.length)]! ^= flip;
          writeFileSync(path, after);
          await expect(checkBundle(bundle, null)).rejects.toThrow(refused);
          writeFileSync(path, before);
        },
      ),
      { numRuns: 300 },
    );
    await checkBundle(bundle, null);
  });

  test.skipIf(!hasPython)(
    'is refused by the script, whichever byte was changed',
    async () => {
      const bundle = await made();
      for (const name of filesOf(bundle))
        for (const place of [0, 0.37, 0.71, 0.999]) {
          const path = join(bundle, name);
          const before = readFileSync(path);
          const after = Buffer.from(before);
          after[Math.floor(place * after.length)]! ^= 1;
          writeFileSync(path, after);
          expect([name, place, (await script(bundle)).code]).toEqual([name, place, 1]);
          writeFileSync(path, before);
        }
      expect(await script(bundle)).toMatchObject({ code: 0 });
    },
    120_000,
  );

  /** Each with a part of the reason; the manifest is signed again afterwards, as whoever has the key could do. */
  const changes: Readonly<Record<string, readonly [string, (bundle: string) => void]>> = {
    'a record was removed': [
      'more proofs than records',
      (b) => edit(b, 'records.ndjson', (lines) => lines.slice(0, -1)),
    ],
    'a record and its proof were removed': [
      'manifest counts other records',
      (b) => {
        edit(b, 'records.ndjson', (lines) => lines.slice(0, -1));
        edit(b, 'proofs.ndjson', (lines) => lines.slice(0, -1));
      },
    ],
    'two proofs were exchanged': [
      'its proof is missing',
      (b) => edit(b, 'proofs.ndjson', ([first, second, ...rest]) => [second!, first!, ...rest]),
    ],
    'two records were exchanged': [
      'its proof is missing',
      (b) => edit(b, 'records.ndjson', (lines) => [...lines.slice(0, -2), lines.at(-1)!, lines.at(-2)!]),
    ],
    'a record is there twice': [
      'the record is there twice',
      (b) => {
        edit(b, 'records.ndjson', (lines) => [...lines, lines.at(-1)!]);
        edit(b, 'proofs.ndjson', (lines) => [...lines, lines.at(-1)!]);
      },
    ],
    'a proof is that of another record': [
      'the tree of the checkpoint does not have it',
      (b) =>
        edit(b, 'proofs.ndjson', (lines) => {
          const [first, second] = lines.slice(0, 2).map((line) => JSON.parse(line));
          return [JSON.stringify({ ...first, path: second.path }), ...lines.slice(1)];
        }),
    ],
    'a word of a record was changed': [
      'records.ndjson, line',
      (b) =>
        edit(b, 'records.ndjson', (lines) => lines.map((line) => line.replace('after_sales', 'marketing'))),
    ],
    'a shared document was removed': [
      'is missing',
      (b) => edit(b, 'records.ndjson', (lines) => lines.filter((line) => !line.includes('"d":"subject"'))),
    ],
    'a part of a decision was left out': [
      'is (?:missing|expected)',
      (b) => {
        const lines = readFileSync(join(b, 'records.ndjson'), 'utf8').split('\n');
        const records = lines.filter((line) => line.includes('"payload"') && !line.includes('","d":"'));
        const part = records.findIndex((line) => line.includes('"part":{"last":false,"number":2}'));
        edit(b, 'records.ndjson', (all) => all.filter((line) => line !== records[part]));
        edit(b, 'proofs.ndjson', (all) => all.filter((_, i) => i !== part));
        count(b, -1);
      },
    ],
    'a file was added': ['added', (b) => writeFileSync(join(b, 'more.txt'), 'x')],
    'the checkpoint is signed by nobody': [
      'signature|signed',
      (b) => {
        for (const name of readdirSync(join(b, 'checkpoints')))
          edit(b, `checkpoints/${name}`, (lines) => [
            ...lines.slice(0, -1),
            lines.at(-1)!.replace(/....$/, 'AAA='),
          ]);
      },
    ],
    'the checkpoint was removed': [
      'is missing|added|no checkpoint',
      (b) => rmSync(join(b, 'checkpoints'), { recursive: true }),
    ],
  };

  test.each(Object.entries(changes))('is refused by both where %s', async (name, [why, change]) => {
    const { bundle, cwd } = await exported('--subject', 'u-0');
    change(bundle);
    await signAgain(bundle, cwd, name !== 'a file was added');
    await expect(checkBundle(bundle, null)).rejects.toThrow(refused);
    await expect(checkBundle(bundle, null)).rejects.toThrow(new RegExp(why));
    if (!hasPython) return;
    expect(await script(bundle)).toMatchObject({ code: 1, out: expect.stringMatching(new RegExp(why)) });
  });

  test('is refused where a base64 is spelled in another way, with the same bytes', async () => {
    const bundle = await made();
    edit(bundle, 'manifest.note', (lines) => [
      ...lines.slice(0, -1),
      lines.at(-1)!.replace(/(.)(?==?$)/, (c) => ({ A: 'B', Q: 'R', g: 'h', w: 'x' })[c] ?? 'B'),
    ]);
    await expect(checkBundle(bundle, null)).rejects.toThrow(refused);
    if (hasPython) expect((await script(bundle)).code).toBe(1);
  });
});

const count = (bundle: string, more: number): void => {
  const path = join(bundle, 'manifest.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, `${JSON.stringify({ ...manifest, records: manifest.records + more })}\n`);
};

async function signAgain(bundle: string, cwd: string, listed: boolean): Promise<void> {
  const path = join(bundle, 'manifest.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8'));
  const names = listed
    ? filesOf(bundle).filter((name) => !name.startsWith('manifest.'))
    : manifest.files.map((file: { path: string }) => file.path);
  const files = names.map((name: string) => {
    const bytes = readFileSync(join(bundle, name));
    return { path: name, bytes: bytes.length, sha256: hash('sha256', bytes, 'hex') };
  });
  const bytes = Buffer.from(`${JSON.stringify({ ...manifest, files })}\n`);
  writeFileSync(path, bytes);
  const { notes } = createSigning(
    { file: join(cwd, 'data/signing.jwk'), retired: [] },
    { logger: silentLogger },
  );
  const text = manifestText(bytes);
  writeFileSync(join(bundle, 'manifest.note'), `${text}\n${await signatureOf(text, manifest.name, notes)}`);
}

const edit = (bundle: string, name: string, change: (lines: string[]) => readonly string[]): void => {
  const lines = readFileSync(join(bundle, name), 'utf8').split('\n').slice(0, -1);
  writeFileSync(
    join(bundle, name),
    change(lines)
      .map((line) => `${line}\n`)
      .join(''),
  );
};
