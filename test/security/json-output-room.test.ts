/**
 * What stands in place of a value may be longer than the value (`1` → `null`). A record of many such once outgrew the room that it was written
 * in, and overwrote what says which fields may leave: fields behind it left as they were.
 */
import { describe, expect, test } from 'vitest';
import { answer, catalogOf, disclosed, partsOf, rows } from '../disclosure/support.ts';

const catalog = catalogOf({
  '/nulled/*': 'nulled/1',
  '/placed/0': 'hidden/5',
  '/placed/*': 'hidden/5',
  '/masked/*': 'masked/3',
  '/text': 'open/1',
  '/inner/open': 'open/1',
  '/inner/hidden': 'hidden/5',
});
const says = answer({
  'nulled/1': 'nullify',
  'hidden/5': 'drop',
  'masked/3': 'mask',
  'open/1': 'disclose',
});
const TAIL = {
  text: 'AAAAAAAA'.repeat(4000),
  inner: { hidden: 'canary-hidden', unknown: 'canary-unknown', open: 'x' },
};
const LEFT = { text: TAIL.text, inner: { open: 'x' } };

describe.each([
  ['nulled', null],
  ['placed', null],
  ['masked', '***'],
])('%s values that are shorter than what stands in their place', (name, left) => {
  // around the sizes at which the scanner's memory grows (512 KiB), and a multiple
  test.each([1000, 230_000, 250_000, 258_000, 400_000])('%i of them', async (count) => {
    const values = new Array(count).fill(1);
    const body = JSON.stringify({ [name]: values, ...TAIL });
    const text = await disclosed(body, { catalog, answer: says });
    // no diff of a megabyte
    expect(text.includes('canary')).toBe(false);
    expect(text === JSON.stringify({ [name]: values.map(() => left), ...LEFT })).toBe(true);
  });
});

test('so do records of one page, and the account is right', async () => {
  const record = { nulled: new Array(20_000).fill(1), masked: new Array(4000).fill(2), ...TAIL };
  const records = new Array(6).fill(record);
  const parts = await partsOf(JSON.stringify(records), { catalog, answer: says, records: '/*' });
  const text = Buffer.concat(parts.flatMap((p) => p.chunks)).toString();
  const wanted = { nulled: record.nulled.map(() => null), masked: record.masked.map(() => '***'), ...LEFT };
  expect(text === JSON.stringify(records.map(() => wanted))).toBe(true);
  expect(rows(parts.flatMap((p) => p.summary.withheld))).toEqual(
    [
      '/inner/hidden drop test 6',
      '/inner/unknown drop uncatalogued 6',
      '/masked/* mask test 24000',
      '/nulled/* nullify test 120000',
    ].sort(),
  );
});
