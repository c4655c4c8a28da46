/**
 * Class: one text of a few hundred kilobytes stops the process for minutes. Root cause: a pattern that looks for a run at the end of a text, or in
 * which two repetitions match the same characters, takes time with the square of the run where something else follows it. The time is measured by `npm run bench -- limits`.
 */
import { expect, test } from 'vitest';
import { XML_SPELLING } from '../../src/disclosure/formats/shared/respell.ts';
import { looksAlike } from '../../src/model/identifiers.ts';
import { ANSWERED, double, number, part, prefix, REFUSED } from '../support/long-runs.ts';

test.each(ANSWERED)('a run of %s is answered', (_what, work, answer) => expect(work()).toEqual(answer));

test.each(REFUSED)('a body with a run of %s is refused', (_what, work) => expect(work).toThrow());

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
