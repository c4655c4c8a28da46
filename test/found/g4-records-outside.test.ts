/**
 * Class: evidence that cannot be checked once it has left the journal. Root cause: `verify` knew directories only, and a segment that was
 * moved away was told from one that was removed by an anchor that somebody had to write by hand.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { createDecisionLog } from '../../src/decision-log/decision-log.ts';
import { tryLock } from '../../src/decision-log/journal/lock.ts';
import { records } from '../../src/decision-log/index/scan.ts';
import { verify } from '../../src/decision-log/verify/verify.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { draft } from '../support/decision-records.ts';
import { runCommand } from '../support/io.ts';
import { recordsOf } from '../support/journals.ts';
import { openJournal, temporaryDirectory } from '../support/journals.ts';

interface Made {
  readonly root: string;
  readonly dir: string;
  readonly archive: string;
  readonly origin: string;
}

/** A journal of several segments. */
async function made(n = 60, key: Buffer | null = null): Promise<Made> {
  const root = temporaryDirectory();
  const dir = join(root, 'journal');
  mkdirSync(dir);
  const journal = await openJournal(dir, { segmentSize: 16 << 10, key });
  for (let i = 0; i < n; i++) await journal.append(draft(i));
  await journal.close();
  return { root, dir, archive: join(root, 'archive'), origin: journal.origin };
}

const KEY = 'a key of at least sixteen bytes';
const run = (dir: string, command: string, ...argv: string[]) =>
  runCommand(['decisions', command, '--journal', dir, ...argv], { env: { KEY } });
const segments = (dir: string): string[] =>
  readdirSync(dir)
    .filter((f) => f.endsWith('.jsonl') || f.endsWith('.jsonl.gz'))
    .sort();

describe('decisions archive', () => {
  test.each([null, Buffer.from(KEY)])(
    'moves full segments, and the journal and the archive verify',
    async (key) => {
      const { dir, archive } = await made(60, key);
      const flags = key === null ? [] : ['--key', 'env:KEY'];
      const before = segments(dir);
      const { code, stdout } = await run(dir, 'archive', '--to', archive, '--json', ...flags);
      expect(code).toBe(0);
      const moved = stdout
        .trim()
        .split('\n')
        .map((l) => JSON.parse(l) as { file: string; last: number });
      expect(moved.map((m) => m.file)).toEqual(before.slice(0, -1).map((f) => `${f}.gz`));
      expect(segments(archive)).toEqual(moved.map((m) => m.file));
      expect(segments(dir)).toEqual(before.slice(-1));

      const verified = await run(dir, 'verify', ...flags);
      expect(verified.stdout).toContain('intact');
      expect(verified.stdout.replace(/\s+/g, ' ')).toContain(`1 to ${moved.at(-1)!.last}`);
      expect(verified.code).toBe(0);
      const files = await run(dir, 'verify', ...segments(archive).map((f) => join(archive, f)), '--json');
      expect(files.code).toBe(0);
      for (const line of files.stdout.trim().split('\n'))
        expect(JSON.parse(line)).toMatchObject({ ok: true, chains: [{ gaps: 0 }] });
    },
  );

  test('is refused while another run moves segments, and says so', async () => {
    const { dir, archive } = await made();
    const held = tryLock(join(dir, '.archive.lock'))!;
    const before = segments(dir);
    const refused = await run(dir, 'archive', '--to', archive);
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('[journal_unwritable]')]);
    expect(refused.stderr).toContain('Another `sluice decisions archive`');
    expect(segments(dir)).toEqual(before);
    held.release();
    expect((await run(dir, 'archive', '--to', archive)).code).toBe(0);
  });

  test('several runs at once over the same range lose nothing, and none fails for a file that is gone', async () => {
    const { dir, archive } = await made(120);
    const before = segments(dir);
    const runs = await Promise.all([1, 2, 3].map(() => run(dir, 'archive', '--to', archive)));
    expect(runs.some(({ code }) => code === 0)).toBe(true);
    for (const { code, stderr } of runs)
      if (code !== 0) expect([code, stderr]).toEqual([3, expect.stringContaining('[journal_unwritable]')]);
    expect([...segments(archive), ...segments(dir)]).toEqual([
      ...before.slice(0, -1).map((f) => `${f}.gz`),
      before.at(-1),
    ]);
    expect((await run(dir, 'verify')).code).toBe(0);
  });

  test('runs beside a process that appends, and beside whoever reads', async () => {
    const { dir, archive, origin } = await made(0);
    const journal = await openJournal(dir, { segmentSize: 16 << 10 });
    let over = false;
    const archiving = (async () => {
      let moved = 0;
      while (!over) {
        const { code, stdout } = await run(dir, 'archive', '--to', archive, '--json');
        expect(code).toBe(0);
        moved += stdout.split('\n').length - 1;
      }
      return moved;
    })();
    const reading = (async () => {
      while (!over) {
        const { code, stdout } = await run(dir, 'verify');
        expect([code, stdout]).toEqual([0, expect.stringContaining('intact')]);
        expect((await run(dir, 'query', '--json')).code).toBe(0);
        expect((await run(dir, 'export')).code).toBe(0);
      }
    })();
    for (let i = 0; i < 240; i++) await journal.append(draft(i));
    over = true;
    const moved = await archiving;
    await reading;
    await journal.close();
    expect(moved).toBeGreaterThan(0);
    const report = await verify({ dir, key: null });
    expect(report.problems).toEqual([]);
    const [chain] = report.origins;
    expect(chain).toMatchObject({ origin, last: 240 });
    expect((chain?.archived ?? 0) + (chain?.records ?? 0)).toBe(240);
  });

  test('segments that are archived while they are read are no gap to `verify`, and no error to a scan', async () => {
    const main = new URL('../../src/main.ts', import.meta.url).pathname;
    const reads: Readonly<Record<string, (dir: string, meanwhile: () => void) => Promise<void>>> = {
      async verify(dir, meanwhile) {
        const report = await verify({ dir, key: null, progress: meanwhile });
        expect(report.problems).toEqual([]);
      },
      async scan(dir, meanwhile) {
        let n = 0;
        for await (const _ of records(dir, {})) if (n++ === 0) meanwhile();
        expect(n).toBeGreaterThan(0);
      },
    };
    for (const read of Object.values(reads)) {
      const { dir, archive } = await made();
      let archived = false;
      await read(dir, () => {
        if (archived) return;
        archived = true;
        execFileSync(process.execPath, [main, 'decisions', 'archive', '--journal', dir, '--to', archive]);
      });
      expect(segments(dir)).toHaveLength(1);
    }
  });

  test('goes on behind an anchor that a full disk cut off', async () => {
    const { dir, archive } = await made();
    mkdirSync(archive);
    for (const place of [dir, archive])
      writeFileSync(join(place, 'archived.ndjson'), '{"archived":true,"at":"20');
    expect((await run(dir, 'verify')).code).toBe(0);
    expect((await run(dir, 'archive', '--to', archive)).code).toBe(0);
    expect((await run(dir, 'verify')).code).toBe(0);
    for (const place of [dir, archive])
      for (const line of readFileSync(join(place, 'archived.ndjson'), 'utf8').trim().split('\n'))
        expect(JSON.parse(line)).toHaveProperty('seq');
  });

  test('leaves a log that goes on, is archived again, and verifies', async () => {
    const { dir, archive } = await made();
    await run(dir, 'archive', '--to', archive);
    const log = await createDecisionLog(
      { journal: { dir, instance: 'test', min_free: 65_536, segment_size: 65_536 } },
      { logger: silentLogger },
    );
    for (let i = 0; i < 80; i++) await log.append(draft(i));
    await log.close();
    await run(dir, 'archive', '--to', archive);
    expect((await run(dir, 'verify')).code).toBe(0);
    expect((await run(dir, 'query', '--json')).code).toBe(0);
  });

  test('moves nothing of a journal that does not verify', async () => {
    const { dir, archive } = await made();
    const first = join(dir, segments(dir)[0]!);
    writeFileSync(first, readFileSync(first, 'utf8').replace('after_sales', 'after_sale5'));
    const { code, stderr } = await run(dir, 'archive', '--to', archive);
    expect(code).not.toBe(0);
    expect(stderr).toContain('chain_broken');
    expect(() => readdirSync(archive)).toThrow();
  });

  test('moves only what is old enough', async () => {
    const { dir, archive } = await made();
    expect((await run(dir, 'archive', '--to', archive, '--before', '2026-01-01')).stdout).toContain(
      'Nothing',
    );
    expect((await run(dir, 'archive', '--to', archive, '--before', '2099-01-01')).stdout).not.toContain(
      'Nothing',
    );
  });

  test('keeps what a sink has not got yet', async () => {
    const { root, dir, archive } = await made();
    const config = join(root, 'sluice.yaml');
    writeFileSync(
      config,
      JSON.stringify({
        version: 1,
        upstreams: { crm: { url: 'http://127.0.0.1:9' } },
        identity: {
          api_keys: [{ id: 'erp', sha256: '0'.repeat(64), subject: { id: 'erp', organization: 'internal' } }],
        },
        policy: { dir: '.' },
        consent: { file: './consents.yaml' },
        decision_log: { journal: { dir: './journal' }, sinks: [{ file: './sink.ndjson' }] },
        routes: [{ match: 'GET /x', upstream: 'crm', resource: 'x', action: 'read' }],
      }),
    );
    const { stdout, stderr } = await runCommand([
      'decisions',
      'archive',
      '--config',
      config,
      '--to',
      archive,
    ]);
    expect(stderr).toBe('');
    expect(stdout).toContain('Nothing to archive');
    expect(segments(dir).length).toBeGreaterThan(1);
  });

  test('goes on where it was stopped, and does not take another file for a copy', async () => {
    const { dir, archive } = await made();
    const [first, second] = segments(dir);
    mkdirSync(archive);
    writeFileSync(join(archive, `${first}.gz`), gzipSync(readFileSync(join(dir, first!))));
    writeFileSync(join(archive, `${second}.gz`), gzipSync(readFileSync(join(dir, first!))));
    const { code, stderr } = await run(dir, 'archive', '--to', archive);
    expect(code).not.toBe(0);
    expect(stderr).toContain(`${second}.gz`);
    expect(segments(dir)[0]).toBe(second);
    expect((await run(dir, 'verify')).code).toBe(0);
  });

  test.each<[string, boolean, (made: Made) => void]>([
    ['the anchors in the journal are removed', true, ({ dir }) => rmSync(join(dir, 'archived.ndjson'))],
    [
      'an anchor that nobody signed is added',
      true,
      ({ dir }) => {
        const { origin, seq, hash } = recordsOf(dir, segments(dir))[0]!;
        appendFileSync(
          join(dir, 'archived.ndjson'),
          `${JSON.stringify({ origin, seq, hash, archived: true })}\n`,
        );
      },
    ],
    ['a segment that was not archived is removed', false, ({ dir }) => rmSync(join(dir, segments(dir)[0]!))],
  ])('when %s, verify says so', async (_how, keyed, damage) => {
    const it = await made(60, keyed ? Buffer.from(KEY) : null);
    const flags = keyed ? ['--key', 'env:KEY'] : [];
    await run(it.dir, 'archive', '--to', it.archive, ...flags);
    damage(it);
    expect((await run(it.dir, 'verify', ...flags)).code).toBe(1);
  });
});

describe('decisions verify FILE', () => {
  const exported = async ({ root, dir }: Made, ...filter: string[]): Promise<string> => {
    const out = join(root, `export-${Math.random()}.ndjson`);
    await run(dir, 'export', '-o', out, ...filter);
    return out;
  };

  test('checks an export, and counts the gaps that its filter left', async () => {
    const it = await made();
    const file = await exported(it, '--subject', 'u-3');
    const { code, stdout } = await run(it.dir, 'verify', file);
    expect(code).toBe(0);
    expect(stdout).toContain('intact');
    expect(stdout).toMatch(/\d+ gaps/);
  });

  const DAMAGE: Readonly<Record<string, (lines: string[]) => string>> = {
    'a changed byte': (l) => `${l.join('\n').replace('after_sales', 'after_sale5')}\n`,
    'two records swapped': ([a, b, ...l]) => `${[b, a, ...l].join('\n')}\n`,
    'a record repeated': ([a, ...l]) => `${[a, a, ...l].join('\n')}\n`,
    'its last line cut off': (l) => l.join('\n').slice(0, -10),
    'a record rewritten with a hash of its own': (l) => {
      const record = JSON.parse(l[1]!) as { prev_hash: string };
      return `${[l[0]!, JSON.stringify({ ...record, prev_hash: '0'.repeat(64) }), ...l.slice(2)].join('\n')}\n`;
    },
    'something that is no record': (l) => `${[...l, '{}'].join('\n')}\n`,
  };
  test.each(Object.keys(DAMAGE).flatMap((how) => [[how, false] as const, [how, true] as const]))(
    'finds %s (gzip: %s)',
    async (how, zipped) => {
      const it = await made(20);
      const lines = readFileSync(await exported(it), 'utf8')
        .trimEnd()
        .split('\n');
      const file = join(it.root, 'damaged');
      const text = DAMAGE[how]!(lines);
      writeFileSync(file, zipped ? gzipSync(text) : text);
      const { code, stdout } = await run(it.dir, 'verify', file);
      expect(code).toBe(1);
      expect(stdout).toContain('BROKEN');
    },
  );

  test('finds a compressed file that was cut off', async () => {
    const it = await made(60);
    const packed = gzipSync(readFileSync(await exported(it)));
    const file = join(it.root, 'cut.gz');
    writeFileSync(file, packed.subarray(0, packed.length - 20));
    const { code, stdout } = await run(it.dir, 'verify', file);
    expect(code).toBe(1);
    expect(stdout).toContain('cannot be read to its end');
  });

  test.each(['', 'a,b\n1,2\n', '%PDF-1.4\n'])('refuses a file that holds no records (%j)', async (text) => {
    const it = await made(2);
    const file = join(it.root, 'other');
    writeFileSync(file, text);
    const { code, stderr, stdout } = await run(it.dir, 'verify', file);
    expect([code, stdout]).toEqual([3, '']);
    expect(stderr).toContain('holds no decision record');
  });

  test.each<readonly [what: string, of: (bytes: Buffer) => Buffer]>([
    ['is empty', () => gzipSync('')],
    ['CR LF', (bytes) => Buffer.from(bytes.toString().replaceAll('\n', '\r\n'))],
    ['byte order mark', (bytes) => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes])],
    ['UTF-16', (bytes) => Buffer.from(`\ufeff${bytes}`, 'utf16le')],
    ['compressed twice', (bytes) => gzipSync(gzipSync(bytes))],
    [
      'longer than any record',
      (bytes) => Buffer.concat([bytes, Buffer.alloc(17 << 20, 'x'), Buffer.from('\n')]),
    ],
  ])('says what was done to a file that is not as it was written: %s', async (what, of) => {
    const it = await made(3);
    const file = join(it.root, 'odd');
    writeFileSync(file, of(readFileSync(await exported(it))));
    const { code, stdout, stderr } = await run(it.dir, 'verify', file);
    expect(code).toBeGreaterThan(0);
    expect((stdout + stderr).replace(/\s+/g, ' ')).toContain(what);
  });

  test('compares with anchors', async () => {
    const it = await made(20);
    const anchors = join(it.root, 'anchors.ndjson');
    await run(it.dir, 'verify', '--write-anchor', anchors);
    const file = await exported(it);
    expect((await run(it.dir, 'verify', file, '--anchor', anchors)).code).toBe(0);
    writeFileSync(anchors, readFileSync(anchors, 'utf8').replace(/"hash":"[0-9a-f]{8}/, '"hash":"00000000'));
    expect((await run(it.dir, 'verify', file, '--anchor', anchors)).code).toBe(1);
  });
});

test('verify says when no anchor was given, and is silent when one was', async () => {
  const { root, dir } = await made(5);
  const anchors = join(root, 'anchors.ndjson');
  const without = await run(dir, 'verify', '--write-anchor', anchors);
  expect(without.stdout).toContain('No anchor was given');
  expect((await run(dir, 'verify', '--anchor', anchors)).stdout).not.toContain('No anchor');
  expect(JSON.parse((await run(dir, 'verify', '--json')).stdout)).toMatchObject({ ok: true, anchors: 0 });
});
