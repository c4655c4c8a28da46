/** Texts in which one character repeats and something else follows: a pattern must not look at the run from each of its characters. */
import { XML_SPELLING } from '../../src/disclosure/formats/shared/respell.ts';
import { xml } from '../../src/disclosure/inner/xml.ts';
import { subjectId } from '../../src/disclosure/subjects/id.ts';
import { RULES } from '../../src/disclosure/treatments/generalize/rules.ts';
import { looksAlike } from '../../src/model/identifiers.ts';
import { systemClock } from '../../src/observability/clock.ts';
import { parseMultipart } from '../../src/routing/body/multipart.ts';
import { UTF8 } from '../../src/routing/body/text.ts';
import { parseXmlRpc } from '../../src/routing/body/xmlrpc.ts';

const run = (of: string): string => of.repeat(200_000);

export const double = (text: string): unknown =>
  parseXmlRpc(
    {
      text: `<methodCall><methodName>m</methodName><params><param><value><double>${text}</double></value></param></params></methodCall>`,
      isCharset: () => true,
      charsetKnown: true,
    },
    64,
  );
export const part = (type: string): unknown =>
  parseMultipart(
    Buffer.from(
      `--b\r\nContent-Disposition: form-data; name="a"\r\nContent-Type: ${type}\r\n\r\nx\r\n--b--\r\n`,
    ),
    'multipart/form-data; boundary=b',
    { codec: UTF8, depth: 64, repeatable: new Set(), overrides: new Set(), isCharset: () => true },
  );
export const prefix = RULES['prefix']!({ prefix: 3 }, systemClock);
/** the id that a number of JSON is */
export const number = (text: string): string | null => subjectId({ kind: 'number', text });

export const ANSWERED: readonly (readonly [what: string, work: () => unknown, answer: unknown])[] = [
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
];

export const REFUSED: readonly (readonly [what: string, work: () => unknown])[] = [
  ['digits that are no number of XML-RPC', () => double(`${run('1')}x`)],
  ['blanks behind the type of a part', () => part(`text/plain${run(' ')}\u0001`)],
];
