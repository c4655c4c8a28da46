import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { parameterFaults } from '../../../src/disclosure/treatments/check.ts';
import type { FieldEntry } from '../../../src/model/catalog.ts';

const faults = (entry: Partial<FieldEntry>) => parameterFaults({ category: 'c', grade: 3, ...entry });

test('a field with sound parameters has no fault', () => {
  expect(
    faults({
      mask: { kind: 'bank_card', keep_first: 6 },
      generalize: { date: 'year' },
      scrub: { entities: ['email'] },
      tokenize: { keep_last: 4 },
      pseudonymize: { scope: 'agent' },
      encrypt: { key: 'k' },
    }),
  ).toEqual([]);
});

test('every treatment with nonsense is named with what is wrong', () => {
  expect(faults({ mask: 'phnoe', generalize: { rond: 1 }, tokenize: { keep_last: -1 } })).toEqual([
    expect.stringMatching(/^mask: unknown kind of mask "phnoe"; known: .*phone/),
    expect.stringMatching(/^generalize: exactly one of/),
    expect.stringMatching(/^tokenize: keep_last: a whole number/),
  ]);
});

const catalogs = new URL('../../../policies/catalog/', import.meta.url);
test.each(readdirSync(catalogs).filter((file) => file.endsWith('.yaml')))(
  'the default catalog %s is sound',
  (file) => {
    const { fields } = parse(readFileSync(new URL(file, catalogs), 'utf8')) as {
      fields: Record<string, FieldEntry>;
    };
    for (const entry of Object.values(fields)) expect(parameterFaults(entry)).toEqual([]);
  },
);
