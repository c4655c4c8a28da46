/**
 * Class D3: JSON or XML that stands as text in a field was one value: disclosed with all that is in it, or not at all. Root cause: what is within
 * a text had no path, so no line could class it.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { INNER_FORMATS } from '../../src/disclosure/inner/registry.ts';
import { parseCatalog } from '../../src/policy/catalog/read.ts';
import { PARSED } from '../../src/policy/schemas/documents.ts';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { answer as says, type Running, startSluice } from '../support/sluice.ts';
import { exchange, requestText, textOf } from '../support/wire.ts';

const OPEN = { category: 'preference', grade: 1 };
const PHONE = { category: 'contact', grade: 3, mask: 'phone' };
const SECRET = { category: 'health', grade: 4 };
const FIELDS = {
  '/id': OPEN,
  '/json': { ...OPEN, parse: 'json' },
  '/json/a': OPEN,
  '/json/phone': PHONE,
  '/json/list/*/b': OPEN,
  '/json/health': SECRET,
  '/json/again': { ...OPEN, parse: 'json' },
  '/json/again/a': OPEN,
  '/json/again/phone': PHONE,
  '/json/xml': { ...OPEN, parse: 'xml' },
  '/json/xml/a': OPEN,
  '/json/pairs/[name=tea]/value': OPEN,
  '/xml': { ...OPEN, parse: 'xml' },
  '/xml/a': OPEN,
  '/xml/@v': OPEN,
  '/xml/phone': PHONE,
  '/hidden': { ...SECRET, parse: 'json' },
  '/hidden/a': OPEN,
  '/masked': { ...PHONE, parse: 'json' },
  '/masked/a': SECRET,
};

let upstream: HostileUpstream;
let running: Running;
beforeAll(async () => {
  upstream = await startHostile();
  const route = { upstream: 'crm', resource: 'doc' };
  running = await startSluice({
    upstream: upstream.url,
    catalogs: { doc: { data_subject: [], attributes: {}, fields: FIELDS, envelope: {} } },
    answers: { doc: { '*': says({ 'preference/1': 'disclose', 'contact/3': 'mask', 'health/4': 'drop' }) } },
    routes: [
      { ...route, match: 'GET /doc', action: 'read' },
      { ...route, match: 'GET /doc.csv', action: 'export', response: { format: 'csv' } },
      { ...route, match: 'GET /doc.xml', action: 'read', response: { format: 'xml' } },
      { ...route, match: 'PUT /doc', action: 'update', request: { replaces: false } },
    ],
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});
const got = async (path: string, body: string, type = 'application/json'): Promise<string> => {
  upstream.answer = answers(body, { 'Content-Type': type });
  return textOf(await exchange(running.port, requestText(`GET ${path}`, running.caller)));
};
const within = async (field: string, text: string): Promise<string | undefined> => {
  const answer = await got('/doc', JSON.stringify({ id: 1, [field]: text }));
  return (JSON.parse(answer) as Record<string, string>)[field];
};

describe('JSON in a string', () => {
  test.each([
    ['{"a":1,"phone":"13812345678","health":"x","z":2}', '{"a":1,"phone":"138****5678"}'],
    ['{"health":"x","a":1}', '{"a":1}'],
    [
      '{ "a" : 1.0 , "health":"x" , "list":[ {"b":1,"c":2}, {"c":3} ] }',
      '{ "a" : 1.0 , "list":[ {"b":1}, {} ] }',
    ],
    ['{"a":{"b":1}}', '{}'],
    ['{"a":[1,2e400,"\\u4e2d"]}', '{"a":[1,2e400,"\\u4e2d"]}'],
    ['{"a":1,"a":2,"health":3}', '{"a":1,"a":2}'],
    ['{"pairs":[{"name":"tea","value":1},{"name":"x","value":2}]}', '{"pairs":[{"value":1}]}'],
    [
      '{"again":"{\\"a\\":1,\\"phone\\":\\"13812345678\\",\\"q\\":2}"}',
      '{"again":"{\\"a\\":1,\\"phone\\":\\"138****5678\\"}"}',
    ],
    ['{"xml":"<r><a>1</a><b>SECRET</b></r>"}', '{"xml":"<r><a>1</a></r>"}'],
    ['[]', '[]'],
  ])('is disclosed by the lines below: %s', async (text, seen) => {
    expect(await within('json', text)).toBe(seen);
  });
  test.each([
    '',
    ' ',
    'SECRET',
    '{"a":1',
    '{"a":1,}',
    '{"a":01}',
    "{'a':1}",
    '{"a":1}{"a":2}',
    '{"a":"\t"}',
    '{"a":NaN}',
    '\ufeff{"a":1}',
    '"SECRET"',
    '12',
    `${'['.repeat(200)}${']'.repeat(200)}`,
    '{"pairs":[{"name":"tea","name":"x","value":1}]}',
    '{"again":1}'.replace('1', '"{"'),
  ])('that is none is dropped: %j', async (text) => {
    const seen = await within('json', text);
    expect(seen === undefined || seen === '{}').toBe(true);
    expect(String(seen)).not.toContain('SECRET');
  });
  test('keeps the outer escapes of what is not touched', async () => {
    const body = String.raw`{"json":"{\u0022a\":\"x\\\/\u4e2d中\/\",\"health\":\"y\",\"phone\":\"13812345678\"}"}`;
    expect(await got('/doc', body)).toBe(
      String.raw`{"json":"{\u0022a\":\"x\\\/\u4e2d中\/\",\"phone\":\"138****5678\"}"}`,
    );
    const whole = String.raw`{"json":"\u007b\"a\":\u0031}"}`;
    expect(await got('/doc', whole)).toBe(whole);
  });
  test('that stands there unquoted is disclosed by the same lines', async () => {
    expect(await got('/doc', '{"json":{"a":1,"health":2}}')).toBe('{"json":{"a":1}}');
    expect(await got('/doc', '{"json":7,"id":1}')).toBe('{"id":1}');
    expect(await got('/doc', '{"json":null}')).toBe('{"json":null}');
  });
  test('stays hidden as a whole where its own line is', async () => {
    expect(await within('hidden', '{"a":1}')).toBeUndefined();
    // to treat the text as one would be milder than a line below asks for
    expect(await within('masked', '{"a":"13812345678"}')).toBeUndefined();
  });
  test('is accounted for line by line', async () => {
    await within('json', '{"a":1,"phone":"13812345678","health":"x"}');
    const { disclosure } = running.records().at(-1)!;
    expect(disclosure?.released).toEqual(expect.arrayContaining(['/json', '/json/a']));
    expect(disclosure?.withheld.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['/json/phone', '/json/health']),
    );
  });
  test('leaves nothing that no line names, whatever the document is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.json({ maxDepth: 4 }), async (inner) => {
        const text = JSON.stringify({ a: 1, other: 'SECRET', deep: JSON.parse(inner) as unknown });
        expect(await within('json', text)).toBe('{"a":1}');
      }),
      { numRuns: 50 },
    );
  });
});

describe('XML in a string', () => {
  test.each([
    [
      '<r v="1" w="2"><a>x</a><phone>13812345678</phone><b>SECRET</b></r>',
      '<r v="1"><a>x</a><phone>138****5678</phone></r>',
    ],
    [
      '<?xml version="1.0" encoding="gbk"?>\n<r><a>中&amp;</a></r>',
      '<?xml version="1.0" encoding="gbk"?>\n<r><a>中&amp;</a></r>',
    ],
  ])('is disclosed by the lines below: %s', async (text, seen) => {
    expect(await within('xml', text)).toBe(seen);
  });
  test.each([
    '',
    'SECRET',
    '<r><a>SECRET</r>',
    '<!DOCTYPE r [<!ENTITY a "SECRET">]><r><a>&a;</a></r>',
    '<r/><r/>',
  ])('that is none is dropped: %j', async (text) => {
    expect(await within('xml', text)).toBeUndefined();
  });
  test('keeps the outer escapes of what is not touched', async () => {
    const body = String.raw`{"xml":"<r><a>\u4e2d中<\/a><b>SECRET<\/b><phone>13812345678<\/phone><\/r>"}`;
    expect(await got('/doc', body)).toBe(
      String.raw`{"xml":"<r><a>\u4e2d中<\/a><phone>138****5678<\/phone><\/r>"}`,
    );
  });
});

describe('a document within other formats', () => {
  test('of a table is spelled by the table', async () => {
    expect(await got('/doc.csv', 'id,json\n1,"{""a"":1,""health"":2}"\n2,SECRET\n', 'text/csv')).toBe(
      'id,json\n1,"{""a"":1}"\n2,\n',
    );
  });
  test('of an element is spelled by XML', async () => {
    expect(
      await got(
        '/doc.xml',
        '<doc><id>1</id><xml>&lt;r&gt;&lt;a&gt;1&lt;/a&gt;&lt;b&gt;SECRET&lt;/b&gt;&lt;/r&gt;</xml><json>{"a":1,"b":2}</json></doc>',
        'text/xml',
      ),
    ).toBe('<doc><id>1</id><xml>&lt;r&gt;&lt;a&gt;1&lt;/a&gt;&lt;/r&gt;</xml><json>{"a":1}</json></doc>');
  });
});

test.each([
  [
    '&#x3c;r>&lt;a>&#128512;x&amp;amp;</a>&lt;b>y</b>&lt;/r>'.replaceAll('</', '&lt;/'),
    '&#x3c;r>&lt;a>&#128512;x&amp;amp;&lt;/a>&lt;/r>',
  ],
  ['<![CDATA[<r><a>1</a><b>SECRET</b></r>]]>', '&#60;r&#62;&#60;a&#62;1&#60;/a&#62;&#60;/r&#62;'],
])('a document in an element keeps the references of what is not touched: %s', async (text, seen) => {
  const answer = await got('/doc.xml', `<doc><xml>${text}</xml></doc>`, 'text/xml');
  expect(answer).toBe(`<doc><xml>${seen}</xml></doc>`);
});

describe('a write of a document in a string', () => {
  test.each([
    ['{"a":1}', 200],
    ['{"a":1,"health":2}', 403],
    ['{"a":1,"other":2}', 403],
    ['{"phone":"138****5678"}', 403],
    ['{"again":"{\\"a\\":1}"}', 200],
    ['{"again":"{\\"b\\":1}"}', 403],
    ['{"again":"{"}', 403],
    ['not json', 403],
  ])('is held to the lines below: %s', async (text, status) => {
    upstream.answer = answers('{}');
    const answer = await exchange(
      running.port,
      requestText(
        'PUT /doc',
        { ...running.caller, 'Content-Type': 'application/json' },
        JSON.stringify({ json: text }),
      ),
    );
    expect([text, answer.status]).toEqual([text, status]);
  });
});

test('the catalog knows the formats that are registered', () => {
  expect([...INNER_FORMATS.keys()].sort()).toEqual([...PARSED].sort());
});
test.each([
  ['fields: { /p: { category: c, grade: 1, parse: yaml } }', 'parse is one of json, xml'],
  ['fields: { /p: { category: c, grade: 1, parse: json, whole: true } }', 'never whole'],
  [
    'fields: { /p: { category: c, grade: 1, parse: json }, /p/x: { resource: y } }',
    'no resource is embedded',
  ],
  [
    'data_subject: /p/id\nfields: { /p: { category: c, grade: 1, parse: json } }',
    'is within a text that is parsed',
  ],
  [
    'attributes: { v: /p/v }\nfields: { /p: { category: c, grade: 1, parse: json } }',
    'is within a text that is parsed',
  ],
])('a catalog is refused that asks for what cannot be: %s', (text, message) => {
  expect(() => parseCatalog('c.yaml', `resource: r\n${text}\n`)).toThrow(message);
});
