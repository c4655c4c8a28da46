/**
 * Class: a charset that the route may declare and that one format ignores. Root cause: JSON was read as UTF-8 alone, while the documentation
 * advised `response.charset`; every other format asked its charset where the next character begins.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { charset } from '../../src/disclosure/formats/shared/charsets.ts';
import { mediaOf } from '../../src/disclosure/media.ts';
import { responseFault } from '../../src/disclosure/response-check.ts';
import { disclose, refusal } from '../disclosure/formats/support.ts';

const CHARSETS = [
  'gbk',
  'gb18030',
  'gb2312',
  'big5',
  'shift_jis',
  'euc-kr',
  'euc-jp',
  'utf-16le',
  'utf-16be',
  'iso-8859-1',
  'windows-1252',
] as const;

const c = (name: string, more: object = {}) => ({
  format: 'json' as const,
  charset: name,
  charsetCertain: true,
  fields: {
    '/id': 'reference/1',
    '/open': 'x/1',
    '/name': { category: 'identity', grade: 3, mask: 'person_name' },
    '/shut': 'secret/5',
  },
  answer: { 'reference/1': 'disclose', 'x/1': 'disclose', 'identity/3': 'mask', 'secret/5': 'drop' } as const,
  ...more,
});

/** Texts whose bytes have `\`, `"`, `{`, `|` or `@` where a reader of bytes would look for JSON. */
const awkward = [
  '丂',
  '誠',
  '縗',
  '功',
  '許',
  '蓋',
  'ソ',
  '表',
  '能',
  '十',
  '刓',
  '亅',
  '乗',
  '뢔',
  'é',
  'ÿ',
  '張',
  '三',
  ' ',
];

describe('JSON in the charset that it is declared in', () => {
  test('loses what is withheld, and keeps every other byte', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...CHARSETS),
        fc.array(fc.constantFrom(...awkward), { maxLength: 5 }),
        fc.array(fc.constantFrom(...awkward), { maxLength: 5 }),
        fc.constantFrom('', ' ', '\r\n\t'),
        fc.array(fc.nat(), { maxLength: 5 }),
        async (name, open, shut, space, cuts) => {
          const cs = charset(name);
          const has = (list: readonly string[]): string =>
            list.filter((t) => cs.decode(cs.encode(t)) === t).join('');
          const before = `{${space}"id":${space}1.50,${space}"open"${space}:"${has(open)}\\u0041\\\\"`;
          const body = cs.encode(`${before},"shut":["${has(shut)}CANARY"],"${has(open)}x":"CANARY"${space}}`);
          const { bytes } = await disclose(body, c(name, { cuts }));
          expect(bytes).toEqual(cs.encode(`${before}${space}}`));
        },
      ),
    );
  });

  test.each(CHARSETS)('has what replaces a value in the same charset: %s', async (name) => {
    const cs = charset(name);
    const [first, rest] = /8859|1252/.test(name) ? ['É', 'la'] : ['王', '一'];
    const { bytes } = await disclose(cs.encode(`{"id":1,"name":"${first}${rest}"}`), c(name));
    expect(cs.decode(bytes)).toMatch(new RegExp(`^\\{"id":1,"name":"${first}?\\*+[^"]*"\\}$`));
  });

  test('has an escape for a character that the charset lacks', async () => {
    const { text } = await disclose('{"id":1,"name":"\\ud83d\\ude00\\u00e9 13812345678"}', {
      ...c('gbk'),
      answer: { 'reference/1': 'disclose', 'identity/3': 'scrub' },
    });
    expect(text).toMatch(/^\{"id":1,"name":"\\ud83d\\ude00.* 138\*\*\*\*5678"\}$/);
  });

  test('is found in lists, around records and in lines', async () => {
    const cs = charset('gb18030');
    const list = cs.encode(
      '{"说明":"好","total":2,"items":[{"id":1,"shut":"密"},{"id":2,"open":"功","shut":"密"}]}',
    );
    const listed = await disclose(
      list,
      c('gb18030', { records: '/items/*', envelope: { '/说明': 'status', '/total': 'total' } }),
    );
    expect(listed.bytes).toEqual(
      cs.encode('{"说明":"好","total":2,"items":[{"id":1},{"id":2,"open":"功"}]}'),
    );
    const lines = cs.encode('{"id":1,"shut":"密"}\n\n{"id":2,"open":"功"}\n');
    expect((await disclose(lines, c('gb18030', { format: 'ndjson' }))).bytes).toEqual(
      cs.encode('{"id":1}\n\n{"id":2,"open":"功"}\n'),
    );
  });

  test('keeps the byte order mark of UTF-16, which may be all that says which way round it is', async () => {
    const cs = charset('utf-16be');
    const body = cs.encode('\ufeff{"id":"é","shut":"x"}');
    expect((await disclose(body, c('utf-16'))).bytes).toEqual(cs.encode('\ufeff{"id":"é"}'));
  });

  test.each([
    ['half a character', 'gbk', Buffer.from([0x22, 0xb0, 0x22])],
    ['a pair that is no character', 'shift_jis', Buffer.from([0x22, 0x85, 0x40, 0x22])],
    ['bytes that the charset would write otherwise', 'shift_jis', Buffer.from([0x22, 0x87, 0x90, 0x22])],
    ['half a surrogate pair', 'utf-16le', Buffer.from([0x22, 0, 0x00, 0xd8, 0x22, 0])],
    ['a byte too few', 'utf-16le', Buffer.from([0x22, 0, 0x22])],
    ['a cut body', 'gbk', Buffer.from([0x22, 0xb0])],
  ])('is refused with %s', async (_, name, body) => {
    expect(await refusal(body, c(name, { fields: { '/id': 'x/1' } }))).toBe('response_malformed');
  });

  test('is refused where its label contradicts its bytes, unless the route says so', async () => {
    const body = Buffer.from('{"id":"张三"}');
    for (const name of ['iso-8859-1', 'gbk'])
      expect(await refusal(body, c(name, { charsetCertain: false }))).toBe('response_charset_unknown');
    expect(await refusal(charset('gbk').encode('{"id":"张三"}'), c('gbk', { charsetCertain: false }))).toBe(
      'let through',
    );
    expect(await refusal(body, c('iso-8859-1'))).toBe('let through');
  });

  test('is sent on with its charset', () => {
    expect(mediaOf({ 'content-type': 'application/json; charset=GBK' }).contentType).toBe(
      'application/json; charset=gbk',
    );
    expect(
      mediaOf({ 'content-type': 'application/json' }, { format: null, charset: 'gbk' }).contentType,
    ).toBe('application/json; charset=gbk');
    expect(mediaOf({ 'content-type': 'application/json; charset=UTF-8' }).contentType).toBe(
      'application/json',
    );
    expect(responseFault({ format: 'json', charset: 'gbk', options: {} })).toBeNull();
  });
});
