/**
 * Class: values behind markup or encodings that a reader sees and the finder did not. Root cause: the text was searched as it stands, so
 * tags, references and escapes cut numbers and stood between a label and its value.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { viewsOf } from '../../src/disclosure/treatments/scrub/decode.ts';
import { scrub, scrubText } from '../../src/disclosure/treatments/scrub.ts';

const ENCODINGS: { readonly [name: string]: (text: string) => string } = {
  'decimal references': (text) => text.replace(/[\s\S]/gu, (c) => `&#${c.codePointAt(0)};`),
  'hexadecimal references': (text) =>
    text.replace(/[\s\S]/gu, (c) => `&#x${c.codePointAt(0)!.toString(16)};`),
  'references of references': (text) => text.replace(/[\s\S]/gu, (c) => `&amp;#${c.codePointAt(0)};`),
  'JSON escapes': (text) =>
    text.replace(/[\s\S]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
  'doubly escaped JSON': (text) =>
    text.replace(/[\s\S]/g, (c) => `\\\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
  'percent-encoding': (text) =>
    Array.from(Buffer.from(text), (b) => `%${b.toString(16).padStart(2, '0')}`).join(''),
  'percent-encoding twice': (text) =>
    Array.from(Buffer.from(text), (b) => `%25${b.toString(16).padStart(2, '0')}`).join(''),
  'quoted-printable': (text) =>
    Array.from(Buffer.from(text), (b) => `=${b.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
};

const NOTE = '姓名：张伟，手机：13812345678，邮箱：zhang.wei@example.com，身份证110101199003074514';
/** of the values what no mask shows */
const HIDDEN = ['伟', '1234', 'ang.wei', '19900307'];

test.each(Object.keys(ENCODINGS))('finds what is written in %s', (name) => {
  const encode = ENCODINGS[name]!;
  for (const hidden of HIDDEN) expect(scrubText(encode(NOTE))).not.toContain(encode(hidden));
});

test.each([
  ['姓名：<b>张伟</b>', '姓名：<b>张*</b>'],
  ['<b>姓名</b>：张伟', '<b>姓名</b>：张*'],
  [
    '<td>姓名</td><td>张伟</td><td>手机</td>\n<td>13812345678</td>',
    '<td>姓名</td><td>张*</td><td>手机</td>\n<td>138****5678</td>',
  ],
  ['手机：138&nbsp;1234&nbsp;5678', '手机：138&nbsp;****&nbsp;5678'],
  ['<p>Call 138<b>1234</b>5678</p>', '<p>Call 138<b>****</b>5678</p>'],
  ['138<wbr>1234<!-- x -->5678', '138<wbr>****<!-- x -->5678'],
  ['mail: user&#64;example.com', 'mail: u***&#64;example.com'],
  ['<a href="mailto:zhang.wei%40x.com">mail</a>', '<a href="mailto:z***@x.com">mail</a>'],
  [
    '{\\"name\\":\\"张伟\\",\\"tel\\":\\"13812345678\\"}',
    '{\\"name\\":\\"张*\\",\\"tel\\":\\"138****5678\\"}',
  ],
  ['&lt;b&gt;姓名&lt;/b&gt;：张伟', '&lt;b&gt;姓名&lt;/b&gt;：张*'],
  ['<name><![CDATA[张伟]]></name>', '<name><![CDATA[张*]]></name>'],
  ['name=Zhang+Wei&phone=138+1234+5678', 'name=Z****+W**&phone=138+****+5678'],
  ['name=%D5%C5%CE%B0&x=1', 'name=%D5%C5*&x=1'],
])('masks in place in %s', (note, scrubbed) => {
  expect(scrubText(note)).toBe(scrubbed);
});

test.each([
  ['"customerName":"张伟"', '"customerName":"张*"'],
  ['customerName: 张伟', 'customerName: 张*'],
  ['{"contact_name":"Zhang Wei"}', '{"contact_name":"Z**** W**"}'],
  ['"realName":"张伟","userName":"李娜"', '"realName":"张*","userName":"李*"'],
  ['"idNumber":"123456789012345678"', '"idNumber":"123456********5678"'],
  ['"cardNo":"6222020200012345671"', '"cardNo":"***************5671"'],
  ['"passportNo":"E12345678"', '"passportNo":"E******78"'],
  ['"mobileNo":"12812345678"', '"mobileNo":"*******5678"'],
  ['khxm=张伟;lxdh=12812345678', 'khxm=张*;lxdh=*******5678'],
])('takes the key of %s for a label', (note, scrubbed) => {
  expect(scrubText(note)).toBe(scrubbed);
});

test.each([
  '"productName":"蓝色水壶"',
  '"userName":"zw1990"',
  '"fileName":"Report Final"',
  '金额&lt;5000&amp;已付',
  '50%25折扣',
  'C:\\new\\user',
])('leaves %s as it is', (note) => {
  expect(scrubText(note)).toBe(note);
});

test('a text that is encoded more deeply than is looked into is dropped', () => {
  let deep = '@';
  for (let i = 0; i < 20; i += 1) deep = `%${deep === '@' ? '40' : `25${deep.slice(1)}`}`;
  const treat = scrub.prepare(
    { category: 'c', grade: 3 },
    { do: 'scrub', because: 'test' },
    undefined as never,
  );
  expect(treat({ kind: 'string', text: `user${deep}example.com` })).toBe('drop');
});

test('a view knows the source of each of its units, and what is not found stays byte for byte', () => {
  const piece = fc.constantFrom(
    '&#64;',
    '&amp;',
    '<b>',
    '</b>',
    '\\u5f20',
    '%E5%BC%A0',
    '%E5',
    '\\',
    '&',
    '<',
    '>',
    'ab',
    '张',
    '=41=42',
    '+',
    ']]>',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const text = pieces.join('');
      for (const view of viewsOf(text).views) {
        expect(view.starts).toHaveLength(view.text.length);
        let end = 0;
        for (let i = 0; i < view.text.length; i += 1) {
          expect(view.starts[i]! >= end || view.starts[i] === view.starts[i - 1]).toBe(true);
          expect(view.ends[i]!).toBeGreaterThan(view.starts[i]!);
          end = view.ends[i]!;
        }
      }
      expect(scrubText(text, new Set(['plate']))).toBe(text);
    }),
  );
});

test.each(['&#37;13812345678', '50%13812345678', '\\name: John Smith', '\\u13812345678'])(
  'still finds in the text itself what decoding would spoil: %s',
  (note) => {
    const scrubbed = scrubText(note);
    for (const value of ['13812345678', 'John Smith']) expect(scrubbed.includes(value)).toBe(false);
  },
);
