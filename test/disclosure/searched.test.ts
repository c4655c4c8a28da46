import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answer, catalogOf, disclosed, summaryOf, type Setting } from './support.ts';

const SHOWN = answer({ 'reference/1': 'disclose', 'contact/3': 'disclose' });
const HIDDEN = answer({ 'reference/1': 'disclose', 'contact/3': 'mask' });
const catalog = catalogOf(
  { '/id': 'reference/1', '/phone': 'contact/3' },
  {
    subjects: ['/id'],
    attributes: { vip: '/vip' },
    envelope: { '/total': 'total', '/n': 'record_count' },
  },
);
/** of those with the flag, and of the ones that are vip, the phone is hidden */
const setting: Setting = {
  catalog,
  records: '/items/*',
  states: { O: { flags: ['objects'] } },
  answer: (_resource, { flags }, { vip }) => (flags.length > 0 || vip === true ? HIDDEN : SHOWN),
};
const found = (...items: object[]): string => JSON.stringify({ items, total: items.length, n: items.length });
const one = (id: string, vip?: boolean) => ({ id, phone: '138', ...(vip === undefined ? {} : { vip }) });

describe('a search by a field that is hidden in some records only', () => {
  test('does not find them', async () => {
    const searched = { ...setting, searched: ['/phone'] };
    const body = found(one('A'), one('O'), one('V', true), one('B'));
    expect(await disclosed(body, searched)).toBe(
      '{"items":[{"id":"A","phone":"138"},{"id":"B","phone":"138"}],"total":2,"n":2}',
    );
    expect(await summaryOf(body, searched)).toMatchObject({
      records: 2,
      records_withheld: 2,
      withheld_reasons: { query_field_withheld: 2 },
    });
  });

  test('is answered as if there were none, to the byte', async () => {
    for (const hidden of [one('O'), one('V', true)])
      expect(await disclosed(found(hidden), { ...setting, searched: ['/phone'] })).toBe(
        await disclosed(found(), { ...setting, searched: ['/phone'] }),
      );
  });

  test('by another field finds them, with the field hidden', async () => {
    for (const searched of [[], ['/id']])
      expect(await disclosed(found(one('O')), { ...setting, searched })).toBe(
        '{"items":[{"id":"O","phone":"***"}],"total":1,"n":1}',
      );
  });

  test('by a field that the catalog does not know finds nothing', async () => {
    expect(await disclosed(found(one('A')), { ...setting, searched: ['/other'] })).toBe(
      '{"items":[],"total":null,"n":0}',
    );
  });

  test('leaves exactly the records that show it, whatever they are', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom('A', 'B', 'O'), fc.constantFrom(undefined, true, false))),
        async (rows) => {
          const items = rows.map(([id, vip]) => one(id, vip));
          const kept = rows
            .filter(([id, vip]) => id !== 'O' && vip !== true)
            .map(([id]) => ({ id, phone: '138' }));
          expect(await disclosed(found(...items), { ...setting, searched: ['/id', '/phone'] })).toBe(
            JSON.stringify({ items: kept, total: kept.length || null, n: kept.length }),
          );
        },
      ),
    );
  });
});

describe('a total', () => {
  const restricted: Setting = {
    ...setting,
    answer: (_resource, { flags }) =>
      flags.length > 0 ? { disclose: false, reasons: [{ code: 'objects' }], classes: {}, fields: {} } : SHOWN,
  };

  test('of records that are all in the answer is that of those which left', async () => {
    expect(await disclosed(found(one('A'), one('O')), restricted)).toBe(
      '{"items":[{"id":"A","phone":"138"}],"total":1,"n":1}',
    );
  });

  test.each(['40', '-2', '2.0', '2e0', '"2"'])(
    'that is %s tells nothing where a record is withheld',
    async (total) => {
      const body = `{"items":[{"id":"A"},{"id":"O"}],"total":${total}}`;
      const left = await disclosed(body, restricted);
      expect(left).toMatch(/^\{"items":\[\{"id":"A"\}\](,"total":null)?\}$/);
    },
  );

  test('of a list that is cut short is not told', async () => {
    const body = found(one('A'), one('B'));
    expect(await disclosed(body, { ...setting, obligations: { max_records: 1 } })).toBe(
      '{"items":[{"id":"A","phone":"138"}],"total":null,"n":1}',
    );
  });
});
