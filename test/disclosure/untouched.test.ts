/** A value in which a treatment finds nothing to change leaves as it is spelled (design §7.5), in every format. */
import { expect, test } from 'vitest';
import { type Case, disclose } from './formats/support.ts';

const CASE: Omit<Case, 'format'> = {
  subject: '/id',
  fields: {
    '/id': 'reference/1',
    '/notes': 'free_text/3',
    '/phone': { category: 'contact', grade: 3, mask: 'phone' },
  },
  answer: { 'reference/1': 'disclose', 'free_text/3': 'scrub', 'contact/3': 'mask' },
};

test.each<[Case['format'], string]>([
  ['json', '{"id":"1","notes":"\\u0041\\/b \\ud83d\\ude00","phone":"\\u0031\\u0033\\u0038****5678"}'],
  ['ndjson', '{"id":"1","notes":"\\u00e9"}\n'],
  ['xml', '<c><id>1</id><notes> &lt;b&gt; <![CDATA[x & y]]>&#10;</notes><phone> 138****5678 </phone></c>'],
  ['csv', 'id,notes,phone\r\n1,"nothing",138****5678\r\n2, nothing ,\r\n'],
  ['form', 'id=1&notes=no%74hing+%e5%bc%a0&phone=138%2A%2A%2A%2A5678'],
])('%s keeps its spelling where nothing is found', async (format, body) => {
  expect((await disclose(body, { ...CASE, format })).text).toBe(body);
});

test.each<[Case['format'], string, string]>([
  ['json', '{"id":"1","notes":"\\u0031\\u0033812345678"}', '{"id":"1","notes":"138****5678"}'],
  [
    'xml',
    '<c><id>1</id><notes>138<![CDATA[12345678]]></notes></c>',
    '<c><id>1</id><notes>138****5678</notes></c>',
  ],
  ['xml', '<c><id>1</id><notes>a<!--13812345678-->b</notes></c>', '<c><id>1</id><notes>ab</notes></c>'],
  ['csv', 'id,notes\r\n1,"13812345678"\r\n', 'id,notes\r\n1,"138****5678"\r\n'],
  ['form', 'id=1&notes=1%33812345678', 'id=1&notes=138****5678'],
])('%s is written anew where something is found', async (format, body, disclosed) => {
  expect((await disclose(body, { ...CASE, format })).text).toBe(disclosed);
});
