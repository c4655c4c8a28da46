/** `sluice decisions report`: answers over many decisions, as text, page, table or data. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isHashed } from '../../decision-log/data-subject.ts';
import { allResults } from '../../decision-log/index/count.ts';
import type { DecisionQuery } from '../../decision-log/index/query.ts';
import { didYouMean } from '../../documents/near-name.ts';
import { SluiceError } from '../../errors.ts';
import { makeReport, readReport, REPORTS } from '../../reports/index.ts';
import { reportHtml } from '../../reports/render/html.ts';
import type { Context, Need, Report, ReportKind } from '../../reports/report.ts';
import { sayIn } from '../../reports/words.ts';
import { zoneOf } from '../../reports/zone.ts';
import type { Io } from '../io.ts';
import { contentOf } from '../signed.ts';
import { filters } from './filters.ts';
import { policyFacts, reviewFacts, systemFacts } from './report-facts.ts';
import { recordQuestion } from './recorded.ts';
import type { ReportOptions } from './report-options.ts';
import { reportCsv, reportText } from './report-text.ts';
import { hasher, inLogWords, type Place, place, removalsIn, source, type SourceOptions } from './source.ts';
import { table, width } from './table.ts';

export async function report(name: string | undefined, options: ReportOptions, io: Io): Promise<void> {
  if (name === undefined) {
    const { lang } = options;
    if (options.json)
      for (const kind of REPORTS)
        io.stdout.write(`${JSON.stringify({ name: kind.name, line: kind.line[lang] })}\n`);
    else
      io.stdout.write(
        table(
          ['report', 'what it answers'],
          REPORTS.map((kind) => [kind.name, kind.line[lang]]),
          width(io),
        ),
      );
    return;
  }
  const kind = REPORTS.find((known) => known.name === name);
  if (kind === undefined) {
    const names = REPORTS.map((known) => known.name);
    throw new SluiceError(
      'usage_invalid',
      `There is no report ${JSON.stringify(name)}${didYouMean(name, names) || '.'} There are ${names.join(', ')}.`,
    );
  }
  const at = await place(options, io);
  const { made, query } = await make(kind, at, options, io);
  const labels = { form: 'report', report: kind.name };
  await recordQuestion(
    at,
    { action: 'decisions.query', filters: query, labels, by: options.by },
    made.decisions,
    io,
  );
  const text = await written(made, options, width(io));
  if (options.out === undefined) io.stdout.write(text);
  else {
    try {
      writeFileSync(resolve(io.cwd, options.out), text, { flag: 'wx', mode: 0o640 });
    } catch (cause) {
      throw new SluiceError('usage_invalid', {
        message: `--out cannot be written (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'}); an existing file is not replaced.`,
        cause,
      });
    }
    io.stderr.write(`${options.out}: ${made.title}, ${made.decisions} decisions\n`);
  }
}

async function written(made: Report, options: ReportOptions, columns: number): Promise<string> {
  const format = options.json ? 'json' : options.format;
  if (options.section !== undefined && format !== 'csv')
    throw new SluiceError('usage_invalid', '--section goes with --format csv.');
  if (format === 'json') return `${JSON.stringify(made, null, 2)}\n`;
  if (format === 'csv') return reportCsv(made, options.section);
  return format === 'html' ? reportHtml(made, options.rows) : reportText(made, options.rows, columns);
}

async function make(
  kind: ReportKind,
  at: Place,
  options: ReportOptions,
  io: Io,
): Promise<{ readonly made: Report; readonly query: DecisionQuery }> {
  const now = new Date();
  const given = filters(options, now);
  const needs = (need: Need): boolean => [...(kind.requires ?? []), ...(kind.uses ?? [])].includes(need);
  for (const [need, option] of [
    ['data_subject', '--data-subject'],
    ['subject', '--subject'],
  ] as const)
    if (kind.requires?.includes(need) && given[need] === undefined)
      throw new SluiceError('usage_invalid', `The report ${kind.name} is about one: give ${option}.`);
  if (options.previous !== undefined && kind.name !== 'system-audit')
    throw new SluiceError('usage_invalid', '--previous goes with the report system-audit.');
  const zone = zoneOf(options.timeZone);
  const query = inLogWords(given, options, at, io);
  const sources = [`journal ${at.dir}`];
  const policy = needs('policy') ? await policyFacts(at, options.policies, io) : null;
  if (policy === null && kind.requires?.includes('policy'))
    throw new SluiceError(
      'usage_invalid',
      `The report ${kind.name} compares with a policy: give --policies DIR or a bundle.`,
    );
  if (policy !== null) sources.push(`policy ${policy.name} (${policy.revision})`);
  const reviews = needs('reviews') ? await reviewFacts(at, io) : null;
  if (reviews !== null) sources.push('store');
  const system = needs('system') ? await systemFacts(at, options, io) : null;
  if (at.file !== null && system !== null) sources.push(`configuration ${at.file}`);
  const ids = options.ids === undefined ? null : await idsIn(options.ids, options, at, io);
  if (ids !== null) sources.push(`${ids.size} ids of ${options.ids}`);
  const previous =
    options.previous === undefined
      ? null
      : readReport(await contentOf(options.previous, io), kind.name, options.previous);
  const context: Context = {
    say: sayIn(options.lang),
    language: options.lang,
    zone,
    query,
    end: query.until === undefined ? now.getTime() : Date.parse(query.until),
    thresholds: {
      days: options.days,
      deviations: options.deviations,
      least: options.least,
      callers: options.callers,
      steps: options.steps,
      hours: options.hours,
    },
    plain: (id) => ids?.get(id) ?? id,
    listed: ids?.size ?? null,
    policy,
    reviews,
    system,
    removals: await removalsIn(at.dir),
    previous,
  };
  const { since: _, ...everything } = query;
  const log = await source(at, io);
  try {
    const decisions = allResults(log, kind.looksBack ? everything : query);
    return { made: await makeReport(kind, context, decisions, sources, now), query };
  } finally {
    await log.close();
  }
}

/** pseudonym → id */
async function idsIn(
  file: string,
  options: SourceOptions,
  at: Place,
  io: Io,
): Promise<ReadonlyMap<string, string>> {
  const hash = hasher(options, at, io);
  if (hash === null)
    throw new SluiceError(
      'usage_invalid',
      '--ids: the key of pseudonyms is wanted, too: --data-subject-key (env:NAME or file:PATH).',
    );
  const ids = (await contentOf(file, io)).split(/\r?\n/).filter((id) => id !== '' && !isHashed(id));
  return new Map(ids.map((id) => [hash(id), id]));
}
