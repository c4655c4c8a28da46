import fc from 'fast-check';
import iconv from 'iconv-lite';
import { describe, expect, test } from 'vitest';
import {
  byteOrderMark,
  charset,
  charsetNames,
  charsetOf,
  UTF8,
} from '../../src/disclosure/formats/shared/charsets.ts';

const all = charsetNames().map(charset);
const multibyte = all.filter((c) => c.layout === 'multibyte');
/** characters that each charset has, beside ASCII */
const alphabets: Record<string, string> = {
  gb18030: '王小明𠀀😀€ḿ',
  gbk: '王小明鎔€',
  gb2312: '王小明',
  big5: '王小明功許蓋',
  shift_jis: '表ソ能ｱ王',
  'euc-kr': '김철수뢔',
  'euc-jp': '表能ｱ王丂',
};

describe('the width of a character', () => {
  test.each(multibyte)('agrees with the text of $name, whatever its second bytes look like', (c) => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...(alphabets[c.name] ?? ''), ...'a,"|\\@\n~'), { maxLength: 30 }),
        (characters) => {
          const bytes = c.encode(characters.join(''));
          const found: string[] = [];
          for (let i = 0; i < bytes.length; ) {
            const w = c.width(bytes, i);
            expect(w).toBeGreaterThan(0);
            found.push(c.decode(bytes.subarray(i, i + w)) ?? '?');
            i += w;
          }
          expect(found).toEqual(characters);
        },
      ),
    );
  });

  test.each(all.filter((c) => !c.layout.startsWith('utf16')))(
    'is one for every ASCII character of $name',
    (c) => {
      const ascii = Uint8Array.from({ length: 128 }, (_, i) => i);
      for (let i = 0; i < 128; i++) expect(c.width(ascii, i)).toBe(1);
      expect(c.decode(ascii)).toBe(Buffer.from(ascii).toString('latin1'));
      expect([...c.encode(Buffer.from(ascii).toString('latin1'))]).toEqual([...ascii]);
    },
  );

  test.each([
    ['gbk', [0x81, 0x2c]],
    ['gbk', [0x81, 0x22]],
    ['gb18030', [0x81, 0x0a]],
    ['gb18030', [0x81, 0x30, 0x22, 0x30]],
    ['gb18030', [0x81, 0x30, 0x81, 0x2c]],
    ['big5', [0xa4, 0x2c]],
    ['shift_jis', [0x83, 0x2c]],
    ['euc-kr', [0xb0, 0x2c]],
    ['euc-jp', [0xa4, 0x22]],
    ['euc-jp', [0x8f, 0xa4, 0x22]],
    ['utf-16le', [0x00, 0xd8, 0x2c, 0x00]],
  ])('is refused in %s where a separator stands inside a character', (name, bytes) => {
    expect(charset(name).width(Uint8Array.from(bytes), 0)).toBe(-1);
  });

  test.each([
    ['gb18030', [0x81]],
    ['gb18030', [0x81, 0x30]],
    ['gb18030', [0x81, 0x30, 0x81]],
    ['big5', [0xa4]],
    ['euc-jp', [0x8f, 0xa4]],
    ['utf-8', [0xe7, 0x8e]],
    ['utf-16le', [0x41]],
    ['utf-16be', [0xd8, 0x40]],
  ])('is awaited in %s when the bytes end within', (name, bytes) => {
    expect(charset(name).width(Uint8Array.from(bytes), 0)).toBe(0);
  });

  test('leaves ASCII after a broken UTF-8 sequence to itself', () => {
    expect(UTF8.width(Uint8Array.from([0xe7, 0x2c, 0x41]), 0)).toBe(1);
    expect(UTF8.width(Uint8Array.from([0xe7, 0x8e, 0x2c]), 0)).toBe(2);
  });
});

describe('decoding', () => {
  test.each(all)('makes up no replacement character in $name', (c) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        const text = c.decode(bytes);
        if (text?.includes('\ufffd')) expect(c.encode(text).equals(bytes)).toBe(true);
      }),
    );
  });

  test.each([
    ['utf-8', [0xc0, 0xaf]],
    ['utf-8', [0xed, 0xa0, 0x80]],
    ['utf-8', [0xe7, 0x8e]],
    ['us-ascii', [0xe9]],
    ['windows-1252', [0x81]],
    ['gbk', [0x81]],
    ['big5', [0x81, 0xa1]],
    ['utf-16le', [0x41]],
    ['utf-16le', [0x00, 0xdc]],
    ['utf-16be', [0xd8, 0x00]],
  ])('refuses bytes that mean nothing in %s', (name, bytes) => {
    expect(charset(name).decode(Uint8Array.from(bytes))).toBe(null);
  });

  test('takes the replacement character itself where the charset has it', () => {
    for (const name of ['utf-8', 'utf-16le', 'utf-16be', 'gb18030'])
      expect(charset(name).decode(charset(name).encode('a\ufffdb'))).toBe('a\ufffdb');
  });
});

describe('encoding', () => {
  test.each(all)('writes what $name lacks as something else, never fails', (c) => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (text) => {
        const out = c.decode(c.encode(text, (character) => `&#${character.codePointAt(0)};`));
        expect(out).not.toBe(null);
      }),
    );
    expect(c.decode(c.encode('a*b'))).toBe('a*b');
  });

  test('substitutes whole characters, not halves of them', () => {
    expect(charset('iso-8859-1').encode('é😀', (ch) => `&#x${ch.codePointAt(0)!.toString(16)};`)).toEqual(
      iconv.encode('é&#x1f600;', 'iso-8859-1'),
    );
  });
});

describe('the charset of a body', () => {
  const of = (label: string | null, ...bytes: number[]): string => {
    const found = charsetOf(label, Uint8Array.from(bytes));
    return `${found.charset.name}+${found.mark}`;
  };

  test.each([
    [null, [], 'utf-8+0'],
    [null, [0xef, 0xbb, 0xbf], 'utf-8+3'],
    [null, [0xff, 0xfe, 0x41, 0], 'utf-16le+2'],
    [null, [0xfe, 0xff, 0, 0x41], 'utf-16be+2'],
    [null, [0x84, 0x31, 0x95, 0x33], 'gb18030+4'],
    ['utf-8', [0xef, 0xbb, 0xbf], 'utf-8+3'],
    ['UTF-16', [0xff, 0xfe, 0x41, 0], 'utf-16le+2'],
    ['utf-16le', [0x41, 0, 0x42, 0], 'utf-16le+0'],
    ['GB18030', [0x84, 0x31, 0x95, 0x33], 'gb18030+4'],
    ['gbk', [0x84, 0x31, 0x95, 0x33], 'gbk+0'],
    ['GB_2312-80', [], 'gb2312+0'],
    ['ISO_8859-1', [], 'iso-8859-1+0'],
    ['latin1', [], 'iso-8859-1+0'],
    ['Windows-31J', [], 'shift_jis+0'],
    ['cp949', [], 'euc-kr+0'],
  ])('labelled %s and beginning with %j is %s', (label, bytes, want) => {
    expect(of(label, ...bytes)).toBe(want);
  });

  test.each([
    ['gb18030', [0xef, 0xbb, 0xbf]],
    ['iso-8859-1', [0xef, 0xbb, 0xbf]],
    ['utf-8', [0xff, 0xfe]],
    ['utf-16le', [0xfe, 0xff]],
    ['utf-16', [0x41, 0]],
    ['utf-16', [0xef, 0xbb, 0xbf]],
    ['utf-16le', [0xff, 0xfe, 0, 0]],
    [null, [0, 0, 0xfe, 0xff]],
    ['utf-7', []],
    ['utf-32', []],
    ['iso-2022-jp', []],
    ['hz-gb-2312', []],
    ['cp037', []],
    ['', []],
    ['__proto__', []],
  ])('labelled %s and beginning with %j is refused', (label, bytes) => {
    expect(() => of(label, ...bytes)).toThrowError(
      expect.objectContaining({ code: 'response_charset_unknown' }),
    );
  });

  test('sees a mark only where all of it stands', () => {
    expect(byteOrderMark(Uint8Array.from([0xef, 0xbb]))).toBe(null);
  });
});
