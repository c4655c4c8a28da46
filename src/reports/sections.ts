/** Parts that several reports have. */
import type { Decision } from '../decision-log/index/query.ts';
import type { Cell, Column, Context, TableSection, TextSection } from './report.ts';
import type { Tally } from './tally.ts';
import type { Word } from './words.ts';

type ColumnSpec = Word | readonly [Word, NonNullable<Column['is']> | 'code'];

/** Columns whose ids are the keys of their titles. */
const columnsOf = ({ say }: Context, specs: readonly ColumnSpec[]): readonly Column[] =>
  specs.map((spec) => {
    const [word, is] = typeof spec === 'string' ? [spec] : spec;
    const column = { id: word.replace(/^column_/, ''), title: say(word) };
    if (is === 'code') return { ...column, isCode: true };
    return is === undefined ? column : { ...column, is };
  });

export const tableOf = (
  context: Context,
  id: string,
  title: string,
  specs: readonly ColumnSpec[],
  rows: readonly (readonly Cell[])[],
  more: Pick<TableSection, 'note' | 'total'> = {},
): TableSection => ({ kind: 'table', id, title, columns: columnsOf(context, specs), rows, ...more });

export const summaryOf = ({ say }: Context, lines: readonly string[]): TextSection => ({
  kind: 'text',
  id: 'summary',
  title: say('summary'),
  is: 'summary',
  lines,
});

export const limitsOf = ({ say }: Context, lines: readonly string[]): TextSection => ({
  kind: 'text',
  id: 'limits',
  title: say('limits'),
  is: 'limits',
  lines,
});

export const momentIn = ({ zone }: Context, ms: number): Cell =>
  Number.isFinite(ms) ? zone.moment(ms) : null;

/** Columns of a tally, and its cells. */
export const TALLY_COLUMNS = [
  ['column_decisions', 'count'],
  ['column_refused', 'count'],
  ['column_customers', 'count'],
  ['column_records', 'count'],
  'column_first',
  'column_last',
] as const satisfies readonly ColumnSpec[];

export const tallyCells = (context: Context, tally: Tally): readonly Cell[] => [
  tally.decisions,
  tally.refused,
  tally.customers.size,
  tally.records,
  momentIn(context, tally.first),
  momentIn(context, tally.last),
];

export const outcomeWord = ({ outcome }: Decision): Word => `outcome_${outcome}`;
export const OUTCOMES = ['allowed', 'modified', 'observed', 'denied', 'error'] as const;

/** 12.3 % */
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
/** A number of a computation: at most two digits after the point. */
export const rounded = (value: number): string => String(Math.round(value * 100) / 100);
