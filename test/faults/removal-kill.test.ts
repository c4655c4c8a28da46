/** A removal that is killed at any moment leaves a journal that verifies, loses nothing that was to stay, and is completed by the same command. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { verify } from '../../src/decision-log/verify/verify.ts';
import { ROUNDS } from '../support/rounds.ts';
import { recordsOf, temporaryDirectory, writeJournal } from '../support/journals.ts';

const MAIN = join(import.meta.dirname, '../../src/main.ts');
const UNTIL = '2026-11-22T08:00:00.300Z';

const removal = (dir: string): ChildProcess =>
  spawn(
    process.execPath,
    [MAIN, 'decisions', 'remove', '--journal', dir, '--until', UNTIL, '--basis', 'P5Y', '--by', 'han'],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );

/** Kills it a while after it has begun to state what it removes. */
async function killed(dir: string, afterMs: number): Promise<void> {
  const child = removal(dir);
  const watcher = watch(dir, (_, name) => {
    if (name?.startsWith('removals-') !== true) return;
    watcher.close();
    setTimeout(() => child.kill('SIGKILL'), afterMs);
  });
  await once(child, 'close');
  watcher.close();
}

const ofTest = (dir: string, suffix = '.jsonl'): string[] =>
  readdirSync(dir).filter((f) => f.startsWith('test-') && f.endsWith(suffix));

test('kill -9 during a removal', async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const dir = temporaryDirectory();
    await writeJournal(dir, 400, { segmentSize: 8000 });
    const all = recordsOf(dir, ofTest(dir));
    const stays = all.filter(({ timestamp }) => timestamp >= UNTIL);
    expect([all.length, stays.length]).toEqual([400, 100]);
    for (let kills = 0; kills < 2; kills++) {
      await killed(dir, Math.random() * 120);
      expect((await verify({ dir, key: null })).problems).toEqual([]);
      const ids = new Set(recordsOf(dir, ofTest(dir)).map((r) => r.decision_id));
      expect(stays.filter(({ decision_id }) => !ids.has(decision_id))).toEqual([]);
    }
    const last = removal(dir);
    expect(await once(last, 'close')).toEqual([0, null]);
    expect(await verify({ dir, key: null })).toMatchObject({ ok: true, problems: [] });
    expect(recordsOf(dir, ofTest(dir))).toEqual(stays);
    expect(ofTest(dir, '.new')).toEqual([]);
    const text = ofTest(dir)
      .map((f) => readFileSync(join(dir, f), 'utf8'))
      .join('');
    for (const { timestamp, decision_id } of all) expect(text.includes(decision_id)).toBe(timestamp >= UNTIL);
  }
});
