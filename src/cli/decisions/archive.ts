/** `sluice decisions archive`: moves full segments out of the journal, which still verifies afterwards. */
import { publishedCheckpoint } from '../../decision-log/tree/log.ts';
import { resolve } from 'node:path';
import { archive as archiveSegments } from '../../decision-log/journal/archive.ts';
import { indexOf, sinksOf } from '../../decision-log/settings.ts';
import { feed } from '../../decision-log/index/feeder.ts';
import { openPostgresIndex } from '../../decision-log/index/postgres.ts';
import { openSqliteIndex } from '../../decision-log/index/sqlite.ts';
import type { Store } from '../../decision-log/index/store.ts';
import { openSink } from '../../decision-log/sinks/open.ts';
import type { Io } from '../io.ts';
import { progressBar } from './check.ts';
import { time } from './filters.ts';
import { chainKey, type Place, place, type SourceOptions } from './source.ts';
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
    const inIndex = index === null ? null : await index.positions();
    const sinks = sinksOf(at.config.sinks, at.baseDir);
    const moved = await archiveSegments({
      dir: at.dir,
      to: resolve(io.cwd, options.to),
      before,
      key: chainKey(options, at, io),
      async copied(origin) {
        // What a checkpoint does not cover yet is needed for the next one.
        const published = publishedCheckpoint(at.dir, origin);
        const signed =
          published === null && at.config.checkpoints === undefined ? [] : [published?.checkpoint.size ?? 0];
        const positions = [
          inIndex,
          ...(await Promise.all(sinks.map((s) => openSink(at.dir, origin, s).store.positions()))),
        ];
        return Math.min(
          Number.POSITIVE_INFINITY,
          ...signed,
          ...positions.map((p) => (p === null ? Number.POSITIVE_INFINITY : (p.get(origin)?.seq ?? 0))),
        );
      },
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

async function openIndex(at: Place): Promise<Store | null> {
  const index = indexOf(at.config.index, at.baseDir);
  if (index === null) return null;
  return 'sqlite' in index ? openSqliteIndex(index.sqlite) : openPostgresIndex(index.postgres);
}
