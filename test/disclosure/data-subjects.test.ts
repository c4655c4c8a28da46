/** Whose data it is, where ids come padded or blank: the person's own consents count, never those of a stranger. */
import { describe, expect, test } from 'vitest';
import { idOf, idsOf } from '../../src/disclosure/subjects/spelling.ts';
import { createDisclosureStage } from '../../src/disclosure/stage.ts';
import type { FormatName } from '../../src/model/disclosure.ts';
import { catalogOf, keys, planOf, withhold, answer } from './support.ts';

const stage = createDisclosureStage({ keys, dataSubject: (id) => `hmac:${id}` });
const catalog = catalogOf({ '/id': 'reference/1', '/n': 'x/1' }, { subjects: ['/id'] });

async function asked(body: string, format: FormatName, dataSubject: string | null = null) {
  const records = { json: '/*', xml: '/l/r', csv: '/*', form: null }[format as 'json'] ?? null;
  const looked: string[] = [];
  const plan = planOf({
    catalog,
    format,
    records,
    dataSubject,
    answer: (_, state) => (state.flags.includes('gone') ? withhold('gone') : answer({ '*': 'disclose' })),
    consents: async (ids) => {
      looked.push(...ids);
      return new Map(ids.map((id) => [id, { consents: [], flags: id === 'C1' ? ['gone'] : [] }]));
    },
  });
  const parts = await stage.discloseBuffer(Buffer.from(body), plan);
  return { looked, summary: parts.at(-1)!.summary };
}

describe('an id that comes padded is the id', () => {
  test.each<[FormatName, string]>([
    ['json', '[{"id":"C1        ","n":1}]'],
    ['json', '[{"id":"\\u3000C1\\u00a0","n":1}]'],
    ['json', '[{"id":"C1\\u0000\\u0000","n":1}]'],
    ['xml', '<l><r><id>C1&#160;</id><n>1</n></r></l>'],
    ['csv', 'id,n\n C1 ,1\n'],
    ['csv', 'id,n\n"C1\r\n",1\n'],
    ['form', 'n=1&id=C1\r\n'],
    ['form', 'n=1&id=++C1%00'],
  ])('of %s: %j', async (format, body) => {
    const { looked, summary } = await asked(body, format);
    expect(looked).toEqual(['C1']);
    expect(summary).toMatchObject({ records: 0, records_withheld: 1, withheld_reasons: { gone: 1 } });
  });

  test('of the route, where the record does not say', async () => {
    expect((await asked('n=1', 'form', 'C1 ')).looked).toEqual(['C1']);
  });

  test('and stands so in the record', async () => {
    const { summary } = await asked('[{"id":" C2"},{"id":"C2 "}]', 'json');
    expect(summary.data_subjects).toEqual(['hmac:C2']);
  });
});

test('a blank id names nobody', async () => {
  for (const body of ['[{"id":"","n":1}]', '[{"id":"  ","n":1}]']) {
    const { looked, summary } = await asked(body, 'json');
    expect(looked).toEqual([]);
    expect(summary.withheld_reasons).toEqual({ data_subject_unknown: 1 });
  }
  expect((await asked('[{"id":" ","n":1}]', 'json', 'C1')).looked).toEqual(['C1']);
});

test('a list of ids without padding is the very list', () => {
  const ids = ['C1', 'C 2', '张三'];
  expect(idsOf(ids)).toBe(ids);
  expect(idsOf(['C1', ' C1', '', '\0'])).toEqual(['C1']);
  expect(idOf(' \0')).toBe('');
});
