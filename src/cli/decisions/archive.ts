/** `sluice decisions archive`: moves full segments out of the journal, which still verifies afterwards. */
import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readIdentities } from '../../decision-log/age.ts';
import { archive as archiveSegments } from '../../decision-log/journal/archive.ts';
import { unarchive as unarchiveSegments } from '../../decision-log/journal/unarchive.ts';
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
  readonly recipient?: readonly string[];
}

export async function archive(options: ArchiveCommandOptions, io: Io): Promise<void> {
  const at = await place(options, io);
  const before = options.before === undefined ? null : new Date(time(options.before, '--before', new Date()));
  const index = openIndex(at, io);
  const bar = progressBar(io, 'archiving');
  try {
    if (index !== null) await feed(at.dir, index);
    const moved = await archiveSegments({
      dir: at.dir,
      to: resolve(io.cwd, options.to),
      before,
      key: chainKey(options, at, io),
      recipients: options.recipient ?? at.config.encryption?.recipients ?? [],
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

export interface UnarchiveOptions {
  readonly to: string;
  readonly identity?: readonly string[];
  readonly json?: boolean;
}

/** @param from files, or directories with such files */
export async function unarchive(from: readonly string[], options: UnarchiveOptions, io: Io): Promise<void> {
  const files = from
    .map((path) => resolve(io.cwd, path))
    .flatMap((path) =>
      statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
        ? readdirSync(path)
            .filter((name) => /\.jsonl(\.gz)?(\.age)?$/.test(name))
            .sort()
            .map((name) => join(path, name))
        : [path],
    );
  const identities = readIdentities(options.identity ?? [], { env: io.env, baseDir: io.cwd });
  const to = resolve(io.cwd, options.to);
  const done = await unarchiveSegments({ from: files, to, identities });
  if (options.json) for (const segment of done) io.stdout.write(`${JSON.stringify(segment)}\n`);
  else
    io.stdout.write(
      `${table(
        ['segment', 'records', 'from', 'to'],
        done.map((s) => [s.file, String(s.records), String(s.first), String(s.last)]),
        width(io),
      )}Ask with --journal ${options.to}.\n`,
    );
}
