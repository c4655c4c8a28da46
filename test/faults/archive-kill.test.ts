/** An archive run that is killed at any moment loses no record: what is not in the archive is in the journal, and the same command goes on. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { newIdentity } from '../../src/decision-log/age.ts';
import { unarchive } from '../../src/decision-log/journal/unarchive.ts';
import { verify } from '../../src/decision-log/verify/verify.ts';
import { ROUNDS } from '../support/rounds.ts';
import { recordsOf, temporaryDirectory, writeJournal } from '../support/journals.ts';

const MAIN = join(import.meta.dirname, '../../src/main.ts');
const KEY = await newIdentity();

const archiving = (dir: string, to: string, recipient: readonly string[]): ChildProcess =>
  spawn(process.execPath, [MAIN, 'decisions', 'archive', '--journal', dir, '--to', to, ...recipient], {
    stdio: ['ignore', 'ignore', 'inherit'],
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
