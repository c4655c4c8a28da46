/**
 * A total that stands before its records is written when they all have been. Its bytes once were read then, from a buffer that held others by that
 * time: a body that came in several chunks had some of a later record in the place of its total, whether or not that might leave.
 */
import { expect, test } from 'vitest';
import { answer, catalogOf, disclosed, type Setting } from '../disclosure/support.ts';

const says = answer({ 'open/1': 'disclose' });
const range = (n: number) => Array.from({ length: n }, (_, i) => i);

test.each([1, 2, 3, 7, 16, 33, 100])(
  'a total before its records is its own in chunks of %i bytes',
  async (step) => {
    const catalog = catalogOf(
      { '/a': 'open/1' },
      { envelope: { '/total': 'total', '/data/count': 'total' } },
    );
    for (const count of [1, 5, 40]) {
      const body = (secret: string) =>
        `{"total": ${count}000 ,"data":{"count":"${count}","list":[${range(count).map((i) => `{"a":${i}${secret}}`)}]}}`;
      const setting: Setting = { catalog, records: '/data/list/*', answer: says, step };
      expect(await disclosed(body(',"s":"canary"'), setting)).toBe(body(''));
    }
  },
);

test.each([1, 3, 7, 33])('so it is in XML, in chunks of %i bytes', async (step) => {
  const catalog = catalogOf({ '/a': 'open/1' }, { envelope: { '/l/total': 'total', '/l/@n': 'total' } });
  for (const count of [1, 5, 40]) {
    const body = (secret: string) =>
      `<l n="${count}000"><total>${count}000</total>${range(count)
        .map((i) => `<r><a>${i}</a>${secret}</r>`)
        .join('')}</l>`;
    const setting: Setting = { catalog, records: '/l/r', format: 'xml', answer: says, step };
    expect(await disclosed(body('<s>canary</s>'), setting)).toBe(body(''));
  }
});
