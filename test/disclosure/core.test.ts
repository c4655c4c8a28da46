import { describe, expect, test } from 'vitest';
import type { Treatment } from '../../src/disclosure/treatments/treatment.ts';
import type { DisclosureAnswer } from '../../src/model/answers.ts';
import {
  answer,
  catalogOf,
  disclosed,
  entry,
  partsOf,
  rows,
  type Setting,
  summaryOf,
  withhold,
} from './support.ts';

const customer = catalogOf(
  { '/id': 'reference/1', '/phone': 'contact/3', '/a/b': 'contact/2' },
  { subjects: ['/id'] },
);

describe('what leaves', () => {
  test('a field that the catalog does not know is dropped, whatever the answer says of classes', async () => {
    const says = answer({
      'reference/1': 'disclose',
      'unknown/5': 'disclose',
      'undefined/undefined': 'disclose',
    });
    expect(await disclosed('{"id":1,"x":2}', { catalog: customer, answer: says })).toBe('{"id":1}');
  });

  test('a class that the answer does not name is dropped', async () => {
    expect(
      await disclosed('{"id":1,"phone":"1"}', {
        catalog: customer,
        answer: answer({ 'contact/3': 'disclose' }),
      }),
    ).toBe('{"phone":"1"}');
  });

  test('a class named like a method of every object is not thereby named by the answer', async () => {
    const catalog = catalogOf({
      '/id': { category: 'constructor', grade: 1 },
      '/b': { category: '__proto__', grade: 1 },
    });
    expect(await disclosed('{"id":1,"b":2}', { catalog, answer: answer({}) })).toBe('{}');
  });

  test('a treatment nobody has drops', async () => {
    const says = answer({ 'reference/1': { do: 'blur' as 'mask', because: 'x' } });
    const summary = await summaryOf('{"id":1}', { catalog: customer, answer: says });
    expect(rows(summary.withheld)).toEqual(['/id drop treatment_unknown 1']);
  });

  test('an answer that is not exactly true about disclosing withholds the record', async () => {
    const says = { ...answer({ 'reference/1': 'disclose' }), disclose: 'yes' } as unknown as DisclosureAnswer;
    expect(await disclosed('[{"id":1}]', { catalog: customer, records: '/*', answer: says })).toBe('[]');
  });

  test('a field choice wins over the class of the field', async () => {
    const says = answer({ 'reference/1': 'disclose', 'contact/3': 'disclose' }, { '/phone': 'nullify' });
    expect(await disclosed('{"id":1,"phone":"1"}', { catalog: customer, answer: says })).toBe(
      '{"id":1,"phone":null}',
    );
  });

  test('a field choice for a path that the catalog does not have extends the catalog for that answer only', async () => {
    const says = (_: string, state: { flags: readonly string[] }) =>
      state.flags.length > 0
        ? answer({ 'reference/1': 'disclose' }, { '/x/*/y': 'disclose' })
        : answer({ 'reference/1': 'disclose' });
    const body = '[{"id":"1","x":[{"y":1,"z":2}]},{"id":"2","x":[{"y":1,"z":2}]}]';
    expect(
      await disclosed(body, {
        catalog: customer,
        records: '/*',
        answer: says,
        states: { 1: { flags: ['f'] } },
      }),
    ).toBe('[{"id":"1","x":[{"y":1}]},{"id":"2"}]');
  });

  test('an extended path that another record’s answer does not name keeps the class around it', async () => {
    const catalog = catalogOf({ '/a': 'contact/3 whole' }, { subjects: ['/id', '/peer'] });
    const body = '{"id":"1","a":{"b":1,"c":2}}';
    const says = answer({ 'contact/3': 'disclose' }, { '/a/b': 'drop' });
    expect(await disclosed(body, { catalog, answer: says })).toBe('{"a":{"c":2}}');
    expect(await disclosed(body, { catalog, answer: answer({ 'contact/3': 'disclose' }) })).toBe(
      '{"a":{"b":1,"c":2}}',
    );
  });

  test('a field choice that is no pointer refuses the answer', async () => {
    const says = answer({ 'reference/1': 'disclose' }, { phone: 'drop' });
    await expect(disclosed('{"id":1}', { catalog: customer, answer: says })).rejects.toMatchObject({
      code: 'policy_answer_malformed',
    });
  });
});

/** takes containers, as `encrypt` does, and shows what it was given */
const boxed: Treatment = {
  name: 'encrypt',
  containers: true,
  recognise: () => () => false,
  prepare: () => (value) => ({ kind: 'string', text: `box ${value.text}` }),
};

describe('containers where the line is not whole', () => {
  const all = answer({ 'contact/3': 'disclose', 'reference/1': 'disclose' });
  const address = catalogOf({ '/address': 'contact/3', '/id': 'reference/1' });

  test('an object is dropped, whatever is in it, and the account says what to do', async () => {
    for (const object of ['{"city":"x","secret":1}', '{}', '{"a":{"b":[1]}}', '{ "a" : { } }']) {
      const body = `{"id":1,"address":${object}}`;
      expect(await disclosed(body, { catalog: address, answer: all })).toBe('{"id":1}');
      const summary = await summaryOf(body, { catalog: address, answer: all });
      expect(summary.released).toEqual(['/id']);
      expect(summary.withheld).toEqual([
        { path: '/address', class: 'contact/3', do: 'drop', because: 'not_whole', count: 1 },
      ]);
      expect(summary.by_class).toEqual({ 'reference/1': { disclose: 1 }, 'contact/3': { drop: 1 } });
    }
  });

  test('a scalar leaves, and an array of scalars byte for byte, however deep', async () => {
    for (const value of ['1.0', '"{"', 'null', '[]', '[ 1.0 ,[ "\\u007b", [null]],"x{" ]']) {
      const body = `{"id":1,"address": ${value} }`;
      expect(await disclosed(body, { catalog: address, answer: all })).toBe(body);
    }
  });

  test('of an array that holds objects the rest leaves byte for byte', async () => {
    for (const [list, left] of [
      ['[ 1.0 , {"a":1} , "\\u00e9" ]', '[ 1.0 , "\\u00e9" ]'],
      ['[ {"a":1} , "é" , {}]', '[ "é"]'],
      ['[{"a":1}]', '[]'],
      ['[ {"a":[1,{"b":2}]},{} ]', '[  ]'],
      ['[1,[2,{"a":1},[{}]],[3]]', '[1,[2,[]],[3]]'],
      ['["{", {"a":"]"}, "}"]', '["{", "}"]'],
    ] as const) {
      const body = `{"address":${list},"id":1}`;
      expect(await disclosed(body, { catalog: address, answer: all })).toBe(`{"address":${left},"id":1}`);
    }
    const summary = await summaryOf('{"address":["x",{"a":1},[{"b":2}]]}', {
      catalog: address,
      answer: all,
    });
    expect(summary.released).toEqual(['/address']);
    expect(rows(summary.withheld)).toEqual(['/address drop not_whole 2']);
  });

  test('a long list keeps its places and its bytes', async () => {
    const values = Array.from({ length: 50_000 }, (_, n) => `"${n} 张三"`);
    const body = `{"address":[${values.join(', ')}, {"x":1}]}`;
    expect(await disclosed(body, { catalog: address, answer: all })).toBe(
      `{"address":[${values.join(', ')}]}`,
    );
  });

  test('with deeper lines an object is walked, and what they do not name is in no catalog', async () => {
    const catalog = catalogOf({
      '/a': 'contact/3',
      '/a/public': 'reference/1',
      '/a/public/x/y': 'contact/3',
    });
    const body = '{"a":{"public":1,"x":"s","o":{"p":1}}}';
    expect(await disclosed(body, { catalog, answer: all })).toBe('{"a":{"public":1}}');
    const summary = await summaryOf(body, { catalog, answer: all });
    expect(rows(summary.withheld)).toEqual(['/a/o drop uncatalogued 1', '/a/x drop uncatalogued 1']);
    expect(await disclosed('{"a":"s"}', { catalog, answer: all })).toBe('{"a":"s"}');
    expect(await disclosed('{"a":{"public":{"z":1,"x":{"z":2,"y":3}}}}', { catalog, answer: all })).toBe(
      '{"a":{"public":{"x":{"y":3}}}}',
    );
  });

  test('a wildcard covers scalars and arrays of them, and is told from positions', async () => {
    const catalog = catalogOf({ '/custom/*': 'contact/3', '/rows/0': 'contact/3', '/rows/1': 'contact/3' });
    const body = '{"custom":{"a":1,"b":[2,[3]],"c":{"d":4},"e":[{"f":5}]},"rows":[{"g":6},7,8]}';
    expect(await disclosed(body, { catalog, answer: all })).toBe(
      '{"custom":{"a":1,"b":[2,[3]],"e":[]},"rows":[null,7,null]}',
    );
  });

  test('an element left out of a list whose positions somebody counts becomes null', async () => {
    const catalog = catalogOf({ '/l': 'contact/3' }, { subjects: ['/l/2'] });
    expect(await disclosed('{"l":[1, {"a":1},"C1"]}', { catalog, answer: all })).toBe('{"l":[1, null,"C1"]}');
    expect(await disclosed('{"l":[1,[2],"C1"]}', { catalog, answer: all })).toBe('{"l":[1,[2],"C1"]}');
  });

  test('where a data subject or an attribute is looked for inside, an object is dropped all the same', async () => {
    const catalog = catalogOf({ '/a': 'contact/3' }, { subjects: ['/a/id'] });
    expect(await disclosed('{"a":{"id":1,"x":2}}', { catalog, answer: all })).toBe('{}');
    const listed = catalogOf({ '/l': 'contact/3' }, { subjects: ['/l/*/id'] });
    expect(await disclosed('{"l":[1,[{"id":2}],{"id":1,"x":2}]}', { catalog: listed, answer: all })).toBe(
      '{"l":[1,[]]}',
    );
  });

  test('a path that an answer names is not whole either', async () => {
    const says = answer({}, { '/x': 'disclose', '/y/*': 'disclose' });
    expect(
      await disclosed('{"x":{"a":1},"y":{"b":{"c":1},"d":[2]}}', { catalog: address, answer: says }),
    ).toBe('{"y":{"d":[2]}}');
    const summary = await summaryOf('{"x":{"a":1}}', { catalog: address, answer: says });
    expect(rows(summary.withheld)).toEqual(['/x drop not_whole 1']);
  });

  test('a treatment that takes containers takes arrays of scalars only', async () => {
    const setting = { catalog: address, treatments: [boxed], answer: answer({ 'contact/3': 'encrypt' }) };
    expect(await disclosed('{"address":[1,[2]]}', setting)).toBe('{"address":"box [1,[2]]"}');
    for (const value of ['{"a":1}', '[1,{"a":1}]', '[[{}]]']) {
      const body = `{"address":${value}}`;
      expect(await disclosed(body, setting)).toBe('{}');
      expect(rows((await summaryOf(body, setting)).withheld)).toEqual(['/address drop not_whole 1']);
    }
    const marked = catalogOf({ '/l': 'contact/3' }, { subjects: ['/l/*/id'] });
    expect(await disclosed('{"l":[{"id":1}]}', { ...setting, catalog: marked })).toBe('{}');
    expect(await disclosed('{"l":[1]}', { ...setting, catalog: marked, dataSubject: 'C1' })).toBe(
      '{"l":"box [1]"}',
    );
  });

  test('a treatment for scalars says that it does not apply', async () => {
    const masked = answer({ 'contact/3': 'mask' });
    const body = '{"address":{"a":1}}';
    expect(rows((await summaryOf(body, { catalog: address, answer: masked })).withheld)).toEqual([
      '/address drop not_applicable 1',
    ]);
  });

  test('dropped or nullified it is so for the reason of its class', async () => {
    for (const [treatment, left] of [
      ['drop', '{}'],
      ['nullify', '{"address":null}'],
    ] as const) {
      const setting = { catalog: address, answer: answer({ 'contact/3': treatment }) };
      expect(await disclosed('{"address":{"a":[{}]}}', setting)).toBe(left);
      expect(rows((await summaryOf('{"address":{"a":1}}', setting)).withheld)).toEqual([
        `/address ${treatment} test 1`,
      ]);
    }
  });

  test('of two lines that fit equally the one that is not whole decides', async () => {
    for (const [one, other] of [
      ['contact/3', 'contact/3 whole'],
      ['contact/3 whole', 'contact/3'],
    ] as const) {
      const catalog = catalogOf({ '/[n=a]/v': one, '/[m=b]/v': other });
      expect(await disclosed('[{"n":"a","m":"b","v":{"x":1}}]', { catalog, answer: all })).toBe('[{}]');
    }
  });

  test('within a line that is whole a deeper one that is not keeps to itself', async () => {
    const catalog = catalogOf({ '/a': 'contact/3 whole', '/a/b': 'contact/3', '/a/c/*': 'contact/3' });
    expect(
      await disclosed('{"a":{"x":{"y":1},"b":{"z":2},"c":{"k":{"l":3},"m":4}}}', { catalog, answer: all }),
    ).toBe('{"a":{"x":{"y":1},"c":{"m":4}}}');
  });
});

describe('containers where the line is whole', () => {
  const catalog = catalogOf({
    '/a': 'contact/3 whole',
    '/a/public': 'reference/1',
    '/list': 'contact/3 whole',
  });
  const body = '{"a":{"public":1,"x":"s","o":{"p":1}},"list":["u",1,null,["v"],{"w":1}]}';

  test('disclosed as a whole they are copied as a whole', async () => {
    expect(
      await disclosed(body, {
        catalog,
        answer: answer({ 'contact/3': 'disclose', 'reference/1': 'disclose' }),
      }),
    ).toBe(body);
  });

  test('a deeper entry overrides the one around it', async () => {
    expect(
      await disclosed(body, { catalog, answer: answer({ 'contact/3': 'drop', 'reference/1': 'disclose' }) }),
    ).toBe('{"a":{"public":1}}');
    expect(
      await disclosed(body, { catalog, answer: answer({ 'contact/3': 'disclose', 'reference/1': 'drop' }) }),
    ).toBe('{"a":{"x":"s","o":{"p":1}},"list":["u",1,null,["v"],{"w":1}]}');
  });

  test('a treatment for scalars reaches the scalars of arrays, and drops objects and what is in them', async () => {
    const says = answer({ 'contact/3': 'mask', 'reference/1': 'disclose' });
    expect(await disclosed(body, { catalog, answer: says })).toBe(
      '{"a":{"public":1},"list":["***","***",null,["***"]]}',
    );
    const summary = await summaryOf(body, { catalog, answer: says });
    expect(rows(summary.withheld)).toEqual([
      '/a drop not_applicable 2',
      '/list drop not_applicable 1',
      '/list mask test 4',
    ]);
  });

  test('a treatment that takes containers takes them', async () => {
    const setting = { catalog, treatments: [boxed], answer: answer({ 'contact/3': 'encrypt' }) };
    expect(await disclosed('{"list":{"a":[{"b":1}]}}', setting)).toBe(
      '{"list":"box {\\"a\\":[{\\"b\\":1}]}"}',
    );
  });

  test('nullified they are one null', async () => {
    expect(await disclosed('{"list":[1,2]}', { catalog, answer: answer({ 'contact/3': 'nullify' }) })).toBe(
      '{"list":null}',
    );
  });
});

describe('paths', () => {
  test('the more specific of two equally deep paths wins, from the left', async () => {
    const catalog = catalogOf({
      '/a/*/c': 'one/1',
      '/*/b/c': 'two/1',
      '/*/*/d': 'three/1',
      '/a/b/d': 'four/1',
    });
    const says = answer({ 'one/1': 'disclose', 'four/1': 'disclose' });
    expect(
      await disclosed('{"a":{"b":{"c":1,"d":2}},"x":{"b":{"c":3,"d":4}}}', { catalog, answer: says }),
    ).toBe('{"a":{"b":{"c":1,"d":2}},"x":{"b":{}}}');
  });

  test('a selector picks by a sibling wherever that stands in the object', async () => {
    const catalog = catalogOf({
      '/f/*/name': 'n/1',
      '/f/[name=身份证号]/value': 'id/4',
      '/f/*/value': 'v/1',
    });
    const body =
      '{"f":[{"name":"身份证号","value":"1"},{"value":"2","name":"\\u8eab份证号"},{"value":"3","name":"x"},{"value":"4"}]}';
    expect(
      await disclosed(body, {
        catalog,
        answer: answer({ 'n/1': 'drop', 'v/1': 'disclose', 'id/4': 'mask' }),
      }),
    ).toBe('{"f":[{"value":"***"},{"value":"***"},{"value":"3"},{"value":"4"}]}');
  });

  test('a selector beats a position and a wildcard', async () => {
    const catalog = catalogOf({ '/0/v': 'p/1', '/*/v': 'p/1', '/[n=a]/v': 's/1' });
    expect(
      await disclosed('[{"v":1,"n":"a"},{"v":2}]', { catalog, answer: answer({ 'p/1': 'disclose' }) }),
    ).toBe('[{},{"v":2}]');
  });

  test('an object that spells a selecting member twice is refused', async () => {
    const catalog = catalogOf({ '/[n=a]/v': 's/1', '/*/v': 'p/1' });
    await expect(
      disclosed('[{"n":"b","v":1,"n":"a"}]', { catalog, answer: answer({ 'p/1': 'disclose' }) }),
    ).rejects.toMatchObject({ code: 'response_malformed' });
  });

  test('of two selectors that both match the higher grade decides', async () => {
    const catalog = catalogOf({ '/[n=a]/v': 'low/1', '/[m=b]/v': 'high/4' });
    const says = answer({ 'low/1': 'disclose', 'high/4': 'mask' });
    expect(await disclosed('[{"n":"a","m":"b","v":1},{"n":"a","v":2}]', { catalog, answer: says })).toBe(
      '[{"v":"***"},{"v":2}]',
    );
  });

  test('an element dropped from an array with positions becomes null, elsewhere it goes with its comma', async () => {
    const catalog = catalogOf({
      '/p/0': 'a/1',
      '/p/1': 'b/1',
      '/p/2': 'a/1',
      '/l/*/x': 'a/1',
      '/l/*/y': 'b/1',
    });
    expect(
      await disclosed('{"p":[1,2,3,4],"l":[{"x":1,"y":2},5,{"y":3}]}', {
        catalog,
        answer: answer({ 'a/1': 'disclose' }),
      }),
    ).toBe('{"p":[1,null,3,null],"l":[{"x":1},{}]}');
  });

  test('names with slashes, tildes and escapes are matched as they mean', async () => {
    const catalog = catalogOf({ '/a~1b': 'a/1', '/c~0d': 'a/1', '/phone': 'p/1', '/': 'a/1' });
    const body = '{"a/b":1,"a\\/b":2,"c~d":3,"\\u0070hone":4,"ph\\u006fne":5,"":6}';
    expect(await disclosed(body, { catalog, answer: answer({ 'a/1': 'disclose', 'p/1': 'nullify' }) })).toBe(
      '{"a/b":1,"a\\/b":2,"c~d":3,"\\u0070hone":null,"ph\\u006fne":null,"":6}',
    );
  });

  test('names like __proto__ and constructor are names like others', async () => {
    const catalog = catalogOf({ '/__proto__/x': 'a/1', '/constructor': 'a/1' });
    const body = '{"__proto__":{"x":1,"y":2},"constructor":3,"toString":4,"hasOwnProperty":{"x":5}}';
    expect(await disclosed(body, { catalog, answer: answer({ 'a/1': 'disclose' }) })).toBe(
      '{"__proto__":{"x":1},"constructor":3}',
    );
  });

  test('every duplicate of a name is treated alike', async () => {
    expect(
      await disclosed('{"phone":"1","id":1,"phone":"2","x":1,"x":2}', {
        catalog: customer,
        answer: answer({ 'contact/3': 'mask', 'reference/1': 'disclose' }),
      }),
    ).toBe('{"phone":"***","id":1,"phone":"***"}');
  });
});

describe('data subjects', () => {
  const catalog = catalogOf(
    { '/id': 'reference/1', '/v': 'contact/3', '/w': 'other/1' },
    { subjects: ['/id', '/owner/ref', '/more/*'], attributes: { vip: '/flags/vip', n: '/n' } },
  );

  test('are asked for once a batch, without repetition, wherever they stand', async () => {
    const asked: string[][] = [];
    await disclosed(
      '[{"owner":{"ref":7},"id":"a"},{"id":"a"},{"more":["b","c"]},{"id":null},{"id":{"x":1}}]',
      {
        catalog,
        records: '/*',
        consents: async (ids) => {
          asked.push([...ids]);
          return new Map();
        },
      },
    );
    expect(asked).toEqual([['7', 'a', 'b', 'c']]);
  });

  test('have each of their states judged once, whichever of them a record names together', async () => {
    const judged: string[] = [];
    const text = await disclosed(
      '[{"id":"a","v":1},{"id":"a","owner":{"ref":"b"},"v":1},{"id":"b","owner":{"ref":"c"},"v":1},{"id":"c","v":1}]',
      {
        catalog,
        records: '/*',
        states: { a: { flags: ['a'] }, b: { flags: ['b'] }, c: { flags: ['c'] } },
        answer: (_resource, { flags: [flag = ''] }) => {
          judged.push(flag);
          return answer({ 'reference/1': 'disclose', 'contact/3': flag === 'c' ? 'drop' : 'disclose' });
        },
      },
    );
    expect(judged.sort()).toEqual(['a', 'b', 'c']);
    expect((JSON.parse(text) as { v?: number }[]).map(({ v }) => v)).toEqual([1, 1, undefined, undefined]);
  });

  test('in the same state are one question to the policy, whatever the ids of their consents', async () => {
    const questions: string[] = [];
    const given = (id: string) => ({
      consents: [
        { id, purpose: 'p', categories: ['a', 'b'], recipient: 'internal', status: 'given' as const },
        { purpose: 'q', categories: [], recipient: 'internal', status: 'given' as const },
      ],
    });
    const reversed = { consents: [...given('z').consents].reverse(), flags: [] };
    await disclosed('[{"id":1},{"id":2},{"id":3},{"id":4}]', {
      catalog,
      records: '/*',
      states: { 1: given('x'), 2: given('y'), 3: reversed },
      answer: (_resource, state) => {
        questions.push(JSON.stringify(state));
        return answer({});
      },
    });
    expect(questions).toHaveLength(2);
    expect(questions[0]).not.toContain('"id"');
  });

  test('several in one record: the strictest of their treatments counts, class by class', async () => {
    const says = (_: string, state: { flags: readonly string[] }) =>
      state.flags.includes('a')
        ? answer({ 'contact/3': 'disclose', 'other/1': 'nullify', 'reference/1': 'disclose' })
        : answer({ 'contact/3': 'mask', 'other/1': 'disclose', 'reference/1': 'disclose' });
    expect(
      await disclosed('{"id":"1","owner":{"ref":"2"},"v":"secret","w":1}', {
        catalog,
        answer: says,
        states: { 1: { flags: ['a'] }, 2: { flags: ['b'] } },
      }),
    ).toBe('{"id":"1","v":"***","w":null}');
  });

  test('one of several who withholds, withholds the record', async () => {
    const says = (_: string, state: { flags: readonly string[] }) =>
      state.flags.includes('no') ? withhold('opted_out') : answer({ 'reference/1': 'disclose' });
    const setting = { catalog, records: '/*', answer: says, states: { 2: { flags: ['no'] } } };
    const body = '[{"id":"1","owner":{"ref":"2"}},{"id":"1"}]';
    expect(await disclosed(body, setting)).toBe('[{"id":"1"}]');
    const summary = await summaryOf(body, setting);
    expect(summary).toMatchObject({ records: 1, records_withheld: 1, withheld_reasons: { opted_out: 1 } });
    expect(summary.data_subjects).toHaveLength(1);
  });

  test('that nobody can name are not taken for somebody who never objected: the record is withheld', async () => {
    const setting = { catalog, answer: answer({ 'reference/1': 'disclose' }), records: '/*' };
    expect(await disclosed('[{"id":1,"v":"n"},{"v":"m"}]', setting)).toBe('[{"id":1}]');
    const summary = await summaryOf('[{"v":"m"}]', setting);
    expect(summary).toMatchObject({ records_withheld: 1, withheld_reasons: { data_subject_unknown: 1 } });
  });

  test('the one known from the request stands in where a record says nothing', async () => {
    const asked: string[][] = [];
    const consents = async (ids: readonly string[]) => {
      asked.push([...ids]);
      return new Map();
    };
    await disclosed('{"v":1}', { catalog, dataSubject: 'C1', consents });
    await disclosed('{"v":1,"id":"C2"}', { catalog, dataSubject: 'C1', consents });
    expect(asked).toEqual([['C1'], ['C2']]);
  });

  test('attributes reach the policy with their types, big integers as text', async () => {
    const seen: unknown[] = [];
    await disclosed('{"flags":{"vip":true},"n":12345678901234567890,"id":1}', {
      catalog,
      answer: (_resource, _state, attributes) => {
        seen.push(attributes);
        return answer({});
      },
    });
    expect(seen).toEqual([{ vip: true, n: '12345678901234567890' }]);
  });

  test('an attribute spelled twice with different values refuses the answer', async () => {
    await expect(disclosed('{"n":1,"n":2}', { catalog })).rejects.toMatchObject({
      code: 'response_malformed',
    });
  });

  test('a consent source that fails refuses the answer', async () => {
    const consents = () => Promise.reject(new Error('down'));
    await expect(disclosed('{"id":1}', { catalog, consents })).rejects.toThrow('down');
  });
});

describe('a record about many', () => {
  const staff = catalogOf(
    { '/id': 'reference/1', '/n': 'contact/3' },
    { resource: 'staff', subjects: ['/id'] },
  );
  const about: Setting = {
    catalog: catalogOf({ '/staff/*': '@staff', '/ids/*': 'reference/1' }, { subjects: ['/ids/*'] }),
    catalogs: [staff],
    answer: answer({ 'reference/1': 'disclose', 'contact/3': 'mask' }),
  };
  const many = (n: number): string =>
    `{"ids":[${Array.from({ length: n }, (_, k) => k).join()}],"staff":[${Array.from({ length: n }, (_, k) => `{"id":${k},"n":"x"}`).join()}]}`;

  test('is disclosed about each of them', async () => {
    expect(await disclosed(many(1_000), about)).toBe(many(1_000).replaceAll('"x"', '"***"'));
  });

  test.each(['json', 'ndjson'] as const)('is refused if they are too many: %s', async (format) => {
    // an id of the record's own, and of each of the embedded resources themselves and their ids
    const some = { ...about, format, limits: { record_members: 30 } };
    expect(await disclosed(many(10), some)).toContain('"***"');
    await expect(partsOf(many(11), some)).rejects.toThrow(/limits\.record_members/);
  });
});

describe('embedded resources', () => {
  test('get a field that the answer names, even if the answer is the object of a resource that has a line for it', async () => {
    const employee = catalogOf({ '/address': 'contact/1 whole' }, { resource: 'employee' });
    const shared = answer({ 'contact/1': 'disclose' }, { '/address/city': 'drop' });
    const address = { city: 'Suzhou', zip: '215000' };
    const left = await disclosed(JSON.stringify({ address, agent: { address } }), {
      catalog: catalogOf({ '/address/city': 'contact/1', '/agent': '@employee' }),
      catalogs: [employee],
      answer: shared,
    });
    expect(JSON.parse(left)).toEqual({ address: {}, agent: { address: { zip: '215000' } } });
  });

  const employee = catalogOf(
    { '/id': 'reference/1', '/name': 'staff/2', '/boss': '@employee' },
    { resource: 'employee', subjects: ['/id'], attributes: { dep: '/dep' } },
  );
  const catalog = catalogOf(
    { '/id': 'reference/1', '/name': 'identity/3', '/agent': '@employee', '/team': '@employee' },
    { subjects: ['/id'], attributes: { agent_dep: '/agent/dep' } },
  );
  const says = (resource: string, state: { flags: readonly string[] }) =>
    state.flags.includes('hide')
      ? withhold('hidden')
      : resource === 'employee'
        ? answer({ 'reference/1': 'disclose', 'staff/2': 'disclose', 'identity/3': 'disclose' })
        : answer({ 'reference/1': 'disclose', 'identity/3': 'mask', 'staff/2': 'drop' });

  test('have their own catalog, data subject and answer', async () => {
    const body =
      '{"id":1,"name":"n","agent":{"id":2,"name":"a","phone":1,"boss":{"id":3,"name":"b","boss":{"id":4,"name":"c"}}}}';
    const setting = { catalog, catalogs: [employee], answer: says };
    expect(await disclosed(body, setting)).toBe(
      '{"id":1,"name":"***","agent":{"id":2,"name":"a","boss":{"id":3,"name":"b","boss":{"id":4,"name":"c"}}}}',
    );
    const summary = await summaryOf(body, setting);
    expect(summary.released).toContain('/agent/name');
    expect(summary.released).toContain('/agent/boss/name');
    expect(rows(summary.withheld)).toEqual(['/agent/phone drop uncatalogued 1', '/name mask test 1']);
  });

  test('in a list are one scope each, and what is no object there is dropped', async () => {
    const body =
      '{"id":1,"team":[{"id":2,"name":"a"},5,null,[{"name":"x"}],{"id":3,"name":"b"}],"agent":"a"}';
    expect(
      await disclosed(body, {
        catalog,
        catalogs: [employee],
        answer: says,
        states: { 2: { flags: ['hide'] } },
      }),
    ).toBe('{"id":1,"team":[{"id":3,"name":"b"}]}');
  });

  test('withheld are dropped like a field, and the record stays', async () => {
    const setting = { catalog, catalogs: [employee], answer: says, states: { 2: { flags: ['hide'] } } };
    const body = '{"id":1,"agent":{"id":2,"name":"a"}}';
    expect(await disclosed(body, setting)).toBe('{"id":1}');
    expect(rows((await summaryOf(body, setting)).withheld)).toEqual(['/agent drop embedded_withheld 1']);
  });

  test('an attribute of the record may stand inside one', async () => {
    const seen: unknown[] = [];
    await disclosed('{"id":1,"agent":{"id":2,"dep":"sales"}}', {
      catalog,
      catalogs: [employee],
      answer: (resource, _state, attributes) => {
        seen.push([resource, attributes]);
        return answer({});
      },
    });
    expect(seen).toEqual([
      ['customer', { agent_dep: 'sales' }],
      ['employee', { dep: 'sales' }],
    ]);
  });

  test('an answer of the record that names one can hide it, not open it', async () => {
    const body = '{"id":1,"agent":{"id":2,"name":"a","x":1}}';
    for (const [fields, left] of [
      [{ '/agent': 'drop' }, '{"id":1}'],
      [{ '/agent': 'nullify' }, '{"id":1,"agent":null}'],
      [{ '/agent': 'disclose' }, '{"id":1}'],
      [{ '/agent/x': 'disclose' }, '{"id":1}'],
    ] as const) {
      const one = (resource: string) =>
        resource === 'customer'
          ? answer({ 'reference/1': 'disclose' }, fields)
          : answer({ 'staff/2': 'disclose' });
      expect(await disclosed(body, { catalog, catalogs: [employee], answer: one })).toBe(left);
    }
  });

  test('of different answers in one record: what one of them names besides the catalog changes nothing for the other', async () => {
    const staff = catalogOf(
      { '/id': 'reference/1', '/room': 'staff/2 whole' },
      { resource: 'employee', subjects: ['/id'] },
    );
    const one = (resource: string, state: { flags: readonly string[] }) => {
      if (resource === 'customer') return answer({ 'reference/1': 'disclose' });
      const classes = { 'reference/1': 'disclose', 'staff/2': 'disclose' } as const;
      return state.flags.length > 0
        ? answer(classes, { '/room/key': 'drop', '/x': 'disclose' })
        : answer(classes);
    };
    const body =
      '{"id":1,"team":[{"id":2,"room":{"key":1,"no":2},"x":1},{"id":3,"room":{"key":1,"no":2},"x":1}]}';
    expect(
      await disclosed(body, { catalog, catalogs: [staff], answer: one, states: { 2: { flags: ['f'] } } }),
    ).toBe('{"id":1,"team":[{"id":2,"room":{"no":2},"x":1},{"id":3,"room":{"key":1,"no":2}}]}');
  });

  test('… nor where only a sibling says what the field is', async () => {
    const staff = catalogOf(
      { '/id': 'reference/1', '/f/*/value': 'low/1 whole', '/f/[name=id]/value': 'high/4 whole' },
      { resource: 'employee', subjects: ['/id'] },
    );
    const one = (resource: string, state: { flags: readonly string[] }) =>
      resource === 'customer'
        ? answer({})
        : answer({ 'low/1': 'disclose' }, state.flags.length > 0 ? { '/f/0/value/x': 'disclose' } : {});
    const member = (id: number) =>
      `{"id":${id},"f":[{"name":"id","value":{"x":1,"y":2}},{"name":"z","value":{"x":3}}]}`;
    expect(
      await disclosed(`{"id":1,"team":[${member(2)},${member(3)}]}`, {
        catalog,
        catalogs: [staff],
        answer: one,
        states: { 2: { flags: ['f'] } },
      }),
    ).toBe('{"team":[{"f":[{"value":{"x":1}},{"value":{"x":3}}]},{"f":[{"value":{}},{"value":{"x":3}}]}]}');
  });

  test('without a catalog refuse the answer', async () => {
    await expect(disclosed('{"agent":{}}', { catalog, answer: says })).rejects.toMatchObject({
      code: 'catalog_unknown',
    });
  });
});

describe('obligations', () => {
  const catalog = catalogOf(
    {
      '/id': 'reference/1',
      '/city': { ...entry('contact/2'), quasi_identifier: true } as never,
      '/born': { ...entry('identity/3'), quasi_identifier: true } as never,
    },
    { subjects: ['/id'], envelope: { '/total': 'total', '/n': 'record_count' } },
  );
  const all = answer({ 'reference/1': 'disclose', 'contact/2': 'disclose', 'identity/3': 'mask' });

  test('max_records cuts, counts what was cut and asks nobody about it', async () => {
    const asked: string[] = [];
    const setting = {
      catalog,
      records: '/items/*',
      obligations: { max_records: 2 },
      limits: { batch_records: 2 },
      answer: all,
      consents: async (ids: readonly string[]) => {
        asked.push(...ids);
        return new Map();
      },
    };
    const body = '{"items":[{"id":1},{"id":2},{"id":3},{"id":4}],"total":40,"n":4}';
    expect(await disclosed(body, setting)).toBe('{"items":[{"id":1},{"id":2}],"total":null,"n":2}');
    expect(asked).toEqual(['1', '2']);
    expect(await summaryOf(body, setting)).toMatchObject({
      records: 2,
      records_withheld: 2,
      withheld_reasons: { max_records: 2 },
    });
  });

  test('min_group_size counts an object that a line does not cover as what leaves of it: nothing', async () => {
    const body =
      '[{"id":1,"city":{"a":1}},{"id":2,"city":{"b":2}},{"id":3,"city":[1,{"a":1}]},{"id":4,"city":[1,{"b":2}]},{"id":5,"city":[2]}]';
    const setting = { records: '/*', obligations: { min_group_size: 2 }, answer: all };
    expect(await disclosed(body, { ...setting, catalog })).toBe(
      '[{"id":1},{"id":2},{"id":3,"city":[1]},{"id":4,"city":[1]}]',
    );
    const whole = { ...catalog, fields: { ...catalog.fields } };
    whole.fields['/city'] = { ...entry('contact/2 whole'), quasi_identifier: true } as never;
    expect(await disclosed(body, { ...setting, catalog: whole })).toBe('[]');
  });

  test('min_group_size withholds the records of groups that are too small, by what would leave', async () => {
    const body =
      '[{"id":1,"city":"a","born":1},{"id":2,"city":"b","born":2},{"id":3,"city":"a","born":3},{"id":4,"born":1}]';
    const setting = { catalog, records: '/*', obligations: { min_group_size: 2 }, answer: all };
    expect(await disclosed(body, setting)).toBe(
      '[{"id":1,"city":"a","born":"***"},{"id":3,"city":"a","born":"***"}]',
    );
    expect(await summaryOf(body, setting)).toMatchObject({
      records: 2,
      records_withheld: 2,
      withheld_reasons: { group_size_unmet: 2 },
      by_class: { 'identity/3': { mask: 2 } },
    });
  });

  test('groups are of what leaves: max_records cuts first, and nothing follows up for what is taken out', async () => {
    const body = JSON.stringify([...'aaabbb', ...'aaa'].map((city, n) => ({ id: n === 1 ? 'no' : n, city })));
    const setting = {
      catalog,
      records: '/*',
      obligations: { min_group_size: 2, max_records: 3 },
      answer: (_: string, { flags }: { flags: readonly string[] }) =>
        flags.includes('no') ? withhold('no') : all,
      states: { no: { flags: ['no'] } },
    };
    expect(await disclosed(body, setting)).toBe('[{"id":0,"city":"a"},{"id":2,"city":"a"}]');
    expect(await summaryOf(body, setting)).toMatchObject({
      records: 2,
      withheld_reasons: { no: 1, group_size_unmet: 1, max_records: 5 },
    });
  });

  test('quasi-identifiers of embedded resources single out the record too', async () => {
    const person = catalogOf(
      { '/id': 'reference/1', '/born': { ...entry('contact/2'), quasi_identifier: true } as never },
      { resource: 'person', subjects: ['/id'] },
    );
    const family = catalogOf(
      {
        '/city': { ...entry('contact/2'), quasi_identifier: true } as never,
        '/spouse': '@person',
        '/children': '@person',
      },
      {},
    );
    const setting = {
      catalog: family,
      catalogs: [person],
      records: '/*',
      obligations: { min_group_size: 2 },
      states: { no: { flags: ['no'] } },
      answer: (_: string, { flags }: { flags: readonly string[] }) =>
        flags.includes('no') ? withhold('no') : all,
    };
    const left = async (...records: object[]) =>
      JSON.parse(await disclosed(JSON.stringify(records), setting)) as object[];
    const one = { city: 'a', spouse: { id: 1, born: 1970 } };
    expect(await left(one, { ...one, spouse: { id: 2, born: 1971 } })).toEqual([]);
    expect(await left(one, { spouse: { born: 1970, id: 2 }, city: 'a' })).toHaveLength(2);
    const many = {
      city: 'a',
      children: [
        { id: 1, born: 1 },
        { id: 2, born: 2 },
      ],
    };
    const others = {
      city: 'a',
      children: [
        { id: 3, born: 1 },
        { id: 4, born: 2 },
      ],
    };
    expect(await left(many, { ...many, children: [{ id: 1, born: 1 }] })).toEqual([]);
    expect(await left(many, others, { ...many, city: 'b' })).toHaveLength(2);
    // the same people twice are no group
    expect(await left(many, many)).toEqual([]);
    // those that are withheld do not leave
    const hidden = { city: 'a', spouse: { id: 'no', born: 1 } };
    expect(await left(hidden, { city: 'a', spouse: { id: 'no', born: 2 } }, { city: 'a' })).toHaveLength(3);
  });

  test('min_group_size counts the records that max_records leaves', async () => {
    const body =
      '[{"id":1,"city":"a"},{"id":2,"city":"b"},{"id":3,"city":"b"},{"id":4,"city":"a"},{"id":5,"city":"c"},{"id":6,"city":"b"}]';
    const setting = {
      catalog,
      records: '/*',
      obligations: { min_group_size: 2, max_records: 3 },
      answer: all,
    };
    expect(await disclosed(body, setting)).toBe('[{"id":2,"city":"b"},{"id":3,"city":"b"}]');
    expect(await summaryOf(body, setting)).toMatchObject({
      records: 2,
      records_withheld: 4,
      withheld_reasons: { group_size_unmet: 1, max_records: 3 },
    });
  });

  test('min_group_size tells a null that leaves from a value that does not', async () => {
    const body = '[{"id":1,"born":null},{"id":2,"born":{"a":1}},{"id":3,"born":null},{"id":4,"born":{}}]';
    const setting = { catalog, records: '/*', obligations: { min_group_size: 2 }, answer: all };
    expect(await disclosed(body, setting)).toBe(
      '[{"id":1,"born":null},{"id":2},{"id":3,"born":null},{"id":4}]',
    );
    expect(await disclosed('[{"id":1,"born":null},{"id":2,"born":{"a":1}}]', setting)).toBe('[]');
  });

  test('min_group_size counts what an embedded resource names, too', async () => {
    const person = {
      ...catalogOf(
        { '/pid': 'reference/1', '/born': { ...entry('identity/3'), quasi_identifier: true } as never },
        { subjects: ['/pid'] },
      ),
      resource: 'person',
    };
    const outer = catalogOf(
      { '/id': 'reference/1', '/spouse': { resource: 'person' } },
      { subjects: ['/id'] },
    );
    const setting = {
      catalog: outer,
      catalogs: [person],
      records: '/*',
      obligations: { min_group_size: 2 },
      answer: answer({ 'reference/1': 'disclose', 'identity/3': 'disclose' }),
    };
    const one = (id: number, born: string) => `{"id":${id},"spouse":{"pid":${id + 10},"born":"${born}"}}`;
    expect(await disclosed(`[${one(1, 'a')},${one(2, 'b')},${one(3, 'a')}]`, setting)).toBe(
      `[${one(1, 'a')},${one(3, 'a')}]`,
    );
    const element = (id: number, born: string) =>
      `<r><id>${id}</id><spouse><pid>${id + 10}</pid><born>${born}</born></spouse></r>`;
    expect(
      await disclosed(`<l>${element(1, 'a')}${element(2, 'b')}${element(3, 'a')}</l>`, {
        ...setting,
        format: 'xml',
        records: '/l/r',
      }),
    ).toBe(`<l>${element(1, 'a')}${element(3, 'a')}</l>`);
    // none of it leaves where the resource is withheld
    const hidden = {
      ...setting,
      answer: (resource: string) => ({ ...setting.answer, disclose: resource !== 'person' }),
    };
    expect(await disclosed(`[${one(1, 'a')},${one(2, 'b')}]`, hidden)).toBe('[{"id":1},{"id":2}]');
  });

  test('a single record is a group of one', async () => {
    expect(
      await disclosed('{"id":1,"city":"a"}', { catalog, obligations: { min_group_size: 2 }, answer: all }),
    ).toBe('null');
  });

  test('an answer too long to be held for its groups is refused', async () => {
    const body = `[${'{"id":1},'.repeat(200)}{"id":2}]`;
    await expect(
      disclosed(body, {
        catalog,
        records: '/*',
        obligations: { min_group_size: 2 },
        answer: all,
        limits: { group_bytes: 500 },
      }),
    ).rejects.toMatchObject({ code: 'group_size_unmet' });
  });
});

describe('parts', () => {
  const catalog = catalogOf(
    { '/id': 'reference/1', '/v': 'contact/3' },
    { subjects: ['/id'], envelope: { '/n': 'record_count' } },
  );
  const all = answer({ 'reference/1': 'disclose', 'contact/3': 'mask' });
  const record = (n: number) => `{"id":${n},"v":"${'x'.repeat(90)}"}`;
  const body = `{"items":[${Array.from({ length: 200 }, (_, n) => record(n)).join(',')}]}`;

  test('are cut at about their size, the last one says so, and their summaries add up', async () => {
    const parts = await partsOf(body, {
      catalog,
      records: '/items/*',
      answer: all,
      limits: { part_bytes: 1000 },
    });
    expect(parts.length).toBeGreaterThan(3);
    expect(parts.map((p) => p.last)).toEqual(parts.map((_, n) => n === parts.length - 1));
    expect(parts.reduce((sum, p) => sum + p.summary.records, 0)).toBe(200);
    expect(parts.reduce((sum, p) => sum + (p.summary.by_class['contact/3']?.['mask'] ?? 0), 0)).toBe(200);
    for (const part of parts) {
      const text = Buffer.concat(part.chunks).toString();
      expect(text.match(/"id"/g)?.length ?? 0).toBe(part.summary.records);
      expect(text.length).toBeLessThan(1100);
    }
  });

  test('a count before its records is held for, and null when that would be too long', async () => {
    const early = `{"n":9,${body.slice(1)}`;
    const setting = { catalog, records: '/items/*', answer: all };
    expect(await disclosed(early, setting)).toContain('{"n":200,');
    const parts = await partsOf(early, { ...setting, limits: { part_bytes: 500, hold_bytes: 2000 } });
    expect(Buffer.concat(parts[0]!.chunks).toString()).toContain('{"n":null,');
    expect(rows(parts[0]!.summary.withheld)).toContain('/n nullify count_before_records 1');
  });

  test('what may leave does not wait for an upstream that has gone quiet', async () => {
    const { createDisclosureStage } = await import('../../src/disclosure/stage.ts');
    const { keys, planOf } = await import('./support.ts');
    const stage = createDisclosureStage({ keys, limits: { idle_ms: 5 } });
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    async function* slow() {
      yield Buffer.from('{"id":1}\n');
      await gate;
      yield Buffer.from('{"id":2}\n');
    }
    const stream = stage.disclose(slow(), planOf({ catalog, answer: all, format: 'ndjson' }));
    const first = await stream.next();
    expect(Buffer.concat([...first.value!.chunks]).toString()).toBe('{"id":1}\n');
    release();
    const second = await stream.next();
    expect(second.value).toMatchObject({ last: true, summary: { records: 1 } });
  });

  test('paths that the upstream makes up are bounded, shortened, and without what looks like data', async () => {
    const many = `{"id":1,${Array.from({ length: 50 }, (_, n) => `"k${n}":1`).join(',')},"13800138000":1,"a@b.c":{"x":1},"${'y'.repeat(2000)}":2}`;
    const summary = await summaryOf(many, { catalog, answer: all, limits: { summary_paths: 10 } });
    expect(summary.withheld).toHaveLength(11);
    expect(summary.withheld.reduce((sum, row) => sum + row.count, 0)).toBe(53);
    const few = await summaryOf('{"id":1,"13800138000":1,"a@b.c":1}', { catalog, answer: all });
    expect(rows(few.withheld)).toEqual(['/* drop uncatalogued 2']);
  });
});
