/** The matrix for a terminal and as CSV. States that get the same share a column. */
import Table from 'cli-table3';
import colours from 'picocolors';
import { callerOf, type ChangeGroup, type Passage } from './grid-changes.ts';
import type { Cell, Grid, Row } from './grid.ts';

type Paint = ReturnType<typeof colours.createColors>;

const painted = (cell: Cell, paint: Paint): string => {
  if (cell.do === 'disclose') return paint.green(cell.do);
  if (cell.do === 'drop' || cell.do === 'withheld' || cell.do === 'denied') return paint.dim(cell.do);
  return paint.yellow(cell.do);
};

/** Columns of states, those with equal cells together. */
export function columns(
  row: Row,
  byReason: boolean,
): { readonly states: string[]; readonly cells: { readonly [cls: string]: Cell } }[] {
  const found = new Map<string, { states: string[]; cells: { readonly [cls: string]: Cell } }>();
  for (const [state, cells] of Object.entries(row.states)) {
    const key = JSON.stringify(byReason ? cells : Object.entries(cells).map(([cls, c]) => [cls, c.do]));
    const column = found.get(key) ?? { states: [], cells };
    column.states.push(state);
    found.set(key, column);
  }
  return [...found.values()];
}

/** classes and single fields, those that are only written last */
export const namesIn = (row: Row): readonly string[] => [
  ...new Set([...Object.values(row.states).flatMap(Object.keys), ...Object.keys(row.writes?.may ?? {})]),
];

function writeCell(row: Row, cls: string, because: boolean, paint: Paint): string[] {
  if (row.writes === null) return [];
  const cell = row.writes.may[cls];
  if (cell === undefined) return [''];
  const word = cell.write ? paint.green('write') : paint.dim('no');
  return [because ? `${word}\n${paint.dim(cell.because)}` : word];
}

export function gridText(
  grid: Grid,
  options: { readonly colour: boolean; readonly because: boolean },
): string {
  const paint = colours.createColors(options.colour);
  const parts: string[] = [];
  for (const row of grid.rows) {
    const shown = columns(row, options.because);
    const table = new Table({
      head: ['', ...shown.map((c) => c.states.join('\n')), ...(row.writes ? [row.writes.action] : [])],
      style: { head: [], border: [], compact: true },
    });
    for (const cls of namesIn(row))
      table.push([
        cls,
        ...shown.map(({ cells }) => {
          const cell = cells[cls];
          if (cell === undefined) return '';
          return options.because
            ? `${painted(cell, paint)}\n${paint.dim(cell.because)}`
            : painted(cell, paint);
        }),
        ...writeCell(row, cls, options.because, paint),
      ]);
    parts.push(
      `${paint.bold(`${row.resource}: ${callerOf(row)}`)} ${paint.dim(`(${row.action})`)}\n${table.toString()}\n`,
    );
  }
  return parts.join('\n');
}

export function gridCsv(grid: Grid): string {
  const lines = ['resource,role,purpose,tier,recipient,action,state,class,treatment,because'];
  for (const r of grid.rows)
    for (const [state, cells] of Object.entries(r.states))
      for (const [cls, cell] of Object.entries(cells))
        lines.push(
          [
            r.resource,
            r.role,
            r.purpose,
            r.tier ?? '',
            r.recipient,
            r.action,
            state,
            cls,
            cell.do,
            cell.because,
          ]
            .map((v) => field(String(v)))
            .join(','),
        );
  for (const { writes, ...r } of grid.rows)
    for (const [cls, cell] of Object.entries(writes?.may ?? {}))
      lines.push(
        [
          r.resource,
          r.role,
          r.purpose,
          r.tier ?? '',
          r.recipient,
          writes!.action,
          'agreed',
          cls,
          cell.write ? 'write' : 'no',
          cell.because,
        ]
          .map((v) => field(String(v)))
          .join(','),
      );
  for (const d of grid.denied)
    lines.push(
      [d.resource, d.role, d.purpose, '', d.recipient, '', '', '', 'denied', d.reasons.join(' ')]
        .map((v) => field(v))
        .join(','),
    );
  return `${lines.join('\r\n')}\r\n`;
}

/** RFC 4180; a leading formula sign is taken for one by spreadsheets */
const field = (text: string): string => {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

export function changesText(
  groups: readonly ChangeGroup[],
  through: readonly Passage[],
  colour: boolean,
): string {
  const paint = colours.createColors(colour);
  const section = (title: string, list: readonly ChangeGroup[]): string =>
    list.length === 0
      ? ''
      : `${paint.bold(`${title}: ${list.reduce((n, g) => n + g.cells, 0)} cells in ${list.length} groups`)}\n${list
          .map(
            (g) =>
              `  ${g.resource} ${g.cls}: ${g.before} → ${g.wider ? paint.red(g.after) : g.after}  ${paint.dim(`${g.cells} cells`)}\n${callersText(g)}`,
          )
          .join('')}`;
  const passing = (title: string, now: Passage['now']): string => {
    const list = through.filter((p) => p.now === now);
    return list.length === 0
      ? ''
      : `${paint.bold(`${title}: ${list.length}`)}\n${list
          .map(
            (p) =>
              `  ${p.resource}: ${p.caller}  ${paint.dim(`${p.cells} cells`)}\n${Object.entries(p.gives)
                .map(([treatment, names]) => `    ${treatment}: ${names.join(', ')}\n`)
                .join('')}`,
          )
          .join('')}`;
  };
  return [
    passing('Allowed from now on', 'allowed'),
    section(
      'Wider',
      groups.filter((g) => g.wider),
    ),
    section(
      'Narrower, or for another reason',
      groups.filter((g) => !g.wider),
    ),
    passing('No longer allowed (what they had been given)', 'refused'),
  ]
    .filter((t) => t !== '')
    .join('\n');
}

/** Callers with the same states share a line. */
function callersText({ callers }: ChangeGroup): string {
  const byStates = new Map<string, string[]>();
  for (const { caller, states } of callers) {
    const key = states.join(', ');
    byStates.set(key, [...(byStates.get(key) ?? []), caller]);
  }
  return [...byStates].map(([states, list]) => `    ${list.join('\n    ')}\n      if: ${states}\n`).join('');
}
