/** The thread that answers one query of an auditor after the other: from the index, or from the journal if there is none. */
import '../../json-parse.ts';
import { parentPort, workerData } from 'node:worker_threads';
import { isSluiceError, SluiceError } from '../../errors.ts';
import type { Answer, AuditSettings, FromAuditWorker, Question } from './audit.ts';
import { type CountRow, countDecisions, type CountSpec } from './count.ts';
import { openIndex } from './open.ts';
import type { QueryInterface } from './query.ts';
import { scanQuery } from './scan.ts';

const { dir, index } = workerData as AuditSettings;
const port = parentPort!;
const source: Promise<QueryInterface> = index === null ? Promise.resolve(scanQuery(dir)) : openIndex(index);
source.catch(() => undefined);

port.on('message', (question: Question) => {
  answer(question).then(
    (found) => port.postMessage({ type: 'answer', ...found } satisfies FromAuditWorker),
    (e: unknown) =>
      port.postMessage({
        type: 'error',
        code: isSluiceError(e) ? e.code : 'internal',
        message: isSluiceError(e) ? e.message : `The query failed (${(e as Error).name}).`,
      } satisfies FromAuditWorker),
  );
});

async function answer(question: Question): Promise<Answer> {
  const log = await source;
  if (question.type === 'list') {
    const page = await log.query(question.query);
    return { text: JSON.stringify(page), results: page.decisions.length };
  }
  if (question.type === 'view') {
    const decision = await log.get(question.decisionId);
    if (decision === null) throw new SluiceError('record_not_found', 'No decision of this log has that id.');
    return { text: JSON.stringify(decision), results: 1 };
  }
  const { query, spec, limit } = question;
  const counts = await countDecisions(log, query, spec);
  const rows = counts.rows.slice(0, limit).map((row) => rowJson(row, spec));
  const { decisions, disclosed } = counts;
  return {
    text: JSON.stringify({ decisions, disclosed, groups: counts.rows.length, rows }),
    results: rows.length,
  };
}

const rowJson = ({ values, ...numbers }: CountRow, { by }: CountSpec): object => ({
  by: Object.fromEntries(by.map((name, i) => [name, values[i]])),
  ...numbers,
});
