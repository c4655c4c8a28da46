/** Answers that Salesforce gave (restforce's recordings, ../shared/conformance), through a whole Sluice with a catalog for them. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { answer, type Running, startSluice } from '../support/sluice.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const RECORDED = join(ROOT, '../shared/conformance/responses/salesforce');
const there = existsSync(RECORDED);
if (!there) console.log(`skipped: ${RECORDED} is not there`);

const CATALOG = parse(readFileSync(join(import.meta.dirname, 'fixtures/salesforce.yaml'), 'utf8')) as object;
const OPEN = { 'reference/1': 'disclose', 'transaction/2': 'disclose' };
const QUERY = 'GET /services/data/v26.0/query';

describe.skipIf(!there)('recorded Salesforce answers', () => {
  let upstream: Server;
  let running: Running;
  let file = '';
  let status = 200;

  beforeAll(async () => {
    upstream = createServer((_req, res) => {
      res.writeHead(status, {
        'Content-Type': 'application/json;charset=UTF-8',
        'Sforce-Limit-Info': 'api-usage=18/5000',
      });
      res.end(readFileSync(join(RECORDED, `${file}_response.json`)));
    });
    await new Promise<void>((done) => upstream.listen(0, '127.0.0.1', done));
    const route = (match: string, action: string, more: object = {}) => ({
      match,
      upstream: 'crm',
      resource: 'Whizbang',
      action,
      query_params: ['q', 'limit', 'start', 'end'],
      uninspected: true,
      ...more,
    });
    running = await startSluice({
      upstream: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
      catalogs: { Whizbang: { data_subject: [], attributes: {}, envelope: {}, ...CATALOG } },
      answers: {
        Whizbang: {
          search: answer({ ...OPEN, 'identity/3': 'disclose', 'contact/3': 'disclose' }),
          read: answer({ ...OPEN, 'identity/3': 'mask', 'contact/3': 'mask' }),
        },
      },
      obligations: {},
      routes: [
        route(QUERY, 'search', { records: '/records/*' }),
        route('GET /services/data/v26.0/search', 'search', { records: '/*' }),
        route('GET /services/data/v26.0/recent', 'search', { records: '/*' }),
        route('GET /services/data/v26.0/sobjects/Whizbang/deleted', 'search', {
          records: '/deletedRecords/*',
        }),
        route('GET /services/data/v26.0/sobjects/Whizbang/{id}', 'read', { id: '{id}' }),
      ],
    });
  });
  afterAll(async () => {
    await running?.close();
    await new Promise((done) => upstream?.close(done));
  });

  async function asked(recorded: string, path: string, answers = 200) {
    file = recorded;
    status = answers;
    const response = await fetch(`http://127.0.0.1:${running.port}/services/data/v26.0${path}`, {
      headers: running.caller,
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  }
  /** the recording without the lines that hold one of these, and without a comma left before a bracket */
  const without = (recorded: string, ...parts: readonly RegExp[]): string =>
    parts.reduce(
      (text, part) => text.replace(part, ''),
      readFileSync(join(RECORDED, `${recorded}_response.json`), 'utf8'),
    );
  const URL_OF = /,\s*"url" : "[^"]*"/g;

  test('the last page of a query leaves byte for byte, but for the upstream’s own addresses', async () => {
    const { text } = await asked('query_paginated_last_page', '/query?q=1');
    expect(text).toBe(without('query_paginated_last_page', URL_OF));
  });

  test('the address of the next page stays behind; totalSize and done stay', async () => {
    const { text, headers } = await asked('query_paginated_first_page', '/query?q=1');
    expect(text).toBe(without('query_paginated_first_page', URL_OF, /,\s*"nextRecordsUrl" : "[^"]*"/));
    expect(JSON.parse(text)).toMatchObject({ totalSize: 2, done: false });
    expect(headers.get('sluice-withheld')).toContain('"/nextRecordsUrl";reason=envelope_link');
    expect(headers.get('sforce-limit-info')).toBeNull();
  });

  test('parents and children are records of their own resource; unknown fields and the children’s count stay behind', async () => {
    const { text } = await asked('query_success', '/query?q=1');
    const record = (JSON.parse(text) as { records: Record<string, unknown>[] }).records[0]!;
    expect(record).toEqual({
      attributes: { type: 'Whizbang' },
      Checkbox_Label: false,
      Text_Label: 'Hi there!',
      Date_Label: '2010-01-01',
      ParentWhizbang__r: { Name: 'Parent Whizbang', Text_Label: 'Hello', attributes: { type: 'Whizbang' } },
      Whizbangs__r: {
        done: true,
        records: [{ attributes: { type: 'Whizbang__c' }, Name: 'Child Whizbang' }],
      },
    });
    expect(text).not.toContain('four;six');
  });

  test('a search answers a bare list', async () => {
    expect((await asked('search_success', '/search?q=1')).text).toBe(without('search_success', URL_OF));
  });

  test('recent records are a bare list', async () => {
    expect((await asked('recent_success', '/recent?limit=2')).text).toBe(without('recent_success', URL_OF));
  });

  test('deleted records and the dates around them leave byte for byte', async () => {
    const { text } = await asked('get_deleted_success', '/sobjects/Whizbang/deleted?start=1&end=2');
    expect(text).toBe(without('get_deleted_success'));
  });

  test('one record: 23.0 stays 23.0, contact is masked, owners, links and long texts are dropped', async () => {
    const { text } = await asked('sobject_find_success', '/sobjects/Whizbang/23foo');
    expect(text).toContain('"Currency_Label" : 23.0,');
    expect(JSON.parse(text)).toEqual({
      attributes: { type: 'Whizbang' },
      Id: '23foo',
      Name: 'M* F**** W*******',
      Auto_Number: 'A-1',
      Checkbox_Label: true,
      Currency_Label: 23,
      Date_Label: '2010-01-01',
      OtherDateTime_Label: null,
      Email_Label: 'd***@example.com',
      Number_Label: 23,
      Percent_Label: 33,
      Phone_Label: '(***) ***-1212',
      Text_Label: 'some text',
    });
  });

  test.each(['query_error', 'write_error'])(
    'an error keeps its status and says nothing of the upstream’s (%s)',
    async (recorded) => {
      const { status: answered, text } = await asked(recorded, '/query?q=1', 400);
      expect(answered).toBe(400);
      expect(JSON.parse(text)).toMatchObject({ code: 'upstream_status_withheld' });
      expect(text).not.toMatch(/INVALID_FIELD|error_message|No such column/);
    },
  );

  test('an error with status 200 discloses nothing', async () => {
    const { text } = await asked('write_error', '/query?q=1');
    expect(text).not.toMatch(/INVALID_FIELD|No such column/);
  });
});
