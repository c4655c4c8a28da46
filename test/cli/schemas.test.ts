/** Schemas on disk, those of the code, and the headers that name them. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { headerOf, readDocument } from '../../src/cli/policy/check/documents.ts';
import { ROOT, sluice } from './support.ts';

const yaml = ['policies', 'test/cases', 'examples'].flatMap((dir) =>
  (readdirSync(join(ROOT, dir), { recursive: true }) as string[])
    .filter((f) => /\.ya?ml$/.test(f) && !f.includes('node_modules'))
    .map((f) => join(ROOT, dir, f)),
);

describe('sluice schemas', () => {
  test('the directory holds exactly those of the code', async () => {
    const said = await sluice(['schemas', '--check', 'schemas']);
    expect(said.out).toContain('are those of the code');
    expect(said.code).toBe(0);
  });

  test('a file that was edited by hand, one that is missing and one too many are told, and exit with 1', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-schemas-'));
    try {
      await sluice(['schemas', '--write', dir]);
      writeFileSync(join(dir, 'catalog.schema.json'), '{}');
      rmSync(join(dir, 'scenario.schema.json'));
      writeFileSync(join(dir, 'other.schema.json'), '{}');
      const said = await sluice(['schemas', '--check', dir, '--json']);
      expect(said.code).toBe(1);
      expect(said.json<{ found: unknown[] }>().found).toEqual([
        { file: 'catalog.schema.json', fault: 'differs' },
        { file: 'scenario.schema.json', fault: 'missing' },
        { file: 'other.schema.json', fault: 'unknown' },
      ]);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test.each(
    yaml.filter((f) => headerOf(readFileSync(f, 'utf8')) !== null).map((f) => [relative(ROOT, f), f]),
  )('%s names a schema that is there, and keeps to it', (_name, file) => {
    const text = readFileSync(file, 'utf8');
    expect(existsSync(resolve(dirname(file), headerOf(text)!))).toBe(true);
    const { faults, unchecked } = readDocument(file, text, null);
    expect({ faults, unchecked }).toEqual({ faults: [], unchecked: [] });
  });

  test('a policy’s data, catalogs and scenarios all name one', () => {
    const bare = yaml.filter((f) => f.includes('/policies/') && headerOf(readFileSync(f, 'utf8')) === null);
    expect(bare.filter((f) => f.startsWith(join(ROOT, 'policies'))).map((f) => relative(ROOT, f))).toEqual(
      [],
    );
  });
});

describe('documents against their schema', () => {
  const faults = (text: string) =>
    readDocument('x.yaml', text, 'scenario.schema.json').faults.map(
      (f) => `${f.line}:${f.column} ${f.message}`,
    );

  test('every fault is told at once, each with its place', () => {
    const text = [
      'title: x',
      'routes: [{ match: "GET /a", resource: customer }]',
      'scenarios:',
      '  - name: a',
      '    requst: {}',
      '    request: { method: FETCH, path: /a }',
      '    token: null',
      '    expect: { status: 20 }',
    ].join('\n');
    expect(faults(text)).toEqual([
      expect.stringMatching(/^5:5 .*unknown key "requst"; did you mean "request"\?/),
      expect.stringMatching(/^6:\d+ .*one of GET, HEAD, POST, PUT, PATCH, DELETE is wanted/),
      expect.stringMatching(/^8:\d+ .*must be >= 100/),
    ]);
  });

  test('of a union it is told what does not fit, where that lies deeper', () => {
    const text = [
      'title: x',
      'routes: [{ match: "GET /a", resource: customer }]',
      'scenarios: [{ name: a, request: { method: GET, path: /a }, token: null, expect: { status: 200, withheld: { /a: 3 } } }]',
    ].join('\n');
    expect(faults(text)).toEqual([expect.stringMatching(/^3:\d+ .*withheld\.\/a: has none of the forms/)]);
  });

  test('a header that names a file which is not there is told and does not pass for a check', () => {
    const read = readDocument('/nowhere/x.yaml', '# yaml-language-server: $schema=./mine.json\na: 1\n', null);
    expect(read.unchecked).toHaveLength(1);
  });
});
