import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../src/config/index.ts';
import { ERROR_CODES } from '../../src/errors.ts';
import { statusOf } from '../../src/server/problems.ts';
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
  test('shows consents that load', async () => {
    const { parseConsents } = await import('../../src/consent/index.ts');
    const [shown] = [...docs('configuration.md').matchAll(/```yaml\n(# yaml-language[\s\S]*?)```/g)];
    expect(Object.keys(parseConsents(shown?.[1] ?? '', 'consents.yaml').data_subjects)).toEqual(['C100234']);
    expect(parse(shown?.[1] ?? '')).toBeTruthy();
  });
});
