/**
 * A document in a field (`parse`) is part of the record around it: what is counted in it has a path from the record's root, whatever the
 * formats of both, and a document that does not leave has released nothing.
 */
import { describe, expect, test } from 'vitest';
import type { CatalogEntry } from '../../src/model/catalog.ts';
import { answer, catalogOf, rows, type Setting, summaryOf } from './support.ts';

const open = { category: 'c', grade: 1 };
const parse = (name: 'json' | 'xml' | 'vcard'): CatalogEntry => ({ ...open, parse: name });
const opened = answer({ 'c/1': 'disclose' });

const CARD = 'BEGIN:VCARD\r\nVERSION:4.0\r\nFN:a\r\nTEL;TYPE=cell:1\r\nEND:VCARD\r\n';
const inJson = (value: unknown): string => JSON.stringify({ doc: value });

interface Row {
  readonly what: string;
  readonly fields: Readonly<Record<string, CatalogEntry>>;
  readonly body: string;
  readonly released: readonly string[];
  readonly withheld: readonly string[];
  readonly more?: Partial<Setting>;
}

const ROWS: readonly Row[] = [
  {
    what: 'JSON in JSON',
    fields: { '/doc': parse('json'), '/doc/a': open },
    body: inJson('{"a":1,"b":2,"c":{"d":3}}'),
    released: ['/doc', '/doc/a'],
    withheld: ['/doc/b drop uncatalogued 1', '/doc/c drop uncatalogued 1'],
  },
  {
    what: 'XML in JSON',
    fields: { '/doc': parse('xml'), '/doc/a': open },
    body: inJson('<r><a>1</a><b x="1">2</b></r>'),
    released: ['/doc', '/doc/a'],
    withheld: ['/doc/b drop uncatalogued 1'],
  },
  {
    what: 'a vCard in JSON',
    fields: { '/doc': parse('vcard'), '/doc/FN/*/value': open },
    body: inJson(CARD),
    released: ['/doc', '/doc/FN/*/value'],
    withheld: ['/doc/TEL drop uncatalogued 1'],
  },
  {
    what: 'JSON in XML',
    fields: { '/doc': parse('json'), '/doc/a': open },
    body: '<r><doc>{"a":1,"b":2}</doc></r>',
    released: ['/doc', '/doc/a'],
    withheld: ['/doc/b drop uncatalogued 1'],
    more: { format: 'xml' },
  },
  {
    what: 'JSON in an attribute of XML',
    fields: { '/p/@doc': parse('json'), '/p/@doc/a': open },
    body: `<r><p doc='{"a":1,"b":2}'/></r>`,
    released: ['/p/@doc', '/p/@doc/a'],
    withheld: ['/p/@doc/b drop uncatalogued 1'],
    more: { format: 'xml' },
  },
  {
    what: 'JSON in a column',
    fields: { '/doc': parse('json'), '/doc/a': open },
    body: 'doc\n"{""a"":1,""b"":2}"\n',
    released: ['/doc', '/doc/a'],
    withheld: ['/doc/b drop uncatalogued 1'],
    more: { format: 'csv' },
  },
  {
    what: 'JSON in a member of a form',
    fields: { '/doc': parse('json'), '/doc/a': open },
    body: `doc=${encodeURIComponent('{"a":1,"b":2}')}`,
    released: ['/doc', '/doc/a'],
    withheld: ['/doc/b drop uncatalogued 1'],
    more: { format: 'form' },
  },
  {
    what: 'JSON in a line of NDJSON',
    fields: { '/doc': parse('json'), '/doc/a': open },
    body: `${inJson('{"a":1,"b":2}')}\n`,
    released: ['/doc', '/doc/a'],
    withheld: ['/doc/b drop uncatalogued 1'],
    more: { format: 'ndjson' },
  },
  {
    what: 'JSON in XML in JSON',
    fields: { '/doc': parse('xml'), '/doc/in': parse('json'), '/doc/in/a': open },
    body: inJson('<r><in>{"a":1,"b":2}</in><c>1</c></r>'),
    released: ['/doc', '/doc/in', '/doc/in/a'],
    withheld: ['/doc/c drop uncatalogued 1', '/doc/in/b drop uncatalogued 1'],
  },
  {
    what: 'a member behind the document',
    fields: { '/doc': parse('json'), '/doc/a': open },
    body: '{"doc":"{\\"a\\":1,\\"b\\":2}","b":3}',
    released: ['/doc', '/doc/a'],
    withheld: ['/b drop uncatalogued 1', '/doc/b drop uncatalogued 1'],
  },
  {
    what: 'documents in an array that has a line for its elements',
    fields: { '/doc/*': parse('json'), '/doc/*/a': open },
    body: inJson(['{"a":1,"b":2}', '{"b":3}']),
    released: ['/doc/*', '/doc/*/a'],
    withheld: ['/doc/*/b drop uncatalogued 2'],
  },
  {
    what: 'documents in an array that the line of the field covers',
    fields: { '/doc': parse('json'), '/doc/*/a': open },
    body: inJson(['{"a":1,"b":2}']),
    released: ['/doc', '/doc/*/a'],
    withheld: ['/doc/*/b drop uncatalogued 1'],
  },
  {
    what: 'objects in an array of the document',
    fields: { '/doc': parse('json'), '/doc/list/*/a': open },
    body: inJson('{"list":[{"a":1,"b":2},3]}'),
    released: ['/doc', '/doc/list/*/a'],
    withheld: ['/doc/list/* drop uncatalogued 1', '/doc/list/*/b drop uncatalogued 1'],
  },
  {
    what: 'names in the document that look like data, and long paths',
    fields: { '/doc': parse('json'), '/doc/a': open },
    body: inJson(JSON.stringify({ a: 1, '13812345678': 1, 'a@b': 2, [`x/${'y'.repeat(70)}`]: 3 })),
    released: ['/doc', '/doc/a'],
    withheld: ['/doc/* drop uncatalogued 3'],
  },
  {
    what: 'a document in a resource within the record',
    fields: {},
    body: '{"in":{"doc":"{\\"a\\":1,\\"b\\":2}"}}',
    released: ['/in/doc', '/in/doc/a'],
    withheld: ['/in/doc/b drop uncatalogued 1'],
    more: {
      catalog: catalogOf({ '/in': '@inner' }),
      catalogs: [catalogOf({ '/doc': parse('json'), '/doc/a': open }, { resource: 'inner' })],
    },
  },
  {
    what: 'a text that is no document',
    fields: { '/doc': parse('json'), '/doc/a': open },
    body: inJson('{"a":1,'),
    released: [],
    withheld: ['/doc drop not_applicable 1'],
  },
  {
    what: 'a document that turns out to be ambiguous after a member that may leave',
    fields: { '/doc': parse('json'), '/doc/a': open, '/doc/list/[k=x]/v': open },
    body: inJson('{"a":1,"list":[{"k":"x","k":"y","v":2}]}'),
    released: [],
    withheld: ['/doc drop not_applicable 1'],
  },
  {
    what: 'a document in a document that turns out to be ambiguous',
    fields: { '/doc': parse('json'), '/doc/in': parse('json'), '/doc/in/a': open, '/doc/in/[k=x]/v': open },
    body: inJson(JSON.stringify({ in: '{"a":1,"o":{"k":"x","k":"y","v":2}}' })),
    released: ['/doc'],
    withheld: ['/doc/in drop not_applicable 1'],
  },
];

describe('paths of documents in fields', () => {
  test.each(ROWS)('are those of the record around them: $what', async (row) => {
    const setting = { catalog: catalogOf(row.fields), answer: opened, ...row.more };
    const summary = await summaryOf(row.body, setting);
    expect(summary.released).toEqual(row.released);
    expect(rows(summary.withheld)).toEqual(row.withheld);
  });
});
