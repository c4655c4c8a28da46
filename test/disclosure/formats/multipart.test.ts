import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Case, cutting, disclose, refusal } from './support.ts';

const B = 'x--B';
const PARTS: Case = {
  format: 'multipart',
  options: { boundary: B },
  subject: '/id',
  fields: {
    '/id': 'reference/1',
    '/phone': { category: 'contact', grade: 3, mask: 'phone' },
    '/photo': 'identity/4',
    '/photo/@filename': { category: 'identity', grade: 3, mask: 'person_name' },
  },
};
const part = (name: string, content: string, more = ''): string =>
  `--${B}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${content}\r\n`;
const body = (...parts: string[]): string => `${parts.join('')}--${B}--\r\n`;

describe('a multipart form', () => {
  test('loses a part that is dropped, headers and all', async () => {
    const { text } = await disclose(
      body(part('id', 'C1'), part('phone', '13812345678'), part('secret', 's')),
      PARTS,
    );
    expect(text).toBe(body(part('id', 'C1'), part('phone', '13812345678')));
  });
  test('holds a replacement in the place of a value', async () => {
    const c = { ...PARTS, answer: { '*': 'disclose', 'contact/3': 'mask' } } as const;
    expect((await disclose(body(part('id', 'C1'), part('phone', '13812345678')), c)).text).toBe(
      body(part('id', 'C1'), part('phone', '138****5678')),
    );
  });
  test('knows a file’s name from its content', async () => {
    const photo = part(
      'photo',
      'JFIF',
      '; filename="王小明.jpg"\r\nContent-Type: image/jpeg\r\nX-Owner: 王小明',
    );
    const disclosed = await disclose(body(part('id', 'C1'), photo), {
      ...PARTS,
      answer: { '*': 'disclose', 'identity/3': 'drop' },
    });
    expect(disclosed.text).toBe(
      body(part('id', 'C1'), part('photo', 'JFIF', '\r\nContent-Type: image/jpeg')),
    );
    const emptied = await disclose(body(part('id', 'C1'), photo), {
      ...PARTS,
      answer: { '*': 'drop', 'reference/1': 'disclose' },
    });
    expect(emptied.text).toBe(body(part('id', 'C1')));
  });
  test('keeps bytes that are no text, and loses them where a treatment needs one', async () => {
    const raw = Buffer.concat([
      Buffer.from(part('id', 'C1')),
      Buffer.from(`--${B}\r\nContent-Disposition: form-data; name="phone"\r\n\r\n`),
      Buffer.from([0xff, 0xd8]),
      Buffer.from(`\r\n--${B}--`),
    ]);
    expect((await disclose(raw, PARTS)).bytes.equals(raw)).toBe(true);
    expect((await disclose(raw, { ...PARTS, answer: { '*': 'disclose', 'contact/3': 'mask' } })).text).toBe(
      `${part('id', 'C1')}--${B}--`,
    );
  });
  test('loses the name of a file that no line names, whatever its content is', async () => {
    for (const content of ['text', Buffer.from([0xff, 0xd8])]) {
      const head = (more: string) =>
        Buffer.from(`--${B}\r\nContent-Disposition: form-data; name="phone"${more}\r\n\r\n`);
      const raw = (more: string) =>
        Buffer.concat([
          Buffer.from(part('id', 'C1')),
          head(more),
          Buffer.from(content),
          Buffer.from(`\r\n--${B}--`),
        ]);
      const { bytes, summary } = await disclose(raw('; filename="张三.jpg"'), PARTS);
      expect(bytes.equals(raw(''))).toBe(true);
      expect(summary[0]!.withheld.map((w) => `${w.path} ${w.because}`)).toEqual([
        '/phone/@filename uncatalogued',
      ]);
    }
  });
  test('may have its boundary within a line', async () => {
    const text = body(part('id', `C1 --${B}\n --${B}`));
    expect((await disclose(text, { ...PARTS, dataSubject: 'C1' })).text).toBe(text);
  });
  test('may hold nothing', async () => {
    expect((await disclose(body(), { ...PARTS, dataSubject: 'C1' })).text).toBe(body());
    expect((await disclose(body(part('phone', '')), { ...PARTS, dataSubject: 'C1' })).text).toBe(
      body(part('phone', '')),
    );
  });

  test.each([
    ['text before the first boundary', `hello\r\n${body(part('id', 'C1'))}`],
    ['text behind the last boundary', `${body(part('id', 'C1'))}hello`],
    ['no last boundary', part('id', 'C1')],
    ['nothing', ''],
    ['bare line feeds', body(part('id', 'C1')).replaceAll('\r\n', '\n')],
    ['a line that begins like a boundary', body(part('id', `C1\r\n--${B}x`))],
    ['a boundary behind a bare LF', body(part('id', `C1\n--${B}\nContent-Disposition: x`))],
    ['a boundary behind a bare CR', body(part('id', `C1\r--${B}\rContent-Disposition: x`))],
    ['a last boundary behind a bare LF', body(part('id', `C1\n--${B}--`))],
    ['white space behind a boundary', body(part('id', 'C1')).replace(`--${B}\r`, `--${B} \r`)],
    ['another boundary', body(part('id', 'C1')).replaceAll(B, 'C')],
    ['a nested multipart', body(part('id', 'C1', '\r\nContent-Type: multipart/mixed; boundary=q'))],
    ['a message inside', body(part('id', 'C1', '\r\nContent-Type: message/rfc822'))],
    ['base64', body(part('id', 'C1', '\r\nContent-Transfer-Encoding: base64'))],
    ['a folded header', body(part('id', 'C1', '\r\n ; filename="x"'))],
    ['a header twice', body(part('id', 'C1', '\r\nContent-Disposition: form-data; name="phone"'))],
    ['a name twice', body(part('id', 'C1', '; name="phone"'))],
    ['an extended name', body(part('id', 'C1', `; name*=utf-8''phone`))],
    ['a backslash in a name', body(part('i\\"d', 'C1'))],
    ['a part without a name', body(`--${B}\r\nContent-Disposition: form-data\r\n\r\nx\r\n`)],
    ['a part without a disposition', body(`--${B}\r\nContent-Type: text/plain\r\n\r\nx\r\n`)],
    ['a part without an empty line', body(`--${B}\r\nContent-Disposition: form-data; name="id"\r\n`)],
    ['a header without a name', body(part('id', 'C1', '\r\n: x'))],
    ['a white space before the colon', body(part('id', 'C1', '\r\nX-A : x'))],
    ['a part that names the others’ charset', body(part('_charset_', 'gbk'))],
  ])('is refused for %s', async (_, text) => {
    expect(await refusal(text, { ...PARTS, dataSubject: 'C1' })).toBe('response_malformed');
  });
  test('is refused without a boundary in its Content-Type', async () => {
    expect(await refusal(body(), { ...PARTS, options: {} })).toBe('response_malformed');
    expect(await refusal(body(), { ...PARTS, options: { boundary: 'a"b' } })).toBe('response_malformed');
  });
  test('is refused beyond the record limit', async () => {
    expect(
      await refusal(body(part('id', 'x'.repeat(300))), { ...PARTS, limits: { record_bytes: 200 } }),
    ).toBe('record_too_large');
  });

  const CANARY = 'Kanarienvogel';
  test('never lets out what is withheld, and never changes what is not', async () => {
    const content = fc.constantFrom(
      CANARY,
      `${CANARY}\r\n`,
      `\r\n${CANARY}`,
      `--${CANARY}`,
      `\r\n\r\n${CANARY}`,
      `\r\n--x--${CANARY}`,
      '',
    );
    const more = fc.constantFrom(
      '',
      '\r\nContent-Type: text/plain',
      '\r\ncontent-type: text/plain;charset=gbk',
    );
    const one = fc
      .tuple(fc.constantFrom('phone', 'secret', 'ok', 'Id', '@filename'), content, more)
      .map(([n, c, m]) => part(n, n === 'ok' ? 'fine' : c, m));
    await fc.assert(
      fc.asyncProperty(fc.array(one, { maxLength: 6 }), cutting, async (parts, cuts) => {
        const text = body(part('id', 'C1'), ...parts);
        const c: Case = {
          ...PARTS,
          fields: { '/id': 'reference/1', '/ok': 'x/1', '/phone': 'contact/3' },
          cuts,
        };
        expect(
          (await disclose(text, { ...c, answer: { '*': 'disclose', 'contact/3': 'pseudonymize' } })).text,
        ).not.toContain(CANARY);
        expect((await disclose(text, { ...c, fields: { '/*': 'x/1' } })).text).toBe(text);
      }),
    );
  });
});
