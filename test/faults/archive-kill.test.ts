/** An archive run that is killed at any moment loses no record: what is not in the archive is in the journal, and the same command goes on. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { newIdentity } from '../../src/decision-log/age.ts';
import { unarchive } from '../../src/decision-log/journal/unarchive.ts';
import { verify } from '../../src/decision-log/verify/verify.ts';
import { ACCESS, objectStore } from '../support/object-store.ts';
import { ROUNDS } from '../support/rounds.ts';
import { recordsOf, temporaryDirectory, writeJournal } from '../support/journals.ts';

const MAIN = join(import.meta.dirname, '../../src/main.ts');
const KEY = await newIdentity();

const seqsOf = (anchors: string): number[] =>
  anchors
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { seq: number }).seq);

/** The last records of the segments that the journal counts as archived. */
function archivedIn(dir: string): number[] {
  const path = join(dir, 'archived.ndjson');
  return existsSync(path) ? [...new Set(seqsOf(readFileSync(path, 'utf8')))] : [];
}

const archiving = (
  dir: string,
  to: string,
  recipient: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcess =>
  spawn(process.execPath, [MAIN, 'decisions', 'archive', '--journal', dir, '--to', to, ...recipient], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...env },
  });

async function killed(child: ChildProcess, to: string, afterMs: number): Promise<void> {
  const watcher = watch(to, () => {
    watcher.close();
    setTimeout(() => child.kill('SIGKILL'), afterMs);
  });
  await once(child, 'close');
  watcher.close();
}

test.each([['compressed', []] as const, ['encrypted', ['--recipient', KEY.recipient]] as const])(
  'kill -9 while segments are archived, %s',
  async (_, recipient) => {
    for (let round = 0; round < ROUNDS; round++) {
      const [dir, to, back] = [temporaryDirectory(), temporaryDirectory(), temporaryDirectory()];
      await writeJournal(dir, 300, { segmentSize: 8000 });
      const all = recordsOf(dir);
      for (let kills = 0; kills < 2; kills++) {
        await killed(archiving(dir, to, recipient), to, Math.random() * 100);
        expect((await verify({ dir, key: null })).problems).toEqual([]);
      }
      expect(await once(archiving(dir, to, recipient), 'close')).toEqual([0, null]);
      expect((await verify({ dir, key: null })).problems).toEqual([]);
      const files = readdirSync(to).filter((f) => /\.gz(\.age)?$/.test(f));
      await unarchive({ from: files.map((f) => join(to, f)), to: back, identities: [KEY.identity] });
      const found = [...recordsOf(back), ...recordsOf(dir)].sort((a, b) => a.seq - b.seq);
      expect(found).toEqual(all);
    }
  },
);

test.each([['compressed', []] as const, ['encrypted', ['--recipient', KEY.recipient]] as const])(
  'kill -9 while segments go to an object store, %s',
  async (_, recipient) => {
    for (let round = 0; round < ROUNDS; round++) {
      const store = await objectStore();
      const env = {
        AWS_ACCESS_KEY_ID: ACCESS.id,
        AWS_SECRET_ACCESS_KEY: ACCESS.secret,
        AWS_REGION: ACCESS.region,
        AWS_ENDPOINT_URL: store.url,
      };
      const [dir, fetched, back] = [temporaryDirectory(), temporaryDirectory(), temporaryDirectory()];
      await writeJournal(dir, 300, { segmentSize: 8000 });
      const all = recordsOf(dir);
      for (let kills = 0; kills < 2; kills++) {
        const child = archiving(dir, 's3://logs/a', recipient, env);
        const closed = once(child, 'close');
        // Before the store answers one of the requests, so that each step is hit.
        let left = 1 + Math.floor(Math.random() * 8);
        store.interfere(() => {
          if (--left === 0) child.kill('SIGKILL');
          return null;
        });
        expect(await closed).toEqual([null, 'SIGKILL']);
        store.interfere(() => null);
        expect((await verify({ dir, key: null })).problems).toEqual([]);
        const complete = [...store.objects].flatMap(([key, bytes]) =>
          key.endsWith('.anchor') && store.objects.has(key.replace(/\.anchor$/, ''))
            ? seqsOf(String(bytes))
            : [],
        );
        expect(archivedIn(dir).filter((seq) => !complete.includes(seq))).toEqual([]);
      }
      expect(await once(archiving(dir, 's3://logs/a', recipient, env), 'close')).toEqual([0, null]);
      expect((await verify({ dir, key: null })).problems).toEqual([]);
      const files = [...store.objects].filter(([key]) => /\.gz(\.age)?$/.test(key));
      for (const [key, bytes] of files) writeFileSync(join(fetched, basename(key)), bytes);
      await unarchive({
        from: files.map(([key]) => join(fetched, basename(key))),
        to: back,
        identities: [KEY.identity],
      });
      expect([...recordsOf(back), ...recordsOf(dir)].sort((a, b) => a.seq - b.seq)).toEqual(all);
      expect(archivedIn(dir)).toHaveLength(files.length);
      store.close();
    }
  },
);
