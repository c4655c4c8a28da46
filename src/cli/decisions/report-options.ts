/** The options of `sluice decisions report`. What it does is loaded when it runs: it needs the policy engine, which other commands here do not. */
import type { Command } from 'commander';
import { SluiceError } from '../../errors.ts';
import { THRESHOLDS } from '../../reports/report.ts';
import type { Io } from '../io.ts';
import { oneOf, whole } from '../options.ts';
import type { FilterOptions } from './filters.ts';
import type { SourceOptions } from './source.ts';

const OUTPUTS = ['terminal', 'html', 'csv', 'json'] as const;
const LANGUAGES = ['en', 'zh'] as const;

export interface ReportOptions extends SourceOptions, FilterOptions {
  readonly by?: string;
  readonly format: (typeof OUTPUTS)[number];
  readonly out?: string;
  readonly lang: (typeof LANGUAGES)[number];
  readonly timeZone: string;
  readonly rows: number;
  readonly section?: string;
  readonly policies?: string;
  readonly ids?: string;
  readonly previous?: string;
  readonly days: number;
  readonly deviations: number;
  readonly least: number;
  readonly callers: number;
  readonly steps: number;
  readonly hours: readonly [number, number];
}

const { days, deviations, least, callers, steps, hours } = THRESHOLDS;

const withOptions = (command: Command): Command =>
  command
    .option('--format <format>', OUTPUTS.join(', '), oneOf(OUTPUTS), 'terminal')
    .option('-o, --out <file>', 'a new file, instead of standard output')
    .option('--lang <language>', LANGUAGES.join(' or '), oneOf(LANGUAGES), 'en')
    .option('--time-zone <name>', 'of days, hours and times: an IANA name, e.g. Asia/Shanghai', 'UTC')
    .option('--rows <n>', 'of each table, in the terminal and on a page', whole(1, 1_000_000), 50)
    .option('--section <id>', 'with --format csv: one table of the report')
    .option(
      '--policies <dir or bundle>',
      'policy to compare with (default: the configuration’s, if it is a directory or a bundle)',
    )
    .option(
      '--ids <file>',
      'ids of customers, one a line: pseudonyms that the key makes of them are shown as ids',
    )
    .option('--previous <file>', 'with system-audit: the last one, as --format json wrote it')
    .option('--days <n>', 'with unused-rights: without a use', whole(1, 36_500), days)
    .option(
      '--deviations <n>',
      'unusual: how many robust standard deviations above the median',
      whole(1, 1000),
      deviations,
    )
    .option('--least <n>', 'unusual: customers in a day, at least', whole(1, 1_000_000), least)
    .option('--callers <n>', 'unusual: callers of one customer, at least', whole(2, 1_000_000), callers)
    .option('--steps <n>', 'unusual: steps of ids in order, at least', whole(2, 1_000_000), steps)
    .option('--hours <from-to>', `unusual: working hours (default: ${hours.join('-')})`, hoursIn, hours);

function hoursIn(text: string): readonly [number, number] {
  const [, from, to] = /^(\d{1,2})-(\d{1,2})$/.exec(text) ?? [];
  if (from === undefined || !(Number(from) < Number(to) && Number(to) <= 24))
    throw new SluiceError('usage_invalid', '--hours: write the first hour and the end, such as 8-20.');
  return [Number(from), Number(to)];
}

export const reportCommand = (command: Command, io: Io): Command =>
  withOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n  sluice decisions report unusual --since 30d --time-zone Asia/Shanghai\n  sluice decisions report customer-access --data-subject C100234 --format html --lang zh -o report.html',
    )
    .action(async (name: string | undefined, options: ReportOptions) => {
      const { report } = await import('./report.ts');
      await report(name, options, io);
    });
