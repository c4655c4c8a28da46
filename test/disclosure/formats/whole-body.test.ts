/** A PDF, a picture, a page: not looked into, and disclosed only where the route says which field of the catalog all of it is. */
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { answers, chunks, type HostileUpstream, reply, startHostile } from '../../support/hostile.ts';
import { answer, CUSTOMER, type Running, startSluice } from '../../support/sluice.ts';
import { type Answer, exchange, headerOf, jsonOf, requestText } from '../../support/wire.ts';
import { type Case, disclose, refusal } from './support.ts';

const PDF = Buffer.concat([
  Buffer.from('%PDF-1.7\n%\xe2\xe3\xcf\xd3\n张三 110101199003074514\n'),
  Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) % 256)),
  Buffer.from('\n%%EOF\n'),
]);
const ID = '110101199003074514';

const document = (path: string, field: string, types: readonly string[], more: object = {}): object => ({
  match: `GET /customers/{id}/${path}`,
  upstream: 'crm',
  resource: 'customer',
  action: 'read',
  id: '{id}',
  data_subject: '{id}',
  response: { format: 'whole', options: { field, types } },
  ...more,
});

const fields = {
  ...CUSTOMER.fields,
  '/contract': { category: 'financial', grade: 3 },
  '/id_card': { category: 'identity', grade: 4 },
  '/photo': { category: 'contact', grade: 3 },
};

let upstream: HostileUpstream;
let sluice: Running;

beforeAll(async () => {
  upstream = await startHostile();
  sluice = await startSluice({
    upstream: upstream.url,
    catalogs: { customer: { ...CUSTOMER, fields } },
    answers: {
      customer: {
        '*': answer(
          {
            'reference/1': 'disclose',
            'financial/3': 'disclose',
            'contact/3': 'mask',
            'identity/3': 'disclose',
            'identity/4': 'drop',
          },
          {},
        ),
      },
    },
    dataSubjects: { C9: { flags: ['restricted'] } },
    routes: [
      document('contract.pdf', '/contract', ['application/pdf']),
      document('id_card.png', '/id_card', ['image/png']),
      document('photo.jpg', '/photo', ['image/jpeg']),
      document('page.html', '/contract', ['text/html']),
      document('nobody.pdf', '/contract', ['application/pdf'], { data_subject: undefined }),
      document('unknown.pdf', '/statement', ['application/pdf']),
      { ...document('plain.pdf', '', []), response: {} },
    ],
  });
});
afterAll(async () => {
  await sluice.close();
  await upstream.close();
});
beforeEach(() => {
  upstream.answer = answers(PDF, { 'Content-Type': 'application/pdf' });
});

const ask = (path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  exchange(sluice.port, requestText(`GET ${path}`, { ...sluice.caller, ...headers }), { timeout: 25_000 });
const last = () => sluice.records().at(-1)!;

describe('a body that the route classes as a whole', () => {
  test('leaves to the byte where the policy discloses its field, and is on record under its class', async () => {
    const got = await ask('/customers/C1/contract.pdf');
    expect([got.status, headerOf(got, 'content-type')]).toEqual([200, 'application/pdf']);
    expect(got.body.equals(PDF)).toBe(true);
    const { outcome, disclosure } = last();
    expect(outcome).toBe('allowed');
    expect(disclosure).toMatchObject({
      records: 1,
      released: ['/contract'],
      by_class: { 'financial/3': { disclose: 1 } },
    });
    expect(disclosure?.data_subjects).toHaveLength(1);
  });

  test.each([
    ['its class is dropped', '/customers/C1/id_card.png', 'image/png'],
    ['its class would be masked: nothing of it can be', '/customers/C1/photo.jpg', 'image/jpeg'],
    ['the route names a field without a line', '/customers/C1/unknown.pdf', 'application/pdf'],
    ['the data subject is restricted', '/customers/C9/contract.pdf', 'application/pdf'],
    ['nobody says whose it is', '/customers/C1/nobody.pdf', 'application/pdf'],
  ])('is withheld where %s', async (_, path, type) => {
    upstream.answer = answers(PDF, { 'Content-Type': type });
    const got = await ask(path);
    expect(got.status).toBe(403);
    expect(jsonOf(got)).toMatchObject({ code: 'record_withheld' });
    expect(got.head + got.body.toString('latin1')).not.toContain(ID);
    expect(last()).toMatchObject({ outcome: 'denied', disclosure: { records: 0, records_withheld: 1 } });
  });

  test('says why it is withheld, as a field does', async () => {
    await ask('/customers/C1/unknown.pdf');
    expect(last().disclosure?.withheld_reasons).toEqual({ uncatalogued: 1 });
    upstream.answer = answers(PDF, { 'Content-Type': 'image/png' });
    await ask('/customers/C1/id_card.png');
    expect(last().disclosure?.withheld_reasons).toEqual({ scripted: 1 });
  });

  test.each([
    ['a page', 'text/html'],
    ['JSON', 'application/json'],
    ['nothing', ''],
    ['another picture', 'image/svg+xml'],
    ['two types', 'application/pdf, text/html'],
  ])('is refused where the upstream calls it %s', async (_, type) => {
    upstream.answer = (__, socket) => void socket.write(reply(PDF, { 'Content-Type': type }));
    const got = await ask('/customers/C1/contract.pdf');
    expect([got.status, jsonOf(got)['code']]).toEqual([502, 'response_format_unsupported']);
  });

  test('is a page where the route says so, in the charset that the upstream names', async () => {
    const page = Buffer.from('<html>\xd6\xd0</html>', 'latin1');
    upstream.answer = answers(page, { 'Content-Type': 'text/html; charset="GBK"; x=110101199003074514' });
    const got = await ask('/customers/C1/page.html');
    expect([got.status, headerOf(got, 'content-type')]).toEqual([200, 'text/html; charset=gbk']);
    expect(got.body.equals(page)).toBe(true);
    upstream.answer = answers(page, { 'Content-Type': 'text/html; charset=110101199003074514' });
    expect(headerOf(await ask('/customers/C1/page.html'), 'content-type')).toBe('text/html');
  });

  test('is undone and coded again as the caller accepts', async () => {
    upstream.answer = answers(gzipSync(PDF), {
      'Content-Type': 'application/pdf',
      'Content-Encoding': 'gzip',
    });
    const got = await ask('/customers/C1/contract.pdf', { 'Accept-Encoding': 'gzip' });
    expect(headerOf(got, 'content-encoding')).toBe('gzip');
    expect(gunzipSync(got.body).equals(PDF)).toBe(true);
    expect((await ask('/customers/C1/contract.pdf')).body.equals(PDF)).toBe(true);
  });

  test('is not passed on without a class', async () => {
    const got = await ask('/customers/C1/plain.pdf');
    expect([got.status, jsonOf(got)['code']]).toEqual([502, 'response_format_unsupported']);
  });

  test('may be longer than any record, and is not waited for where it stays', async () => {
    const big = Buffer.alloc(5 * 1024 * 1024, PDF);
    const chunked = { 'Content-Type': 'application/pdf', 'Transfer-Encoding': 'chunked' };
    upstream.answer = (_, socket) => {
      socket.write(reply('', chunked));
      socket.write(chunks(big, [100_000]));
    };
    const got = await ask('/customers/C1/contract.pdf');
    expect([got.status, got.body.equals(big)]).toEqual([200, true]);
    // this one never ends
    upstream.answer = (_, socket) => {
      socket.write(reply('', { ...chunked, 'Content-Type': 'image/png' }));
      socket.write(chunks(PDF).subarray(0, 3000));
    };
    expect((await ask('/customers/C1/id_card.png')).status).toBe(403);
  });
});

describe('the stage', () => {
  const open: Case = {
    format: 'whole',
    fields: { '/contract': 'financial/3' },
    options: { field: '/contract', types: ['application/pdf'] },
  };

  test('discloses it wherever the body is cut, and an empty one', async () => {
    for (const cuts of [[], [0, 0, 1], [1, 2, 3, 700]])
      expect((await disclose(PDF, { ...open, cuts })).bytes.equals(PDF)).toBe(true);
    const empty = await disclose('', open);
    expect([empty.bytes.length, empty.summary[0]?.records]).toEqual([0, 1]);
  });

  test.each(['mask', 'nullify', 'drop', 'encrypt', 'scrub', 'pseudonymize'] as const)(
    'lets nothing of it through under %s',
    async (action) => {
      const { bytes, summary } = await disclose(PDF, { ...open, answer: { '*': action } });
      expect(bytes).toHaveLength(0);
      expect(summary[0]).toMatchObject({ records: 0, records_withheld: 1, released: [] });
    },
  );

  test('does not take one document for a group, and holds no more of it than a group may have', async () => {
    const small = { ...open, obligations: { min_group_size: 2 } };
    expect((await disclose(PDF, small)).bytes).toHaveLength(0);
    expect(
      await refusal(Buffer.alloc(100_000), { ...small, limits: { group_bytes: 50_000 }, cuts: [9, 99] }),
    ).toBe('group_size_unmet');
  });
});
