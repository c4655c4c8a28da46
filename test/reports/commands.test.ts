/** `sluice decisions report`: over a real journal, in each format; the page also in a browser. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parse } from 'csv-parse/sync';
import { SaxesParser } from 'saxes';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chartSvg } from '../../src/reports/chart.ts';
import { REPORTS } from '../../src/reports/index.ts';
import { reportHtml } from '../../src/reports/render/html.ts';
import type { Report } from '../../src/reports/report.ts';
import { opa } from '../cli/support.ts';
import { type Browser, hasBrowser, openBrowser } from '../support/browser.ts';
import { runCommand } from '../support/io.ts';
import { temporaryDirectory } from '../support/journals.ts';
import { customers, MONTH_KEY, writeMonth } from '../support/month.ts';

const POLICY = `package sluice

granted := {"support": "after_sales", "adjuster": "claims"}

# METADATA
# entrypoint: true
default decision := {"allow": false, "reasons": [{"code": "no_right"}], "tier": null, "obligations": {}}

decision := {"allow": true, "reasons": [], "tier": null, "obligations": {}} if {
	some role in input.subject.properties.roles
	granted[role] == input.context.purpose
	input.action.name in {"read", "search"}
	input.context.recipient == "internal"
}

# METADATA
# entrypoint: true
disclosure := {
	"disclose": true,
	"reasons": [],
	"classes": {"identity/3": {"do": "disclose", "because": "role"}, "identity/4": {"do": "disclose", "because": "role"}},
	"fields": {},
}
`;
const CATALOG = `resource: customer
data_subject: [/id]
fields:
  /id: { category: reference, grade: 1 }
  /name: { category: identity, grade: 3 }
  /id_number: { category: identity, grade: 4 }
`;

describe('reports by command', () => {
  /** temporary directories end with a test, so each makes its own */
  async function written() {
    const cwd = temporaryDirectory();
    await writeMonth(join(cwd, 'journal'));
    writeFileSync(join(cwd, 'key'), MONTH_KEY);
    writeFileSync(join(cwd, 'ids.txt'), customers().join('\n'));
    const run = (...argv: string[]) =>
      runCommand(
        [
          'decisions',
          'report',
          ...argv,
          '--journal',
          'journal',
          '--data-subject-key',
          'file:key',
          '--time-zone',
          'Asia/Shanghai',
        ],
        { cwd },
      );
    return { cwd, run };
  }

  test('are listed, each in a line, in both languages', async () => {
    const list = await runCommand(['decisions', 'report'], { columns: 200 });
    for (const { name, line } of REPORTS) expect(list.stdout).toContain(`│ ${name.padEnd(15)} │ ${line.en}`);
    expect((await runCommand(['decisions', 'report', '--lang', 'zh'], { columns: 200 })).stdout).toContain(
      '系统审计',
    );
  });

  test('read the journal, find a customer by id, and write JSON, CSV and text', async () => {
    const { cwd, run } = await written();
    const json = await run('customer-access', '--data-subject', 'C100007', '--format', 'json');
    const made = JSON.parse(json.stdout) as Report;
    expect(made).toMatchObject({
      format: 'sluice-report/1',
      name: 'customer-access',
      decisions: 10,
      time_zone: 'Asia/Shanghai',
    });
    expect(made.filter).toEqual({ data_subject: expect.stringMatching(/^hmac:/) });
    const table = await run('unusual', '--ids', 'ids.txt', '--format', 'csv', '--section', 'findings');
    const rows = parse(table.stdout, { columns: true }) as Record<string, string>[];
    expect(rows.map(({ about }) => about)).toEqual([
      'u-03',
      'u-03',
      'u-05',
      'u-05',
      'u-05',
      'C100007',
      'u-06',
    ]);
    const text = await run('unusual', '--ids', 'ids.txt', '--lang', 'zh');
    expect(text.stdout).toContain(
      'u-06 于 2026-11-17 16:01 至 2026-11-17 16:15 依次查询 C200001 … C200015：连续 14 步',
    );
    const all = await run('redactions', '--format', 'csv');
    expect(all.stdout).toMatch(/^rules\r\nbecause,treatment,/);
    expect(all.stdout).toContain('\r\n\r\nhours\r\nhour,because,places\r\n');
    expect(await run('redactions', '-o', 'r.txt')).toMatchObject({ code: 0, stdout: '' });
    expect(readFileSync(join(cwd, 'r.txt'), 'utf8')).toContain(
      'Values that were masked or removed: 5106, in answers: 1702.',
    );
    expect(await run('redactions', '-o', 'r.txt')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('EEXIST'),
    });
  });

  test.skipIf(opa === null)(
    'compare with a policy, and follow up an earlier audit',
    async () => {
      const { cwd, run } = await written();
      for (const folder of ['p/sluice', 'p/data', 'p/catalog'])
        mkdirSync(join(cwd, folder), { recursive: true });
      writeFileSync(join(cwd, 'p/sluice/sluice.rego'), POLICY);
      writeFileSync(
        join(cwd, 'p/data/data.yaml'),
        'roles: { support: {}, adjuster: {} }\npurposes: { after_sales: {}, claims: {} }\n',
      );
      writeFileSync(join(cwd, 'p/catalog/customer.yaml'), CATALOG);
      const unused = await run('unused-rights', '--policies', 'p', '--format', 'json');
      const { sections } = JSON.parse(unused.stdout) as Report;
      const rows = (id: string) => {
        const found = sections.find((section) => section.id === id);
        return found?.kind === 'table' ? found.rows : null;
      };
      // Support may read and search for after_sales, adjusters for claims; in the month both only read.
      expect(rows('unused')).toEqual([
        ['adjuster', 'claims', 'internal', 'customer', 'search', 'never in this log'],
        ['support', 'after_sales', 'internal', 'customer', 'search', 'never in this log'],
      ]);
      expect(rows('classes')).toEqual([
        ['adjuster', 'claims', 'internal', 'customer', 'identity/4', 'never in this log'],
        ['support', 'after_sales', 'internal', 'customer', 'identity/4', 'never in this log'],
      ]);
      const audit = await run('system-audit', '--policies', 'p', '--format', 'json', '-o', 'audit.json');
      expect(audit.code).toBe(0);
      const next = await run(
        'system-audit',
        '--policies',
        'p',
        '--previous',
        'audit.json',
        '--format',
        'json',
      );
      for (const check of ['purpose_known', 'rights_used', 'log_protected', 'partners_known', 'unusual'])
        expect(next.stdout).toContain(`"follow_up:${check}"`);
      writeFileSync(join(cwd, 'other.json'), '{}');
      expect(await run('system-audit', '--policies', 'p', '--previous', 'other.json')).toMatchObject({
        code: 3,
        stderr: expect.stringContaining('other.json is no report "system-audit"'),
      });
    },
    120_000,
  );

  test('say what they miss', async () => {
    const { run } = await written();
    for (const [argv, said] of [
      [['unusuall'], 'did you mean "unusual"'],
      [['customer-access'], 'give --data-subject'],
      [['employee-access'], 'give --subject'],
      [['unused-rights'], 'give --policies'],
      [['system-audit'], 'give --policies'],
      [['system-audit', '--policies', 'nowhere'], 'There is no policy at nowhere'],
      [['unusual', '--previous', 'x'], 'goes with the report system-audit'],
      [['unusual', '--hours', '20-8'], '--hours'],
      [['unusual', '--section', 'x'], '--section goes with'],
      [['unusual', '--section', 'x', '--format', 'csv'], 'are findings, off_hours'],
      [['unusual', '--ids', 'missing'], 'cannot be read'],
    ] as const) {
      const { code, stderr } = await run(...argv);
      expect([argv, stderr]).toEqual([argv, expect.stringContaining(said)]);
      expect(code).toBeGreaterThanOrEqual(2);
    }
  });
});

/** Characters after which a text looks like another, and ends of lines that some programs heed. */
const TURNING = /[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

/** A report whose texts try to leave their places. */
const HOSTILE = `<script>alert(1)</script>"'&\u0000\u001b]0;x\u0007=1+1\u202egnp.exe\u2028\u2066`;
const hostile: Report = {
  format: 'sluice-report/1',
  name: 'x',
  title: HOSTILE,
  language: 'zh',
  at: '2026-12-01T00:00:00.000Z',
  period: { since: null, until: null, first: null, last: null },
  time_zone: 'UTC',
  sources: [HOSTILE],
  filter: { subject: HOSTILE },
  decisions: 1,
  sections: [
    { kind: 'text', id: 'a', title: HOSTILE, is: 'summary', lines: [HOSTILE] },
    {
      kind: 'chart',
      id: 'b',
      title: HOSTILE,
      places: [HOSTILE, '张三丰'],
      series: [
        { name: HOSTILE, values: [1, 2] },
        { name: '李四', values: [3, 4] },
      ],
    },
    {
      kind: 'table',
      id: 'c',
      title: HOSTILE,
      note: HOSTILE,
      columns: [{ id: 'c', title: HOSTILE }],
      rows: [[HOSTILE], ['=1+1'], ['-1'], [null]],
      total: ['张三'],
    },
  ],
};

test('a page holds nothing that makes a text look like another', async () => {
  const page = await reportHtml(hostile, 50);
  expect(page).not.toMatch(TURNING);
  expect(page).toContain('·gnp.exe');
});

test('a chart is XML that stands alone, whatever the names in it', async () => {
  const chart = hostile.sections[1]!;
  const svg = await chartSvg(chart as Extract<typeof chart, { kind: 'chart' }>);
  const elements = new Set<string>();
  const parser = new SaxesParser();
  parser.on('error', (e) => {
    throw e;
  });
  parser.on('opentag', ({ name }) => elements.add(name));
  parser.write(svg).close();
  expect(elements.has('script')).toBe(false);
  expect(svg).toContain('李四');
  expect(svg).not.toMatch(/href|url\(/);
  expect(svg).not.toMatch(TURNING);
});

describe.skipIf(!hasBrowser)('the page of a report in a browser', () => {
  const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  test('runs nothing, loads nothing, shows its charts, and has no barriers', async () => {
    const cwd = temporaryDirectory();
    await writeMonth(join(cwd, 'journal'));
    await runCommand(
      [
        'decisions',
        'report',
        'refusals',
        '--journal',
        'journal',
        '--format',
        'html',
        '--lang',
        'zh',
        '-o',
        'a.html',
      ],
      { cwd },
    );
    writeFileSync(join(cwd, 'b.html'), await reportHtml(hostile, 50));
    const context = await browser.visitor({ bypassCSP: false });
    for (const [file, title] of [
      ['a.html', '拒绝与未提供的数据类别'],
      ['b.html', null],
    ] as const) {
      const page = await context.newPage();
      const complaints: string[] = [];
      const requests: string[] = [];
      page.on('console', (message) => complaints.push(message.text()));
      page.on('dialog', (dialog) => complaints.push(dialog.message()));
      page.on('request', (request) => requests.push(request.url().slice(0, 20)));
      await page.goto(pathToFileURL(join(cwd, file)).href);
      if (title !== null) expect(await page.title()).toBe(title);
      expect(await page.evaluate('document.documentElement.lang')).toBe('zh-CN');
      const images = (await page.evaluate(
        'Promise.all([...document.images].map(async (i) => { await i.decode(); return i.naturalWidth; }))',
      )) as number[];
      expect(images.length).toBeGreaterThan(0);
      expect(images.every((width) => width === 920)).toBe(true);
      expect(complaints).toEqual([]);
      expect(requests.filter((url) => !/^(?:file:|data:image\/svg)/.test(url))).toEqual([]);
      expect(await page.evaluate('getComputedStyle(document.querySelector("table")).borderCollapse')).toBe(
        'collapse',
      );
      await page.evaluate(AXE).catch(() => undefined);
      const barriers = await page.evaluate(
        '(async () => (await axe.run({ runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "best-practice"] } })).violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]))()',
      );
      expect(barriers).toEqual([]);
      await page.close();
    }
    await context.close();
  }, 60_000);
});
