/** `sluice decisions archive`: moves full segments out of the journal, which still verifies afterwards. */
import { resolve } from 'node:path';
import { archive as archiveSegments } from '../../decision-log/journal/archive.ts';
import { feed } from '../../decision-log/index/feeder.ts';
import type { Io } from '../io.ts';
import { copiedBy, openIndex } from './copied.ts';
import { progressBar } from './check.ts';
import { time } from './filters.ts';
import { chainKey, place, type SourceOptions } from './source.ts';
import { table, width } from './table.ts';

export interface ArchiveCommandOptions extends SourceOptions {
  readonly to: string;
  readonly before?: string;
}

export async function archive(options: ArchiveCommandOptions, io: Io): Promise<void> {
  const at = await place(options, io);
  const before = options.before === undefined ? null : new Date(time(options.before, '--before', new Date()));
  const index = await openIndex(at);
  const bar = progressBar(io, 'archiving');
  try {
    if (index !== null) await feed(at.dir, index);
    const moved = await archiveSegments({
      dir: at.dir,
      to: resolve(io.cwd, options.to),
      before,
      key: chainKey(options, at, io),
      copied: await copiedBy(at, index),
      progress: bar.update,
    });
    bar.stop();
    if (options.json) for (const segment of moved) io.stdout.write(`${JSON.stringify(segment)}\n`);
    else if (moved.length === 0)
      io.stdout.write(
        'Nothing to archive: segments move once they are full, old enough (--before) and copied to every index and sink.\n',
      );
    else
      io.stdout.write(
        table(
          ['segment', 'chain', 'records', 'from', 'to'],
          moved.map((s) => [s.file, s.origin, String(s.records), String(s.first), String(s.last)]),
          width(io),
        ),
      );
  } finally {
    bar.stop();
    await index?.close();
  }
}
