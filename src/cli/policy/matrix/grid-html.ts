/** The matrix as a self-contained HTML file for a compliance officer: no script, suitable for printing and signing. */
import { DIRECTIONS } from './changes.ts';
import { catalogText, type Diff, headline, sourceText, TITLES } from './diff-text.ts';
import { conditionTexts } from './conditions.ts';
import type { Sentence } from './grid-sentences.ts';
import { callerOf, columns, linesOf } from './grid-text.ts';
import type { Axes } from './axes.ts';
import { type SignOff, signOffHtml } from './sign-off.ts';
import type { Grid, Row } from './grid.ts';

const escaped = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const STYLE = `
body{font:14px/1.45 system-ui,sans-serif;color:#1b1f24;margin:2rem auto;max-width:75rem;padding:0 1rem}
h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.1rem;margin:2rem 0 .5rem;border-bottom:2px solid #d0d7de}
h3{font-size:1rem;margin:1.25rem 0 .35rem}p,li{max-width:60rem}.about{color:#57606a}
table{border-collapse:collapse;margin:.25rem 0 1rem;break-inside:avoid}
th,td{border:1px solid #d0d7de;padding:.2rem .5rem;text-align:left;vertical-align:top}
thead th{background:#f6f8fa}small{color:#57606a;display:block}
.disclose{background:#dafbe1}.drop,.withheld,.denied{background:#f6f8fa;color:#57606a}
.mask,.scrub,.generalize,.pseudonymize,.tokenize,.encrypt,.nullify{background:#fff8c5}
.sign td{min-width:20rem;height:1.6rem}code{overflow-wrap:anywhere}
.wider{background:#ffebe9}nav{columns:2;margin:1rem 0}nav a{display:block}
@media print{body{margin:0;max-width:none;font-size:11px}nav{display:none}h2{break-before:page}h2:first-of-type{break-before:auto}h3{break-after:avoid}}
`;

const page = (title: string, body: string): string =>
  `<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n<title>${escaped(title)}</title>\n<style>${STYLE}</style>\n</head>\n<body>\n${body}\n</body>\n</html>\n`;

export interface About {
  readonly name: string;
  readonly made: string;
  /** the assumptions about callers, in words */
  readonly callers: string;
}

export function gridHtml(grid: Grid, axes: Axes, about: About): string {
  const resources = [...new Set(grid.rows.map((r) => r.resource))];
  const anchor = (r: Row): string =>
    encodeURIComponent([r.resource, r.role, r.purpose, r.tier, r.recipient].join('-'));
  const contents = grid.rows
    .map((r) => `<a href="#${escaped(anchor(r))}">${escaped(`${r.resource}: ${callerOf(r)}`)}</a>`)
    .join('\n');
  const sections = resources.map(
    (resource) =>
      `<h2>${escaped(resource)}</h2>\n${grid.rows
        .filter((r) => r.resource === resource)
        .map((r) => `<h3 id="${escaped(anchor(r))}">${escaped(callerOf(r))}</h3>\n${table(r)}`)
        .join('\n')}`,
  );
  return page(
    `Disclosure matrix of ${about.name}`,
    `<h1>Disclosure matrix</h1>
<p class="about">Policy <b>${escaped(about.name)}</b>, revision <code>${escaped(grid.revision)}</code>, made ${escaped(about.made)}.
Found out by asking the policy itself. ${escaped(about.callers)}</p>
<p>A combination that is not listed is refused: see <a href="#refused">what is refused</a>.</p>
<p>Columns are what is known of the customer:</p>
<ul>${[...axes.states, ...grid.ages].map((s) => `<li><b>${escaped(s.name)}</b>: ${escaped(s.title)}</li>`).join('')}</ul>
<nav>${contents}</nav>
${sections.join('\n')}
<h2 id="refused">What is refused</h2>
${refused(grid)}`,
  );
}

function table(row: Row): string {
  const shown = columns(row, true);
  const head = shown.map((c) => `<th>${c.states.map(escaped).join('<br>')}</th>`).join('');
  const writes = row.writes?.may ?? {};
  const writeHead = row.writes === null ? '' : `<th>${escaped(row.writes.action)}</th>`;
  const lines = linesOf(row, shown, true).map(({ label, path, paths }) => {
    const cells = shown.map((column) => {
      const cell = column.cells[path];
      return cell === undefined
        ? '<td></td>'
        : `<td class="${escaped(cell.do)}">${escaped(cell.do)}<small>${escaped(cell.because)}</small></td>`;
    });
    const fields =
      paths.length === 1 && paths[0] === label.trim() ? '' : `<small>${escaped(paths.join(', '))}</small>`;
    return `<tr><th>${escaped(label.trim())}${fields}</th>${cells.join('')}${row.writes === null ? '' : writeCell(writes[path])}</tr>`;
  });
  return `<table><thead><tr><th>class and fields</th>${head}${writeHead}</tr></thead><tbody>${lines.join('\n')}</tbody></table>`;
}

const writeCell = (cell: { readonly write: boolean; readonly because: string } | undefined): string =>
  cell === undefined
    ? '<td></td>'
    : `<td class="${cell.write ? 'disclose' : 'drop'}">${cell.write ? 'write' : 'no'}<small>${escaped(cell.because)}</small></td>`;

function refused(grid: Grid): string {
  const byReasons = new Map<string, Map<string, string[]>>();
  for (const d of grid.denied) {
    const key = d.reasons.join(', ');
    const roles = byReasons.get(key) ?? new Map<string, string[]>();
    byReasons.set(key, roles);
    const caller = `${d.role} · ${d.resource}${d.recipient === 'internal' ? '' : ` · to ${d.recipient}`}`;
    roles.set(caller, [...(roles.get(caller) ?? []), d.purpose]);
  }
  return [...byReasons]
    .map(
      ([reasons, roles]) =>
        `<h3>${escaped(reasons === '' ? 'no reason given' : reasons)}</h3><table><thead><tr><th>caller</th><th>purposes</th></tr></thead><tbody>${[
          ...roles,
        ]
          .map(
            ([caller, purposes]) =>
              `<tr><th>${escaped(caller)}</th><td>${escaped(purposes.join(', '))}</td></tr>`,
          )
          .join('\n')}</tbody></table>`,
    )
    .join('\n');
}

export function changesHtml(diff: Diff, about: About, signOff: SignOff): string {
  const { names, sentences, catalogs, sources } = diff;
  const sections = DIRECTIONS.map((direction) => {
    const own = sentences.filter((s) => s.direction === direction);
    return own.length === 0
      ? ''
      : `<h2>${escaped(TITLES[direction])}</h2>\n<table><thead><tr><th>change</th><th>if</th><th>because</th></tr></thead><tbody>${own.map((s) => sentenceRow(s, diff.states)).join('\n')}</tbody></table>`;
  });
  const items = (texts: readonly string[]): string =>
    `<ul>${texts.map((text) => `<li>${escaped(text)}</li>`).join('')}</ul>`;
  return page(
    `Change of the disclosure matrix: ${names.join(' → ')}`,
    `<h1>Change of the disclosure matrix</h1>
<p class="about">From <b>${escaped(names[0])}</b> to <b>${escaped(names[1])}</b>, made ${escaped(about.made)}. ${escaped(about.callers)} What is wider afterwards stands first, on red.</p>
<p>${escaped(headline(diff))}</p>
${sections.join('\n')}
${catalogs.length === 0 ? '' : `<h2>In the catalogs</h2>${items(catalogs.map(catalogText))}`}
${sources.length === 0 ? '' : `<h2>In the data and rules</h2>${items(sources.map(sourceText))}`}
<h2>Not covered</h2><p>Asked in one way only; the answer may be otherwise.</p>${items(diff.uncovered)}
${signOffHtml(signOff, escaped)}`,
  );
}

function sentenceRow(s: Sentence, states: readonly string[]): string {
  const because = [s.because.before, s.because.after].map((codes) => codes.join(', '));
  return `<tr class="${s.direction === 'wider' ? 'wider' : ''}"><th>${escaped(s.text)}</th><td>${conditionTexts(s, states).map(escaped).join('<br>')}</td><td>${because.map(escaped).join(' → ')}</td></tr>`;
}
