/** `sluice decisions archive`: moves full segments out of the journal, which still verifies afterwards. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { type Identities, readIdentities } from '../../decision-log/age.ts';
import { archive as archiveSegments } from '../../decision-log/journal/archive.ts';
import {
  isObjectStore,
  type ObjectStore,
  type ObjectStoreSettings,
  openObjectStore,
  StoreFailed,
} from '../../decision-log/journal/object-store.ts';
import {
  ARCHIVED_SEGMENT,
  type Unarchived,
  unarchive as unarchiveSegments,
} from '../../decision-log/journal/unarchive.ts';
import { SluiceError } from '../../errors.ts';
import { feed } from '../../decision-log/index/feeder.ts';
import type { Io } from '../io.ts';
import { copiedBy, openIndex } from './copied.ts';
import { progressBar } from './check.ts';
import { time } from './filters.ts';
import { chainKey, type Place, place, type SourceOptions } from './source.ts';
import { table, width } from './table.ts';

export interface ArchiveCommandOptions extends SourceOptions {
  readonly to?: string;
  readonly before?: string;
  readonly recipient?: readonly string[];
  readonly s3Endpoint?: string;
}

export async function archive(options: ArchiveCommandOptions, io: Io): Promise<void> {
  const at = await place(options, io);
  const before = options.before === undefined ? null : new Date(time(options.before, '--before', new Date()));
  const to = await destination(options, at, io);
  const index = openIndex(at, io);
  const bar = progressBar(io, 'archiving');
  try {
    if (index !== null) await feed(at.dir, index);
    const moved = await archiveSegments({
      dir: at.dir,
      to,
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

/** @throws SluiceError `usage_invalid` if nothing names it */
async function destination(options: ArchiveCommandOptions, at: Place, io: Io): Promise<string | ObjectStore> {
  const configured = at.config.archive?.to;
  const to = options.to ?? configured;
  if (to === undefined)
    throw new SluiceError(
      'usage_invalid',
      'Nothing says where the archive is: configure decision_log.archive, or give --to.',
    );
  if (isObjectStore(to)) return openObjectStore(to, s3Settings(options, at), io.env);
  return resolve(options.to === undefined ? at.baseDir : io.cwd, to);
}

const s3Settings = ({ s3Endpoint }: { readonly s3Endpoint?: string }, at: Place): ObjectStoreSettings => ({
  ...at.config.archive?.s3,
  ...(s3Endpoint === undefined ? {} : { endpoint: s3Endpoint }),
});

export interface UnarchiveOptions {
  readonly config?: string;
  readonly to: string;
  readonly identity?: readonly string[];
  readonly s3Endpoint?: string;
  readonly json?: boolean;
}

/** @param from files, or directories with such files, or the like in an object store */
export async function unarchive(from: readonly string[], options: UnarchiveOptions, io: Io): Promise<void> {
  const files = from
    .filter((path) => !isObjectStore(path))
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
  const done = [...(await unarchiveSegments({ from: files, to, identities }))];
  for (const address of from.filter(isObjectStore))
    done.push(...(await unarchiveFromStore(address, to, options, identities, io)));
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

/** One object after the other, so that the disk needs room for one copy. */
async function unarchiveFromStore(
  address: string,
  to: string,
  options: UnarchiveOptions,
  identities: Identities,
  io: Io,
): Promise<readonly Unarchived[]> {
  const isOne = ARCHIVED_SEGMENT.test(basename(address));
  const folder = isOne ? address.slice(0, address.lastIndexOf('/')) : address;
  const store = await openObjectStore(folder, s3Settings(options, await place(options, io)), io.env);
  mkdirSync(to, { recursive: true });
  const fetched = mkdtempSync(join(to, '.fetched-'));
  const done: Unarchived[] = [];
  try {
    const names = isOne
      ? [basename(address)]
      : (await store.list()).filter((name) => ARCHIVED_SEGMENT.test(name));
    if (names.length === 0) throw new SluiceError('input_invalid', `${store.url} has no archived segment.`);
    for (const name of names) {
      const path = join(fetched, name);
      await store.get(name, path);
      done.push(...(await unarchiveSegments({ from: [path], to, identities })));
      rmSync(path);
    }
  } catch (cause) {
    if (!(cause instanceof StoreFailed)) throw cause;
    throw new SluiceError('input_invalid', {
      message: `${store.url} cannot be read: ${cause.message}.`,
      cause,
    });
  } finally {
    rmSync(fetched, { recursive: true });
  }
  return done;
}
