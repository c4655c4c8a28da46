/**
 * Records of plain elements are read into an index (`xml/plain-index.ts`), all others by saxes into a tree. In UTF-16 every record is read by saxes
 * into a tree: whatever the document, the two must agree on what is accepted, what leaves, what is counted and what the policy is asked.
 */
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { charset } from '../../../src/disclosure/formats/shared/charsets.ts';
import { PlainRecord } from '../../../src/disclosure/formats/xml/plain-record.ts';
import { type Case, catalogOf, cutting, disclose } from './support.ts';

afterEach(() => vi.restoreAllMocks());

const AGENT = catalogOf(
  {
    subject: '/id',
    attributes: { desk: '/desk' },
    fields: { '/id': 'reference/1', '/name': 'identity/3', '/boss': { resource: 'agent' } },
  },
  'agent',
);
const CUSTOMERS: Case = {
  format: 'xml',
  records: '/l/r',
  subject: ['/id', '/holders/*/id'],
  attributes: { vip: '/vip', city: '/address/city' },
  embedded: [AGENT],
  fields: {
    '/id': 'reference/1',
    '/name': { category: 'identity', grade: 3, mask: 'person_name', quasi_identifier: true },
    '/phone': { category: 'contact', grade: 3, mask: 'phone' },
    '/note': 'note/1',
    '/note/#text': 'note/2',
    '/address': 'contact/2',
    '/address/city': { category: 'contact', grade: 3, quasi_identifier: true },
    '/address/*': 'note/2',
    '/orders/*/amount': 'transaction/2',
    '/orders/*/phone': { category: 'contact', grade: 3, mask: 'phone' },
    '/orders/*/agent': { resource: 'agent' },
    '/preferences': 'preference/2 whole',
    '/agent': { resource: 'agent' },
  },
  envelope: { '/l/total': 'total' },
};
const CATALOGS: readonly Case[] = [
  CUSTOMERS,
  { ...CUSTOMERS, fields: { ...CUSTOMERS.fields, '/orders/[id=1]/name': 'identity/3' } },
  { ...CUSTOMERS, fields: { '/*': 'identity/3', '/*/*': 'contact/3', '/r': 'note/1' } },
  { ...CUSTOMERS, fields: { '/r/*': 'note/1', '/id': 'reference/1', '/address': 'contact/2 whole' } },
];

/** nothing that a record says is a fault */
const FAULTLESS: Case = { ...CATALOGS[3]!, attributes: {} };

const TREATMENTS = ['disclose', 'drop', 'nullify', 'mask', 'tokenize', 'generalize', 'scrub'] as const;
const answers = fc.dictionary(
  fc.constantFrom(
    '*',
    'reference/1',
    'identity/3',
    'contact/2',
    'contact/3',
    'note/1',
    'note/2',
    'transaction/2',
    'preference/2',
    '/address/street',
    '/orders',
  ),
  fc.constantFrom(...TREATMENTS),
  { maxKeys: 6 },
);

const NAMES = [
  'id',
  'name',
  'phone',
  'note',
  'address',
  'city',
  'orders',
  'order',
  'amount',
  'preferences',
  'agent',
  'boss',
  'desk',
  'vip',
  'holders',
  'x-1.y_',
];
const TEXTS = [
  '',
  ' ',
  '\n ',
  '1',
  '2',
  'C1',
  '13812345678',
  ' 王小明 ',
  '电话，13812345678；',
  '&amp;',
  'a &lt;b&gt; &quot;&apos;',
  '\ufffd',
  '😀',
  'true',
  '>',
  "it's",
];
/** texts and tokens that only saxes interprets, or that nobody accepts */
const OTHERS = [
  '&#65;',
  '&x;',
  '&am',
  '<!--c-->',
  '<![CDATA[1]]>',
  '<?p i?>',
  ']',
  ']]>',
  '\r\n',
  '\ufffe',
  '\u0001',
  '<a k="1"/>',
  '<n:id xmlns:n="v">1</n:id>',
  '<id >1</id>',
  '<id',
  '</id>',
  '<1>',
  '<id>',
  '<名>1</名>',
  '<id xmlns="w">1</id>',
];

const text = fc.constantFrom(...TEXTS);
const { inner } = fc.letrec<{ inner: string; element: string }>((tie) => ({
  element: fc
    .tuple(fc.constantFrom(...NAMES), fc.oneof({ weight: 3, arbitrary: text }, tie('inner')))
    .map(([name, content]) => (content === '' ? `<${name}/>` : `<${name}>${content}</${name}>`)),
  inner: fc
    .array(fc.tuple(fc.constantFrom('', '', '\n  '), tie('element')), { maxLength: 5 })
    .map((all) => all.map((one) => one.join('')).join('')),
}));
const plain = fc.tuple(inner, fc.constantFrom('', '\n')).map((all) => all.join(''));
/** the same with something else in it, somewhere */
const other = fc.tuple(plain, fc.nat(), fc.constantFrom(...OTHERS, ...TEXTS)).map(([one, at, put]) => {
  const places = [...one.matchAll(/[<>]/g)].map((m) => m.index + (m[0] === '>' ? 1 : 0));
  const place = places.length === 0 ? 0 : places[at % places.length]!;
  return one.slice(0, place) + put + one.slice(place);
});
const record = (content: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(content, fc.constantFrom('r', 'r', 'r', 'r k="1"', 'r '))
    .map(([one, tag]) => `<${tag}>${one}</r>`);
const documents = (odd: number): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.constantFrom('', '<?xml version="1.0"?>\n', '<?xml version="1.1"?>'),
      fc.constantFrom('<l>', '<l>', '<l xmlns="u">', '<l><total>3</total>'),
      fc.array(
        fc.oneof(
          { weight: 5, arbitrary: record(plain) },
          { weight: odd, arbitrary: record(other) },
          { weight: 1, arbitrary: fc.constantFrom('<r/>', '<o><r/></o>', '<!--c-->') },
        ),
        { maxLength: 5 },
      ),
      fc.constantFrom('', '\n'),
    )
    .map(([head, root, records, between]) => `${head}${root}${records.join(between)}${between}</l>`);

/** One fault at most beside a limit: which of two is met first depends on how much is read at once. */
const LIMITS: readonly NonNullable<Case['limits']>[] = [{}, { record_members: 12 }, { depth: 5 }];
const cases = (limits: typeof LIMITS): fc.Arbitrary<Case> =>
  fc
    .tuple(
      fc.constantFrom(...CATALOGS),
      answers,
      fc.constantFrom(undefined, 2),
      fc.constantFrom(...limits),
      fc.constantFrom<readonly string[]>([], ['1'], ['C1']),
    )
    .map(
      ([c, answer, least, limited, withhold]): Case => ({
        ...(Object.keys(limited).length === 0 ? c : FAULTLESS),
        answer,
        withhold,
        dataSubject: 'C9',
        obligations: least === undefined ? {} : { min_group_size: least },
        limits: limited,
      }),
    );

/** everything that can be seen of a document: what leaves, the account, the questions, or the code of its refusal */
const outcome = (body: Uint8Array, label: string, c: Case): Promise<unknown> =>
  disclose(body, { ...c, charset: label }).then(
    ({ bytes, summary, asked }) => [charset(label).decode(bytes), summary, asked],
    (error: { code?: string }) => error.code ?? Promise.reject(error),
  );

describe('a record in the index', () => {
  test.each([
    ['documents of plain records', 0],
    ['documents with other tokens in some records', 3],
  ])('is accepted, refused, disclosed and counted as its tree: %s', async (_, odd) => {
    const indexed = vi.spyOn(PlainRecord, 'of');
    const found = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(documents(odd), cases(odd > 0 ? [{}] : LIMITS), cutting, async (document, c, cuts) => {
        const before = indexed.mock.calls.length;
        const tree = await outcome(charset('utf-16le').encode(document), 'utf-16le', c);
        expect(indexed.mock.calls.length).toBe(before);
        expect(await outcome(Buffer.from(document), 'utf-8', { ...c, cuts })).toEqual(tree);
        const kind = typeof tree === 'string' ? tree : 'disclosed';
        found.set(kind, (found.get(kind) ?? 0) + 1);
      }),
      { numRuns: Number(process.env['FC_RUNS'] ?? 600) },
    );
    expect(found.get('disclosed')).toBeGreaterThan(100);
    const refused = odd > 0 ? ['response_malformed'] : ['record_too_large', 'response_too_deep'];
    for (const code of refused) expect(found.get(code)).toBeGreaterThan(5);
    // most records were read from the index
    const kept = indexed.mock.results.filter(({ value }) => value !== null).length;
    expect(kept).toBeGreaterThan(200);
  });

  /** as they are alone in a text, after one, and between elements */
  test.each([...OTHERS, ...TEXTS])('holds %j as its tree does', async (put) => {
    const c: Case = { ...CUSTOMERS, dataSubject: 'C9', answer: { '*': 'disclose', 'identity/3': 'mask' } };
    for (const content of [
      `<name>${put}</name>`,
      `<id>1${put}</id>`,
      `<id>1</id>${put}<name>王小明</name>`,
    ]) {
      const document = `<l><r><id>0</id></r><r>${content}</r><r>${content}</r></l>`;
      const tree = await outcome(charset('utf-16le').encode(document), 'utf-16le', c);
      for (const cuts of [[], Array.from({ length: 2 * document.length }, (_, at) => at)])
        expect(await outcome(Buffer.from(document), 'utf-8', { ...c, cuts })).toEqual(tree);
    }
  });

  test('drops elements that a line for a text does not cover, as its tree does', async () => {
    const document =
      '<l><r><id>1</id><phone><home>13812345678</home></phone><preferences><a>1</a></preferences></r></l>';
    for (const treatment of TREATMENTS) {
      const c: Case = {
        ...CUSTOMERS,
        dataSubject: 'C9',
        answer: { '*': 'disclose', 'contact/3': treatment, 'preference/2': treatment },
      };
      const tree = await outcome(charset('utf-16le').encode(document), 'utf-16le', c);
      expect(JSON.stringify(tree)).not.toContain('138');
      expect(await outcome(Buffer.from(document), 'utf-8', c)).toEqual(tree);
    }
  });

  test('names what is unknown in an embedded resource by its place, as its tree does', async () => {
    const agent = '<agent><id>9</id><boss><id>8</id><x>1</x></boss><y><z>1</z></y></agent>';
    const document = `<l><r><id>1</id><orders><order>${agent}</order></orders>${agent}</r></l>`;
    for (const withhold of [[], ['8'], ['9']]) {
      const c: Case = { ...CUSTOMERS, dataSubject: 'C9', withhold };
      const tree = await outcome(charset('utf-16le').encode(document), 'utf-16le', c);
      expect(await outcome(Buffer.from(document), 'utf-8', c)).toEqual(tree);
    }
  });

  test('is given up where the catalog selects by a value, and later records are read as trees at once', async () => {
    const order = (id: string): string => `<order><id>${id}</id><name>王小明</name></order>`;
    const one = `<r><orders>${order('1')}${order('2')}</orders></r>`;
    const indexed = vi.spyOn(PlainRecord, 'of');
    const c: Case = { ...CATALOGS[1]!, dataSubject: 'C9' };
    const tree = await outcome(charset('utf-16le').encode(`<l>${one}${one}</l>`), 'utf-16le', c);
    expect(tree).toMatchObject([expect.stringContaining('王小明'), {}, {}]);
    expect(await outcome(Buffer.from(`<l>${one}${one}</l>`), 'utf-8', c)).toEqual(tree);
    expect(indexed.mock.results.map(({ value }) => value)).toEqual([null]);
  });

  test('with more names than are numbered is read as a tree, and the next ones are indexed again', async () => {
    const names = Array.from({ length: 3000 }, (_, n) => `<n${n}/>`).join('');
    const document = `<l><r>${names}<name>王小明</name></r><r><name>张三</name></r><r><name>李四</name></r></l>`;
    const indexed = vi.spyOn(PlainRecord, 'of');
    const c: Case = { ...CUSTOMERS, dataSubject: 'C9', answer: { '*': 'mask' } };
    const tree = await outcome(charset('utf-16le').encode(document), 'utf-16le', c);
    expect(await outcome(Buffer.from(document), 'utf-8', c)).toEqual(tree);
    expect(indexed.mock.calls.length).toBe(2);
  });

  test.each([
    ['a text', '\xe7\x8e<'],
    ['a text that ends with half a fullwidth form', '\xef</'],
    ['a text that a name follows', '\xff<id/>'],
  ])('is refused where %s is not UTF-8', async (_, bytes) => {
    const document = Buffer.from(`<l><r><name>${bytes}</name></r></l>`, 'latin1');
    for (const cuts of [[], Array.from({ length: document.length }, (_, at) => at)])
      expect(await outcome(document, 'utf-8', { ...CUSTOMERS, cuts })).toBe('response_malformed');
  });
});
