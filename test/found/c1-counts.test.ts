/**
 * Class: an answer to a request that narrows a list by a field tells by its counts, its spelling or its headers that a record matched and was
 * withheld. Root cause: totals were made from what the upstream counted, with the withheld records taken off where that was possible, and bytes
 * around withheld records (white space, end tags, line ends) were copied whether or not a record stayed.
 * Property: two answers of the upstream that differ in withheld people alone leave as the same bytes.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { headerRules } from '../../src/upstream/headers.ts';
import { bytesOf, catalogOf, answer, partsOf, type Setting, withhold } from '../disclosure/support.ts';
import { withheldHeader } from '../../src/endpoints/responses.ts';

interface Row {
  readonly id: string;
  readonly phone: string;
}

const SHOWN = answer({ 'reference/1': 'disclose', 'contact/3': 'disclose' });
const setting: Setting = {
  catalog: catalogOf(
    { '/id': 'reference/1', '/phone': 'contact/3' },
    {
      subjects: ['/id'],
      envelope: { '/total': 'total', '/n': 'record_count', '/l/@total': 'total', '/l/total': 'total' },
    },
  ),
  searched: ['/phone'],
  answer: (_resource, { flags }) => (flags.length > 0 ? withhold('objects') : SHOWN),
  consents: (ids) =>
    Promise.resolve(
      new Map(ids.map((id) => [id, { consents: [], flags: id.startsWith('W') ? ['objects'] : [] }])),
    ),
};

interface Spelling {
  readonly name: string;
  readonly setting: Partial<Setting>;
  spell(rows: readonly Row[]): string;
}

const json = (space: number): Spelling => ({
  name: `JSON with ${space} spaces`,
  setting: { records: '/items/*' },
  spell: (rows) => JSON.stringify({ total: rows.length, n: rows.length, items: rows }, null, space),
});
const tags = ({ id, phone }: Row) => `<r><id>${id}</id><phone>${phone}</phone></r>`;
const lines = (rows: readonly Row[], end: string) =>
  ['id,phone', ...rows.map(({ id, phone }) => `${id},${phone}`)].join('\n') + end;

const SPELLINGS: readonly Spelling[] = [
  json(0),
  json(2),
  {
    name: 'JSON whose empty list is null',
    setting: { records: '/items/*' },
    spell: (rows) => JSON.stringify({ items: rows.length === 0 ? null : rows, total: rows.length }),
  },
  {
    name: 'JSON with the total as a text',
    setting: { records: '/items/*' },
    spell: (rows) => JSON.stringify({ items: rows, total: String(rows.length) }),
  },
  {
    name: 'JSON with records deeper in the elements',
    setting: { records: '/items/*/node' },
    spell: (rows) => JSON.stringify({ items: rows.map((node) => ({ node })), total: rows.length }, null, 1),
  },
  {
    name: 'JSON that is a map of records',
    setting: { records: '/items/*' },
    spell: (rows) => JSON.stringify({ items: Object.fromEntries(rows.map((r) => [r.id, r])) }, null, 1),
  },
  {
    name: 'JSON with more than the record in the elements',
    setting: { records: '/items/*/node' },
    spell: (rows) => JSON.stringify({ items: rows.map((node) => ({ cursor: 1, node, x: { y: 1 } })) }),
  },
  {
    name: 'XML with records deeper in the elements',
    setting: { format: 'xml', records: '/l/e/c/r' },
    spell: (rows) =>
      `<l>${rows.map((r) => `\n<e n="1"><cursor>1</cursor><c>${tags(r)}<x/></c></e>`).join('')}\n</l>`,
  },
  {
    name: 'XML whose empty list is left out',
    setting: { format: 'xml', records: '/l/i/r' },
    spell: (rows) => (rows.length === 0 ? '<l></l>' : `<l><i a="1">${rows.map(tags).join('')}</i></l>`),
  },
  {
    name: 'SOAP',
    setting: { format: 'xml', records: '/Envelope/Body/Found/i/r' },
    spell: (rows) =>
      `<s:Envelope xmlns:s="urn:s"><s:Body><Found>${rows.length === 0 ? '<i/>' : `<i>${rows.map(tags).join('')}</i>`}</Found></s:Body></s:Envelope>`,
  },
  {
    name: 'XML, indented',
    setting: { format: 'xml', records: '/l/i/r' },
    spell: (rows) =>
      rows.length === 0
        ? '<l>\n <total>0</total>\n <i/>\n</l>'
        : `<l>\n <total>${rows.length}</total>\n <i>${rows.map((r) => `\n  ${tags(r)}`).join('')}\n </i>\n</l>`,
  },
  {
    name: 'XML, plain',
    setting: { format: 'xml', records: '/l/i/r' },
    spell: (rows) => `<l total="${rows.length}"><i>${rows.map(tags).join('')}</i></l>`,
  },
  { name: 'CSV', setting: { format: 'csv' }, spell: (rows) => lines(rows, '\n') },
  { name: 'CSV without a last line end', setting: { format: 'csv' }, spell: (rows) => lines(rows, '') },
  {
    name: 'NDJSON',
    setting: { format: 'ndjson' },
    spell: (rows) => rows.map((r) => `${JSON.stringify(r)}\n`).join(''),
  },
  {
    name: 'NDJSON without a last line end',
    setting: { format: 'ndjson' },
    spell: (rows) => rows.map((r) => JSON.stringify(r)).join('\n'),
  },
];

const rules = headerRules({ response: ['X-Total-Count', 'Link', 'X-Next-Page', 'X-Request-Id'] });

/** All that the caller gets to see. */
async function seen(body: string, of: Setting, headers: Record<string, string>): Promise<string> {
  const parts = await partsOf(body, of);
  const { summary, last } = parts[0]!;
  return JSON.stringify([
    bytesOf(parts).toString('utf8'),
    parts.length,
    withheldHeader(summary.withheld),
    rules.response(headers, {
      records: summary.records,
      records_withheld: summary.records_withheld,
      last,
      guarded: true,
      paged: of.paged ?? false,
    }),
  ]);
}

const row = (letter: string) =>
  fc.record({
    id: fc.nat(99).map((n) => `${letter}${n}`),
    phone: fc.constantFrom('13812345678', '1390000', ''),
  });

describe('of a list that the request narrowed', () => {
  test.each(SPELLINGS)(
    '$name tells nothing of withheld records, to the byte',
    async ({ setting: own, spell }) => {
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(fc.oneof(row('A'), row('W')), { selector: ({ id }) => id, maxLength: 8 }),
          fc.record({
            max: fc.option(fc.integer({ min: 1, max: 4 })),
            paged: fc.boolean(),
            step: fc.integer({ min: 1, max: 40 }),
          }),
          async (rows, { max, paged, step }) => {
            const of = { ...setting, ...own, paged, step, obligations: { max_records: max } };
            const headers = (n: number) => ({
              'x-total-count': String(n),
              'x-request-id': 'r',
              ...(n > 0 ? { link: '</x>; rel=next', 'x-next-page': '2' } : {}),
            });
            const without = rows.filter(({ id }) => !id.startsWith('W'));
            expect(await seen(spell(rows), of, headers(rows.length))).toBe(
              await seen(spell(without), of, headers(without.length)),
            );
          },
        ),
        { numRuns: 60 },
      );
    },
  );

  test('SOAP keeps what its envelope must have', async () => {
    const body =
      '<s:Envelope xmlns:s="urn:s"><s:Body><Found><i><r><id>W1</id></r></i></Found></s:Body></s:Envelope>';
    const of: Setting = { ...setting, format: 'xml', records: '/Envelope/Body/Found/i/r' };
    expect(bytesOf(await partsOf(body, of)).toString()).toBe(
      '<s:Envelope xmlns:s="urn:s"><s:Body><Found/></s:Body></s:Envelope>',
    );
  });

  test.each([0, 1, 7])('an empty page whose total is %i tells null', async (total) => {
    const [part] = await partsOf(`{"meta":{"filter_count":${total}},"data":[]}`, {
      ...setting,
      catalog: catalogOf({ '/id': 'reference/1' }, { envelope: { '/meta/filter_count': 'total' } }),
      records: '/data/*',
    });
    expect(Buffer.concat(part!.chunks).toString()).toBe('{"meta":{"filter_count":null},"data":[]}');
  });
});
