/** Class F1: examples used names that the default policy lacks. Root cause: nothing compared the examples with the policy's data. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { type ConsentEntry, readConsents } from '../../src/consent/index.ts';
import { parseRevoked } from '../../src/identity/revoked.ts';
import { createConsentNames } from '../../src/policy/snapshot/consent-names.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const data = Object.fromEntries(
  ['flags', 'purposes', 'categories', 'partners'].map((name) => [
    name,
    (parse(read(`policies/data/${name}.yaml`)) as Record<string, unknown>)[name],
  ]),
);
const names = createConsentNames(data);
const files = (readdirSync(ROOT, { recursive: true }) as string[]).filter(
  (f) => /^(docs|examples|README|policies)/.test(f) && /\.(md|ya?ml)$/.test(f) && !f.includes('node_modules'),
);

const blocks = files
  .filter((f) => f.endsWith('.md'))
  .flatMap((file) =>
    [...read(file).matchAll(/^ *```ya?ml\n([\s\S]*?)^ *```/gm)].map((m) => ({ file, text: m[1] ?? '' })),
  );
const consents = [
  ...blocks.filter(({ text }) => /^data_subjects:/m.test(text)),
  ...files.filter((f) => f.endsWith('consents.yaml')).map((file) => ({ file, text: read(file) })),
];

test('consents in the docs and examples can be read, are marked as complete and use names of the default policy', () => {
  expect(consents.length).toBeGreaterThan(3);
  for (const { file, text } of consents) {
    const { document, isUnmarked, tolerated } = readConsents(text, file);
    expect({ file, isUnmarked, tolerated }).toEqual({ file, isUnmarked: false, tolerated: [] });
    for (const { flags = [], consents: given = [] } of Object.values<ConsentEntry>(document.data_subjects))
      expect([file, names.knowsAll({ flags, consents: given })]).toEqual([file, true]);
  }
});
test('lists of revocations in the docs can be read', () => {
  const lists = blocks.filter(({ text }) => /^- (jti|sha256|\{ subject)/m.test(text));
  expect(lists.length).toBeGreaterThan(0);
  for (const { text } of lists) expect(parseRevoked(text).isMarked).toBe(true);
});
test('flags that the docs, examples and scenarios show are flags of the default policy', () => {
  const shown = files.flatMap((file) =>
    [...read(file).matchAll(/\bflags: \[([^\]\n]*)\]/g)].flatMap((m) =>
      (m[1] ?? '')
        .split(',')
        .map((f) => ({ file, flag: f.trim().replace(/^(["'])(.*)\1$/, '$2') }))
        .filter(({ flag }) => flag !== ''),
    ),
  );
  expect(shown.length).toBeGreaterThan(5);
  expect(shown.filter(({ flag }) => !names.knows('flag', flag))).toEqual([]);
});
