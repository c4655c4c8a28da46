/** What a request may not do with fields it may not see: search by them, sort by them, write them, write back their disguise. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MASK_KINDS } from '../../src/disclosure/treatments/masks/kinds.ts';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { answer, type Running, startSluice } from '../support/sluice.ts';
import { type Answer, exchange, jsonOf, requestText, textOf } from '../support/wire.ts';

/** one value that each kind of mask knows */
const REAL: Readonly<Record<string, string>> = {
  address: '浙江省杭州市西湖区文三路100号',
  bank_card: '6222021234567890128',
  email: 'zhang.san@example.com',
  generic: 'something long enough',
  ip: '192.168.12.34',
  landline: '010-12345678',
  national_id: '110101199003074514',
  passport: 'E12345678',
  person_name: '张三丰',
  phone: '13812345678',
  plate: '浙A12345',
};
const OTHER = {
  birthday: '1990-03-07',
  notes: '请致电13812345678',
  account: 'ACC-2026-0001',
  card: '6222021234567890128',
  gone: 'a secret',
};
const SAME = { city: '北京', level: 3 };
const RECORD = {
  id: 'C1',
  ...REAL,
  ...OTHER,
  ...SAME,
  tags: ['a', 'b'],
  address2: { street: 'x', zip: '100000' },
};

const field = (category: string, grade: number, more: object = {}): object => ({ category, grade, ...more });
const CATALOG = {
  data_subject: ['/id'],
  attributes: {},
  fields: {
    '/id': field('reference', 1),
    ...Object.fromEntries(Object.keys(REAL).map((kind) => [`/${kind}`, field('masked', 3, { mask: kind })])),
    '/birthday': field('generalized', 3, { generalize: { date: 'year' } }),
    '/notes': field('scrubbed', 3),
    '/account': field('pseudonymized', 3),
    '/card': field('tokenized', 3),
    '/gone': field('nullified', 3),
    '/phones/*': field('masked', 3, { mask: 'phone' }),
    '/contacts/*/phone': field('masked', 3, { mask: 'phone' }),
    '/contacts/*/name': field('open', 1),
    '/city': field('open', 1),
    '/level': field('open', 1),
    '/tags/*': field('open', 1),
    '/address2/street': field('open', 1),
    '/address2/zip': field('hidden', 5),
    '/profile': field('open', 1, { whole: true }),
    '/role': field('hidden', 5),
  },
  envelope: { '/items': { is: 'records' }, '/result': { is: 'records' } },
};
const READ = answer(
  {
    'reference/1': 'disclose',
    'open/1': 'disclose',
    'masked/3': 'mask',
    'generalized/3': 'generalize',
    'scrubbed/3': 'scrub',
    'pseudonymized/3': 'pseudonymize',
    'tokenized/3': 'tokenize',
    'nullified/3': 'nullify',
    'hidden/5': 'drop',
  },
  { '/profile/note': 'mask' },
);
const WRITE = answer(
  {
    'open/1': 'disclose',
    'masked/3': 'disclose',
    'generalized/3': 'disclose',
    'scrubbed/3': 'disclose',
    'pseudonymized/3': 'disclose',
    'tokenized/3': 'disclose',
    'nullified/3': 'disclose',
    'hidden/5': 'drop',
  },
  { '/named_by_the_answer_alone': 'disclose', '/profile/locked': 'drop', '/profile/open': 'disclose' },
);

const write = (match: string, more: object = {}): object => ({
  match,
  upstream: 'crm',
  resource: 'customer',
  action: 'update',
  ...more,
});

let upstream: HostileUpstream;
let running: Running;
beforeAll(async () => {
  process.env['GUARDS_TEST_KEY'] = randomBytes(32).toString('base64');
  process.env['GUARDS_TEST_KEY_2'] = randomBytes(32).toString('base64');
  upstream = await startHostile();
  running = await startSluice({
    upstream: upstream.url,
    catalogs: { customer: CATALOG },
    answers: { customer: { '*': READ, update: WRITE, create: WRITE } },
    config: {
      keys: {
        p1: { use: 'pseudonymize', secret: 'env:GUARDS_TEST_KEY' },
        t1: { use: 'tokenize', secret: 'env:GUARDS_TEST_KEY_2' },
      },
    },
    routes: [
      { match: 'GET /c/{id}', upstream: 'crm', resource: 'customer', action: 'read', id: '{id}' },
      {
        match: 'GET /c',
        upstream: 'crm',
        resource: 'customer',
        action: 'search',
        records: '/items/*',
        query_fields: {
          phone: '/phone',
          city: '/city',
          any: '/nowhere',
        },
        query_grammar: {
          sort: { grammar: 'sort', fields: { role: '/role' } },
          q: { grammar: 'text', fields: { city: '/city', gone: '/gone' } },
        },
        query_params: ['limit'],
      },
      {
        match: 'GET /by-phone/{phone}',
        upstream: 'crm',
        resource: 'customer',
        action: 'search',
        records: '/items/*',
        path_fields: { phone: '/phone' },
      },
      {
        match: 'GET /by-city/{city}',
        upstream: 'crm',
        resource: 'customer',
        action: 'search',
        records: '/items/*',
        path_fields: { city: '/city' },
      },
      write('PUT /c/{id}', { id: '{id}', data_subject: '{id}', request: { replaces: false } }),
      write('PATCH /c/{id}', {
        id: '{id}',
        data_subject: '{id}',
        request: { refused_fields: 'strip', replaces: false },
      }),
      write('POST /rpc', {
        when: { body: { '/method': 'write' } },
        request: { record: '/params/1', params: ['/jsonrpc', '/id', '/params/0/*', '/params/2/**'] },
      }),
      write('POST /bulk', { request: { record: '/rows/*', params: ['/dry_run'] } }),
      {
        match: 'POST /search',
        upstream: 'crm',
        resource: 'customer',
        action: 'search',
        records: '/result/*',
        when: { body: { '/method': 'search' } },
        request: {
          domains: {
            '/params/0': { phone: '/phone', city: '/city' },
            '/params/1': { role: '/role', city: '/city' },
          },
          params: ['/jsonrpc', '/id'],
        },
      },
    ],
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});
beforeEach(() => {
  upstream.received.length = 0;
  upstream.answer = answers(JSON.stringify(RECORD));
});

const ask = (line: string, body?: unknown): Promise<Answer> =>
  exchange(
    running.port,
    body === undefined
      ? requestText(line, running.caller)
      : requestText(
          line,
          { ...running.caller, 'Content-Type': 'application/json' },
          Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)).toString('latin1'),
        ),
  );

function expectRefused(given: Answer, status: number, code: string, paths: readonly string[]): void {
  expect(`${given.status} ${textOf(given)}`).toContain(`${status} `);
  const problem = jsonOf(given);
  expect(problem).toMatchObject({ code, status });
  expect([...(problem['paths'] as string[])].sort()).toEqual([...paths].sort());
  expect(running.records().at(-1)).toMatchObject({ outcome: 'denied', reasons: [{ code }] });
  expect(upstream.received).toEqual([]);
}

describe('searching', () => {
  test.each([
    ['a masked field', 'phone=13812345678', ['/phone']],
    ['sorting by a hidden field', 'sort=role', ['/role']],
    ['one that touches two fields, of which one is hidden', 'q=x', ['/gone']],
    ['a field that no catalog knows', 'any=1', ['/nowhere']],
    ['several', 'phone=1&sort=role&city=x', ['/phone', '/role']],
    ['a name in another spelling', '%70hone=1', ['/phone']],
  ])('by %s is refused with the path', async (_what, query, paths) =>
    expectRefused(await ask(`GET /c?${query}`), 403, 'query_field_withheld', paths),
  );
  test('in the path is a search, too', async () => {
    expectRefused(await ask('GET /by-phone/13812345678'), 403, 'query_field_withheld', ['/phone']);
    upstream.answer = answers('{"items":[]}');
    expect((await ask('GET /by-city/x')).status).toBe(200);
  });
  test('by a field that is disclosed goes through, as it was understood', async () => {
    upstream.answer = answers('{"items":[]}');
    expect((await ask('GET /c?city=%E5%8C%97%E4%BA%AC')).status).toBe(200);
    expect(upstream.received[0]?.target).toBe('/c?city=%E5%8C%97%E4%BA%AC');
  });
  test.each([
    ['filtering by a hidden field in a clause', [['phone', '=', '138']], [], ['/phone']],
    [
      'filtering in a nested clause',
      [
        'OR',
        [
          ['city', '=', 'x'],
          ['AND', [['phone', 'like', '1%']]],
        ],
      ],
      [],
      ['/phone'],
    ],
    ['sorting by a hidden field in a clause', [], [['role', 'ASC']], ['/role']],
  ])('%s is refused with the path', async (_what, filter, sort, paths) =>
    expectRefused(
      await ask('POST /search', { jsonrpc: '2.0', id: 1, method: 'search', params: [filter, sort] }),
      403,
      'query_field_withheld',
      paths,
    ),
  );
});

describe('writing', () => {
  test.each([
    ['one that may not be written', { city: 'x', role: 'admin' }, ['/role']],
    ['one within an object', { address2: { street: 'x', zip: '1' } }, ['/address2/zip']],
    ['one that no catalog knows', { city: 'x', is_admin: true }, ['/is_admin']],
    ['an object where the line is not whole', { city: { a: 1, b: [{ c: 2 }] } }, ['/city/a', '/city/b/*/c']],
    ['an object in a list whose line is not whole', { tags: ['x', { a: 1 }] }, ['/tags/*/a']],
    ['an empty object where the line is not whole', { city: {}, tags: [{}] }, ['/city', '/tags/*']],
    ['a prototype', JSON.parse('{"__proto__":{"role":"admin"}}') as object, ['/__proto__/role']],
    ['a list of records where one is meant', [{ city: 'x' }], ['/*/city']],
    ['a value where a record is meant', '"x"', ['/']],
    ['a JSON patch', [{ op: 'replace', path: '/role', value: 'x' }], ['/*/op', '/*/path', '/*/value']],
  ])('%s is refused with its path', async (_what, body, paths) =>
    expectRefused(await ask('PUT /c/C1', body), 403, 'body_field_refused', paths),
  );
  test('where the route strips, refused fields are left out, listed, and the rest stays byte for byte', async () => {
    const given = await ask('PATCH /c/C1', '{"city": "x", "role":"admin", "level":88.0, "surprise":{"a":1}}');
    expect(given.status).toBe(200);
    expect(upstream.received[0]?.body.toString()).toBe('{"city": "x", "level":88.0}');
    const stripped = running
      .records()
      .at(-1)
      ?.reasons.find((r) => r.code === 'body_field_stripped');
    expect(stripped?.message).toContain('/role');
    expect(stripped?.message).toContain('/surprise');
  });
  test.each(['PUT', 'PATCH'])('%s: a JSON Patch is refused with a word about what it is', async (method) => {
    const operations = [
      { op: 'replace', path: '/city', value: 'x' },
      { op: 'remove', path: '/phone' },
    ];
    const given = await ask(`${method} /c/C1`, operations);
    expectRefused(given, 403, 'body_field_refused', ['/*/op', '/*/path', '/*/value']);
    expect(textOf(given)).toMatch(/JSON Patch \(RFC 6902\).*JSON Merge Patch/);
    expect(upstream.received).toHaveLength(0);
  });
  test('where the route strips, objects that no line covers go whole', async () => {
    const body = '{"city":{"a":1}, "level":88.0,"tags":[ "x", [] ],"phone":{}}';
    expect((await ask('PATCH /c/C1', body)).status).toBe(200);
    expect(upstream.received[0]?.body.toString()).toBe('{"level":88.0,"tags":[ "x", [] ]}');
    upstream.received.length = 0;
    expectRefused(await ask('PATCH /c/C1', '{"tags":["x",{"a":1},[{}]]}'), 403, 'body_field_refused', [
      '/tags/*/*',
      '/tags/*/a',
    ]);
  });
  test('what an answer says of a part of what a line covers holds for that part', async () => {
    const body = '{"profile":{"locked":1,"open":{"a":2},"x":3},"city":"x"}';
    expectRefused(await ask('PUT /c/C1', body), 403, 'body_field_refused', ['/profile/locked']);
    expectRefused(await ask('PUT /c/C1', '{"profile":{"locked":{"a":[1]}}}'), 403, 'body_field_refused', [
      '/profile/locked',
    ]);
    expect((await ask('PATCH /c/C1', body)).status).toBe(200);
    expect(upstream.received[0]?.body.toString()).toBe('{"profile":{"open":{"a":2},"x":3},"city":"x"}');
  });
  test('a part that was shown disguised is not written back', async () => {
    upstream.answer = answers('{"id":"C1","profile":{"note":"13812345678","x":1}}');
    const shown = jsonOf(await ask('GET /c/C1'))['profile'] as { note: string };
    expect(shown.note).not.toBe('13812345678');
    upstream.received.length = 0;
    expectRefused(await ask('PUT /c/C1', { profile: shown }), 422, 'masked_value_refused', ['/profile/note']);
    expect((await ask('PUT /c/C1', { profile: { note: '13900000000' } })).status).toBe(200);
  });
  test('a field that an answer names and no catalog knows is refused, and stripped', async () => {
    const body = '{"city":"x","named_by_the_answer_alone":1}';
    expectRefused(await ask('PUT /c/C1', body), 403, 'body_field_refused', ['/named_by_the_answer_alone']);
    expect((await ask('PATCH /c/C1', body)).status).toBe(200);
    expect(upstream.received[0]?.body.toString()).toBe('{"city":"x"}');
  });
  test('where the route strips, disguised values are left out as well', async () => {
    const given = await ask('PATCH /c/C1', { city: 'x', phone: '138****5678', gone: null });
    expect(given.status).toBe(200);
    expect(upstream.received[0]?.body.toString()).toBe('{"city":"x"}');
  });
});

test('where the route strips, a list with a disguised value is refused: without it the real one would be erased', async () => {
  const rows = { phones: ['13900000001', '138****5678'], city: 'x' };
  expectRefused(await ask('PATCH /c/C1', rows), 422, 'masked_value_refused', ['/phones/*']);
  const within = { contacts: [{ phone: '138****5678', name: 'x' }] };
  expectRefused(await ask('PATCH /c/C1', within), 422, 'masked_value_refused', ['/contacts/*/phone']);
  expect((await ask('PATCH /c/C1', { phones: ['13900000001'], phone: '138****5678' })).status).toBe(200);
  expect(upstream.received[0]?.body.toString()).toBe('{"phones":["13900000001"]}');
});

describe('writing back what was shown', () => {
  let shown: Record<string, unknown>;
  beforeAll(async () => {
    upstream.answer = answers(JSON.stringify(RECORD));
    shown = jsonOf(await ask('GET /c/C1'));
  });
  test('every field was shown disguised', () => {
    expect(Object.keys(shown).sort()).toEqual(
      ['id', 'city', 'level', 'tags', 'address2', ...MASK_KINDS, ...Object.keys(OTHER)].sort(),
    );
    for (const [name, value] of Object.entries({ ...REAL, ...OTHER })) expect(shown[name]).not.toBe(value);
  });
  test.each([...MASK_KINDS, ...Object.keys(OTHER)])('%s: refused with its path', async (name) =>
    expectRefused(await ask('PUT /c/C1', { city: 'x', [name]: shown[name] }), 422, 'masked_value_refused', [
      `/${name}`,
    ]),
  );
  test.each(MASK_KINDS)(
    '%s: refused in a body that writes several records, and in one of RPC',
    async (name) => {
      const rows = [{ city: 'x' }, { [name]: shown[name] }];
      expectRefused(await ask('POST /bulk', { rows, dry_run: true }), 422, 'masked_value_refused', [
        `/${name}`,
      ]);
      const call = { jsonrpc: '2.0', id: 1, method: 'write', params: [[1], { [name]: shown[name] }, {}] };
      expectRefused(await ask('POST /rpc', call), 422, 'masked_value_refused', [`/${name}`]);
    },
  );
  test.each([
    ['phone', '138***5678'],
    ['phone', '138••••5678'],
    ['phone', '138\u200b****5678'],
    ['phone', '１３８＊＊＊５６７８'],
    ['person_name', '张×'],
    ['email', 'z•@example.com'],
    ['notes', '请致电138●●●●5678'],
  ])('%s: refused as %s too', async (name, text) =>
    expectRefused(await ask('PUT /c/C1', { [name]: text }), 422, 'masked_value_refused', [`/${name}`]),
  );
  test.each(MASK_KINDS)('%s: a real value is written', async (name) => {
    expect((await ask('PUT /c/C1', { [name]: REAL[name] })).status).toBe(200);
    expect(upstream.received).toHaveLength(1);
  });
  test('what was disclosed may be written back', async () => {
    const same = { city: shown['city'], level: shown['level'], tags: shown['tags'] };
    expect((await ask('PUT /c/C1', same)).status).toBe(200);
  });
});

describe('JSON-RPC and several records', () => {
  const call = (record: unknown, more: object = {}) => ({
    jsonrpc: '2.0',
    id: 7,
    method: 'write',
    params: [[1, 2], record, { context: { lang: 'zh' } }],
    ...more,
  });
  test('the record is found by its pointer, and what is beside it is not one', async () => {
    upstream.answer = answers('{"id":"C1"}');
    expect((await ask('POST /rpc', call({ city: 'x' }))).status).toBe(200);
    expect(upstream.received).toHaveLength(1);
  });
  test('a field of the record that may not be written is refused', async () =>
    expectRefused(await ask('POST /rpc', call({ city: 'x', role: 'admin' })), 403, 'body_field_refused', [
      '/role',
    ]));
  test('a member beside the record that the route does not name is refused', async () => {
    const given = await ask('POST /rpc', call({ city: 'x' }, { extra: 1 }));
    expect(given.status).toBe(400);
    expect(jsonOf(given)['code']).toBe('query_parameter_unknown');
    expect(upstream.received).toEqual([]);
  });
  test('every record of a body is looked at', async () => {
    const rows = [{ city: 'a' }, { city: 'b', role: 'x' }, { zip: 1 }];
    expectRefused(await ask('POST /bulk', { rows, dry_run: false }), 403, 'body_field_refused', [
      '/role',
      '/zip',
    ]);
    upstream.answer = answers('{"id":"C1"}');
    expect((await ask('POST /bulk', { rows: [{ city: 'a' }, { city: 'b' }] })).status).toBe(200);
  });
});
