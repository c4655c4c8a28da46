import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../src/config/index.ts';
import { ERROR_CODES } from '../../src/errors.ts';
import { parseCatalog } from '../../src/policy/catalog/read.ts';
import { statusOf } from '../../src/endpoints/problems.ts';
import { routesConfig } from '../routing/setup.ts';
import { documented, reference } from './reference.ts';

const docs = (name: string): string => readFileSync(join(import.meta.dirname, '../../docs', name), 'utf8');

describe('docs/errors.md', () => {
  const rows = [...docs('errors.md').matchAll(/^\| `([a-z_]+)` \| *(\d*) *\| ([^|]+) \| ([^|]+) \|$/gm)];
  test('has every code once, and no other', () => {
    expect(rows.map((r) => r[1]).sort()).toEqual([...ERROR_CODES].sort());
  });
  test('has the status that a caller gets', () => {
    const shown = rows.filter((r) => r[2] !== '').map((r) => [r[1], Number(r[2])]);
    expect(shown).toEqual(shown.map(([code]) => [code, statusOf(code as (typeof ERROR_CODES)[number])]));
    // A code that the table of answers has must show its status.
    const silent = rows.filter((r) => r[2] === '').map((r) => r[1] as (typeof ERROR_CODES)[number]);
    expect(silent.filter((code) => statusOf(code) !== 500)).toEqual([]);
  });
});

describe('docs/configuration.md', () => {
  test('has the reference that the schema gives (node test/config/reference.ts)', () => {
    expect(documented()).toBe(reference().trim());
  });
  test('begins with a file that loads', () => {
    const [first] = [...docs('configuration.md').matchAll(/```yaml\n(version: 1\nupstreams[\s\S]*?)```/g)];
    expect(parseConfig(first?.[1] ?? '', 'sluice.yaml', {}).warnings).toEqual([]);
  });
});

describe('docs/consent.md', () => {
  test('shows consents that load', async () => {
    const { parseConsents } = await import('../../src/consent/index.ts');
    const [shown] = [...docs('consent.md').matchAll(/```yaml\n(# yaml-language[\s\S]*?)```/g)];
    expect(Object.keys(parseConsents(shown?.[1] ?? '', 'consents.yaml').data_subjects)).toEqual(['C100234']);
    expect(parse(shown?.[1] ?? '')).toBeTruthy();
  });
});

describe('docs/catalog.md', () => {
  const blocks = [...docs('catalog.md').matchAll(/```yaml\n([\s\S]*?)```/g)].map((m) => m[1] ?? '');
  const catalogs = blocks.flatMap((text) => {
    if (text.startsWith('resource:')) return [text];
    if (text.startsWith('data_subject:'))
      return text
        .trim()
        .split('\n')
        .map((line) => `resource: customer\n${line}\nfields: {}\n`);
    return text.startsWith('  /') ? [`resource: customer\nfields:\n${text}`] : [];
  });
  test.each(catalogs)('shows catalogs that load: %j', (text) => {
    expect(parseCatalog('catalog.yaml', text).resource).toBeTruthy();
  });
  test('has an example of every key of a field', () => {
    const keys = ['write', 'parse', 'whole', 'mask', 'generalize', 'resource'];
    expect(keys.filter((key) => !catalogs.some((text) => text.includes(`${key}: `)))).toEqual([]);
  });
});

describe.each(['searches.md', 'inference.md'])('docs/%s', (name) => {
  const blocks = [...docs(name).matchAll(/^( *)```yaml\n([\s\S]*?)```/gm)].map((m) =>
    (m[2] ?? '').replaceAll(new RegExp(`^${m[1]}`, 'gm'), ''),
  );
  const route =
    '  - match: "GET /api/customers"\n    upstream: crm\n    resource: customer\n    action: search\n';
  test.each(blocks)('shows routes that load: %j', (text) => {
    const indented = text.startsWith('  ') ? text : text.replaceAll(/^/gm, '    ').trimEnd();
    const routes = indented.startsWith('  - ') ? indented : route + indented;
    expect(routesConfig(parse(`routes:\n${routes}`).routes).length).toBeGreaterThan(0);
  });
});

describe('docs', () => {
  /** as GitHub makes an anchor of a heading */
  const anchor = (heading: string): string =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_\- ]/gu, '')
      .trim()
      .replaceAll(' ', '-');
  const root = join(import.meta.dirname, '../..');
  const pages = [
    'README.md',
    ...readdirSync(join(root, 'docs'))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`),
  ];
  const prose = (page: string): string =>
    readFileSync(join(root, page), 'utf8').replace(/^ *```[\s\S]*?^ *```/gm, '');
  const anchors = new Map(
    pages.map((page) => [page, new Set([...prose(page).matchAll(/^#+ (.*)$/gm)].map((m) => anchor(m[1]!)))]),
  );
  test.each(pages)('every link of %s leads to a page and a heading that exist', (page) => {
    const links = [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)].map((m) => m[1]!);
    const broken = links.filter((link) => {
      if (/^[a-z]+:/.test(link)) return false;
      const [path = '', heading] = link.split('#');
      const target = path === '' ? page : join(dirname(page), path);
      if (!existsSync(join(root, target))) return true;
      return heading !== undefined && anchors.get(target)?.has(heading) === false;
    });
    expect(broken).toEqual([]);
  });
});
