/** Reads the decisions of a journal for a replay. */
import { resolve } from 'node:path';
import { records } from '../../../decision-log/index/scan.ts';
import type { Io } from '../../io.ts';
import { journalProgress } from '../progress.ts';
import type { Replayer } from './replayer.ts';

/** Every decision of a journal, with a progress bar. @throws SluiceError if it cannot be read */
export async function takeAll(
  io: Io,
  replayer: Replayer,
  journal: string,
  which: { readonly since?: string; readonly until?: string; readonly purpose?: string } = {},
): Promise<void> {
  const dir = resolve(io.cwd, journal);
  const bar = await journalProgress(io, [dir]);
  try {
    const query = { kind: 'disclosure', ...which };
    for await (const { record } of records(dir, query, (n) => bar.add(n))) replayer.take(record);
  } finally {
    bar.done();
  }
}
