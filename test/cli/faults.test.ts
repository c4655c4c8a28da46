/** How a command prints the faults of a file: each with its place, once. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseConsents } from '../../src/consent/document.ts';
import { sluice } from './support.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-faults-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('faults of a configuration', () => {
  test('several are below a heading, which has no place', async () => {
    const file = join(dir, 'several.yaml');
    writeFileSync(file, 'version: 1\nfoo: 1\n');
    const { code, err } = await sluice(['serve', '--config', file]);
    expect(code).toBe(3);
    expect(err).toMatch(/^sluice: \d+ faults in the configuration:\n/);
    expect(err.split('\n')[1]).toMatch(/several\.yaml:1:1: /);
  });

  test('a single one has its place once', async () => {
    const file = join(dir, 'single.yaml');
    writeFileSync(file, 'version: [\n');
    const { err } = await sluice(['serve', '--config', file]);
    expect(err.startsWith(`sluice: ${file}:2:1: `)).toBe(true);
    expect(err.match(/single\.yaml/g)).toHaveLength(1);
  });
});

test('faults of consents are in the order of their places', () => {
  const text = 'version: 2\naliases: 5\ndata_subjects: { C1: { flags: 7 }, C2: 8 }\n';
  let message = '';
  try {
    parseConsents(text, 'c.yaml');
  } catch (e) {
    ({ message } = e as Error);
  }
  const lines = [...message.matchAll(/^c\.yaml:(\d+):(\d+):/gm)].map(
    ([, l, c]) => Number(l) * 1000 + Number(c),
  );
  expect(lines.length).toBeGreaterThan(2);
  expect(lines).toEqual(lines.toSorted((a, b) => a - b));
});
