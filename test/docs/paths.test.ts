/** Every path that a Markdown file of the repository names exists: links, files and folders, the first column of a README's table. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const FOREIGN = new Set(['node_modules', '.git', 'dist']);

const pages: string[] = [];
/** Every file and folder of the repository, from its root. */
const paths = new Set<string>(['.']);
/** The same by each of their ends: a README in `disclosure/` writes `formats/json/scan.ts` as `json/scan.ts`. */
const ends = new Map<string, string[]>();
const collect = (folder: string): void => {
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    if (FOREIGN.has(entry.name)) continue;
    const path = join(folder, entry.name);
    paths.add(path);
    for (let end = path; ; end = end.slice(end.indexOf('/') + 1)) {
      ends.set(end, [...(ends.get(end) ?? []), path]);
      if (!end.includes('/')) break;
    }
    if (entry.isDirectory()) collect(path);
    else if (path.endsWith('.md')) pages.push(path);
  }
};
collect('');

/** Files and folders that the repository does not have: readers make them as a page says, or a running sidecar does. */
const MADE = new Set([
  'check.mjs',
  'dist/main.js',
  'example.ts',
  'journal/sinks',
  'lib/data.json',
  'play',
  'play/consents.yaml',
  'play/sluice.yaml',
  'policies/catalog/patient.yaml',
  'policies/scenarios/patient.yaml',
  'policies/sluice.rego',
  'proposed',
  'quarantine',
  'reclassified',
  '.regal/config.yaml',
  '.vscode/settings.json',
]);

const SOURCE = /(?<![\w./:@<{*…-])(?:[\w.-]+\/)*[\w-][\w.-]*\.(?:ts|mjs|sh)(?![\w/*-]|\.\w)/g;
const FILE = /^(?:[\w.-]+\/)+[\w.-]+\.(?:json|md|rego|ya?ml|js)$/;
const FOLDER = /^(?:[a-z.][\w.-]*\/)+$/;

/** A name without a folder in a README of `src/` is of that README's own folder, or a module. */
const inScope = (page: string, end: string): ((path: string) => boolean) =>
  page.startsWith('src/') && !end.includes('/')
    ? (path) => path.startsWith(`${dirname(page)}/`) || path === end || path === `src/${end}`
    : () => true;

/** What a page names and the repository does not have. */
function missing(page: string, text: string): string[] {
  const prose = text.replace(/^ *```[\s\S]*?^ *```/gm, '');
  const links = [...prose.matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)].map((m) => m[1]!);
  const spans = [...prose.matchAll(/`([^`\n]+)`/g)].map((m) => m[1]!);
  const columns = [...prose.matchAll(/^\| (?:file|folder|module) \|.*\n(?:\|.*\n)+/gm)]
    .flatMap(([table]) => [...table.matchAll(/^\| (`[^|]*) \|/gm)].map((m) => m[1]!))
    .flatMap((cell) => [...cell.matchAll(/`([\w./-]+)`/g)].map((m) => m[1]!));
  const named = [
    ...[...text.matchAll(SOURCE)].map(([path]) => path),
    ...spans.filter((span) => FILE.test(span) || FOLDER.test(span)),
    ...columns,
  ];
  const isThere = (name: string): boolean => {
    if (name.startsWith('.') && paths.has(join(dirname(page), name))) return true;
    const path = name.replace(/^(?:\.{1,2}\/)+|\/$/g, '');
    return [path, `${path}.ts`].some((end) => ends.get(end)?.some(inScope(page, end))) || MADE.has(path);
  };
  return [
    ...links.filter(
      (link) => !/^[a-z]+:/.test(link) && !paths.has(join(dirname(page), link).replace(/\/$/, '')),
    ),
    ...new Set(named.filter((name) => !isThere(name))),
  ].sort();
}

describe('Markdown', () => {
  test('is searched for links, sources, files, folders and the first column of tables', () => {
    const text = [
      '[a](gone.md) [b](rego/README.md) `src/gone/x.ts` `gone/` `gone.ts` `policies/gone.yaml` `rego/` `main.ts`\n',
      '| file | what |\n|---|---|\n| `nothing`, `rego/index` | `no path` |\n',
      '```\ncaller ─▶ gone/y.ts\n```\n',
    ].join('\n');
    expect(missing('src/README.md', text)).toEqual(
      ['gone.md', 'src/gone/x.ts', 'gone.ts', 'gone/y.ts', 'policies/gone.yaml', 'gone/', 'nothing'].sort(),
    );
  });

  test('is found in every part of the repository', () => {
    expect(pages).toEqual(
      expect.arrayContaining([
        'README.md',
        'CONTRIBUTING.md',
        'docs/architecture.md',
        'examples/insurer/README.md',
        'src/rego/README.md',
      ]),
    );
  });

  test.each(pages)('%s names only paths that exist', (page) => {
    expect(missing(page, readFileSync(join(ROOT, page), 'utf8'))).toEqual([]);
  });

  test('needs each exception', () => {
    const all = pages.map((page) => readFileSync(join(ROOT, page), 'utf8')).join('\n');
    expect([...MADE].filter((path) => paths.has(path) || !all.includes(path))).toEqual([]);
  });
});
