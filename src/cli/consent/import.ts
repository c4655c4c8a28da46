/** `sluice consent import`: transactions of a few hundred statements; what cannot be read goes to a file, with its line and reason. */
import { once } from 'node:events';
import { createWriteStream, type WriteStream, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { InvalidArgumentError } from 'commander';
import type { ConsentChanges } from '../../changes/consents.ts';
import { checkEdit, type Edit, type Statement } from '../../consent/index.ts';
import { isSluiceError, SluiceError } from '../../errors.ts';
import { progressBar } from '../decisions/check.ts';
import type { Io } from '../io.ts';
import { type Opened, withStore } from '../opened.ts';
import { FORMATS, type ImportFormat, type Item, read } from './read.ts';

export interface ImportOptions {
  readonly config: string;
  readonly json?: boolean;
  readonly by?: string;
  readonly format?: ImportFormat;
  readonly charset?: string;
  readonly rejects?: string;
  readonly at?: string;
  readonly map?: readonly string[];
}

const BATCH = 500;

export interface Imported {
  readonly lines: number;
  readonly changed: number;
  readonly known: number;
  readonly rejected: number;
}

export async function importConsents(file: string, options: ImportOptions, io: Io): Promise<void> {
  const path = resolve(io.cwd, file);
  const format = options.format ?? formatOf(file);
  const size = sizeOf(path, file);
  const map = new Map((options.map ?? []).map(pair));
  const rejects = options.rejects === undefined ? null : openRejects(resolve(io.cwd, options.rejects));
  const bar = progressBar(io, 'importing');
  const counts = { lines: 0, changed: 0, known: 0, rejected: 0 };
  const first: string[] = [];
  try {
    await withStore(options, io, async ({ consents, recorder }) => {
      const into = { records: consents(), recorder: () => recorder(options.by) };
      const reject = async (line: number, reason: string): Promise<void> => {
        counts.rejected++;
        if (first.length < 5) first.push(`${file}:${line}: ${reason}`);
        if (rejects === null) return;
        if (rejects.errored !== null) throw unwritable(rejects.errored);
        if (!rejects.write(`${JSON.stringify({ line, reason })}\n`))
          await once(rejects, 'drain').catch((e: unknown) => {
            throw unwritable(e);
          });
      };
      let batch: Extract<Item, { statements: unknown }>[] = [];
      let done = 0;
      const flush = async (): Promise<void> => {
        if (batch.length === 0) return;
        const { changed, refused } = await applied(batch, into);
        counts.changed += changed;
        counts.known +=
          batch.reduce((sum, { statements }) => sum + statements.length, 0) - changed - refused.length;
        for (const { line, reason } of refused) await reject(line, reason);
        batch = [];
        bar.update(Math.min(done, size), size);
      };
      const items = read(path, {
        format,
        ...(options.charset === undefined ? {} : { charset: options.charset }),
        map,
        now: new Date(),
        ...(options.at === undefined ? {} : { at: options.at }),
        progress: (bytes) => {
          done += bytes;
        },
      });
      for await (const item of items) {
        counts.lines++;
        const reason = 'reason' in item ? item.reason : faultOf(item.statements);
        if (reason !== null) await reject(item.line, reason);
        else if ('statements' in item) batch.push(item);
        if (batch.length >= BATCH) await flush();
      }
      await flush();
    });
  } finally {
    bar.stop();
    if (rejects !== null) {
      rejects.end();
      await finished(rejects).catch((e: unknown) => {
        throw unwritable(e);
      });
    }
  }
  report(file, counts, first, options, io);
}

interface Into {
  readonly records: ConsentChanges;
  /** a new one for each transaction */
  readonly recorder: () => ReturnType<Opened['recorder']>;
}

/** Found before a transaction, which it would undo for all others. */
function faultOf(statements: readonly Statement[]): string | null {
  try {
    for (const edit of editsOf(statements)) checkEdit(edit);
    return null;
  } catch (e) {
    if (!isSluiceError(e, 'consent_invalid')) throw e;
    return e.message;
  }
}

/**
 * A batch in one transaction. Where an entry in the store is in the way of one (it cannot be read), the batch is halved until that one is alone, so that
 * the others are kept.
 */
async function applied(
  batch: readonly { readonly line: number; readonly statements: readonly Statement[] }[],
  into: Into,
): Promise<{ changed: number; refused: { line: number; reason: string }[] }> {
  const apply = (items: typeof batch) =>
    into.records.edit(
      items.flatMap(({ statements }) => editsOf(statements)),
      into.recorder(),
    );
  try {
    return { changed: (await apply(batch)).length, refused: [] };
  } catch (e) {
    if (!isSluiceError(e, 'consent_invalid')) throw e;
    if (batch.length === 1) return { changed: 0, refused: [{ line: batch[0]!.line, reason: e.message }] };
  }
  let done = 0;
  const refused: { line: number; reason: string }[] = [];
  const half = Math.ceil(batch.length / 2);
  for (const part of [batch.slice(0, half), batch.slice(half)]) {
    const found = await applied(part, into);
    done += found.changed;
    refused.push(...found.refused);
  }
  return { changed: done, refused };
}

const editsOf = (statements: readonly Statement[]): Edit[] =>
  statements.map((statement) => ({ data_subject: statement.data_subject, statements: [statement] }));

function report(
  file: string,
  counts: Imported,
  first: readonly string[],
  options: ImportOptions,
  io: Io,
): void {
  if (counts.rejected > 0) io.exitCode = 1;
  if (options.json) {
    io.stdout.write(`${JSON.stringify(counts, null, 2)}\n`);
    return;
  }
  io.stdout.write(
    `${file}: ${counts.lines} read, ${counts.changed} changed, ${counts.known} known already, ${counts.rejected} rejected\n`,
  );
  if (counts.rejected === 0) return;
  for (const line of first) io.stderr.write(`${line}\n`);
  const more = counts.rejected - first.length;
  if (more > 0)
    io.stderr.write(
      `… and ${more} more${options.rejects === undefined ? ': --rejects FILE lists all' : ` in ${options.rejects}`}\n`,
    );
}

function formatOf(file: string): ImportFormat {
  if (/\.csv$/i.test(file)) return 'csv';
  if (/\.(?:ndjson|jsonl)$/i.test(file)) return 'ndjson';
  if (/\.jsonld$/i.test(file)) return 'dpv';
  throw new SluiceError('usage_invalid', `Say what ${file} is: --format ${FORMATS.join(', ')}.`);
}

function sizeOf(path: string, file: string): number {
  try {
    return statSync(path).size;
  } catch (cause) {
    throw new SluiceError('input_invalid', {
      message: `${file} cannot be read (${(cause as NodeJS.ErrnoException).code}).`,
      cause,
    });
  }
}

const unwritable = (cause: unknown): SluiceError =>
  new SluiceError('input_invalid', {
    message: `--rejects cannot be written (${(cause as NodeJS.ErrnoException).code}).`,
    cause,
  });

function openRejects(path: string): WriteStream {
  const stream = createWriteStream(path, { mode: 0o640 });
  stream.on('error', () => undefined);
  return stream;
}

export function charset(label: string): string {
  try {
    return new TextDecoder(label).encoding;
  } catch {
    throw new InvalidArgumentError('A charset such as utf-8, gb18030 or big5 is wanted.');
  }
}

export const mapping = (value: string, before: string[] = []): string[] => {
  pair(value);
  return [...before, value];
};

function pair(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1)
    throw new InvalidArgumentError('FROM=TO is wanted, e.g. TREAT=after_sales.');
  return [text.slice(0, at), text.slice(at + 1)];
}
