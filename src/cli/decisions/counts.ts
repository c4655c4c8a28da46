/** `sluice decisions query --count-by`, `--distinct`: counts of decisions, as a table, NDJSON or CSV. */
import {
  COUNT_MEMBERS,
  type CountRow,
  type Counts,
  type CountSpec,
  countSpec,
} from '../../decision-log/index/count.ts';
import { isSluiceError, SluiceError } from '../../errors.ts';
import { csvLine } from '../csv.ts';
import type { Io } from '../io.ts';
import { counted } from '../text.ts';
import { short, table, width } from './table.ts';

export interface CountOptions {
  readonly countBy?: string;
  readonly distinct?: string;
}

/** Options have hyphens, members have underscores. */
const memberOf = (option: string): string => option.trim().replaceAll('-', '_');
const optionOf = (member: string): string => member.replaceAll('_', '-');

export const COUNTED: string = COUNT_MEMBERS.map(optionOf).join(', ');

/** null: no counts are asked for. @throws SluiceError `usage_invalid` */
export function countsAsked({ countBy, distinct }: CountOptions): CountSpec | null {
  if (countBy === undefined && distinct === undefined) return null;
  const by = countBy === undefined ? [] : countBy.split(',').map(memberOf);
  try {
    return countSpec(by, distinct === undefined ? null : memberOf(distinct));
  } catch (e) {
    throw isSluiceError(e, 'input_invalid') ? new SluiceError('usage_invalid', optionOf(e.message)) : e;
  }
}

/** @param most rows; undefined: all, or 50 in a table */
export function printCounts(
  counts: Counts,
  spec: CountSpec,
  form: 'table' | 'json' | 'csv',
  most: number | undefined,
  io: Io,
): void {
  const { by, distinct } = spec;
  const shown = counts.rows.slice(0, most ?? (form === 'table' ? 50 : undefined));
  const named = distinct === null ? [] : [`distinct_${distinct}`, `distinct_${distinct}_disclosed`];
  const numbers = (row: CountRow): readonly number[] => [
    row.decisions,
    row.disclosed,
    ...(distinct === null ? [] : [row.distinct!, row.distinct_disclosed!]),
  ];
  const head = [...by, 'decisions', 'disclosed', ...named];
  const cells = (row: CountRow): readonly (string | number | null)[] => [...row.values, ...numbers(row)];
  if (form === 'csv') for (const line of [head, ...shown.map(cells)]) io.stdout.write(csvLine(line));
  else if (form === 'json')
    for (const row of shown)
      io.stdout.write(
        `${JSON.stringify(Object.fromEntries(head.map((name, i) => [name, cells(row)[i]])))}\n`,
      );
  else {
    if (shown.length > 0)
      io.stdout.write(
        table(
          head.map((name) => optionOf(name).replaceAll('-', ' ')),
          shown.map((row) => cells(row).map((cell) => (cell === null ? '–' : short(String(cell))))),
          width(io),
        ),
      );
    io.stdout.write(
      `${counted(counts.decisions, 'decision')}, of which ${counts.disclosed} disclosed something\n`,
    );
  }
  const left = counts.rows.length - shown.length;
  if (left > 0)
    io.stderr.write(
      `${counted(left, 'row')} of counts not shown: --json and --csv without --limit show all\n`,
    );
}
