/** The matrix as text and as CSV. Fields of a class with the same treatment share a line; states with the same results share a column. */
import Table from 'cli-table3';
import colours from 'picocolors';
import type { Cell, Grid, Row } from './grid.ts';

type Paint = ReturnType<typeof colours.createColors>;

const painted = (cell: Cell, paint: Paint): string => {
  if (cell.do === 'disclose') return paint.green(cell.do);
  if (cell.do === 'drop' || cell.do === 'withheld') return paint.dim(cell.do);
  return paint.yellow(cell.do);
};

export const callerOf = (r: Pick<Row, 'role' | 'purpose' | 'tier' | 'recipient'>): string =>
  `${r.role} · ${r.purpose}${r.tier === null ? '' : ` · tier ${r.tier}`}${r.recipient === 'internal' ? '' : ` · to ${r.recipient}`}`;

export interface Column {
  readonly states: readonly string[];
  readonly cells: { readonly [path: string]: Cell };
}

/** Columns of states; those with equal cells are merged. */
export function columns(row: Row, byReason: boolean): Column[] {
  const found = new Map<string, { states: string[]; cells: Column['cells'] }>();
  for (const [state, cells] of Object.entries(row.states)) {
    const key = JSON.stringify(Object.entries(cells).map(([path, c]) => [path, spell(c, byReason)]));
    const column = found.get(key) ?? { states: [], cells };
    column.states.push(state);
    found.set(key, column);
  }
  return [...found.values()];
}

const spell = (cell: Cell, byReason: boolean): string =>
  byReason ? JSON.stringify([cell.do, cell.because, cell.with ?? null]) : cell.do;

/** One line of a table: a class, or a field with a different treatment. */
export interface Line {
  readonly label: string;
  readonly field: boolean;
  /** any of the fields that the line represents */
  readonly path: string;
  readonly paths: readonly string[];
}

/** The line of a class shows the most frequent treatment; each other field has its own line below. */
export function linesOf(row: Row, shown: readonly Column[], byReason: boolean, everyField = false): Line[] {
  const classes = new Map<string, Map<string, string[]>>();
  for (const path of new Set(Object.values(row.states).flatMap(Object.keys))) {
    const cells = shown.map((column) => column.cells[path]);
    const { cls, resource } = cells.find((cell) => cell !== undefined)!;
    const name = `${resource === row.resource ? '' : `${resource} `}${cls ?? 'named by the rules'}`;
    const may = row.writes?.may[path];
    const written = may === undefined ? null : byReason ? [may.write, may.because] : may.write;
    const alike = JSON.stringify([cells.map((cell) => cell && spell(cell, byReason)), written]);
    const of = classes.get(name) ?? new Map<string, string[]>();
    classes.set(name, of);
    of.set(alike, [...(of.get(alike) ?? []), path]);
  }
  return [...classes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, groups]): Line[] => {
      const all = [...groups.values()];
      const [most] = [...all].sort((a, b) => b.length - a.length);
      const total = all.flat().length;
      const count = total === 1 ? '' : all.length === 1 ? ` (${total})` : ` (${most!.length}/${total})`;
      const own = { label: `${name}${count}`, field: false, path: most![0]!, paths: most! };
      const others = (everyField ? all : all.filter((paths) => paths !== most)).flat();
      return [own, ...others.map((path) => ({ label: `  ${path}`, field: true, path, paths: [path] }))];
    });
}

export interface TextOptions {
  readonly colour: boolean;
  readonly because: boolean;
  /** a line for every field */
  readonly fields: boolean;
  readonly width: number;
}

export function gridText(grid: Grid, options: TextOptions): string {
  const paint = colours.createColors(options.colour);
  return grid.rows.map((row) => rowText(row, options, paint)).join('\n');
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

function rowText(row: Row, options: TextOptions, paint: Paint): string {
  const shown = columns(row, options.because);
  const lines = linesOf(row, shown, options.because, options.fields);
  const body = lines.map((line) => [
    line.field ? paint.dim(line.label) : line.label,
    ...shown.map(({ cells }) => cellText(cells[line.path], options.because, paint)),
    ...(row.writes === null ? [] : [writeText(row.writes.may[line.path], options.because, paint)]),
  ]);
  const write = row.writes === null ? [] : [row.writes.action];
  const widest = (n: number, head: readonly string[]): number =>
    Math.max(...head.map((text) => text.length), ...body.map((cells) => widthOfCell(cells[n]!)));
  const heads = shown.map((c) => c.states);
  const columnHeads = [[''], ...heads, ...(write.length === 0 ? [] : [write])];
  const width = 1 + columnHeads.reduce((sum, head, n) => sum + widest(n, head) + 3, 0);
  // Columns that do not fit are named below.
  const fits = width <= options.width;
  const head = fits
    ? heads.map((states) => states.join('\n'))
    : heads.map((_, n) => LETTERS[n] ?? `${n + 1}`);
  const table = new Table({ head: ['', ...head, ...write], style: { head: [], border: [], compact: true } });
  table.push(...body);
  const legend = fits ? '' : heads.map((states, n) => `\n  ${head[n]}: ${states.join(', ')}`).join('');
  const limits = Object.entries(row.obligations)
    .filter(([, value]) => value !== null && value !== false && value !== undefined)
    .map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  const beside = [row.action, ...limits].join(', ');
  return `${paint.bold(`${row.resource}: ${callerOf(row)}`)} ${paint.dim(`(${beside})`)}\n${table.toString()}${legend}\n`;
}

const COLOUR = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');
const widthOfCell = (text: string): number =>
  Math.max(
    ...text
      .replace(COLOUR, '')
      .split('\n')
      .map((line) => line.length),
  );

function cellText(cell: Cell | undefined, because: boolean, paint: Paint): string {
  if (cell === undefined) return '';
  return because ? `${painted(cell, paint)}\n${paint.dim(cell.because)}` : painted(cell, paint);
}

function writeText(
  cell: { readonly write: boolean; readonly because: string } | undefined,
  because: boolean,
  paint: Paint,
): string {
  if (cell === undefined) return '';
  const word = cell.write ? paint.green('write') : paint.dim('no');
  return because ? `${word}\n${paint.dim(cell.because)}` : word;
}

const HEAD = 'resource,role,purpose,tier,recipient,action,state,field,class,treatment,because,parameters';

/** One field in one state a line. */
export function gridCsv(grid: Grid): string {
  const lines = [HEAD];
  const line = (...values: readonly unknown[]): void => {
    lines.push(values.map((value) => field(String(value ?? ''))).join(','));
  };
  for (const r of grid.rows) {
    const caller = [r.resource, r.role, r.purpose, r.tier, r.recipient];
    for (const [state, cells] of Object.entries(r.states))
      for (const [path, cell] of Object.entries(cells)) {
        const parameters = cell.with === undefined ? '' : JSON.stringify(cell.with);
        line(...caller, r.action, state, path, cell.cls, cell.do, cell.because, parameters);
      }
  }
  for (const { writes, states, ...r } of grid.rows)
    for (const [path, may] of Object.entries(writes?.may ?? {})) {
      const cls = Object.values(states)[0]?.[path]?.cls;
      const caller = [r.resource, r.role, r.purpose, r.tier, r.recipient];
      line(...caller, writes!.action, 'agreed', path, cls, may.write ? 'write' : 'no', may.because, '');
    }
  for (const d of grid.denied)
    line(d.resource, d.role, d.purpose, '', d.recipient, '', '', '', '', 'denied', d.reasons.join(' '), '');
  return `${lines.join('\r\n')}\r\n`;
}

/** RFC 4180; spreadsheets read a leading formula character as a formula */
const field = (text: string): string => {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};
