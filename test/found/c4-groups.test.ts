/**
 * Class: an answer that must hold groups of k people holds, or tells of, fewer. Root causes: groups counted records, so that five rows of one
 * person passed; the place of a quasi-identifier in its list was lost, so that combinations that differ counted as one; totals of a page were
 * passed on, with the people in them who were suppressed.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CatalogEntry } from '../../src/model/catalog.ts';
import { answer, catalogOf, disclosed, entry, type Setting } from '../disclosure/support.ts';

const quasi = (cls: string): CatalogEntry => ({ ...entry(cls), quasi_identifier: true }) as CatalogEntry;
const all = answer({ 'reference/1': 'disclose', 'contact/2': 'disclose' });
const customers = catalogOf(
  { '/id': 'reference/1', '/no': 'reference/1', '/city': quasi('contact/2') },
  { subjects: ['/id'], envelope: { '/total': 'total', '/n': 'record_count' } },
);
const setting: Setting = {
  catalog: customers,
  records: '/items/*',
  answer: all,
  obligations: { min_group_size: 3 },
};
type Row = { id: string; no: number; city: string };
const page = (rows: readonly object[], total = rows.length) => JSON.stringify({ items: rows, total });
const itemsOf = async (body: string, of: Setting): Promise<Row[]> =>
  (JSON.parse(await disclosed(body, of)) as { items: Row[] }).items;

const peopleIn = (rows: readonly Row[], city: string): number =>
  new Set(rows.filter((r) => r.city === city).map((r) => r.id)).size;

describe('a group', () => {
  test('is one of people: whatever leaves, each combination belongs to k of them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            id: fc.constantFrom('A', 'B', 'C', 'D', ' A '),
            no: fc.nat(9),
            city: fc.constantFrom('x', 'y'),
          }),
          { maxLength: 14 },
        ),
        async (rows) => {
          const bare = rows.map((r) => ({ ...r, id: r.id.trim() }));
          const left = await itemsOf(page(rows), setting);
          for (const { city } of left) expect(peopleIn(bare, city)).toBeGreaterThanOrEqual(3);
          // and nothing is kept back that need not be
          const whole = bare.filter(({ city }) => peopleIn(bare, city) >= 3);
          expect(left).toHaveLength(whole.length);
        },
      ),
    );
  });

  test('of five rows of one customer is a group of one', async () => {
    const rows = [1, 2, 3, 4, 5].map((no) => ({ id: 'A', no, city: 'x' }));
    expect(await itemsOf(page(rows), setting)).toEqual([]);
    const csv = `id,no,city\n${rows.map((r) => `A,${r.no},x\n`).join('')}`;
    expect(await disclosed(csv, { ...setting, format: 'csv', records: null })).toBe('id,no,city\n');
    const xml = `<l>${rows.map((r) => `<r><id>A</id><no>${r.no}</no><city>x</city></r>`).join('')}</l>`;
    expect(await disclosed(xml, { ...setting, format: 'xml', records: '/l/r' })).toBe('<l/>');
  });

  test('of records that name several people counts those without one in common', async () => {
    const shared = catalogOf(
      { '/ids/*': 'reference/1', '/city': quasi('contact/2') },
      { subjects: ['/ids/*'] },
    );
    const of = { ...setting, catalog: shared };
    const rows = ['B', 'C', 'D'].map((id) => ({ ids: ['A', id], city: 'x' }));
    expect(await itemsOf(page(rows), of)).toEqual([]);
    const apart = ['AB', 'CD', 'EF'].map((ids) => ({ ids: [...ids], city: 'x' }));
    expect(await itemsOf(page(apart), of)).toHaveLength(3);
  });

  test('of records whose catalog names nobody counts records', async () => {
    const nobodys = { ...setting, catalog: catalogOf({ '/city': quasi('contact/2') }) };
    expect(await itemsOf(page([1, 2, 3].map(() => ({ city: 'x' }))), nobodys)).toHaveLength(3);
  });
});

describe('a combination', () => {
  const homes = catalogOf(
    {
      '/id': 'reference/1',
      '/homes/*/city': quasi('contact/2'),
      '/homes/*/since': quasi('contact/2'),
      '/homes/*/no': 'reference/1',
    },
    { subjects: ['/id'] },
  );
  const of: Setting = { ...setting, catalog: homes, obligations: { min_group_size: 2 } };
  const together = [{ city: 'x', since: 1 }, { city: 'y' }];
  const apart = [{ city: 'x' }, { city: 'y', since: 1 }];

  test('keeps which element of a list a value stood in', async () => {
    const rows = [
      { id: 'A', homes: together },
      { id: 'B', homes: together },
      { id: 'C', homes: apart },
    ];
    expect((await itemsOf(page(rows), of)).map(({ id }) => id)).toEqual(['A', 'B']);
    const element = ({ city, since }: { city: string; since?: number }) =>
      `<home><city>${city}</city>${since === undefined ? '' : `<since>${since}</since>`}</home>`;
    const xml = `<l>${rows.map((r) => `<r><id>${r.id}</id><homes>${r.homes.map(element).join('')}</homes></r>`).join('')}</l>`;
    expect(await disclosed(xml, { ...of, format: 'xml', records: '/l/r' })).not.toContain('<id>C</id>');
  });

  test('keeps which member of a map a value stood in', async () => {
    const rows = [
      { id: 'A', homes: { summer: { city: 'x' }, winter: { city: 'y' } } },
      { id: 'B', homes: { summer: { city: 'x' }, winter: { city: 'y' } } },
      { id: 'C', homes: { winter: { city: 'x' }, spring: { city: 'y' } } },
    ];
    expect((await itemsOf(page(rows), of)).map(({ id }) => id)).toEqual(['A', 'B']);
  });

  test('of one pair by its name is the same wherever in its list that stands', async () => {
    const pairs = catalogOf(
      { '/id': 'reference/1', '/f/[k=city]/v': quasi('contact/2'), '/f/[k=other]/v': 'reference/1' },
      { subjects: ['/id'] },
    );
    const city = { k: 'city', v: 'x' };
    const other = { k: 'other', v: 1 };
    const rows = [
      { id: 'A', f: [city, other] },
      { id: 'B', f: [other, city] },
    ];
    expect(await itemsOf(page(rows), { ...of, catalog: pairs })).toHaveLength(2);
  });
});

describe('a total of a list that must hold groups', () => {
  const rows = [...'xxx', 'rare'].map((city, n) => ({ id: `C${n}`, no: n, city }));
  const totalOf = async (body: string, paged: boolean): Promise<unknown> =>
    (JSON.parse(await disclosed(body, { ...setting, paged })) as { total: unknown }).total;

  test('is that of those who leave, where all are there', async () => {
    expect(await totalOf(page(rows), false)).toBe(3);
  });

  test.each([
    ['of one person alone', page(rows.slice(3))],
    ['of one person, from behind her', page([], 1)],
    ['of nobody', page([])],
    ['of a page of the list', page(rows.slice(0, 3), 4)],
    ['of a page whose people are few', page(rows.slice(0, 2), 4)],
  ])('%s is not told', async (_what, body) => {
    expect(await totalOf(body, false)).toBeNull();
    expect(await totalOf(body, true)).toBeNull();
  });

  test('is not told where the request may have asked for a page', async () => {
    expect(await totalOf(page(rows), true)).toBeNull();
    expect(await totalOf(page(rows.slice(0, 3)), true)).toBeNull();
  });
});
