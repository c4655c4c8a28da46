/** Design §7.2: nothing is acknowledged whose record is not on disk, across `kill -9` at any moment. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { verify } from '../../src/decision-log/verify/verify.ts';
import { openJournal, recordsOf, temporaryDirectory } from '../support/journals.ts';
import { ROUNDS } from '../support/rounds.ts';

const CHILD = new URL('../support/journal-child.ts', import.meta.url).pathname;

/** Runs the child until it has acknowledged a random number of records, and kills it while it writes the next ones. */
async function killed(dir: string, ...args: string[]): Promise<string[]> {
  const child = spawn(process.execPath, [CHILD, dir, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const enough = 1 + Math.random() * 100;
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
    if (out.split('\n').length > enough) child.kill('SIGKILL');
  });
  await once(child, 'close');
  return out.split('\n').slice(0, -1);
}

const held = (dir: string): Set<string> =>
  new Set(recordsOf(dir).map((r) => `${r.origin} ${r.seq} ${r.hash}`));

test.each([
  ['strict', '1', '67108864'],
  ['strict', '64', '65536'],
  ['interval', '16', '65536'],
])(
  'every acknowledged record is there after kill -9, and the chain goes on (%s, %s at once, segments of %s)',
  async (durability, concurrency, segment) => {
    const dir = temporaryDirectory();
    const acknowledged: string[] = [];
    for (let round = 0; round < Math.max(8, ROUNDS); round++) {
      acknowledged.push(...(await killed(dir, durability, concurrency, segment)));
      // A start is what repairs; `instance` must be the child's for it to continue the same chain.
      await (await openJournal(dir, { instance: 'child' })).close();
      const report = await verify({ dir, key: null });
      expect(report.problems).toEqual([]);
      const there = held(dir);
      expect(acknowledged.filter((a) => !there.has(a))).toEqual([]);
    }
    expect(acknowledged.length).toBeGreaterThan(8);
    expect(new Set(acknowledged.map((a) => a.split(' ')[0])).size).toBe(1);
  },
);
