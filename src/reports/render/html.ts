/** A report as one page that can be read, printed and mailed: without scripts, and without anything from elsewhere. */
import { createHash } from 'node:crypto';
import { chartSvg, escaped as text } from '../chart.ts';
import type { Cell, Column, Report, Section, TableSection } from '../report.ts';
import { type Say, sayIn } from '../words.ts';
import { isNumber, spelled } from './cells.ts';

const STYLE = `
body { font: 14px/1.5 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; color: #1b2530; background: #fff; margin: 2em auto; max-width: 62em; padding: 0 1em; overflow-wrap: anywhere; }
h1 { font-size: 1.6em; margin: 0 0 .5em; } h2 { font-size: 1.15em; margin: 2em 0 .5em; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1em 1em; margin: 0; } dt { color: #4d5b69; } dd { margin: 0; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; } th, td { border: 1px solid #b9c3cd; padding: .3em .5em; text-align: left; vertical-align: top; }
thead { display: table-header-group; } th { background: #eef1f4; } tr { break-inside: avoid; } .number { text-align: right; font-variant-numeric: tabular-nums; } tfoot td { font-weight: 600; }
img { max-width: 100%; height: auto; } .note { color: #4d5b69; } .arithmetic li, .arithmetic p { font-family: ui-monospace, "Noto Sans Mono CJK SC", monospace; font-size: .92em; }
@page { margin: 16mm; } @media print { body { margin: 0; max-width: none; } .wide { overflow: visible; } h2 { break-after: avoid; } }
`;
const POLICY = `default-src 'none'; img-src data:; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'`;

/** @param rows of a table that are shown */
export async function reportHtml(report: Report, rows: number): Promise<string> {
  const say = sayIn(report.language);
  const sections: string[] = [];
  for (const section of report.sections) sections.push(await sectionHtml(section, say, rows));
  const facts = factsOf(report, say).map(([name, value]) => `<dt>${text(name)}</dt><dd>${text(value)}</dd>`);
  return `<!doctype html>
<html lang="${report.language === 'zh' ? 'zh-CN' : 'en'}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${text(report.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${text(report.title)}</h1>
<dl>${facts.join('')}</dl>
${sections.join('\n')}
</main>
</body>
</html>
`;
}

/** What stands at the head of a report. */
export function factsOf(report: Report, say: Say): readonly (readonly [string, string])[] {
  const { period, filter } = report;
  const short = (at: string): string => `${at.slice(0, 19).replace('T', ' ')} UTC`;
  return [
    [
      say('period'),
      `${period.since === null ? say('beginning') : short(period.since)} – ${period.until === null ? say('now') : short(period.until)}`,
    ],
    [say('filter'), Object.keys(filter).length === 0 ? say('none') : JSON.stringify(filter)],
    [say('decisions_read'), String(report.decisions)],
    [say('source'), report.sources.join('; ')],
    [say('made'), `${short(report.at)}. ${say('times_in', { zone: report.time_zone })}`],
  ];
}

async function sectionHtml(section: Section, say: Say, rows: number): Promise<string> {
  const head = `<section><h2 id="${text(section.id)}">${text(section.title)}</h2>`;
  if (section.kind === 'chart') {
    // An image runs nothing and loads nothing, whatever it holds.
    const svg = Buffer.from(await chartSvg(section)).toString('base64');
    const sums = section.series.map(({ name, values }) => `${name} ${values.reduce((a, b) => a + b, 0)}`);
    return `${head}<img alt="${text(`${section.title}: ${sums.join(', ')}`)}" src="data:image/svg+xml;base64,${svg}"></section>`;
  }
  if (section.kind === 'text') {
    const lines = section.lines.length === 0 ? [say('no_rows')] : section.lines;
    return `${head}<div class="${section.is}">${lines.map((line) => `<p>${text(line)}</p>`).join('')}</div></section>`;
  }
  return `${head}${tableHtml(section, say, rows)}</section>`;
}

function tableHtml({ columns, rows, total, note, title }: TableSection, say: Say, most: number): string {
  if (rows.length === 0) return `<p>${text(say('no_rows'))}</p>`;
  const shown = columns.map((column, i) => [column, i] as const).filter(([{ isCode }]) => isCode !== true);
  const cells = (row: readonly Cell[]): string =>
    shown
      .map(([column, i]) => `<td${numeric(column)}>${text(spelled(row[i] ?? null, column))}</td>`)
      .join('');
  const left = rows.length - most;
  return [
    `<div class="wide" role="region" tabindex="0" aria-label="${text(title)}"><table><thead><tr>${shown
      .map(([column]) => `<th scope="col"${numeric(column)}>${text(column.title)}</th>`)
      .join('')}</tr></thead><tbody>\n`,
    ...rows.slice(0, most).map((row) => `<tr>${cells(row)}</tr>\n`),
    '</tbody>',
    total === undefined
      ? ''
      : `<tfoot><tr>${cells(total).replaceAll('<td>–</td>', '<td></td>')}</tr></tfoot>`,
    '</table></div>',
    left > 0 ? `<p class="note">${text(say('more_rows', { count: left }))}</p>` : '',
    note === undefined ? '' : `<p class="note">${text(note)}</p>`,
  ].join('');
}

const numeric = (column: Column): string => (isNumber(column) ? ' class="number"' : '');
