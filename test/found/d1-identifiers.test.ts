/**
 * Class D1: consents were bound to whatever identifier a format carries. Root cause: an id had no type, so that a login, a display name or
 * `?? ??` counted as the id of somebody of whom nothing is known, and the refusals of the person were passed over.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createIdentities, createLookups, createStaticConsents } from '../../src/consent/index.ts';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { CUSTOMER_ANSWER, type Running, startSluice } from '../support/sluice.ts';
import { exchange, jsonOf, requestText, textOf } from '../support/wire.ts';

const IDENTIFIERS = {
  customer_no: { title: 'Customer number', pattern: 'C[0-9]{6}' },
  login: { title: 'Login', pattern: '[a-z][a-z0-9.]*', resolves_to: 'customer_no' },
  card: { title: 'Loyalty card', pattern: '[0-9]{8}', resolves_to: 'customer_no' },
};
const fields = {
  '/id': { category: 'reference', grade: 1 },
  '/login': { category: 'contact', grade: 1 },
  '/card': { category: 'reference', grade: 1 },
  '/name': { category: 'identity', grade: 3 },
  '/Name': { category: 'identity', grade: 3 },
};
const envelope = { '/items': { is: 'records' } };
const catalog = (data_subject: unknown) => ({ data_subject, attributes: {}, fields, envelope });

let upstream: HostileUpstream;
let directory: Server;
let asked: string[];
let running: Running;
beforeAll(async () => {
  upstream = await startHostile();
  asked = [];
  directory = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.authorization ?? 'anonymous'}`);
    const card = decodeURIComponent(request.url?.split('/').at(-1) ?? '');
    if (card === '50000000') response.writeHead(500).end('C100234');
    else if (card === '00000002') response.writeHead(200).end('{"holder":{"no":"C100234"}}');
    else if (card === '00000003') response.writeHead(200).end('{"holder":{"no":"C100236"}}');
    else if (card === '00000004') response.writeHead(200).end('{"holder":{"no":"somebody"}}');
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => directory.listen(0, '127.0.0.1', resolve));
  const resources = {
    by_id: { at: '/id', type: 'customer_no' },
    by_login: { at: '/login', type: 'login' },
    by_card: { at: '/card', type: 'card' },
    by_name: { at: '/Name', type: 'customer_no' },
    by_several: {
      same: [
        { at: '/id', type: 'customer_no' },
        { at: '/login', type: 'login' },
      ],
    },
    by_reference: { at: '/id', type: 'customer_no', pattern: 'Customer/(.+)' },
    by_plain: '/id',
  };
  running = await startSluice({
    upstream: upstream.url,
    data: { identifiers: IDENTIFIERS, flags: { restricted: {} } },
    catalogs: Object.fromEntries(
      Object.entries(resources).map(([name, place]) => [
        name,
        catalog(name === 'by_several' ? [place] : place),
      ]),
    ),
    answers: Object.fromEntries(Object.keys(resources).map((name) => [name, { '*': CUSTOMER_ANSWER }])),
    dataSubjects: { C100234: { flags: ['restricted'] } },
    aliases: { login: { zhangsan: 'C100234', lisi: 'C100235', odd: 'nobody' } },
    routes: Object.keys(resources).flatMap((resource) => [
      { match: `GET /${resource}`, upstream: 'crm', resource, action: 'search', records: '/items/*' },
      {
        match: `GET /${resource}.csv`,
        upstream: 'crm',
        resource,
        action: 'export',
        response: { format: 'csv', charset: 'iso-8859-1' },
      },
      {
        match: `GET /${resource}/{id}`,
        upstream: 'crm',
        resource,
        action: 'read',
        id: '{id}',
        data_subject: '{id}',
      },
      {
        match: `PUT /${resource}/{id}`,
        upstream: 'crm',
        resource,
        action: 'update',
        id: '{id}',
        data_subject: '{id}',
        request: { replaces: false },
      },
    ]),
    config: {
      upstreams: {
        crm: { url: upstream.url },
        directory: { url: `http://127.0.0.1:${(directory.address() as AddressInfo).port}` },
      },
      consent: {
        file: './consents.yaml',
        lookups: { card: { upstream: 'directory', path: '/cards/{value}', id: '/holder/no' } },
      },
    },
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
  directory?.close();
});
const ask = (target: string, body = '') =>
  exchange(
    running.port,
    requestText(
      target,
      body === '' ? running.caller : { ...running.caller, 'Content-Type': 'application/json' },
      body,
    ),
  );
const list = async (resource: string, items: readonly object[]): Promise<unknown> => {
  upstream.answer = answers(JSON.stringify({ items }));
  const answer = await ask(`GET /${resource}`);
  return answer.status === 200 ? (jsonOf(answer) as { items: unknown }).items : answer.status;
};
const csv = async (resource: string, text: string): Promise<string> => {
  upstream.answer = answers(Buffer.from(text, 'latin1'), { 'Content-Type': 'text/csv' });
  return textOf(await ask(`GET /${resource}.csv`));
};

describe('an identifier with a type', () => {
  test('finds the flags of the person by the id', async () => {
    expect(
      await list('by_id', [
        { id: 'C100234', name: 'Zhang' },
        { id: 'C100235', name: 'Li' },
      ]),
    ).toEqual([{ id: 'C100235', name: 'Li' }]);
  });
  test.each(
    [
      'c100234',
      'C100234x',
      'C10023',
      '100234',
      'zhangsan',
      '?? ??',
      '张三',
      'C100235,C100234',
      'C100235\n',
      true,
      100234,
      ['C100235', 'zhangsan'],
      { no: 'C100235' },
      'C'.repeat(1000),
    ].map((id) => [JSON.stringify(id).slice(0, 40), id] as const),
  )('withholds a record whose value is none of it: %s', async (_what, id) => {
    const items = (await list('by_id', [{ id, name: 'SECRET' }])) as object[];
    // line breaks around an id are padding
    expect(items).toEqual(id === 'C100235\n' ? [{ id: 'C100235\n', name: 'SECRET' }] : []);
  });
  test('withholds the restricted person from the export that carries a login', async () => {
    expect(await csv('by_login', 'login,name\nzhangsan,Zhang\nlisi,Li\nwangwu,Wang\n')).toBe(
      'login,name\nlisi,Li\n',
    );
  });
  test('withholds every row of an export that carries display names', async () => {
    expect(await csv('by_name', 'Name,id\n?? ??,C100234\nJos\xe9,C100235\n')).toBe('Name,id\n');
  });
  test('withholds every row of a table that has not the column', async () => {
    expect(await csv('by_login', 'user,name\nlisi,Li\n')).toBe(',name\n');
  });
  test('takes the part of a value that a pattern picks', async () => {
    const items = ['Customer/C100234', 'Customer/C100235', 'C100235', 'Group/C100235', 'Customer/'].map(
      (id) => ({ id }),
    );
    expect(await list('by_reference', items)).toEqual([{ id: 'Customer/C100235' }]);
  });
  test('leaves catalogs without types as they were', async () => {
    expect(await list('by_plain', [{ id: 'anything' }, { id: 'C100234' }])).toEqual([{ id: 'anything' }]);
  });
});

describe('an alias', () => {
  test('that leads to something that is no id names nobody', async () => {
    expect(await list('by_login', [{ login: 'odd' }])).toEqual([]);
  });
  test('is known from the record itself where two of its places name one person', async () => {
    const items = [
      { id: 'C100235', login: 'unheard' },
      { id: 'C100234', login: 'unheard' },
      { login: 'lisi' },
      { login: 'unheard' },
      { id: 'C100235', login: 'zhangsan' },
      { id: '', login: 'lisi' },
    ];
    expect(await list('by_several', items)).toEqual([items[0], items[2], items[5]]);
  });
  test('is looked up at an upstream, remembered when it was found, and asked again when it was not', async () => {
    asked.length = 0;
    const cards = ['00000002', '00000003', '00000004', '00000009'].map((card) => ({ card }));
    expect(await list('by_card', [...cards, ...cards])).toEqual([{ card: '00000003' }, { card: '00000003' }]);
    expect(asked.filter((a) => a.includes('00000003'))).toEqual(['/cards/00000003 anonymous']);
    await list('by_card', cards);
    expect(asked.filter((a) => a.includes('00000003'))).toHaveLength(1);
    expect(asked.filter((a) => a.includes('00000009'))).toHaveLength(2);
    // what is none of the type is asked of nobody
    expect(await list('by_card', [{ card: '../secret' }, { card: '%2e' }])).toEqual([]);
    expect(asked.some((a) => /secret|2e/.test(a))).toBe(false);
  });
  test('whose look-up fails refuses the answer', async () => {
    expect(await list('by_card', [{ card: '50000000' }, { card: '00000003' }])).toBe(503);
  });
});

describe('the identifier of a request', () => {
  test.each([
    ['that names nobody', 'GET /by_id/cust-42', `{"id":"C100235"}`],
    ['whose record names nobody', 'GET /by_id/C100235', `{"id":"cust-42"}`],
  ])('%s is refused with where the type is written', async (_what, line, body) => {
    upstream.answer = answers(body);
    const { status, body: refusal } = await ask(line);
    expect(status).toBe(403);
    const { reasons } = JSON.parse(refusal.toString()) as { reasons: { code: string; message: string }[] };
    const unknown = reasons.find(({ code }) => code === 'data_subject_unknown');
    expect(unknown?.message).toMatch(/type.*data\/identifiers\.yaml/);
    if (line.includes('cust-42')) expect(unknown?.message).toContain('customer_no');
  });
  test.each([
    ['by_id', 'C100235', 200],
    ['by_id', 'C100234', 403],
    ['by_id', 'zhangsan', 403],
    ['by_login', 'lisi', 200],
    ['by_login', 'zhangsan', 403],
    ['by_login', 'C100235', 403],
  ])('is held to the types: GET /%s/%s', async (resource, id, status) => {
    upstream.answer = answers(`{"name":"Somebody"}`);
    const answer = await ask(`GET /${resource}/${id}`);
    expect(answer.status).toBe(status);
  });
  test.each([
    ['by_login', 'lisi', { login: 'lisi', name: 'x' }, 200],
    ['by_login', 'lisi', { login: 'zhangsan', name: 'x' }, 403],
    ['by_login', 'zhangsan', { name: 'x' }, 403],
    ['by_login', 'lisi', { login: 'unheard', name: 'x' }, 403],
    ['by_login', 'unheard', { name: 'x' }, 403],
    ['by_id', 'C100235', { id: 'zhangsan', name: 'x' }, 403],
  ])('is held to the types when it writes: PUT /%s/%s %j', async (resource, id, body, status) => {
    upstream.answer = answers(`{}`);
    expect((await ask(`PUT /${resource}/${id}`, JSON.stringify(body))).status).toBe(status);
  });
  test('is on record by the digest of the id that consents are kept under', async () => {
    upstream.answer = answers(JSON.stringify({ items: [{ login: 'lisi' }] }));
    await ask('GET /by_login');
    const byLogin = running.records().at(-1)?.disclosure?.data_subjects;
    upstream.answer = answers(JSON.stringify({ items: [{ id: 'C100235' }] }));
    await ask('GET /by_id');
    expect(byLogin).toHaveLength(1);
    expect(running.records().at(-1)?.disclosure?.data_subjects).toEqual(byLogin);
  });
});

test('a value names at most whom its type and its alias allow, whatever it is', async () => {
  const known = new Map([['zhangsan', 'C100234']]);
  const identities = createIdentities(
    createStaticConsents({}, { aliases: { login: Object.fromEntries(known) } }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('login', 'customer_no', 'card', 'none'),
      fc.string(),
      async (type, text) => {
        const found = await identities.identify({ identifiers: IDENTIFIERS }, [{ type, text }]);
        const wanted =
          type === 'customer_no' && /^C[0-9]{6}$/.test(text)
            ? text
            : type === 'login'
              ? known.get(text)
              : undefined;
        expect([...found.values()]).toEqual(wanted === undefined ? [] : [wanted]);
      },
    ),
  );
});
test('look-ups ask no more than eight at once, and each value once', async () => {
  let open = 0;
  let most = 0;
  let total = 0;
  const lookups = createLookups(
    { card: { upstream: 'd', path: '/c/{value}', id: '/no', cache: 1000 } },
    async () => {
      total++;
      most = Math.max(most, ++open);
      await new Promise((r) => setTimeout(r, 2));
      open--;
      return { status: 200, body: '{"no":"C100235"}' };
    },
  );
  await Promise.all(Array.from({ length: 200 }, (_, n) => lookups.find('card', String(n % 50))));
  expect([most, total]).toEqual([8, 50]);
});
