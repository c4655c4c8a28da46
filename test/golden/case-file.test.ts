/** What is said of a case file that is not as it should be. */
import { expect, test } from 'vitest';
import { readCase, sectionOf } from './case.ts';
import { withSections, yamlOf } from './case-file.ts';

const WHOLE = `A title.

-- token --
{ sub: u-1 }

-- request --
GET /

-- answer --
HTTP/1.1 200 OK

-- record --
outcome: allowed
`;

test.each([
  [
    'a section that there is not',
    WHOLE.replace('-- token --', '-- tokens --'),
    'x.case:3: There is no section "tokens"; did you mean "token"?',
  ],
  [
    'an option that there is not',
    WHOLE.replace('-- token --', '-- token (unsigend) --'),
    'x.case:3: The section "token" has no option "unsigend"; did you mean "unsigned"?',
  ],
  [
    'a charset that there is not',
    WHOLE.replace('-- request --', '-- request (gb18031) --'),
    'x.case:6: The section "request" has no option "gb18031". It has: crlf, final newline, gzip, deflate, br, zstd, base64, and the names of charsets.',
  ],
  [
    'a section that stands twice',
    WHOLE.replace('-- answer --', '-- request --'),
    'x.case:9: The section "request" stands twice.',
  ],
  [
    'a section that is missing',
    WHOLE.replace('-- answer --\nHTTP/1.1 200 OK', ''),
    'x.case:13: The section "-- answer --" is missing.',
  ],
  [
    'a description that is missing',
    WHOLE.replace('A title.', ''),
    'x.case:1: A case begins with a sentence that says what it shows, before its first section.',
  ],
])('tells of %s, with its line', (_what, text, message) => {
  expect(() => readCase('x.case', text)).toThrow(message);
});

test('tells of faults within YAML by the line of the file', () => {
  const file = readCase('x.case', WHOLE.replace('outcome: allowed', 'outcome: allowed\nreasons: ['));
  expect(() => yamlOf(file, sectionOf(file, 'record'))).toThrow(/^x\.case:1[34]: /);
  const list = readCase('x.case', WHOLE.replace('outcome: allowed', '- a'));
  expect(() => yamlOf(list, sectionOf(list, 'record'))).toThrow(
    'x.case:12: The section "record" is a YAML mapping.',
  );
});

test('replaces a section, and leaves the rest of the file as it is', () => {
  const file = readCase('x.case', WHOLE);
  expect(withSections(WHOLE, file, new Map())).toBe(WHOLE);
  const changed = new Map([
    [sectionOf(file, 'answer')!, { text: 'HTTP/1.1 404 Not Found', options: ['gbk'] }],
    [sectionOf(file, 'record')!, { text: 'outcome: denied' }],
  ]);
  expect(withSections(WHOLE, file, changed)).toBe(
    WHOLE.replace('-- answer --\nHTTP/1.1 200 OK', '-- answer (gbk) --\nHTTP/1.1 404 Not Found').replace(
      'allowed',
      'denied',
    ),
  );
});
