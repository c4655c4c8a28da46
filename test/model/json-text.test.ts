import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseJson } from '../../src/model/json-text.ts';
import { readExact } from '../../src/disclosure/guard/exact.ts';
import { parseJson as parseBody } from '../../src/routing/body/json.ts';

const spelledEscaped = (name: string): string =>
  [...name].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');

/** Characters of names that need no backslash, but may be spelled with one. */
const names = fc.string({ unit: fc.constantFrom('a', 'i', 'd', '/', '姓'), minLength: 1, maxLength: 4 });
/** What V8 could take a spelled name for: its first characters. */
const misread = (spelled: string, length: number): string => spelled.slice(0, length);

describe('a name that is spelled with escapes', () => {
  test('is read as it is spelled, whatever was read before', () => {
    fc.assert(
      fc.property(names, fc.constantFrom('x', 'y', 'z'), (name, before) => {
        fc.pre(name !== before);
        const spelled = spelledEscaped(name);
        JSON.parse(`{"${before}":1,${JSON.stringify(misread(spelled, name.length))}:2}`);
        const text = `{"${before}":1,"${spelled}":"v"}`;
        expect(Object.keys(parseJson(text) as object)).toEqual([before, name]);
        expect(Object.keys(parseBody(text, 10) as object)).toEqual([before, name]);
        const exact = readExact(text);
        expect(exact.kind === 'object' && [...exact.members.keys()]).toEqual([before, name]);
      }),
    );
  });

  test('is read as it is spelled within lists and objects, and values keep their escapes', () => {
    JSON.parse('{"a":1,"\\\\u":2}');
    const text = String.raw`[{"a":1,"\u0069d" : {"\u59d3名":"\"\\u0069\": \n"}}, "\u0069d"]`;
    expect(parseJson(text)).toEqual([{ a: 1, id: { 姓名: '"\\u0069": \n' } }, 'id']);
  });

  test.each([String.raw`{"\"":1}`, String.raw`{"a\\":1}`, String.raw`{"a\n":1}`, String.raw`[{"\ud800":1}]`])(
    'that needs a backslash is refused: %s',
    (text) => {
      expect(() => parseJson(text)).toThrow(SyntaxError);
      expect(() => parseBody(text, 10)).toThrow(
        expect.objectContaining({ code: 'body_unreadable', message: expect.stringContaining('a backslash') }),
      );
    },
  );
});
