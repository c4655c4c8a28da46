/** The thread that answers one query of an auditor after the other: from the index, or from the journal if there is none. */
import '../../json-parse.ts';
import { parentPort, workerData } from 'node:worker_threads';
import { isSluiceError, SluiceError } from '../../errors.ts';
import type { AuditWorkerSettings, FromAuditWorker, Question } from './audit.ts';
import { type CountRow, countDecisions, type CountSpec } from './count.ts';
import { openIndex } from './open.ts';
import type { QueryInterface } from './query.ts';
import { scanQuery } from './scan.ts';

const { dir, index, time } = workerData as AuditWorkerSettings;
const port = parentPort!;
const open = async (): Promise<QueryInterface> =>
  index === null ? scanQuery(dir) : openIndex(index, undefined, time);
let opened: Promise<QueryInterface> | null = null;

/** An index that cannot be opened now is tried again by the next query. */
function source(): Promise<QueryInterface> {
  opened ??= open().catch((e: unknown) => {
    opened = null;
    throw e;
  });
  return opened;
}

port.on('message', (question: Question) => {
  answer(question).then(
    ({ json, results }) => {
      const body = new TextEncoder().encode(`${JSON.stringify(json)}\n`);
      port.postMessage({ type: 'answer', body, results } satisfies FromAuditWorker, [body.buffer]);
    },
    (e: unknown) =>
      port.postMessage({
        type: 'error',
        code: isSluiceError(e) ? e.code : 'internal',
        message: isSluiceError(e) ? e.message : `The query failed (${(e as Error).name}).`,
      } satisfies FromAuditWorker),
  );
});

async function answer(question: Question): Promise<{ readonly json: object; readonly results: number }> {
  const log = await source();
  if (question.type === 'list') {
    const page = await log.query(question.query);
    return { json: page, results: page.decisions.length };
  }
  if (question.type === 'view') {
    const decision = await log.get(question.decisionId);
    if (decision === null) throw new SluiceError('record_not_found', 'No decision of this log has that id.');
    return { json: decision, results: 1 };
  }
  const { query, spec, limit } = question;
  const counts = await countDecisions(log, query, spec);
  const rows = counts.rows.slice(0, limit).map((row) => rowJson(row, spec));
  const { decisions, disclosed } = counts;
  return {
    json: { decisions, disclosed, groups: counts.rows.length, rows },
    results: rows.length,
  };
}

const rowJson = ({ values, ...numbers }: CountRow, { by }: CountSpec): object => ({
  by: Object.fromEntries(by.map((name, i) => [name, values[i]])),
  ...numbers,
});
