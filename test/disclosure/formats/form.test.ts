import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { charset } from '../../../src/disclosure/formats/shared/charsets.ts';
import { type Case, cutting, disclose, refusal } from './support.ts';

const FORM: Case = {
  format: 'form',
  subject: '/id',
  fields: {
    '/id': 'reference/1',
    '/name': { category: 'identity', grade: 3, mask: 'person_name' },
    '/phone': { category: 'contact', grade: 3, mask: 'phone' },
    '/#5': 'reference/1',
  },
};

describe('a form', () => {
  test('loses what is dropped with its name, and keeps what is disclosed to the byte', async () => {
    const { text } = await disclose('id=C1&na%6De=%e7%8e%8b+x&phone=13812345678&secret=1&fifth=%7E', {
      ...FORM,
      answer: { '*': 'disclose', 'contact/3': 'drop' },
    });
    expect(text).toBe('id=C1&na%6De=%e7%8e%8b+x&fifth=%7E');
  });
  test('writes a replacement in its own spelling', async () => {
    const { text } = await disclose('id=C1&name=%E7%8E%8B%E5%B0%8F&phone=138+1234+5678', {
      ...FORM,
      answer: { '*': 'disclose', 'contact/3': 'mask', 'identity/3': 'mask' },
    });
    expect(text).toMatch(/^id=C1&name=%E7%8E%8B\*&phone=138[+*]+5678$/);
  });
  test('may be of another charset', async () => {
    const gbk = [...charset('gbk').encode('王小')].map((b) => `%${b.toString(16)}`).join('');
    const { text } = await disclose(`id=C1&name=${gbk}`, {
      ...FORM,
      charset: 'gbk',
      answer: { '*': 'disclose', 'identity/3': 'mask' },
    });
    expect(text).toBe('id=C1&name=%CD%F5*');
  });
  test('is nulled by an empty value', async () => {
    expect(
      (
        await disclose('id=C1&phone=1&phone', {
          ...FORM,
          answer: { '*': 'disclose', 'contact/3': 'nullify' },
        })
      ).text,
    ).toBe('id=C1&phone=&phone');
  });
  test('does not believe a name that is another’s place', async () => {
    expect((await disclose('id=C1&%235=13812345678', FORM)).text).toBe('id=C1');
  });
  test('loses a value whose bytes are no text where a treatment needs one', async () => {
    expect(
      (await disclose('id=C1&phone=%b0', { ...FORM, answer: { '*': 'disclose', 'contact/3': 'mask' } })).text,
    ).toBe('id=C1');
  });
  test.each([
    ['a separator that some take for one', 'id=C1;phone=1', 'response_malformed'],
    ['a percent sign alone', 'id=100%', 'response_malformed'],
    ['an escape cut short', 'id=%4', 'response_malformed'],
    ['more than a record', `id=${'x'.repeat(300)}`, 'record_too_large'],
  ])('is refused for %s', async (_, body, code) => {
    expect(await refusal(body, { ...FORM, limits: { record_bytes: 200 } })).toBe(code);
  });
  test('is refused with more pairs than a record may have, whatever they are', async () => {
    for (const pair of ['id=C1', 'x=1', '', '%41'])
      for (const [pairs, outcome] of [
        [3, 'let through'],
        [4, 'record_too_large'],
      ] as const) {
        const body = Array.from({ length: pairs }, () => pair).join('&');
        const said = await refusal(body, { ...FORM, dataSubject: 'C1', limits: { record_members: 3 } });
        expect([body, said]).toEqual([body, outcome]);
      }
    const hostile = Array.from({ length: 900_000 }, () => 'a=1').join('&');
    await expect(disclose(hostile, FORM)).rejects.toThrow(/limits\.record_members/);
  });

  const CANARY = 'Kanarienvogel';
  const encoded = (text: string): fc.Arbitrary<string> =>
    fc
      .array(fc.integer({ min: 0, max: 2 }), { minLength: text.length, maxLength: text.length })
      .map((how) =>
        [...text].map((c, i) => (how[i] === 0 ? c : `%${c.charCodeAt(0).toString(16)}`)).join(''),
      );
  test('never lets out what is withheld, and never changes what is not', async () => {
    const pair = fc
      .tuple(fc.constantFrom('phone', 'secret', 'Id', 'id[]', 'ok', ''), encoded(CANARY))
      .chain(([name, value]) =>
        encoded(name).map((n) => ({ name, text: `${n}=${name === 'ok' ? 'fine' : value}` })),
      );
    await fc.assert(
      fc.asyncProperty(fc.array(pair, { maxLength: 8 }), cutting, async (pairs, cuts) => {
        const body = ['id=C1', ...pairs.map((p) => p.text)].join('&');
        const c: Case = {
          ...FORM,
          fields: { '/id': 'reference/1', '/ok': 'x/1', '/phone': 'contact/3' },
          cuts,
        };
        const { text } = await disclose(body, { ...c, answer: { '*': 'disclose', 'contact/3': 'drop' } });
        expect(decodeURIComponent(text)).not.toContain(CANARY);
        expect((await disclose(body, { ...c, fields: { '/*': 'x/1' } })).text).toBe(body);
      }),
    );
  });
});
