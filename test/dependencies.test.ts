import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
const manifest = JSON.parse(read('package.json')) as {
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
};
const listed = read('docs/dependencies.md');

test('every dependency is listed with its reason in docs/dependencies.md', () => {
  const names = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.optionalDependencies)];
  expect(names.filter((name) => !listed.includes(`\`${name}\``))).toEqual([]);
});

test('docs/dependencies.md lists no package that is not there', () => {
  const named = [...listed.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap((row) =>
    [...(row[1] ?? '').matchAll(/`([^`]+)`/g)].map((m) => m[1] ?? ''),
  );
  expect(named.filter((name) => !(name in manifest.dependencies))).toEqual([]);
});
