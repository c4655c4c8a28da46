/** Several workers at one directory: what they share, they may all reach for at the same moment. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createDecisionLog } from '../../src/decision-log/decision-log.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { draft } from '../support/decision-records.ts';
import { generatedKey } from '../../src/decision-log/secret.ts';
import { verify } from '../../src/decision-log/verify/verify.ts';
import { openSqliteIndex } from '../../src/decision-log/index/sqlite.ts';
import type { Task } from '../support/racing-child.ts';

const CHILD = new URL('../support/racing-child.ts', import.meta.url).pathname;
const PROCESSES = 6;
const LINES = 20;

let children: ChildProcess[];
let dir: string;

beforeAll(async () => {
  children = Array.from({ length: PROCESSES }, () =>
    fork(CHILD, [], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] }),
  );
  await Promise.all(children.map((child) => once(child, 'message')));
});
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-processes-'));
  return () => rmSync(dir, { recursive: true, force: true });
});

/** All at once. @throws what went wrong in one of them */
async function race(what: Task['what'], where = dir, racing = children): Promise<unknown[]> {
  const answers = racing.map((child) => once(child, 'message'));
  for (const [me, child] of racing.entries()) child.send({ what, dir: where, me } satisfies Task);
  return (await Promise.all(answers)).map(([answer]) => {
    const { value, error } = answer as { value?: unknown; error?: string };
    if (error !== undefined) throw new Error(error);
    return value;
  });
}

describe('workers that share a directory', () => {
  test('generate only one key, whichever process is first', async () => {
    for (let round = 0; round < 30; round++) {
      const where = mkdtempSync(join(dir, 'round-'));
      expect(new Set(await race('key', where))).toEqual(new Set([generatedKey(where)?.toString()]));
    }
  });

  test('take one chain each and lose no record', async () => {
    for (let round = 1; round <= 4; round++) {
      expect(new Set(await race('log')).size).toBe(PROCESSES);
      await race('close');
    }
    const report = await verify({ dir, key: null });
    expect(report.problems).toEqual([]);
    expect(report.origins).toHaveLength(PROCESSES);
    expect(report.records).toBeGreaterThanOrEqual(4 * PROCESSES * LINES);
  });

  test('can create the index at the same time', async () => {
    for (let round = 0; round < 100; round++) await race('make', mkdtempSync(join(dir, 'round-')));
  });

  test('fill one index at the same time and lose no row', async () => {
    await race('index');
    const index = openSqliteIndex(join(dir, 'decisions.db'));
    const positions = await index.positions();
    expect([...positions.values()].map(({ seq }) => seq)).toEqual(Array(PROCESSES).fill(LINES));
    for (const origin of positions.keys()) expect(await rows(index, origin)).toBe(LINES);
    await index.close();
  });

  test('index a chain only if it is their own or its process has ended', async () => {
    const deps = { logger: silentLogger };
    const journal = { dir, instance: 'test' };
    const other = await createDecisionLog({ journal }, deps);
    const { decision_id } = await other.append(draft(1));
    const own = await createDecisionLog({ journal, index: { sqlite: join(dir, 'decisions.db') } }, deps);
    const mine = await own.append(draft(2));
    await expect.poll(() => own.get(mine.decision_id)).not.toBe(null);
    // Each of these is indexed by a pass over all chains.
    for (const n of [3, 4]) {
      const later = await own.append(draft(n));
      await expect.poll(() => own.get(later.decision_id), { timeout: 10_000 }).not.toBe(null);
    }
    expect(await own.get(decision_id)).toBe(null);
    await other.close();
    await expect.poll(() => own.get(decision_id), { timeout: 10_000 }).not.toBe(null);
    await own.close();
  });

  test('append complete lines to one file', async () => {
    await race('file');
    expect(linesOf(readFileSync(join(dir, 'copies.jsonl'), 'utf8'))).toEqual(everyLine());
  });

  test('begin a new line after a line that was interrupted', async () => {
    writeFileSync(join(dir, 'copies.jsonl'), '{"half":');
    await race('file');
    const [half, ...whole] = readFileSync(join(dir, 'copies.jsonl'), 'utf8').split(/(?<=\n)/);
    expect(half).toBe('{"half":\n');
    expect(linesOf(whole.join(''))).toEqual(everyLine());
  });

  test('write complete lines into one pipe, even if its reader is slow', async () => {
    // A process of its own holds the pipe that the others inherit.
    const parent = fork(
      new URL('../support/racing-parent.ts', import.meta.url).pathname,
      [dir, String(PROCESSES)],
      {
        stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      },
    );
    let text = '';
    for await (const chunk of parent.stdout!) {
      text += String(chunk);
      await pause(1);
    }
    expect(linesOf(text)).toEqual(everyLine());
  });
});

const rows = async (index: ReturnType<typeof openSqliteIndex>, origin: string): Promise<number> => {
  const { decisions } = await index.query({ origin, limit: 1000 });
  return decisions.reduce((n, d) => n + d.chain.filter((link) => link.origin === origin).length, 0);
};

const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const { me, seq } = JSON.parse(line) as { me: number; seq: number };
      return `${me} ${seq}`;
    })
    .sort();

const everyLine = (): string[] =>
  Array.from({ length: PROCESSES }, (_, me) => Array.from({ length: LINES }, (_, i) => `${me} ${i + 1}`))
    .flat()
    .sort();
