/**
 * Class: small channels beside the data: a status by method, an error's place in a body that is not disclosed, what stands around records, the
 * element that remains of a dropped list. Root cause of each: something was passed on because it is not a value of a field.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/index.ts';
import { isSluiceError } from '../../src/errors.ts';
import { headerRules } from '../../src/upstream/headers.ts';
import { answer, catalogOf, disclosed, type Setting, withhold } from '../disclosure/support.ts';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { CUSTOMER_ANSWER, type Running, startSluice } from '../support/sluice.ts';
import { exchange, headerOf, requestText, textOf } from '../support/wire.ts';

let upstream: HostileUpstream;
let running: Running;
beforeAll(async () => {
  upstream = await startHostile();
  const route = { upstream: 'crm', resource: 'customer' };
  const list = { ...route, action: 'search', records: '/items/*' };
  running = await startSluice({
    upstream: upstream.url,
    dataSubjects: { restricted: { flags: ['restricted'] } },
    answers: { customer: { '*': CUSTOMER_ANSWER } },
    routes: [
      { ...route, match: 'GET /customers/{id}', action: 'read', id: '{id}', data_subject: '{id}' },
      { ...route, match: 'GET /one', action: 'read' },
      { ...list, match: 'GET /list', query_fields: { name: '/name' } },
      { ...route, match: 'GET /export', action: 'export' },
      { ...list, match: 'GET /some', query_params: ['fields'], uninspected: ['fields'] },
      {
        ...list,
        match: 'GET /always',
        query_fields: { name: '/name', id: '/id' },
        query_params: ['columns', 'columns[]', 'columns[0]', 'columns[1]'],
        uninspected: ['columns', 'columns[]', 'columns[0]', 'columns[1]'],
        repeatable: ['columns', 'columns[]'],
        always_fetch: { param: 'columns', fields: { id: '/id' } },
      },
    ],
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});
const ask = (path: string, method = 'GET') =>
  exchange(running.port, requestText(`${method} ${path}`, running.caller), { bodiless: method === 'HEAD' });

describe('HEAD', () => {
  const table: readonly (readonly [string, string, string, string?])[] = [
    ['/customers/C1', '{"id":"C1","name":"Ada"}', 'application/json'],
    ['/customers/restricted', '{"id":"restricted"}', 'application/json'],
    ['/customers/C1', '{"id":"C1"', 'application/json'],
    ['/customers/C1', '<p>hello</p>', 'text/html'],
    ['/customers/C1', '', 'application/json', '204 No Content'],
    ['/customers/C1', '{}', 'application/json', '404 Not Found'],
    ['/customers/C1', '{}', 'application/json', '500 Oops'],
    ['/one', '{"name":"nobody"}', 'application/json'],
    ['/one', '{"id":"restricted"}', 'application/json'],
    ['/list?name=Ada', '{"items":[{"id":"C1","name":"Ada"}],"total":1}', 'application/json'],
    ['/list?name=Ada', '{"items":[{"id":"restricted","name":"Ada"}],"total":1}', 'application/json'],
    ['/export', 'id,name\nC1,Ada\n', 'text/csv'],
    ['/nowhere', '{}', 'application/json'],
  ];
  test.each(table.map(([path, body, type, status = '200 OK']) => ({ path, body, type, status })))(
    'of $path with $body is answered as GET is',
    async ({ path, body, type, status }) => {
      upstream.answer = answers(body, { 'Content-Type': type }, status);
      const get = await ask(path);
      const head = await ask(path, 'HEAD');
      expect(head.status).toBe(get.status);
      const names = (of: typeof get) =>
        [...of.headers.keys()]
          .filter((name) => !['content-length', 'transfer-encoding'].includes(name))
          .sort();
      expect(names(head)).toEqual(names(get));
      for (const name of ['content-type', 'sluice-withheld'])
        expect(headerOf(head, name)).toBe(headerOf(get, name));
    },
  );
});

describe('a record that does not say whose it is', () => {
  const found = '{"items":[{"name":"Ada"},{"id":"C1","name":"Eve"}],"total":2}';
  test('is told of in Sluice-Withheld, with the field that is missing', async () => {
    upstream.answer = answers(found);
    const answer = await ask('/some?fields=name');
    expect(textOf(answer)).toBe('{"items":[{"id":"C1","name":"Eve"}],"total":1}');
    expect(headerOf(answer, 'sluice-withheld')).toContain('"/id";reason=data_subject_unknown');
  });

  test('is not told of where the request narrows: that it matched would be told with it', async () => {
    upstream.answer = answers(found);
    expect(headerOf(await ask('/list?name=Ada'), 'sluice-withheld')).toBeUndefined();
  });

  test.each([
    ['columns=name', 'columns=name%2Cid'],
    ['columns=name&columns=phone', 'columns=name&columns=phone%2Cid'],
    ['columns=', 'columns=id'],
    ['columns[]=name', 'columns%5B%5D=name&columns%5B%5D=id'],
    ['columns[0]=name', 'columns%5B0%5D=name&columns%5B1%5D=id'],
  ])('is asked to say it by always_fetch: %s', async (asked, sent) => {
    upstream.answer = answers(
      '{"items":[{"id":"C1","name":"Ada"},{"id":"restricted","name":"Eve"}],"total":2}',
    );
    const answer = await ask(`/always?${asked.replaceAll('[', '%5B').replaceAll(']', '%5D')}`);
    expect(upstream.received.at(-1)?.target).toBe(`/always?${sent}`);
    expect(textOf(answer)).toBe('{"items":[{"name":"Ada"}],"total":1}');
  });

  test.each(['columns=name,id', 'columns=*', '', 'columns=name&id=C1'])(
    'keeps a field that the caller selects, or searches by: %s',
    async (asked) => {
      upstream.answer = answers('{"items":[{"id":"C1","name":"Ada"}],"total":1}');
      expect(textOf(await ask(`/always?${asked}`))).toContain('"id":"C1"');
    },
  );
});

describe('a body that cannot be read', () => {
  const setting: Setting = {
    catalog: catalogOf({ '/id': 'reference/1', '/v': 'contact/3' }),
    answer: answer({ 'reference/1': 'disclose' }),
    limits: { record_bytes: 3000, depth: 8 },
  };
  const faults: readonly (readonly [string, Partial<Setting>, (hidden: string) => string])[] = [
    ['JSON cut short', {}, (hidden) => `{"v":"${hidden}"`],
    ['JSON with a fault', {}, (hidden) => `{"v":"${hidden}",,}`],
    [
      'JSON in a list',
      { records: '/items/*' },
      (hidden) => `{"x":"${hidden}","items":[{"v":"${hidden}"},nul]}`,
    ],
    ['JSON that is not UTF-8', { charset: 'utf-8' }, (hidden) => `{"v":"${hidden}\ud800"}`],
    ['JSON too large', {}, (hidden) => `{"v":"${hidden}${'x'.repeat(70_000)}"}`],
    ['JSON too deep', {}, (hidden) => `{"v":"${hidden}","w":${'['.repeat(20)}${']'.repeat(20)}}`],
    ['NDJSON', { format: 'ndjson' }, (hidden) => `${`{"v":"${hidden}"}\n`.repeat(hidden.length)}{`],
    [
      'XML',
      { format: 'xml', records: '/l/r' },
      (hidden) => `<l>${'<r/>\n'.repeat(hidden.length)}<r><v>${hidden}</w></r></l>`,
    ],
    ['CSV', { format: 'csv' }, (hidden) => `id,v\n${`1,${hidden}\n`.repeat(hidden.length)}"1`],
    [
      'ragged CSV',
      { format: 'csv', options: { ragged: 'refuse' } },
      (hidden) => `id,v\n${`1,2\n`.repeat(hidden.length)}${'1,'.repeat(hidden.length)}`,
    ],
    ['a form', { format: 'form' }, (hidden) => `v=${hidden}&id=%G`],
  ];
  test.each(faults)(
    'is refused in the same words wherever the fault stands: %s',
    async (_name, own, body) => {
      const said = async (hidden: string): Promise<string> => {
        try {
          await disclosed(body(hidden), { ...setting, ...own });
          return 'let through';
        } catch (e) {
          return isSluiceError(e) ? `${e.code}: ${e.message}` : 'internal';
        }
      };
      const first = await said('abc');
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 3, max: 40 }), async (length) => {
          expect(await said('x'.repeat(length))).toBe(first);
        }),
        { numRuns: 15 },
      );
    },
  );
});

describe('what stands around records', () => {
  const around = (is: Record<string, 'status'>): Setting => ({
    catalog: catalogOf({ '/id': 'reference/1' }, { envelope: is }),
    records: '/items/*',
    answer: answer({ 'reference/1': 'disclose' }),
  });
  test.each([
    ['{"s":{"name":"Ada"},"items":[]}', '{"items":[]}'],
    ['{"s":[{"name":"Ada"}],"items":[]}', '{"items":[]}'],
    ['{"s":[[{"name":"Ada"}]],"items":[]}', '{"items":[]}'],
    ['{"s":"ok","items":[]}', '{"s":"ok","items":[]}'],
    ['{"s":["a",1],"items":[]}', '{"s":["a",1],"items":[]}'],
  ])('is a status only as far as it is no object: %s', async (body, left) => {
    expect(await disclosed(body, around({ '/s': 'status' }))).toBe(left);
  });
  test('of an object are the members that are named', async () => {
    const body = '{"s":{"code":1,"who":"Ada","deep":{"a":1}},"items":[]}';
    expect(await disclosed(body, around({ '/s': 'status', '/s/code': 'status' }))).toBe(
      '{"s":{"code":1},"items":[]}',
    );
  });
  test('in XML is its text, and the attributes that are named', async () => {
    const of: Setting = {
      ...around({ '/l/s': 'status', '/l/s/@code': 'status' }),
      format: 'xml',
      records: '/l/r',
    };
    expect(await disclosed('<l><s code="1" who="Ada">ok<by>Ada</by></s><r><id>1</id></r></l>', of)).toBe(
      '<l><s code="1">ok</s><r><id>1</id></r></l>',
    );
  });
});

describe('a list in a record of XML', () => {
  const person = catalogOf({ '/pid': 'reference/1' }, { resource: 'person', subjects: ['/pid'] });
  const setting: Setting = {
    catalog: catalogOf({ '/id': 'reference/1', '/friends/friend': '@person', '/cars/*/plate': 'contact/3' }),
    catalogs: [person],
    records: '/l/r',
    format: 'xml',
    states: { W: { flags: ['no'] } },
    answer: (_resource, { flags }) =>
      flags.length > 0 ? withhold('no') : answer({ 'reference/1': 'disclose', 'contact/3': 'drop' }),
  };
  const of = (inner: string) => `<l><r><id>1</id>${inner}</r></l>`;
  test.each([
    '<friends><friend><pid>W</pid></friend></friends>',
    '<friends>\n <friend><pid>W</pid></friend>\n <friend><pid>W</pid></friend>\n</friends>',
    '<friends/>',
    '<friends></friends>',
    '<friends>\n</friends>',
    '<cars><car><plate>沪A12345</plate></car></cars>',
    '<cars/>',
  ])('of which all is dropped leaves no more than an empty one: %s', async (inner) => {
    expect(await disclosed(of(inner), setting)).toBe(of(''));
  });
});

describe('a digest of the upstream’s body', () => {
  const DIGESTS =
    'Content-MD5 X-Body-Hash X-Hash Digest Repr-Digest Content-Digest X-Checksum X-Checksum-Sha256 x-amz-checksum-crc32c X-SHA256 X-Signature X-ETag'.split(
      ' ',
    );
  test.each(DIGESTS)('%s lets masked digits be tried offline: a fault, and never passed', (name) => {
    const config = (header: string) =>
      JSON.stringify({
        version: 1,
        upstreams: { crm: { url: 'http://127.0.0.1:9', response_headers: [header] } },
      });
    expect(() => parseConfig(config(name), 'sluice.yaml', {})).toThrow(/computed from the body/);
    const passed = headerRules({ response: [name, 'X-Share', 'X-Request-Id'] }).response(
      { [name.toLowerCase()]: 'abc', 'x-share': '1' },
      null,
    );
    expect(passed).toEqual({ 'x-share': '1' });
  });
  test.each('X-Sort x-filter X-Order-By X-Page-Size X-Limit X-Cursor Prefer X-Search X-Group-By'.split(' '))(
    '%s as a request header is a fault: nothing looks into it',
    (name) => {
      const config = JSON.stringify({
        version: 1,
        upstreams: { crm: { url: 'http://127.0.0.1:9', request_headers: [name] } },
      });
      expect(() => parseConfig(config, 'sluice.yaml', {})).toThrow(/headers are not looked into/);
    },
  );
});
