/** An option that would be ignored is refused: whoever gives it expects something of it. */
import { expect, test } from 'vitest';
import { sluice } from './support.ts';

test.each([
  ['approve policies --reviewer Li', '--reviewer', '--key'],
  ['approve policies --until 2026-12-31', '--until', '--key'],
  ['build policies --signing-key-id 2026', '--signing-key-id', '--signing-key'],
  ['check policies --days 30', '--days', '--journal'],
  ['explain --role support --journal data', '--journal', '--decision'],
  ['explain --decision 1 --role support', '--role', '--decision'],
  ['explain --scenario x --record r.json', '--record', '--scenario'],
  ['explain --consents consents.yaml', '--consents', '--record'],
  ['explain --scenarios s.yaml', '--scenarios', '--scenario'],
  ['matrix policies --exit-code', '--exit-code', '--diff'],
  ['matrix policies --journal data', '--journal', '--diff'],
  ['matrix --diff policies policies --csv', '--csv', '--diff'],
  ['matrix --diff policies policies --fields', '--fields', '--diff'],
  ['matrix --diff policies policies --author Han', '--author', '--html'],
  ['matrix policies --csv --json', '--csv', '--json'],
  ['matrix policies --fields --html x.html', '--fields', 'terminal'],
  ['matrix policies --clearance 1,2', '--clearance', '--diff'],
  ['test policies --journal data', '--journal', '--from-decision'],
  ['test policies --threshold 50', '--threshold', '--coverage'],
  ['test policies --from-decision 1 --journal data --watch', '--watch', '--from-decision'],
  ['test policies more --from-decision 1 --journal data', 'one policy', 'name one'],
])('sluice %s: exit 2, and the message names %s and %s', async (line, ...named) => {
  const { code, out, err } = await sluice(line.split(' '));
  expect({ code, out }).toEqual({ code: 2, out: '' });
  for (const text of named) expect(err).toContain(text);
  expect(err).toMatch(/\[usage_invalid\]\n$/);
});

test.each([
  ['check policies --days 0 --journal data', '--days'],
  ['check policies --format yaml', '--format'],
])('sluice %s: the value of %s is refused before anything is done', async (line, option) => {
  const { code, out, err } = await sluice(line.split(' '));
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain(option);
});
