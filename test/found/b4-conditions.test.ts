/**
 * Class: a write loses what it depends on. Root cause: conditional headers were dropped from every request, as from reads, where an answer to
 * them would tell of hidden bytes; a write without its condition overwrites what it was not to. Now the condition goes along, or the write is refused.
 *
 * The upstream is a real server that evaluates the conditions of RFC 9110 §13.1.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { answer, type Running, startSluice } from '../support/sluice.ts';
import { exchange, jsonOf, requestText } from '../support/wire.ts';

let stored: Map<string, { mail: string }>;
let writes: string[];
let origin: Server;
let plain: Running;
let tagged: Running;

beforeAll(async () => {
  origin = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      const id = request.url!.split('/').at(-1)!;
      const had = stored.get(id);
      const etag = had && `"${had.mail}"`;
      const { 'if-match': some, 'if-none-match': none } = request.headers;
      const fails =
        (some !== undefined && (etag === undefined || (some !== '*' && some !== etag))) ||
        (none !== undefined && etag !== undefined && (none === '*' || none === etag));
      response.setHeader('content-type', 'application/json');
      if (etag !== undefined) response.setHeader('etag', etag);
      if (request.method === 'GET') response.statusCode = fails ? 304 : had ? 200 : 404;
      else if (fails) response.statusCode = 412;
      else {
        writes.push(`${request.method} ${id} ${some ?? none ?? '-'}`);
        if (request.method === 'DELETE') stored.delete(id);
        else stored.set(id, JSON.parse(body));
      }
      response.end(request.method === 'GET' && had ? JSON.stringify({ id, ...had }) : '{}');
    });
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  const open = { category: 'open', grade: 1 };
  const route = { upstream: 'crm', resource: 'user', id: '{id}', data_subject: '{id}' };
  const setup = {
    upstream: `http://127.0.0.1:${(origin.address() as AddressInfo).port}`,
    catalogs: { user: { data_subject: ['/id'], fields: { '/id': open, '/mail': open } } },
    answers: { user: { '*': answer({ 'open/1': 'disclose' }) } },
    routes: [
      { ...route, match: 'GET /users/{id}', action: 'read' },
      { ...route, match: 'PUT /users/{id}', action: 'update', request: { replaces: true } },
      { ...route, match: 'DELETE /users/{id}', action: 'delete' },
      {
        ...route,
        match: 'PUT /kept/{id}',
        action: 'update',
        request: { keep_masked: { read: 'GET /users/{id}' } },
      },
    ],
  };
  plain = await startSluice(setup);
  tagged = await startSluice({ ...setup, crm: { request_headers: ['If-Match', 'If-None-Match'] } });
});
beforeEach(() => {
  stored = new Map([['7', { mail: 'a' }]]);
  writes = [];
});
afterAll(async () => {
  await plain?.close();
  await tagged?.close();
  origin?.close();
});

const send = async (by: Running, line: string, name: string, value: string): Promise<[number, unknown]> => {
  const body = line.startsWith('PUT') ? '{"mail":"x"}' : '';
  const headers = { ...by.caller, 'Content-Type': 'application/json', [name]: value };
  const answered = await exchange(by.port, requestText(line, headers, body));
  return [answered.status, answered.status < 400 ? null : jsonOf(answered)['code']];
};

describe('a write', () => {
  test.each<[string, string, string, [number, string | null]]>([
    ['PUT /users/8', 'If-None-Match', '*', [200, null]],
    ['PUT /users/7', 'If-None-Match', '*', [412, 'upstream_status_withheld']],
    ['PUT /kept/7', 'If-None-Match', '*', [409, 'write_conflict']],
    ['PUT /users/7', 'If-Match', '*', [200, null]],
    ['PUT /users/8', 'If-Match', '*', [412, 'upstream_status_withheld']],
    ['PUT /kept/7', 'If-Match', '*', [200, null]],
    ...['PUT /users/7', 'PUT /kept/7', 'DELETE /users/7'].flatMap((line) =>
      [
        ['If-Match', '"a"'],
        ['If-Match', '"old"'],
        ['If-None-Match', '"old"'],
        ['If-Unmodified-Since', 'Sat, 01 Jan 2000 00:00:00 GMT'],
        ['Content-Range', 'bytes 0-3/9'],
      ].map(
        ([name, value]) =>
          [line, name!, value!, [400, 'write_condition_refused']] as [
            string,
            string,
            string,
            [number, string],
          ],
      ),
    ),
  ])('is held to its condition, or refused: %s, %s: %s', async (line, name, value, [status, code]) => {
    expect(await send(plain, line, name, value)).toEqual([status, code]);
    expect(writes).toHaveLength(status === 200 ? 1 : 0);
  });
  test.each<[string, string, string, number]>([
    ['PUT /users/7', 'If-Match', '"a"', 200],
    ['PUT /users/7', 'If-Match', '"old"', 412],
    ['PUT /kept/7', 'If-Match', '"a"', 200],
    ['PUT /kept/7', 'If-Match', '"old"', 409],
    ['PUT /kept/7', 'If-None-Match', '"a"', 409],
    ['DELETE /users/7', 'If-Match', '"old"', 412],
    ['DELETE /users/7', 'If-Match', '"a"', 200],
  ])('has the tag that its upstream is let have: %s, %s: %s', async (line, name, value, status) => {
    expect((await send(tagged, line, name, value))[0]).toBe(status);
    expect(writes).toHaveLength(status === 200 ? 1 : 0);
  });
});

test('a read never has one', async () => {
  for (const [name, value] of [
    ['If-Match', '"old"'],
    ['If-None-Match', '"a"'],
    ['If-None-Match', '*'],
  ] as const)
    expect(await send(tagged, 'GET /users/7', name, value)).toEqual([200, null]);
});
