/** `sluice decisions export`: records as lines of the journal (each line can be verified on its own), in formats of others, or as evidence. */
import { createWriteStream } from 'node:fs';
import { resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { ocsfEvent } from '../../decision-log/formats/ocsf.ts';
import { listOrigins } from '../../decision-log/journal/directory.ts';
import type { DecisionQuery } from '../../decision-log/index/query.ts';
import { records, scanQuery } from '../../decision-log/index/scan.ts';
import { SluiceError } from '../../errors.ts';
import { opaEvent } from '../../decision-log/sinks/opa-event.ts';
import type { DecisionRecord } from '../../model/record.ts';
import { version } from '../../version.ts';
import type { Io } from '../io.ts';
import { progressBar } from './check.ts';
import { type BundleOptions, exportBundle } from './evidence.ts';
import { DECISION_COLUMNS } from './columns.ts';
import { type Place, tellOfRemovals } from './source.ts';
import { csvLine } from '../csv.ts';
import { warnOfUnheardNames } from './unheard.ts';

const RECORD_COLUMNS: ReadonlyArray<
  readonly [string, (r: DecisionRecord) => string | number | null | undefined]
> = [
  ...DECISION_COLUMNS.slice(0, 2),
  ['part', (r) => r.part.number],
  ...DECISION_COLUMNS.slice(2),
  ['origin', (r) => r.origin],
  ['seq', (r) => r.seq],
  ['prev_hash', (r) => r.prev_hash],
  ['hash', (r) => r.hash],
];

/** How a record is written, and what stands before the first. */
interface Format {
  readonly head: string;
  text(record: DecisionRecord, line: string): string;
}

const RECORD_FORMATS: Readonly<Record<string, () => Format>> = {
  ndjson: () => ({ head: '', text: (_, line) => `${line}\n` }),
  csv: () => ({
    head: csvLine(RECORD_COLUMNS.map(([name]) => name)),
    text: (record) => csvLine(RECORD_COLUMNS.map(([, of]) => of(record))),
  }),
  ocsf: () => {
    const sluice = version();
    return { head: '', text: (record) => `${JSON.stringify(ocsfEvent(record, sluice))}\n` };
  },
  opa: () => ({ head: '', text: (record) => `${JSON.stringify(opaEvent(record, {}))}\n` }),
};
const BUNDLE = 'bundle';
export const FORMATS: readonly string[] = [...Object.keys(RECORD_FORMATS), BUNDLE];

export interface ExportOptions extends BundleOptions {
  readonly format: string;
}

/** @returns the number of records */
export async function exportDecisions(
  at: Place,
  query: DecisionQuery,
  options: ExportOptions,
  io: Io,
): Promise<number> {
  if (options.format === BUNDLE) return exportBundle(at, query, options, io);
  if (options.policyBundle !== undefined)
    throw new SluiceError('usage_invalid', '--policy-bundle goes with --format bundle.');
  const format = Object.hasOwn(RECORD_FORMATS, options.format) ? RECORD_FORMATS[options.format]!() : null;
  if (format === null)
    throw new SluiceError('usage_invalid', `--format is ${FORMATS.slice(0, -1).join(', ')} or ${BUNDLE}.`);
  return exportRecords(at.dir, query, format, options.out, io);
}

/** @param name of the file, compressed if it ends with `.gz`; undefined: standard output */
async function exportRecords(
  dir: string,
  query: DecisionQuery,
  format: Format,
  name: string | undefined,
  io: Io,
): Promise<number> {
  await tellOfRemovals({ dir }, io);
  const origins = await listOrigins(dir);
  const total = origins.reduce((sum, o) => sum + o.segments.reduce((n, s) => n + s.size, 0), 0);
  const bar =
    name === undefined ? { update: () => undefined, stop: () => undefined } : progressBar(io, 'exporting');
  let done = 0;
  let count = 0;
  const texts = async function* (): AsyncGenerator<string, void, void> {
    if (format.head !== '') yield format.head;
    for await (const { record, line } of records(dir, query, (bytes) => {
      done += bytes;
      bar.update(Math.min(done, total), total);
    })) {
      count++;
      yield format.text(record, line);
    }
  };
  try {
    if (name === undefined) await pipeline(texts, io.stdout, { end: false });
    else {
      const file = createWriteStream(resolve(io.cwd, name), { flags: 'wx', mode: 0o640 });
      const written = name.endsWith('.gz') ? pipeline(texts, createGzip(), file) : pipeline(texts, file);
      await written.catch((cause: unknown) => {
        throw file.errored === null ? cause : unwritable(file.errored);
      });
    }
  } finally {
    bar.stop();
  }
  if (count === 0) await warnOfUnheardNames(query, scanQuery(dir), io);
  if (name !== undefined) io.stderr.write(`${count} records written to ${name}\n`);
  return count;
}

const unwritable = (cause: unknown): SluiceError =>
  new SluiceError('usage_invalid', {
    message: `--out cannot be written (${(cause as { code?: string }).code ?? 'unknown error'}); an existing file is not replaced.`,
    cause,
  });
