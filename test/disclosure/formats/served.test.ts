/** What a route says of its answers, through a whole Sluice. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { charset } from '../../../src/disclosure/charsets.ts';
import { answers, type HostileUpstream, startHostile } from '../../support/hostile.ts';
import { CUSTOMER_ROUTES, type Running, startSluice } from '../../support/sluice.ts';
import { exchange, headerOf, jsonOf, requestText } from '../../support/wire.ts';

let upstream: HostileUpstream;
let sluice: Running;
beforeAll(async () => {
  upstream = await startHostile();
  const [one] = CUSTOMER_ROUTES;
  sluice = await startSluice({
    upstream: upstream.url,
    routes: [
      { ...one, match: 'GET /plain/{id}' },
      { ...one, match: 'GET /said/{id}', response: { charset: 'gb18030' } },
      {
        ...one,
        match: 'GET /titled/{id}',
        response: { format: 'csv', charset: 'gbk', options: { skip: 1 } },
      },
    ],
  });
});
afterAll(async () => {
  await sluice.close();
  await upstream.close();
});
const ask = (path: string) => exchange(sluice.port, requestText(`GET ${path}`, sluice.caller));

const XML = charset('gb18030').encode(
  '<?xml version="1.0" encoding="UTF-8"?><c><id>C1</id><name>张三</name><phone>13812345678</phone><id_number>1</id_number></c>',
);

test('the charset that a route names overrules what an XML document declares', async () => {
  upstream.answer = answers(XML, { 'Content-Type': 'text/xml' });
  const got = await ask('/said/C1');
  expect([got.status, headerOf(got, 'content-type')]).toEqual([200, 'text/xml; charset=gb18030']);
  expect(charset('gb18030').decode(got.body)).toContain(
    '<c><id>C1</id><name>张三</name><phone>138****5678</phone></c>',
  );
  expect(jsonOf(await ask('/plain/C1'))['code']).toBe('response_malformed');
});

test('the charset that only the upstream names does not', async () => {
  upstream.answer = answers(XML, { 'Content-Type': 'text/xml; charset=gb18030' });
  expect(jsonOf(await ask('/plain/C1'))).toMatchObject({ status: 502, code: 'response_charset_unknown' });
});

test('titles before a header stay behind', async () => {
  const body = charset('gbk').encode('客户 13812345678\r\nid,name,phone\r\nC1,"张三",13812345678\r\n');
  upstream.answer = answers(body, { 'Content-Type': 'application/vnd.ms-excel' });
  const got = await ask('/titled/C1');
  expect([got.status, headerOf(got, 'content-type')]).toEqual([200, 'text/csv; charset=gbk']);
  expect(charset('gbk').decode(got.body)).toBe('id,name,phone\r\nC1,"张三",138****5678\r\n');
});
