/** `sluice decisions`, as an auditor types it. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createDecisionLog, type OpenDecisionLog } from '../../src/decision-log/decision-log.ts';
import type { DecisionRecord } from '../../src/model/record.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { draft } from '../support/decision-records.ts';
import { runCommand } from '../support/io.ts';
import { readCopy } from '../../src/decision-log/journal/copy.ts';
import { isRecord, linesOf, recordsOf, temporaryDirectory } from '../support/journals.ts';

async function recorded(
  n: number,
  env: Record<string, string> = {},
): Promise<{ dir: string; log: OpenDecisionLog }> {
  const dir = join(temporaryDirectory(), 'journal');
  const log = await createDecisionLog(
    { journal: { dir, instance: 'test', min_free: 65_536, ...(env['KEY'] ? { key: env['KEY'] } : {}) } },
    { logger: silentLogger },
  );
  for (let i = 0; i < n; i++)
    await log.append(
      draft(i, {
        disclosure: { ...draft(i).disclosure!, data_subjects: [log.dataSubject(`顾客-${i % 3}`)] },
      }),
    );
  await log.close();
  return { dir, log };
}

const decisions = (dir: string, ...argv: string[]) =>
  runCommand(['decisions', argv[0]!, '--journal', dir, ...argv.slice(1)]);
const segment = (dir: string) => join(dir, readdirSync(dir).find((f) => f.endsWith('.jsonl'))!);

describe('decisions query', () => {
  test('answers who saw a customer’s field by the customer’s plain id', async () => {
    const { dir } = await recorded(12);
    const { code, stdout } = await decisions(
      dir,
      'query',
      '--data-subject',
      '顾客-1',
      '--path',
      '/name',
      '--released',
      '--json',
    );
    expect(code).toBe(0);
    const found = stdout
      .trim()
      .split('\n')
      .map((l) => JSON.parse(l) as DecisionRecord);
    expect(found.map((d) => d.subject!.id).sort()).toEqual(['u-1', 'u-3', 'u-4', 'u-0'].sort());
  });

  test('prints a table that fits the terminal, Chinese included', async () => {
    const { dir } = await recorded(5);
    for (const columns of [80, 100, 160]) {
      const { stdout } = await runCommand(['decisions', 'query', '--journal', dir], { columns });
      const lines = stdout.trimEnd().split('\n');
      expect(lines.length).toBeGreaterThan(5);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
    }
  });

  test('escapes control characters of recorded text', async () => {
    const dir = join(temporaryDirectory(), 'journal');
    const log = await createDecisionLog({ journal: { dir, min_free: 65_536 } }, { logger: silentLogger });
    const { decision_id } = await log.append(
      draft(1, {
        subject: { ...draft(1).subject!, id: 'u\u001b[2J\u009b1m' },
        justification: 'x\u001b]0;owned\u0007\r\n\u202eforged',
      }),
    );
    await log.close();
    for (const argv of [['query'], ['tail'], ['show', decision_id]] as const) {
      const { stdout } = await runCommand(['decisions', ...argv, '--journal', dir]);
      // Our own tables are not coloured here, so any escape would be the data's.
      expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    }
  });

  test('finds decisions by class and by the policy that decided, and suggests the class that was meant', async () => {
    const { dir } = await recorded(3);
    const found = async (...argv: string[]) =>
      (await decisions(dir, 'query', '--json', ...argv)).stdout.split('\n').length - 1;
    expect(await found('--class', 'identity/4')).toBe(3);
    expect(await found('--class', 'identity/4', '--released')).toBe(0);
    expect(await found('--class', 'transaction/2', '--released', '--policy', 'abcdef')).toBe(3);
    expect(await found('--policy', 'bcdef')).toBe(0);
    const { stderr } = await decisions(dir, 'query', '--class', 'identiy/4');
    expect(stderr).toContain('no decision of this log has --class identiy/4; did you mean "identity/4"?');
  });

  test('pages', async () => {
    const { dir } = await recorded(12);
    const first = await decisions(dir, 'query', '--limit', '5', '--json');
    const cursor = /--cursor (\S+)/.exec(first.stderr)![1]!;
    const second = await decisions(dir, 'query', '--limit', '50', '--json', '--cursor', cursor);
    expect(first.stdout.trim().split('\n')).toHaveLength(5);
    expect(second.stdout.trim().split('\n')).toHaveLength(7);
    expect(second.stderr).not.toContain('--cursor');
  });

  test.each([
    [['query', '--outcome', 'maybe']],
    [['query', '--since', 'soon']],
    [['query', '--limit', '0']],
    [['query', '--released']],
    [['query', '--class', 'identity']],
    [['query', '--policy', '']],
    [['query', '--nonsense']],
    [['verify', '--expect-head', 'x']],
    [['export', '--format', 'xlsx']],
    [['show']],
  ])('%j is wrong use: exit 2', async (argv) => {
    const { dir } = await recorded(1);
    expect((await decisions(dir, ...argv)).code).toBe(2);
  });

  test('names the missing key when a query has a plain data subject', async () => {
    const { dir } = await recorded(1);
    const { rmSync } = await import('node:fs');
    rmSync(join(dir, 'data-subject.key'));
    const { code, stderr } = await decisions(dir, 'query', '--data-subject', 'C1');
    expect(code).toBe(2);
    expect(stderr).toContain('--data-subject-key');
  });

  test('exits 3 if there is no journal', async () => {
    expect((await decisions('/nowhere', 'query')).code).toBe(3);
    expect((await decisions('/nowhere', 'verify')).code).toBe(3);
  });
});

describe('decisions show', () => {
  test('shows the subject, the purpose, the consents, the released fields, and that the chain is intact', async () => {
    const { dir } = await recorded(4);
    const { decision_id } = recordsOf(dir)[1]!;
    const { code, stdout } = await decisions(dir, 'show', decision_id);
    expect(code).toBe(0);
    for (const text of [
      'user u-1',
      'roles support',
      'after_sales, tier 2, for internal',
      '工单 8001',
      'c-1',
      '/name',
      '/id_number',
      'grade_above_clearance',
      'it follows the record before it',
    ])
      expect(stdout).toContain(text);
  });

  test('reports an altered record and exits 1', async () => {
    const { dir } = await recorded(3);
    const [, altered, next] = recordsOf(dir);
    const text = readFileSync(segment(dir), 'utf8');
    writeFileSync(segment(dir), text.replace(altered!.justification!, '工单 9999'));
    const shown = await decisions(dir, 'show', next!.decision_id);
    expect(shown.stdout).toContain('Its hash verifies; the record before it');
    const gone = await decisions(dir, 'show', altered!.decision_id);
    expect(gone.code).toBe(1);
  });

  test('exits 1 for an unknown decision', async () => {
    const { dir } = await recorded(1);
    expect(await decisions(dir, 'show', '019aa000-0000-7000-8000-000000000000')).toMatchObject({
      code: 1,
      stdout: '',
    });
  });
});

describe('decisions verify', () => {
  test('prints the number of records of each chain, and that it is intact', async () => {
    const { dir, log } = await recorded(7);
    const { code, stdout } = await decisions(dir, 'verify');
    expect(code).toBe(0);
    expect(stdout).toContain(`7 records in 1 chain (${log.origin}): intact.`);
  });

  test('names the first bad record after one byte was changed, and exits 1', async () => {
    const { dir } = await recorded(7);
    const bytes = readFileSync(segment(dir));
    const at = bytes.lastIndexOf('"s":4,') - 40;
    bytes[at]! ^= 1;
    writeFileSync(segment(dir), bytes);
    const { code, stdout } = await decisions(dir, 'verify');
    expect(code).toBe(1);
    expect(stdout).toMatch(/BROKEN\.\nfirst: test-[0-9a-f]{8}\.0000000000000001\.jsonl:\d+: record 4, /);
    expect(JSON.parse((await decisions(dir, 'verify', '--json')).stdout)).toMatchObject({
      ok: false,
      problems: [{ seq: 4 }],
    });
  });

  test('prints how many records cannot be read because content was removed, of a journal and of a file', async () => {
    const { dir } = await recorded(7);
    const lines = linesOf(segment(dir));
    const at = lines.findLastIndex(isRecord);
    const cut = lines[at]!;
    writeFileSync(
      segment(dir),
      `${lines.with(at, `${cut.slice(0, cut.indexOf(',"payload":'))}}`).join('\n')}\n`,
    );
    const wide = (...argv: string[]) => runCommand(['decisions', 'verify', ...argv], { columns: 160 });
    expect((await wide('--journal', dir)).stdout).toContain('1 record without content');
    expect((await wide(segment(dir))).stdout).toContain('7 records: BROKEN, 1 record without content.');
    writeFileSync(segment(dir), `${lines.join('\n')}\n`);
    expect((await wide('--journal', dir)).stdout).not.toContain('without content');
    expect((await wide(segment(dir))).stdout).toContain('7 records: intact.');
  });

  test('writes anchors, and checks the chains against them', async () => {
    const { dir } = await recorded(3);
    const anchors = join(dir, '..', 'anchors');
    expect((await decisions(dir, 'verify', '--write-anchor', anchors)).code).toBe(0);
    expect((await decisions(dir, 'verify', '--anchor', anchors)).code).toBe(0);
    writeFileSync(anchors, readFileSync(anchors, 'utf8').replace('"seq":3', '"seq":9'));
    expect((await decisions(dir, 'verify', '--anchor', anchors)).code).toBe(1);
  });

  test('checks the signature of the heads with the key', async () => {
    const KEY = 'a key of sufficient length';
    const { dir } = await recorded(3, { KEY });
    const verify = (env: Record<string, string>) =>
      runCommand(['decisions', 'verify', '--journal', dir, '--key', 'env:KEY'], { env });
    expect(await verify({ KEY })).toMatchObject({ code: 0, stdout: expect.stringContaining('signed') });
    expect((await verify({ KEY: 'some other key of length' })).code).toBe(1);
    expect((await decisions(dir, 'verify')).stdout).toContain('no key was given');
  });
});

describe('decisions export', () => {
  test('writes complete records that can be verified without the journal', async () => {
    const { dir } = await recorded(6);
    const { stdout } = await decisions(dir, 'export');
    expect(stdout.trimEnd().split('\n').map(readCopy)).toEqual(recordsOf(dir));
  });

  test('writes CSV in which a spreadsheet finds no formula', async () => {
    const dir = join(temporaryDirectory(), 'journal');
    const log = await createDecisionLog({ journal: { dir, min_free: 65_536 } }, { logger: silentLogger });
    await log.append(draft(1, { justification: '=HYPERLINK("http://x","a")' }));
    await log.close();
    const out = join(dir, '..', 'out.csv');
    expect((await decisions(dir, 'export', '--format', 'csv', '-o', out)).code).toBe(0);
    const [head, row] = readFileSync(out, 'utf8').split('\r\n');
    expect(head).toMatch(/^timestamp,decision_id,/);
    expect(row).toContain(`"'=HYPERLINK(""http://x"",""a"")"`);
    expect((await decisions(dir, 'export', '-o', out)).code).toBe(2);
  });
});

describe('decisions tail', () => {
  test('prints the newest decisions in the order of time', async () => {
    const { dir } = await recorded(12);
    const { stdout } = await decisions(dir, 'tail', '-n', '3');
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((l) => /u-\d/.exec(l)![0]),
    ).toEqual(['u-2', 'u-3', 'u-4']);
  });

  test('follows a journal that is being written', async () => {
    const { dir } = await recorded(2);
    const earlier = await createDecisionLog(
      { journal: { dir, instance: 'test', min_free: 65_536 } },
      { logger: silentLogger },
    );
    await earlier.append(draft(2, { purpose: 'claims' }));
    await earlier.close();
    const main = new URL('../../src/main.ts', import.meta.url).pathname;
    const child = spawn(process.execPath, [
      main,
      'decisions',
      'tail',
      '-f',
      '--journal',
      dir,
      '--json',
      '--purpose',
      'claims',
    ]);
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    try {
      // it prints what is there, and follows from there on
      await expect.poll(() => out, { timeout: 20_000 }).toContain('"purpose":"claims"');
      const log = await createDecisionLog(
        { journal: { dir, instance: 'test', min_free: 65_536 } },
        { logger: silentLogger },
      );
      await log.append(draft(100));
      const { hash } = await log.append(draft(101, { purpose: 'claims' }));
      await expect.poll(() => out, { timeout: 10_000 }).toContain(hash);
      await log.close();
      expect(out.trim().split('\n')).toHaveLength(2);
    } finally {
      child.kill('SIGINT');
    }
    const [code] = await new Promise<[number | null]>((resolve) => child.once('exit', (c) => resolve([c])));
    expect(code).toBe(0);
  });
});
