/**
 * Records what a command asks the decision log, before its answer is printed: in a chain of its own beside those of the sidecars, so that
 * theirs stay as they are found. An auditor with a copy of the journal, or without the right to write, gets the answer and is told that it
 * is not on record.
 */
import { statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { createDecisionLog, newDecisionId, type OpenDecisionLog } from '../../decision-log/decision-log.ts';
import type { DecisionQuery } from '../../decision-log/index/query.ts';
import { isSluiceError } from '../../errors.ts';
import { namelessIn } from '../../model/input.ts';
import { systemClock } from '../../observability/clock.ts';
import { silentLogger } from '../../observability/logger.ts';
import { NOTHING_DISCLOSED } from '../../model/record.ts';
import { DecisionEntry } from '../../pipeline/record.ts';
import type { Io } from '../io.ts';
import type { Place } from './source.ts';

export interface AskedOfLog {
  readonly action: 'decisions.query' | 'decisions.view' | 'decisions.export';
  /** as the log has them */
  readonly filters: DecisionQuery & { readonly count_by?: string; readonly distinct?: string };
  readonly labels?: Readonly<Record<string, string>>;
  /** who asks, as they say; default: the user of this process */
  readonly by: string | undefined;
}

export interface QuestionRecord {
  /** Adds the last part. */
  answered(results: number): Promise<void>;
  /** Adds a part that says what is asked, before it is known how much answers it. */
  begun(): Promise<void>;
  close(): Promise<void>;
}

const INSTANCE = 'audit';

/** Records a question whose number of results is known. */
export async function recordQuestion(at: Place, asked: AskedOfLog, results: number, io: Io): Promise<void> {
  const record = await openRecord(at, asked, io);
  try {
    await record.answered(results);
  } finally {
    await record.close();
  }
}

export async function openRecord(at: Place, asked: AskedOfLog, io: Io): Promise<QuestionRecord> {
  let log: OpenDecisionLog | null = null;
  let isReported = false;
  const report = (why: string): void => {
    if (!isReported) io.stderr.write(`sluice: this question is not on record: ${why}\n`);
    isReported = true;
  };
  if (!at.isLive) report('the journal is read without its configuration (--config)');
  else if (isOfAnother(at.dir))
    report(`the journal ${at.dir} belongs to another user: run this as that user`);
  else
    try {
      // The sidecars copy the chain to the index and the sinks, and sign its checkpoints.
      const { index: _index, sinks: _sinks, checkpoints: _checkpoints, ...config } = at.config;
      log = await createDecisionLog(
        { ...config, journal: { ...config.journal, instance: INSTANCE } },
        { logger: silentLogger, baseDir: at.baseDir },
      );
    } catch (e) {
      report(reasonOf(e, at));
    }
  const entry = entryOf(asked);
  const append = async (isLast: boolean): Promise<void> => {
    const { data_subject } = asked.filters;
    const disclosure =
      data_subject === undefined ? null : { ...NOTHING_DISCLOSED, data_subjects: [data_subject] };
    try {
      await log?.append({ ...entry.draft('allowed', 0, null, disclosure, isLast), response: null });
    } catch (e) {
      report(reasonOf(e, at));
    }
  };
  return {
    begun: () => append(false),
    answered(results) {
      entry.labels = { ...entry.labels, results: String(results) };
      return append(true);
    },
    close: async () => log?.close(),
  };
}

/** A sidecar could not read the files that are made here, and would copy no records any more. */
const isOfAnother = (dir: string): boolean =>
  process.getuid !== undefined && process.getuid() !== statSync(dir).uid;

/** @throws what is no refusal of Sluice's */
function reasonOf(e: unknown, { dir }: Place): string {
  if (!isSluiceError(e)) throw e;
  if (e.code !== 'journal_unwritable' && e.code !== 'journal_full') return e.message;
  return `the journal ${dir} cannot be written (${(e.cause as { code?: string } | undefined)?.code ?? e.code})`;
}

function entryOf({ action, filters, labels, by = userInfo().username }: AskedOfLog): DecisionEntry {
  const entry = new DecisionEntry(newDecisionId(), systemClock);
  entry.kind = 'admin';
  entry.subject = { type: 'user', id: by, properties: namelessIn('internal') };
  entry.action = action;
  entry.resource = { type: 'decisions', properties: {} };
  entry.labels = { filters: JSON.stringify(filters), ...labels };
  return entry;
}
