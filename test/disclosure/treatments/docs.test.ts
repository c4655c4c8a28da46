/** The tables of docs/treatments.md are run: treatment, parameters, value in, value out. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { MASK_KINDS } from '../../../src/disclosure/treatments/masks/kinds.ts';
import { TREATMENTS, type TreatmentName } from '../../../src/model/answers.ts';
import { shown, treat } from './support.ts';

const page = readFileSync(new URL('../../../docs/treatments.md', import.meta.url), 'utf8');
const rows = [
  ...page.matchAll(/^\| `([a-z]+)` \| (?:`([^`]*)`)? ?\| `([^`]*)` \| (?:`([^`]*)`|\*([a-z]+)\*) \|$/gm),
];

describe('docs/treatments.md', () => {
  test.each(
    rows.map(
      ([, name, parameters, value, out, word]) => [name!, parameters ?? '', value!, out ?? word!] as const,
    ),
  )('%s %s: %s', (name, parameters, value, wanted) => {
    const own: unknown = parameters === '' ? undefined : parse(parameters);
    const entry = own === undefined ? {} : { [name]: own };
    const kind = /^-?[0-9.]+ \(number\)$/.test(value) ? 'number' : 'string';
    const out = treat(name as TreatmentName, { kind, text: value.replace(/ \(number\)$/, '') }, entry);
    const suffix = out !== 'drop' && out.kind === 'number' ? ' (number)' : '';
    expect(shown(out) + suffix).toBe(wanted);
  });

  test('has a row for every treatment whose output can be foretold and for every kind of mask', () => {
    const named = new Set(rows.map((row) => row[1]));
    expect([...TREATMENTS].filter((name) => name !== 'encrypt' && !named.has(name))).toEqual([]);
    const masks = rows.filter((row) => row[1] === 'mask').map((row) => row[2] ?? '');
    expect(MASK_KINDS.filter((kind) => !masks.some((spec) => spec.includes(kind)))).toEqual([]);
  });
});
