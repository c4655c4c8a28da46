/** Records that stand deeper in the elements of a list (`resource` in an `entry`): a withheld one leaves no hole. */
import { describe, expect, test } from 'vitest';
import type { DisclosurePlan } from '../../src/model/disclosure.ts';
import { answer, catalogOf, disclosed, type Setting, summaryOf, withhold } from './support.ts';

const catalog = {
  ...catalogOf({ '/id': 'reference/1', '/name': 'identity/3' }, { subjects: ['/id'] }),
  envelope: {
    '/type': { is: 'status' },
    '/total': { is: 'total' },
    '/entry/*/mode': { is: 'status' },
    '/entry/*/search/score': { is: 'status' },
    '/entry/*/tags/*/tag': { is: 'status' },
    '/entry/*/count': { is: 'record_count' },
  },
} as Setting['catalog'];

const open = answer({ 'reference/1': 'disclose', 'identity/3': 'disclose' });
const ask: DisclosurePlan['ask'] = (_resource, { flags }) =>
  flags.includes('restricted') ? withhold('restricted') : open;
const states = { W: { flags: ['restricted'] }, V: { flags: ['restricted'] } };
const setting: Setting = { catalog, records: '/entry/*/resource', answer: ask, states };

const one = (id: string): string => `{"mode":"m","resource":{"id":"${id}","name":"n"},"search":{"score":1}}`;
const list = (...entries: readonly string[]): string => `{"type":"set","entry":[${entries.join(',')}]}`;

describe('a withheld record within an element of a list', () => {
  test.each([
    ['alone', ['W'], []],
    ['first', ['W', 'A'], ['A']],
    ['in the middle', ['A', 'W', 'B'], ['A', 'B']],
    ['last', ['A', 'W'], ['A']],
    ['beside others', ['W', 'V', 'A', 'W', 'B', 'V'], ['A', 'B']],
  ])('leaves no hole: %s', async (_where, given, stay) => {
    expect(await disclosed(list(...given.map(one)), setting)).toBe(list(...stay.map(one)));
  });

  test('a member of a map goes with its name, which may say who it is', async () => {
    const map = (...entries: readonly string[]): string => `{"type":"set","entry":{${entries.join(', ')}}}`;
    const member = (id: string): string => `"${id}" : ${one(id)}`;
    for (const [given, stay] of [
      [['W'], []],
      [['W', 'A'], ['A']],
      [
        ['A', 'W', 'B'],
        ['A', 'B'],
      ],
      [
        ['W', 'V', 'A', 'W', 'B', 'V'],
        ['A', 'B'],
      ],
    ] as const)
      for (const step of [1, 7, 1000])
        expect(await disclosed(map(...given.map(member)), { ...setting, step })).toBe(
          map(...stay.map(member)),
        );
    // records that are the members themselves: what holds them is not theirs alone
    const held = { ...setting, records: '/entry/*/people/*' };
    expect(await disclosed(list('{"mode":"m","people":{"W":{"id":"W"}}}'), held)).toBe(
      list('{"mode":"m","people":{}}'),
    );
    const deeper = { ...setting, records: '/*/people/*/person' };
    expect(
      await disclosed('[{"people":{"W":{"person":{"id":"W"}},"A":{"person":{"id":"A"}}}}]', deeper),
    ).toBe('[{"people":{"A":{"person":{"id":"A"}}}}]');
  });

  test('counts within an element are of its own records', async () => {
    const batch: Setting = {
      ...setting,
      records: '/responses/*/value/*',
      catalog: {
        ...catalog,
        envelope: {
          '/responses/*/n': { is: 'record_count' },
          '/responses/*/total': { is: 'total' },
          '/all': { is: 'record_count' },
        },
      } as Setting['catalog'],
    };
    const answerOf = (total: number, n: number, ids: readonly string[], before: boolean): string => {
      const counts = `"total":${total},"n":${n}`;
      const value = `"value":[${ids.map((id) => `{"id":"${id}"}`).join(',')}]`;
      return before ? `{${counts},${value}}` : `{${value},${counts}}`;
    };
    for (const before of [true, false])
      for (const step of [1, 1000]) {
        const body = (...answers: readonly string[]) => `{"responses":[${answers.join(',')}],"all":5}`;
        const given = body(
          answerOf(2, 2, ['A', 'B'], before),
          answerOf(3, 3, ['W', 'A', 'V'], before),
          answerOf(40, 2, ['W', 'A'], before),
          answerOf(0, 0, [], before),
        );
        const left = body(
          answerOf(2, 2, ['A', 'B'], before),
          answerOf(1, 1, ['A'], before),
          answerOf(40, 1, ['A'], before).replace('"total":40', '"total":null'),
          answerOf(0, 0, [], before),
        ).replace('"all":5', '"all":4');
        expect(await disclosed(given, { ...batch, step })).toBe(left);
      }
  });

  test('leaves no hole wherever the body is cut', async () => {
    const body = list(...['W', 'A', 'V', 'B', 'W'].map(one));
    for (let step = 1; step < 40; step++)
      expect(await disclosed(body, { ...setting, step })).toBe(list(one('A'), one('B')));
  });

  test('takes along what stands around it in its element, white space and all', async () => {
    const body = `{ "entry" : [ \n ${one('W')} , \n  { "mode":"m" , "resource" : {"id":"A"} } \n] }`;
    expect(await disclosed(body, setting)).toBe(
      `{ "entry" : [ \n { "mode":"m" , "resource" : {"id":"A"} } \n] }`,
    );
  });

  test('is counted, and so is the total', async () => {
    const body = list(one('A'), one('W')).replace('"type"', '"total":2,"type"');
    expect(JSON.parse(await disclosed(body, setting))).toMatchObject({ total: 1 });
    const paged = body.replace('"total":2', '"total":40');
    expect(JSON.parse(await disclosed(paged, setting))).toMatchObject({ total: null });
    expect(await summaryOf(body, setting)).toMatchObject({ records: 1, records_withheld: 1 });
  });

  test('leaves no hole where records are limited or counted in groups', async () => {
    const body = list(...['A', 'B', 'C'].map(one));
    expect(await disclosed(body, { ...setting, obligations: { max_records: 1 } })).toBe(list(one('A')));
    expect(await disclosed(body, { ...setting, obligations: { min_group_size: 4 } })).toBe(list());
  });
});

describe('an element', () => {
  test('that holds no record stays as it was', async () => {
    const body = list('{"mode":"m"}', one('A'), '{"mode":"k","search":{}}', '{}');
    expect(await disclosed(body, setting)).toBe(body);
  });

  test('with lists of its own goes with its record, and stays with it', async () => {
    const tagged = (id: string): string =>
      `{"tags":[{"tag":"x"},{"tag":"y"}],"resource":{"id":"${id}"},"mode":"m"}`;
    expect(await disclosed(list(tagged('W'), tagged('A'), tagged('V')), setting)).toBe(list(tagged('A')));
    expect(await disclosed(list('{"tags":[{"tag":"x"}]}'), setting)).toBe(list('{"tags":[{"tag":"x"}]}'));
  });

  test('that holds a list of records stays, empty', async () => {
    const nested: Setting = { ...setting, records: '/entry/*/resources/*' };
    const body = list(
      '{"mode":"m","resources":[{"id":"W"},{"id":"A"}]}',
      '{"mode":"k","resources":[{"id":"V"}]}',
    );
    expect(await disclosed(body, nested)).toBe(
      list('{"mode":"m","resources":[{"id":"A"}]}', '{"mode":"k","resources":[]}'),
    );
  });

  test('that names its record twice stays for the one that does', async () => {
    const body = list('{"resource":{"id":"W"},"resource":{"id":"A"}}');
    expect(await disclosed(body, setting)).toBe(list('{"resource":{"id":"A"}}'));
  });

  test('with more around its record than a record may be long is refused', async () => {
    const body = list(`{${'"mode":"mmmmmmmmmmmmmmmm",'.repeat(400)}"resource":{"id":"A"}}`);
    await expect(disclosed(body, { ...setting, limits: { record_bytes: 4096 } })).rejects.toMatchObject({
      code: 'record_too_large',
    });
  });
});
