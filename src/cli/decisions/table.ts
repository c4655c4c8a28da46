/** Tables that fit the terminal. A Chinese character takes two columns, and control characters in data are escaped. */
import Table from 'cli-table3';
import type { Decision } from '../../decision-log/index/query.ts';
import type { Io } from '../io.ts';
import { wrap } from '../text.ts';

export const width = (io: Io): number => Math.max(40, io.stdout.columns ?? 140);

/**
 * Shrinks the widest columns until the rows fit. Cells are wrapped, never truncated.
 * @param whole index of a column that is wrapped last, such as an id that users copy
 * @param at where cells are wrapped: `spaces` for sentences
 */
export function table(
  head: readonly string[],
  rows: ReadonlyArray<readonly string[]>,
  columns: number,
  whole?: number,
  at: 'spaces' | 'anywhere' = 'anywhere',
): string {
  const widths = head.map((title, i) => Math.max(...[title, ...rows.map((r) => r[i] ?? '')].map(longest)));
  const room = columns - 3 * head.length - 1;
  while (total(widths) > room) {
    const others = widths.map((w, i) => (i === whole ? 0 : w));
    const widest = Math.max(...others) > 10 ? others : widths;
    const at = widest.indexOf(Math.max(...widest));
    if (widths[at]! <= 6) break;
    widths[at]! -= 1;
  }
  const fit = (cell: string, i: number): string => wrap(plain(cell), widths[i]!, at);
  const out = new Table({ head: head.map(fit), style: { head: [], border: [], compact: true } });
  for (const row of rows) out.push(row.map(fit));
  return `${out.toString()}\n`;
}

const total = (widths: readonly number[]): number => widths.reduce((a, b) => a + b, 0);
/** Upper bound of the columns of the longest line. */
const longest = (text: string): number =>
  Math.max(...text.split('\n').map((l) => l.length + (l.match(/[^\u0000-\u10ff]/g)?.length ?? 0)));

/** Twelve digits distinguish HMACs; `--json` shows them completely. */
export const short = (id: string): string =>
  /^hmac:[0-9a-f]{8}:[0-9a-f]{64}$/.test(id) ? `hmac…${id.slice(14, 26)}` : id;

/** Bidirectional control characters, which change the order in which a line is displayed. */
const BIDI = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Makes a text safe for one line of a terminal. */
export const plain = (text: string): string =>
  wrap(text.replaceAll(/[\n\u2028\u2029]/g, '·').replace(BIDI, '·'), Number.POSITIVE_INFINITY);

export const resourceOf = (d: Decision): string =>
  d.resource === null
    ? '–'
    : `${d.resource.type}${d.resource.id === undefined ? '' : `/${short(d.resource.id)}`}`;

export function decisionTable(decisions: readonly Decision[], columns: number): string {
  return table(
    ['time (UTC)', 'decision', 'who', 'what', 'why', 'outcome', 'records', 'out / withheld'],
    decisions.map((d) => [
      d.timestamp.replace('T', ' ').replace(/\.\d+Z$/, ''),
      d.decision_id,
      d.subject?.id ?? '–',
      `${d.action ?? d.kind} ${resourceOf(d)}`,
      [d.purpose, d.recipient === 'internal' ? null : d.recipient].filter(Boolean).join(' → ') || '–',
      d.outcome + (d.complete ? '' : ' (unfinished)'),
      d.disclosure === null ? '–' : withheldCount(d.disclosure.records, d.disclosure.records_withheld),
      d.disclosure === null ? '–' : `${d.disclosure.released.length} / ${d.disclosure.withheld.length}`,
    ]),
    columns,
    1,
  );
}

const withheldCount = (records: number, withheld: number): string =>
  withheld === 0 ? String(records) : `${records} (${withheld} withheld)`;
