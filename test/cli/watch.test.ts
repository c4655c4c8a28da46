/** `--watch`: what is done again when, and what is kept from one run to the next. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Kept } from '../../src/cli/policy/testing/kept.ts';
import { watching } from '../../src/cli/policy/watch.ts';
import { SluiceError } from '../../src/errors.ts';
import { processIo } from '../../src/cli/io.ts';
import { Writable } from 'node:stream';

const dir = mkdtempSync(join(tmpdir(), 'sluice-watch-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const file = join(dir, 'a.rego');

const quiet = () => {
  const said: string[] = [];
  const stderr = new Writable({
    write(chunk: Buffer, _encoding, done) {
      said.push(String(chunk));
      done();
    },
  });
  return { io: { ...processIo(), stderr, stdout: stderr }, said };
};

test('work that a change overtakes is told so, its failure is not, and it is done again', async () => {
  writeFileSync(file, 'package a\n');
  const end = new AbortController();
  const { io, said } = quiet();
  const runs: string[] = [];
  await watching(
    io,
    [dir],
    async (outdated) => {
      if (runs.push('begun') > 1) return end.abort();
      writeFileSync(file, 'package a\n\nx := 1\n');
      await new Promise<void>((resolve) =>
        outdated.addEventListener('abort', () => resolve(), { once: true }),
      );
      throw new Error('whatever is stopped half-way fails');
    },
    end.signal,
  );
  expect(runs).toHaveLength(2);
  expect(said.join('')).not.toContain('half-way');
});

test('a change is worked on once: a file that changed a moment ago still looks different at every look', async () => {
  writeFileSync(file, 'package a\n');
  const end = new AbortController();
  // A change may come at any time between two looks.
  const changes = 6;
  let runs = 0;
  await watching(
    quiet().io,
    [dir],
    async () => {
      runs += 1;
      if (runs <= changes)
        setTimeout(() => writeFileSync(file, `package a\n\nx := ${runs}\n`), 150 + 20 * runs);
      // longer than the moment in which a look is not trusted
      else setTimeout(() => end.abort(), 500);
    },
    end.signal,
  );
  expect(runs).toBe(changes + 1);
});

test('a fault of the policy is told and waited upon, one of the program ends the watch', async () => {
  const end = new AbortController();
  const { io, said } = quiet();
  let runs = 0;
  await watching(
    io,
    [dir],
    async () => {
      if (++runs > 1) return end.abort();
      setTimeout(() => writeFileSync(file, 'package a\n\nx := 2\n'), 50);
      throw new SluiceError('policy_compile_failed', 'it does not compile');
    },
    end.signal,
  );
  expect(said.join('')).toContain('sluice: it does not compile [policy_compile_failed]\nWatching');
  expect(runs).toBe(2);
  const broken = watching(io, [dir], () => Promise.reject(new TypeError('a fault of ours')), end.signal);
  await expect(
    watching(io, [dir], () => Promise.reject(new TypeError('a fault of ours')), new AbortController().signal),
  ).rejects.toThrow('a fault of ours');
  // Where the watch is ended anyway, nobody is told.
  await expect(broken).resolves.toBeUndefined();
});

test('what was made is kept for the next run, forgotten when a run did not ask for it, and made again after a failure', async () => {
  const kept = new Kept();
  let made = 0;
  const make = async (): Promise<number> => ++made;
  kept.next();
  expect([await kept.once('a', make), await kept.once('a', make)]).toEqual([1, 1]);
  kept.next();
  expect(await kept.once('a', make)).toBe(1);
  kept.next();
  kept.next();
  expect(await kept.once('a', make)).toBe(2);
  await expect(kept.once('b', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await kept.once('b', make)).toBe(3);
});

test('what the last run began and was stopped with it is made again, once, for the run that asks for it', async () => {
  const kept = new Kept();
  kept.next();
  const stop = new AbortController();
  const stopped = kept.once(
    'a',
    () =>
      new Promise<number>((_, reject) =>
        stop.signal.addEventListener('abort', () => reject(new Error('stopped'))),
      ),
  );
  kept.next();
  let made = 0;
  const asked = [kept.once('a', async () => ++made), kept.once('a', async () => ++made)];
  stop.abort();
  await expect(stopped).rejects.toThrow('stopped');
  expect(await Promise.all(asked)).toEqual([1, 1]);
  expect(await kept.once('a', async () => ++made)).toBe(1);
});
