/** What a route says of its answers, through a whole Sluice. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { charset } from '../../../src/disclosure/formats/shared/charsets.ts';
import { answers, type HostileUpstream, startHostile } from '../../support/hostile.ts';
import { CUSTOMER, CUSTOMER_ROUTES, type Running, startSluice } from '../../support/sluice.ts';
import { exchange, headerOf, jsonOf, requestText } from '../../support/wire.ts';

let upstream: HostileUpstream;
let sluice: Running;
beforeAll(async () => {
  upstream = await startHostile();
  const [one] = CUSTOMER_ROUTES;
  sluice = await startSluice({
    upstream: upstream.url,
    catalogs: {
      customer: {
        ...CUSTOMER,
        envelope: { '/Envelope/Body/Fault/faultcode': { is: 'status' }, '/code': { is: 'status' } },
      },
    },
    dataSubjects: { C9: { flags: ['restricted'] } },
    routes: [
      {
        ...one,
        match: 'GET /soap/{id}',
        records: '/Envelope/Body/Customer',
        response: { statuses: [500] },
      },
      { ...one, match: 'GET /classed/{id}', response: { statuses: [404, 422, 503] } },
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

describe('an error that the route classes', () => {
  const fault =
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault><faultcode>e:Server</faultcode><faultstring>no 13812345678</faultstring></e:Fault></e:Body></e:Envelope>';

  test('is a SOAP fault, with what the envelope keeps of it', async () => {
    upstream.answer = answers(fault, { 'Content-Type': 'text/xml' }, '500 Internal Server Error');
    const got = await ask('/soap/C1');
    expect([got.status, headerOf(got, 'content-type')]).toEqual([500, 'text/xml']);
    expect(got.body.toString()).toBe(fault.replace(/<faultstring>.*<\/faultstring>/, ''));
    expect(sluice.records().at(-1)).toMatchObject({ outcome: 'modified', response: { status: 500 } });
    upstream.answer = answers(fault, { 'Content-Type': 'text/xml' }, '502 Bad Gateway');
    expect(jsonOf(await ask('/soap/C1'))['code']).toBe('upstream_status_withheld');
  });

  test('is read by the catalog, of whom the route names', async () => {
    upstream.answer = answers('{"id":"C1","phone":"13812345678","x":1}', {}, '422 Unprocessable Content');
    const got = await ask('/classed/C1');
    expect([got.status, got.body.toString()]).toEqual([422, '{"id":"C1","phone":"138****5678"}']);
  });

  test('leaves by its status alone where nothing of it may leave, or it is a page', async () => {
    upstream.answer = answers('{"phone":"13812345678"}', {}, '422 Unprocessable Content');
    const got = await ask('/classed/C9');
    expect([got.status, got.body.toString()]).toEqual([422, 'null']);
    upstream.answer = answers('<html>13812345678</html>', { 'Content-Type': 'text/html' }, '404 Not Found');
    const page = await ask('/classed/C1');
    expect([page.status, jsonOf(page)['code']]).toEqual([404, 'upstream_status_withheld']);
  });

  test('is no other than those named', async () => {
    upstream.answer = answers('{"id":"C1"}', {}, '500 Internal Server Error');
    expect(jsonOf(await ask('/classed/C1'))).toMatchObject({ status: 502, code: 'upstream_status_withheld' });
    expect(jsonOf(await ask('/plain/C1'))).toMatchObject({ status: 502, code: 'upstream_status_withheld' });
  });
});
