/** `sluice decisions export`: records as lines of the journal (each line can be verified on its own), or as CSV. */
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { listOrigins } from '../../decision-log/journal/directory.ts';
import type { DecisionQuery } from '../../decision-log/index/query.ts';
import { records, scanQuery } from '../../decision-log/index/scan.ts';
import { SluiceError } from '../../errors.ts';
import type { DecisionRecord } from '../../model/record.ts';
import type { Io } from '../io.ts';
import { progressBar } from './check.ts';
import { warnOfUnheardNames } from './unheard.ts';

const COLUMNS: ReadonlyArray<readonly [string, (r: DecisionRecord) => string | number | null | undefined]> = [
  ['timestamp', (r) => r.timestamp],
  ['decision_id', (r) => r.decision_id],
  ['part', (r) => r.part.number],
  ['kind', (r) => r.kind],
  ['outcome', (r) => r.outcome],
  ['subject', (r) => r.subject?.id],
  ['roles', (r) => r.subject?.properties.roles?.join(' ')],
  ['action', (r) => r.action],
  ['resource_type', (r) => r.resource?.type],
  ['resource_id', (r) => r.resource?.id],
  ['purpose', (r) => r.purpose],
  ['tier', (r) => r.tier],
  ['recipient', (r) => r.recipient],
  ['justification', (r) => r.justification],
  ['grant_id', (r) => r.grant_id],
  ['claimed', (r) => r.claimed?.join(' ')],
  ['reasons', (r) => r.reasons.map((x) => x.code).join(' ')],
  ['records', (r) => r.disclosure?.records],
  ['records_withheld', (r) => r.disclosure?.records_withheld],
  ['released', (r) => r.disclosure?.released.join(' ')],
  ['withheld', (r) => r.disclosure?.withheld.map((w) => `${w.path}=${w.do}`).join(' ')],
  ['consents', (r) => r.disclosure?.consents?.join(' ')],
  ['data_subjects', (r) => r.disclosure?.data_subjects.join(' ')],
  ['policy_revision', (r) => r.policy?.revision],
  ['origin', (r) => r.origin],
  ['seq', (r) => r.seq],
  ['prev_hash', (r) => r.prev_hash],
  ['hash', (r) => r.hash],
];

/** RFC 4180. A cell that a spreadsheet would take for a formula gets a leading apostrophe (OWASP, CSV injection). */
function cell(value: string | number | null | undefined): string {
  const text = value === null || value === undefined ? '' : String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export async function exportRecords(
  dir: string,
  query: DecisionQuery,
  options: { readonly format: string; readonly out?: string },
  io: Io,
): Promise<void> {
  if (options.format !== 'ndjson' && options.format !== 'csv')
    throw new SluiceError('usage_invalid', '--format is ndjson or csv.');
  const csv = options.format === 'csv';
  const origins = await listOrigins(dir);
  const total = origins.reduce((sum, o) => sum + o.segments.reduce((n, s) => n + s.size, 0), 0);
  const file =
    options.out === undefined
      ? null
      : createWriteStream(resolve(io.cwd, options.out), { flags: 'wx', mode: 0o640 });
  // A write that fails is noticed by the next one, or by whoever waits for it.
  file?.on('error', () => undefined);
  const out = file ?? io.stdout;
  const bar =
    file === null ? { update: () => undefined, stop: () => undefined } : progressBar(io, 'exporting');
  let done = 0;
  let count = 0;
  const write = async (text: string) => {
    if (file !== null && file.errored !== null) unwritable(file.errored);
    if (!out.write(text))
      await once(out, 'drain').catch((e: unknown) => {
        if (file !== null) unwritable(e);
        throw e;
      });
  };
  try {
    if (csv) await write(`${COLUMNS.map(([name]) => name).join(',')}\r\n`);
    for await (const { record, line } of records(dir, query, (bytes) => {
      done += bytes;
      bar.update(Math.min(done, total), total);
    })) {
      count++;
      await write(csv ? `${COLUMNS.map(([, of]) => cell(of(record))).join(',')}\r\n` : `${line}\n`);
    }
  } finally {
    bar.stop();
    if (file !== null) {
      file.end();
      await finished(file).catch(unwritable);
    }
  }
  if (count === 0) await warnOfUnheardNames(query, scanQuery(dir), io);
  if (file !== null) io.stderr.write(`${count} records written to ${options.out}\n`);
}

const unwritable = (cause: unknown): never => {
  throw new SluiceError('usage_invalid', {
    message: `--out cannot be written (${(cause as { code?: string }).code ?? 'unknown error'}); an existing file is not replaced.`,
    cause,
  });
};
