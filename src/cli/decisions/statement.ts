/** `sluice decisions statement`: who has received the data of one person. */
import { statementOf } from '../../decision-log/statement.ts';
import { purposeWords } from '../../model/plain-words.ts';
import type { Io } from '../io.ts';
import { counted } from '../text.ts';
import { filters as filtersOf } from './filters.ts';
import { recordQuestion } from './recorded.ts';
import { inLogWords, place, removalsIn, source, type SourceOptions } from './source.ts';
import { statementPage } from './statement-page.ts';
import { plain, table, width } from './table.ts';

export interface StatementOptions extends SourceOptions {
  readonly since?: string;
  readonly until?: string;
  readonly html?: boolean;
  readonly by?: string;
}

export async function statement(id: string, options: StatementOptions, io: Io): Promise<void> {
  const at = await place(options, io);
  const { since, until } = options;
  const wanted = filtersOf(
    { dataSubject: id, ...(since === undefined ? {} : { since }), ...(until === undefined ? {} : { until }) },
    new Date(),
  );
  const log = await source(at, io);
  try {
    const filters = inLogWords(wanted, options, at, io);
    // It names no employee.
    const removed = (await removalsIn(at.dir)).map(({ at: when, records, basis }) => ({
      at: when,
      records,
      basis,
    }));
    const found = { ...(await statementOf(id, filters, log, new Date())), removed };
    const asked = {
      action: 'decisions.query',
      filters,
      labels: { form: 'statement' },
      by: options.by,
    } as const;
    await recordQuestion(at, asked, found.disclosures.length, io);
    if (options.html) io.stdout.write(statementPage(found));
    else if (options.json) io.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
    else {
      const rows = found.disclosures.map((entry) => [
        entry.at.slice(0, 19).replace('T', ' '),
        entry.recipient ?? '–',
        [entry.department, ...entry.roles].filter((name) => name !== null).join(', '),
        entry.purpose === null ? '–' : purposeWords(entry.purpose).en,
        Object.entries(entry.categories)
          .map(([name, is]) => (is === 'plain' ? name : `${name} (disguised)`))
          .join(', '),
      ]);
      if (rows.length > 0)
        io.stdout.write(
          table(['time (UTC)', 'recipient', 'who', 'purpose', 'kinds of data'], rows, width(io)),
        );
      io.stdout.write(
        removed
          .map(
            ({ at: when, records, basis }) =>
              `On ${when.slice(0, 10)} the content of ${counted(records, 'record')} of the log was removed. Basis: ${plain(basis)}. This statement is without it.\n`,
          )
          .join('') +
          `${counted(found.disclosures.length, 'disclosure')}, ${counted(found.changes.length, 'change')} of consents and requests\n`,
      );
    }
  } finally {
    await log.close();
  }
}
