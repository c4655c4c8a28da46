/** A report for a terminal, and its tables as CSV. */
import { SluiceError } from '../../errors.ts';
import { spelled } from '../../reports/render/cells.ts';
import { factsOf } from '../../reports/render/html.ts';
import type { ChartSection, Report, Section, TableSection } from '../../reports/report.ts';
import { type Say, sayIn } from '../../reports/words.ts';
import { csvLine } from '../csv.ts';
import { wrapped } from '../policy/wrap.ts';
import { plain, short, table } from './table.ts';

/** places of a chart that are shown; older ones are in the other formats */
const PLACES = 31;
const BAR = 40;

/** @param rows of a table that are shown @param columns of the terminal */
export function reportText(report: Report, rows: number, columns: number): string {
  const say = sayIn(report.language);
  const facts = factsOf(report, say).map(([name, value]) => `${name}: ${plain(value)}`);
  return [
    `${plain(report.title)}\n`,
    ...facts.map((line) => `${wrapped(line, columns)}\n`),
    ...report.sections.map(
      (section) => `\n${plain(section.title)}\n${sectionText(section, say, rows, columns)}`,
    ),
  ].join('');
}

function sectionText(section: Section, say: Say, rows: number, columns: number): string {
  if (section.kind === 'chart') return chartText(section);
  if (section.kind === 'table') return tableText(section, say, rows, columns);
  const lines = section.lines.length === 0 ? [say('no_rows')] : section.lines;
  return lines.map((line) => `${wrapped(plain(line), columns, '', '')}\n`).join('');
}

function tableText(
  { columns: all, rows, total, note }: TableSection,
  say: Say,
  most: number,
  columns: number,
): string {
  if (rows.length === 0) return `${say('no_rows')}\n`;
  const shown = all.map((column, i) => [column, i] as const).filter(([{ isCode }]) => isCode !== true);
  const line = (row: TableSection['rows'][number]): string[] =>
    shown.map(([column, i]) => short(spelled(row[i] ?? null, column)));
  const lines = rows.slice(0, most).map(line);
  if (total !== undefined)
    lines.push(shown.map(([column, i]) => (total[i] === null ? '' : spelled(total[i] ?? null, column))));
  const left = rows.length - most;
  return [
    table(
      shown.map(([{ title }]) => title),
      lines,
      columns,
      undefined,
      'spaces',
    ),
    left > 0 ? `${say('more_rows', { count: left })}\n` : '',
    note === undefined ? '' : `${wrapped(note, columns, '', '')}\n`,
  ].join('');
}

/** Bars of the sums of all series. */
function chartText({ places, series }: ChartSection): string {
  const sums = places.map((_, i) => series.reduce((sum, { values }) => sum + values[i]!, 0));
  const most = Math.max(1, ...sums);
  const from = Math.max(0, places.length - PLACES);
  const wide = Math.max(...places.map(({ length }) => length));
  const names = series.map(({ name, values }) => `${plain(name)} ${values.reduce((a, b) => a + b, 0)}`);
  return [
    series.length > 1 ? `${names.join(', ')}\n` : '',
    from > 0 ? '…\n' : '',
    ...places.slice(from).map((place, i) => {
      const sum = sums[from + i]!;
      return `${place.padStart(wide)} ${'█'.repeat(Math.ceil((BAR * sum) / most))} ${sum}\n`;
    }),
  ].join('');
}

/**
 * One table, or all, each after an empty line and a line with its id.
 * @throws SluiceError `usage_invalid` if there is no such table
 */
export function reportCsv(report: Report, section: string | undefined): string {
  const tables = report.sections.filter((s) => s.kind === 'table');
  const text = ({ columns, rows }: TableSection): string =>
    [columns.map(({ id }) => id), ...rows].map(csvLine).join('');
  if (section === undefined) return tables.map((t) => `${csvLine([t.id])}${text(t)}`).join('\r\n');
  const found = tables.find(({ id }) => id === section);
  if (found === undefined)
    throw new SluiceError(
      'usage_invalid',
      `--section ${section}: the tables of ${report.name} are ${tables.map(({ id }) => id).join(', ')}.`,
    );
  return text(found);
}
