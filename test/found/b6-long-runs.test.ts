/**
 * Class: one text of a few hundred kilobytes stops the process for minutes. Root cause: a pattern that looks for a run at the end of a text, or in
 * which two repetitions match the same characters, takes time with the square of the run where something else follows it.
 */
import { expect, test } from 'vitest';
import { XML_SPELLING } from '../../src/disclosure/formats/shared/respell.ts';
import { xml } from '../../src/disclosure/inner/xml.ts';
import { subjectId } from '../../src/disclosure/subjects/id.ts';
import { RULES } from '../../src/disclosure/treatments/generalize/rules.ts';
import { looksAlike } from '../../src/model/identifiers.ts';
import { systemClock } from '../../src/observability/clock.ts';
import { parseMultipart } from '../../src/routing/body/multipart.ts';
import { UTF8 } from '../../src/routing/body/text.ts';
import { parseXmlRpc } from '../../src/routing/body/xmlrpc.ts';

const SOON = 2000;
const run = (of: string): string => of.repeat(200_000);

const double = (text: string): unknown =>
  parseXmlRpc(
    {
      text: `<methodCall><methodName>m</methodName><params><param><value><double>${text}</double></value></param></params></methodCall>`,
      isCharset: () => true,
      told: true,
    },
    64,
  );
const part = (type: string): unknown =>
  parseMultipart(
    Buffer.from(
      `--b\r\nContent-Disposition: form-data; name="a"\r\nContent-Type: ${type}\r\n\r\nx\r\n--b--\r\n`,
    ),
    'multipart/form-data; boundary=b',
    { codec: UTF8, depth: 64, repeatable: new Set(), overrides: new Set(), isCharset: () => true },
  );
const prefix = RULES['prefix']!({ prefix: 3 }, systemClock);
const number = (text: string): string | null => subjectId({ kind: 'number', text });

test.each<[what: string, work: () => unknown, answer: unknown]>([
  ['zeros in an id that is compared', () => looksAlike(`${run('0')}x`, '7'), false],
  ['zeros in a number that names somebody', () => number(`1${run('0')}1e5`), `1${run('0')}1e5`],
  ['zeros in a fraction that names somebody', () => number(`1.${run('0')}1`), `1.${run('0')}1`],
  [
    'blanks before a document in a field',
    () => xml.disclose(`${run(' ')}\ud800`, {} as never, {} as never),
    null,
  ],
  ['references that nothing ends', () => [...run('&').matchAll(XML_SPELLING.escaped)], []],
  ['stars in what may be a shortened value', () => prefix.recognises(`${run('*')}x`), false],
  ['blanks in what may be a shortened value', () => prefix.recognises(`a${run(' ')}x`), false],
])('a run of %s is looked at once', (_what, work, answer) => expect(work()).toEqual(answer), SOON);

test.each<[what: string, work: () => unknown]>([
  ['digits that are no number of XML-RPC', () => double(`${run('1')}x`)],
  ['blanks behind the type of a part', () => part(`text/plain${run(' ')}\u0001`)],
])('a body with a run of %s is refused at once', (_what, work) => expect(work).toThrow(), SOON);

test('what is read is read as before', () => {
  for (const [a, b] of [
    ['003', '3'],
    ['+0', '000'],
    ['7.00', '7'],
    ['0.0', '0'],
  ] as const)
    expect(looksAlike(a, b)).toBe(true);
  for (const [a, b] of [
    ['30', '3'],
    ['0.1', '0'],
    ['', '0'],
  ] as const)
    expect(looksAlike(a, b)).toBe(false);
  expect([number('1500e-2'), number('12.30e2'), number('10e1')]).toEqual(['15', '1230', '100']);
  expect([double('1.'), double('.5e1'), double('-2')]).toMatchObject([
    { params: [1] },
    { params: [5] },
    { params: [-2] },
  ]);
  for (const wrong of ['', '.', '1.2.3', 'e5']) expect(() => double(wrong)).toThrow();
  expect(part('text/plain \t; charset=utf-8 ')).toEqual({ a: 'x' });
  expect(['abc***', 'abc **', 'abc*', 'abcd***'].map((text) => prefix.recognises(text))).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect('a &amp; b &#38; c'.match(XML_SPELLING.escaped)).toEqual(['&amp;', '&#38;']);
});
