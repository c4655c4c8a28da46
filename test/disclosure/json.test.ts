import { describe, expect, test } from 'vitest';
import {
  answer,
  bytesOf,
  catalogOf,
  disclosed,
  partsOf,
  rows,
  type Setting,
  summaryOf,
  withhold,
} from './support.ts';

const catalog = catalogOf(
  { '/id': 'reference/1', '/v': 'contact/3' },
  {
    subjects: ['/id'],
    envelope: {
      '/total': 'total',
      '/next': 'link',
      '/ok': 'status',
      '/data/n': 'record_count',
      '/meta': 'status',
    },
  },
);
const says: Setting['answer'] = (_resource, state) =>
  state.flags.includes('no') ? withhold('no') : answer({ 'reference/1': 'disclose', 'contact/3': 'mask' });
const states = { 2: { flags: ['no'] } };
const list: Setting = { catalog, records: '/data/items/*', answer: says, states };

describe('envelopes', () => {
  test('only what the catalog names stays around the records, spelled as it was', async () => {
    const body =
      ' {"secret" : [1,{"x":"y"}], "ok" :\ttrue ,"data": { "n" : 2 , "debug":{"sql":"…"}, "items" : [ {"id":1} ,\n{"id":3 , "z":1} ] } , "next":"http://x","meta":{"a":[1.0]}, "total":9e0 }\n';
    expect(await disclosed(body, list)).toBe(
      ' {"ok" :\ttrue ,"data": { "n" : 2, "items" : [ {"id":1} ,\n{"id":3} ] }, "total":9e0 }\n',
    );
    expect(rows((await summaryOf(body, list)).withheld)).toEqual([
      '/data/debug drop uncatalogued 1',
      '/meta drop envelope_status 1',
      '/next drop envelope_link 1',
      '/secret drop uncatalogued 1',
      '/z drop uncatalogued 1',
    ]);
  });

  test('a status is no object: its members are named, or left out', async () => {
    const meta = catalogOf(
      { '/id': 'reference/1' },
      { envelope: { '/meta': 'status', '/meta/links/next': 'link', '/meta/n': 'record_count' } },
    );
    const body =
      '{"meta":{"v":{"a":[1.0]},"links":{"next":"http://x","self":{"x":1}},"n":7},"items":[{"id":1}]}';
    expect(
      await disclosed(body, {
        catalog: meta,
        records: '/items/*',
        answer: answer({ 'reference/1': 'disclose' }),
      }),
    ).toBe('{"meta":{"links":{},"n":1},"items":[{"id":1}]}');
  });

  test('withheld records leave no hole, counts are recomputed, totals hidden', async () => {
    for (const [items, left, n] of [
      ['[{"id":2}, {"id":1} , {"id":2},{"id":2} ]', '[{"id":1} ]', 1],
      ['[ {"id":1}, {"id":2} ]', '[ {"id":1} ]', 1],
      ['[{"id":2}]', '[]', 0],
      ['[ {"id":2}\n,{"id":1},{"id":3}]', '[ {"id":1},{"id":3}]', 2],
    ] as const) {
      expect(await disclosed(`{"data":{"n":7,"items":${items}},"total":7}`, list)).toBe(
        `{"data":{"n":${n},"items":${left}},"total":null}`,
      );
    }
  });

  test('a count that is not a number is dropped: it might be anything', async () => {
    expect(await disclosed('{"total":"13800138000","data":{"n":null,"items":[]}}', list)).toBe(
      '{"data":{"n":null,"items":[]}}',
    );
    expect(await disclosed('{"total":{"a":1},"data":{"n":[3],"items":[]}}', list)).toBe(
      '{"data":{"items":[]}}',
    );
  });

  test('a count in quotes is one (OData 2): counted anew in quotes, as a total kept or null', async () => {
    const odata = catalogOf(
      { '/id': 'reference/1' },
      { subjects: ['/id'], envelope: { '/d/__count': 'total', '/d/n': 'record_count' } },
    );
    const setting = { catalog: odata, records: '/d/results/*', answer: says, states };
    const body = (count: string) => `{"d":{"__count":"${count}","results":[{"id":1},{"id":2}],"n":"2"}}`;
    for (const step of [1, 1000]) {
      expect(await disclosed(body('2'), { ...setting, step })).toBe(
        '{"d":{"__count":null,"results":[{"id":1}],"n":"1"}}',
      );
      expect(await disclosed(body('41'), { ...setting, step })).toBe(
        '{"d":{"__count":null,"results":[{"id":1}],"n":"1"}}',
      );
    }
    expect(await disclosed(body('2').replace('{"id":2}', '{"id":3}'), setting)).toBe(
      '{"d":{"__count":"2","results":[{"id":1},{"id":3}],"n":"2"}}',
    );
    // a text of digits is not yet a count
    for (const text of ['13800138000', '1.5', '-1', '2 ', '', '1e3', '\\u0032'])
      expect(await disclosed(body(text), setting)).toBe('{"d":{"results":[{"id":1}],"n":"1"}}');
  });

  test('a selector around the records is refused, since it would be overlooked', async () => {
    const picked = catalogOf(
      { '/id': 'reference/1' },
      { envelope: { '/f/[k=phone]/n': 'drop', '/f/*/n': 'status' } },
    );
    await expect(
      disclosed('{"f":[{"k":"phone","n":1}]}', { ...list, catalog: picked }),
    ).rejects.toMatchObject({
      code: 'catalog_invalid',
    });
    await expect(disclosed('[]', { ...list, records: '/[k=v]/items/*' })).rejects.toMatchObject({
      code: 'catalog_invalid',
    });
  });

  test('a null where the records, or the only one, would be stays: there are none', async () => {
    for (const step of [1, 1000]) {
      for (const body of ['{"ok":1,"data":null}', '{"ok":1,"data":{"items":null}}', 'null', ' null\n'])
        expect(await disclosed(body, { ...list, step })).toBe(body);
      expect(await disclosed('{"ok":1, "data" : null }', { ...list, records: '/data', step })).toBe(
        '{"ok":1, "data" : null }',
      );
      expect(await disclosed('null', { ...list, records: null, step })).toBe('null');
    }
    // anything else there is in no catalog
    for (const other of ['false', '""', '"13800138000"', '0'])
      expect(await disclosed(`{"ok":1,"data":${other}}`, list)).toBe('{"ok":1}');
    expect(await summaryOf('{"data":null}', { ...list, records: '/data' })).toMatchObject({
      records: 0,
      records_withheld: 0,
    });
  });

  test('a record by name is withheld with its name, records under any name too', async () => {
    expect(await disclosed('{"ok":1,"result":{"id":2}}', { ...list, records: '/result' })).toBe('{"ok":1}');
    expect(await disclosed('{"a":{"id":2},"b":{"id":1,"v":"x"}}', { ...list, records: '/*' })).toBe(
      '{"b":{"id":1,"v":"***"}}',
    );
  });

  test('records that are null or scalars are nobody’s, and withheld', async () => {
    expect(await disclosed('[null,{"id":1},"x",1,[{"id":5}],true]', { ...list, records: '/*' })).toBe(
      '[{"id":1}]',
    );
  });

  test('positional records keep their places', async () => {
    const positional = catalogOf(
      { '/0': 'reference/1', '/1': 'contact/3', '/2': 'reference/1' },
      { subjects: ['/0'] },
    );
    expect(
      await disclosed('{"result":[[1,"a",3,4],[2,"b",3,4]]}', {
        ...list,
        catalog: positional,
        records: '/result/*',
        answer: (_r, state) =>
          state.flags.includes('no') ? withhold('x') : answer({ 'reference/1': 'disclose' }),
      }),
    ).toBe('{"result":[[1,null,3,null]]}');
  });

  test('an answer that holds no records where they should be leaves empty', async () => {
    expect(await disclosed('{"error":"no such customer 张三"}', list)).toBe('{}');
    expect(await disclosed('"text"', list)).toBe('null');
    expect(await disclosed('[{"id":1}]', list)).toBe('[]');
    expect(await disclosed('{"data":"x","ok":false}', list)).toBe('{"ok":false}');
  });

  test('records in several places are all found', async () => {
    const nested = { ...list, records: '/data/*/items/*' };
    expect(
      await disclosed('{"data":[{"items":[{"id":2},{"id":1}],"x":1},{"items":[{"id":3}]}]}', nested),
    ).toBe('{"data":[{"items":[{"id":1}]},{"items":[{"id":3}]}]}');
  });

  test('a body that is one withheld record is null', async () => {
    expect(await disclosed('{"id":2}', { ...list, records: null })).toBe('null');
  });
});

describe('what is refused', () => {
  const anything: Setting = {
    catalog: catalogOf({ '': 'a/1 whole', '/a/b': 'a/1' }),
    answer: answer({ 'a/1': 'disclose' }),
  };
  test.each([
    ['', 'an empty body'],
    ['{"a":NaN}', 'NaN'],
    ['[Infinity]', 'Infinity'],
    ['{"a":1,}', 'a trailing comma'],
    ['{"a":1}{"a":2}', 'two values'],
    ["{'a':1}", 'single quotes'],
    ['{"a":01}', 'a leading zero'],
    ['{"a":+1}', 'a plus'],
    ['{"a":"\t"}', 'a control character'],
    ['{"a":"\\x41"}', 'an unknown escape'],
    ['{"a":/**/1}', 'a comment'],
    ['{"a":1', 'a body cut short'],
    ['{"a":"x', 'a string cut short'],
    ['\u00a0{"a":1}', 'white space that is not JSON’s'],
  ])('%j: %s', async (body) => {
    for (const setting of [
      anything,
      { ...anything, step: 1 },
      { ...anything, catalog, records: '/data/items/*' },
    ]) {
      await expect(partsOf(body, setting)).rejects.toMatchObject({ code: 'response_malformed' });
    }
  });

  test('bytes that are not UTF-8, and other encodings', async () => {
    for (const body of [
      Buffer.from([0x22, 0xc3, 0x28, 0x22]),
      Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]),
      Buffer.from([0x22, 0xc0, 0xaf, 0x22]),
      Buffer.from([0x22, 0xe5, 0xbc]),
      Buffer.from('{"a":1}', 'utf16le'),
      Buffer.from('\ufeff{"a":1}', 'utf16le'),
    ]) {
      for (const step of [100, 1])
        await expect(partsOf(body, { ...anything, step })).rejects.toMatchObject({
          code: 'response_malformed',
        });
    }
    await expect(partsOf('{}', { ...anything, charset: 'utf-7' })).rejects.toMatchObject({
      code: 'response_charset_unknown',
    });
  });

  test('a byte order mark is left out', async () => {
    for (const step of [100, 1])
      expect(await disclosed('\ufeff {"a":1}', { ...anything, step })).toBe(' {"a":1}');
  });

  test('containers deeper than the limit, wherever they stand', async () => {
    const deep = (n: number) => `${'['.repeat(n)}${']'.repeat(n)}`;
    const limits = { depth: 20 };
    for (const step of [1000, 1]) {
      expect(await disclosed(deep(20), { ...anything, limits, step })).toBe(deep(20));
      await expect(partsOf(deep(21), { ...anything, limits, step })).rejects.toMatchObject({
        code: 'response_too_deep',
      });
      for (const body of [
        `{"x":${deep(20)}}`,
        `{"data":{"items":[${deep(18)}]}}`,
        `{"data":{"items":[{"q":${deep(17)}}]}}`,
      ])
        await expect(partsOf(body, { ...list, limits, step })).rejects.toMatchObject({
          code: 'response_too_deep',
        });
    }
    await expect(partsOf('['.repeat(100_000), anything)).rejects.toMatchObject({ code: 'response_too_deep' });
  });

  test('records and values around them longer than the limit, however they arrive', async () => {
    const limits = { record_bytes: 1000 };
    const long = 'x'.repeat(1001);
    for (const step of [100_000, 77]) {
      for (const body of [`[{"id":"${long}"}]`, `[{"id":1},{"z":["${long}"]}]`, `{"a":"${long}"}`]) {
        await expect(partsOf(body, { ...list, records: '/*', limits, step })).rejects.toMatchObject({
          code: 'record_too_large',
        });
      }
      const spaces = `[${' '.repeat(200_000)}{"id":1}]`;
      await expect(
        partsOf(spaces, { ...list, records: '/*', limits, step: Math.max(step, 5000) }),
      ).rejects.toMatchObject({
        code: 'record_too_large',
      });
    }
    // white space is no way to have more held; where it is too much does not depend on the cuts
    const white = ' '.repeat(70_000);
    for (const body of [
      `[${white}{"id":1}]`,
      `[{"id":1}${white}]`,
      `[{"id":1},${white}{"id":3}]`,
      `${white}[]`,
    ])
      for (const step of [1_000_000, 5000])
        await expect(partsOf(body, { ...list, records: '/*', limits, step })).rejects.toMatchObject({
          code: 'record_too_large',
        });
  });

  test('nothing of the record that is refused, nor after it, is among the parts before', async () => {
    const { createDisclosureStage } = await import('../../src/disclosure/stage.ts');
    const { cut, keys, planOf } = await import('./support.ts');
    const stage = createDisclosureStage({ keys, limits: { part_bytes: 50 } });
    const body = `[${Array.from({ length: 50 }, (_, n) => `{"id":"r${n}"}`).join(',')},{"id":"BAD" "v":1},{"id":"AFTER"}]`;
    let left = '';
    await expect(
      (async () => {
        const plan = planOf({ ...list, records: '/*' });
        for await (const part of stage.disclose(cut(Buffer.from(body), { step: 100 }), plan))
          left += Buffer.concat([...part.chunks]).toString();
      })(),
    ).rejects.toMatchObject({ code: 'response_malformed' });
    expect(left).toContain('"r3"');
    expect(left).not.toMatch(/BAD|AFTER/);
  });

  test('messages carry no values', async () => {
    await expect(partsOf('{"id":"13800138000" x}', list)).rejects.toThrow(/^(?!.*138).*$/s);
  });
});

describe('NDJSON', () => {
  const lines: Setting = { ...list, records: null, format: 'ndjson' };
  test('is a record a line; withheld lines go with their ends, empty ones stay', async () => {
    const body = '{"id":1,"v":"a"}\n{"id":2}\r\n\n {"id":3} \r\nnull\n{"id":4}';
    for (const step of [1000, 1]) {
      const parts = await partsOf(body, { ...lines, step });
      expect(bytesOf(parts).toString()).toBe('{"id":1,"v":"***"}\n\n {"id":3} \r\n{"id":4}');
      expect(parts.at(-1)!.summary).toMatchObject({ records: 3, records_withheld: 2 });
    }
  });

  test('withheld lines are not told by the empty lines between them', async () => {
    const line = (id: number) => `{"id":${id}}\r\n\r\n`;
    const left = (...ids: number[]) => disclosed(ids.map(line).join(''), lines);
    expect(await left(1, 2, 2, 2, 3)).toBe(line(1) + line(3));
    expect(await left(2, 2, 1)).toBe(line(1));
    expect(await left(2, 1, 2)).toBe(line(1));
    expect(await left(2, 2)).toBe('');
    expect(await disclosed('\n\n{"id":1}\n\n\n{"id":3}\n\n', lines)).toBe('\n\n{"id":1}\n\n\n{"id":3}\n\n');
  });

  test.each(['{"id":\n1}', '{"id":1}{"id":3}', '{"id":1},\n', '[{"id":1}', '{"id":1} x'])(
    'refuses %j',
    async (body) => {
      await expect(partsOf(body, lines)).rejects.toMatchObject({ code: 'response_malformed' });
    },
  );

  test('an empty body is an empty answer', async () => {
    expect(await disclosed('', lines)).toBe('');
    expect(await disclosed('\n', lines)).toBe('\n');
  });

  test('a line longer than the limit is refused before all of it has arrived', async () => {
    const endless = `{"v":"${'x'.repeat(300_000)}`;
    await expect(
      partsOf(endless, { ...lines, limits: { record_bytes: 1000 }, step: 4096 }),
    ).rejects.toMatchObject({
      code: 'record_too_large',
    });
  });
});
