import { fileURLToPath } from 'node:url';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { charset, UTF8 } from '../../../src/disclosure/formats/shared/charsets.ts';
import { CsvLexer, type Dialect, MAX_COLUMNS } from '../../../src/disclosure/formats/csv/lexer.ts';
import { Table } from '../../../src/disclosure/formats/csv/table.ts';
import { Automaton } from '../../../src/disclosure/fields/automaton.ts';
import { isSluiceError } from '../../../src/errors.ts';
import { csv } from '../../conformance/csv.ts';

const CSV: Dialect = { separator: 0x2c, quote: 0x22, escape: null };
const nothing = new Automaton(
  { resource: 'none', data_subject: [], attributes: {}, fields: {}, envelope: {} },
  new Map(),
);

interface Read {
  rows: (string | null)[][];
  bytes: Buffer;
}
function read(body: Uint8Array, cuts: number[] = [], dialect = CSV, cs = UTF8, record_bytes = 1 << 20): Read {
  const rows: (string | null)[][] = [];
  const bytes: Uint8Array[] = [];
  const lexer = new CsvLexer(dialect, cs, { record_bytes });
  const table = new Table(dialect, cs, nothing);
  const row = (r: Parameters<Parameters<CsvLexer['push']>[1]>[0]): void => {
    rows.push(Array.from({ length: r.count }, (_, k) => table.text(r, k)));
    bytes.push(r.bytes.slice(r.start, r.end));
  };
  const at = [0, ...cuts.map((c) => c % (body.length + 1)).sort((a, b) => a - b), body.length];
  for (let i = 1; i < at.length; i++) lexer.push(Uint8Array.from(body.subarray(at[i - 1], at[i])), row);
  lexer.end(row);
  return { rows, bytes: Buffer.concat(bytes) };
}
const oracle = (text: string): string[][] =>
  parse(text, { relax_quotes: true, relax_column_count: true, record_delimiter: ['\r\n', '\n', '\r'] });
const code = (f: () => unknown): string => {
  try {
    f();
  } catch (e) {
    if (isSluiceError(e)) return e.code;
    throw e;
  }
  return 'let through';
};

const cell = fc.string({
  unit: fc.constantFrom('a', '王', '"', ',', '\n', '\r\n', ' ', '=', '😀', ';'),
  maxLength: 6,
});
const quotedCell = cell.map((c) => `"${c.replaceAll('"', '""')}"`);
const bareCell = cell.map((c) => c.replace(/[",\r\n]/g, '')).filter((c) => c !== '');
const line = fc
  .array(fc.oneof(quotedCell, bareCell), { minLength: 1, maxLength: 5 })
  .map((cells) => cells.join(','));
const table = fc
  .tuple(fc.array(line, { minLength: 1, maxLength: 8 }), fc.constantFrom('\n', '\r\n', '\r'), fc.boolean())
  .map(([lines, end, last]) => lines.join(end) + (last ? end : ''));
const cuts = fc.array(fc.nat(500), { maxLength: 12 });

describe('rows and cells', () => {
  test('are those of csv-parse, however the bytes are cut, and tile the body', () => {
    fc.assert(
      fc.property(table, cuts, (text, at) => {
        const body = Buffer.from(text);
        const found = read(body, at);
        expect(found.rows).toEqual(oracle(text));
        expect(found.bytes.equals(body)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test.each(['gb18030', 'gbk', 'big5', 'shift_jis', 'euc-kr', 'utf-16le', 'utf-16be', 'iso-8859-1'])(
    'are the same in %s',
    (name) => {
      const cs = charset(name);
      const letters: Record<string, string> = {
        gb18030: '王丂昞𠀀',
        gbk: '王丂昞',
        big5: '王功許',
        shift_jis: '表ソ能ｱ',
        'euc-kr': '김뢔',
        'iso-8859-1': 'éü',
      };
      const text = fc
        .array(
          fc.array(
            fc.string({ unit: fc.constantFrom(...(letters[name] ?? '王😀'), 'a', '|', '"'), maxLength: 5 }),
            {
              minLength: 2,
              maxLength: 2,
            },
          ),
          { minLength: 1, maxLength: 5 },
        )
        .map((rows) => rows.map((cells) => cells.map((c) => c.replaceAll('"', '')).join('|')).join('\n'));
      const dialect = { separator: 0x7c, quote: 0x22, escape: null };
      fc.assert(
        fc.property(text, cuts, (t, at) => {
          const body = cs.encode(t);
          const found = read(body, at, dialect, cs);
          expect(found.rows).toEqual(
            t
              .replace(/\n$/, '')
              .split('\n')
              .map((l) => l.split('|')),
          );
          expect(found.bytes.equals(body)).toBe(true);
        }),
      );
    },
  );

  test('end where a backslash does not stand before the quote', () => {
    const dialect = { separator: 0x2c, quote: 0x22, escape: 0x5c };
    const body = charset('shift_jis').encode('"表\\"ソ,",a\\,b\\\\,"\\\\"\nx,y,z\n');
    for (let at = 0; at < body.length; at++)
      expect(read(body, [at], dialect, charset('shift_jis')).rows).toEqual([
        ['表"ソ,', 'a,b\\', '\\'],
        ['x', 'y', 'z'],
      ]);
  });

  test('keep a quote inside an unquoted cell as a character', () => {
    expect(read(Buffer.from('5" disk,37.8"N\n')).rows).toEqual([['5" disk', '37.8"N']]);
  });

  test('are null where the bytes are not of the charset', () => {
    expect(read(Buffer.from([0x61, 0x2c, 0xe7, 0x8e, 0x2c, 0x62])).rows).toEqual([['a', null, 'b']]);
    // a character cut short before the separator, as fixed-length columns do
    expect(read(Buffer.from([0x61, 0x2c, 0xcd, 0x2c, 0x62]), [], CSV, charset('gbk')).rows).toEqual([
      ['a', null, 'b'],
    ]);
  });
});

describe('refused', () => {
  test.each([
    ['an unterminated quote', 'a,b\n1,"x\n2,y\n', 'response_malformed'],
    ['text after a closing quote', 'a,b\n1,"x"y\n', 'response_malformed'],
    ['a space after a closing quote', '"a" ,b\n', 'response_malformed'],
    ['a row beyond the limit', `a,b\n${'x'.repeat(200)},y\n`, 'record_too_large'],
    ['a quote that swallows the table', `a,b\n"${'x\n'.repeat(200)}`, 'record_too_large'],
    ['more columns than any table has', `${','.repeat(MAX_COLUMNS)}\n`, 'response_malformed'],
  ])('is %s', (_, text, want) => {
    const limit = want === 'record_too_large' ? 100 : 1 << 20;
    expect(code(() => read(Buffer.from(text), [3, 9, 50], CSV, UTF8, limit))).toBe(want);
    expect(code(() => read(Buffer.from(text), [], CSV, UTF8, limit))).toBe(want);
  });

  test.each([
    ['gbk', [0x61, 0x81, 0x7c, 0x62]],
    ['big5', [0x61, 0x7c, 0xa4, 0x0a]],
    ['shift_jis', [0x81, 0xad, 0x7c, 0x62]],
    ['utf-8', [0x61, 0x7c, 0xb0, 0x0a]],
    ['utf-8', [0xcd, 0xf5, 0x7c, 0x62]],
  ])('is a separator in %s that may be half of a character', (name, bytes) => {
    const dialect = { separator: 0x7c, quote: 0x22, escape: null };
    const read1 = (): unknown => read(Buffer.from(bytes), [], dialect, charset(name));
    // 0x81 0x7c is one character of GBK: no separator, and nothing to refuse
    if (name === 'gbk')
      expect((read1() as Read).rows).toEqual([
        ['a亅b'.replace('亅', charset('gbk').decode(Uint8Array.from([0x81, 0x7c]))!)],
      ]);
    else expect(code(read1)).toBe('response_malformed');
  });

  test('is a body that ends within a UTF-16 unit', () => {
    expect(code(() => read(Buffer.from([0x61, 0, 0x2c]), [], CSV, charset('utf-16le')))).toBe(
      'response_malformed',
    );
  });
});

const folder = fileURLToPath(new URL('../../../../shared/conformance/csv', import.meta.url));
const present = await csv.accepts(folder);
if (!present)
  console.warn('csv-spectrum is not beside the project (../shared/conformance/csv): it is not run');
test.skipIf(!present)('csv-spectrum means what it says', async () => {
  const outcomes = [];
  for await (const outcome of csv.run(folder)) outcomes.push(outcome);
  expect(outcomes.length).toBe(12);
  expect(outcomes.filter((o) => o.status === 'failed')).toEqual([]);
  for (const o of outcomes) if (o.status === 'skipped') console.warn(`${o.name}: ${o.reason}`);
});
