/**
 * Class: a refusal that its reader does not take for one. Root cause: there was one format of refusals, `problem+json`, which clients of other
 * protocols do not parse, and one answer (404) for everything that no route describes.
 */
import fc from 'fast-check';
import { SaxesParser } from 'saxes';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SluiceError } from '../../src/errors.ts';
import { ERROR_FORMATS } from '../../src/model/exchange.ts';
import { createResponses } from '../../src/endpoints/responses.ts';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { type Running, startSluice } from '../support/sluice.ts';
import { type Answer, exchange, headerOf, jsonOf, requestText, textOf } from '../support/wire.ts';

const route = { upstream: 'crm', resource: 'customer', action: 'read' };
const SOAP11 = 'http://schemas.xmlsoap.org/soap/envelope/';
const SOAP12 = 'http://www.w3.org/2003/05/soap-envelope';
const envelope = (namespace: string, id = 'C1') =>
  `<e:Envelope xmlns:e="${namespace}"><e:Body><GetCustomer><Id>${id}</Id></GetCustomer></e:Body></e:Envelope>`;
const soapRoute = (match: string, action: string, extra: object = {}) => ({
  match,
  upstream: 'crm',
  resource: 'customer',
  action,
  data_subject: '{body:/arguments/Id}',
  when: { body: { '/operation': 'GetCustomer' } },
  request: { format: 'soap', params: ['/namespace', '/arguments'] },
  ...extra,
});

let upstream: HostileUpstream;
let running: Running;
let denied: Readonly<Record<string, string>>;
beforeAll(async () => {
  upstream = await startHostile();
  upstream.answer = answers('{"id":"C1"}');
  running = await startSluice({
    upstream: upstream.url,
    dataSubjects: { C9: { flags: ['restricted'] } },
    routes: [
      ...ERROR_FORMATS.map((errors) => ({ ...route, match: `GET /${errors}`, response: { errors } })),
      { ...route, match: 'GET /plain' },
      { ...route, match: 'PUT /plain', action: 'update', data_subject: 'C1' },
      { ...route, match: 'GET /things/{id}' },
      { ...route, match: 'DELETE /things/{id}', action: 'delete', data_subject: 'C1' },
      {
        ...route,
        match: 'POST /rpc',
        when: { body: { '/method': 'get' } },
        request: { params: ['/jsonrpc', '/id', '/params/*'] },
        response: { errors: 'jsonrpc' },
      },
      {
        ...route,
        match: 'POST /xmlrpc',
        when: { body: { '/methodName': 'get' } },
        request: { format: 'xmlrpc', params: ['/params/**', '/params'] },
      },
      soapRoute('POST /service', 'read', { records: '/Envelope/Body/GetCustomerResponse/Customer' }),
    ],
  });
  denied = {
    ...running.caller,
    Authorization: `Bearer ${await running.issuer.sign({ sub: 'x', roles: ['denied'], org: 'internal', clearance: 3 })}`,
  };
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});
const ask = (line: string, headers: Readonly<Record<string, string>> = denied, body = '') =>
  exchange(running.port, requestText(line, headers, body), { bodiless: line.startsWith('HEAD') });

/** Element names and text of well-formed XML. */
function elements(text: string): Record<string, string> {
  const out: Record<string, string> = {};
  const parser = new SaxesParser({ xmlns: true });
  let name = '';
  parser.on('error', (e) => {
    throw e;
  });
  parser.on('opentag', (tag) => {
    name = tag.local ?? tag.name;
    out[name] ??= '';
    out['ns'] ??= tag.uri ?? '';
  });
  parser.on('text', (t) => {
    out[name] = (out[name] ?? '') + t;
  });
  parser.write(text).close();
  return out;
}

function tells(answer: Answer, code: string): void {
  const id = headerOf(answer, 'sluice-decision-id')!;
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  expect(textOf(answer)).toContain(id);
  expect(textOf(answer)).toContain(code);
}

describe('A refusal', () => {
  test.each([
    ['problem', 403, 'application/problem+json'],
    ['json', 403, 'application/json'],
    ['odata', 403, 'application/json'],
    ['soap', 500, 'text/xml; charset=utf-8'],
    ['jsonrpc', 200, 'application/json'],
    ['xmlrpc', 200, 'text/xml; charset=utf-8'],
  ])('reads as %s where the route says so, with %i', async (format, status, type) => {
    const answer = await ask(`GET /${format}`);
    expect(answer.status).toBe(status);
    expect(headerOf(answer, 'content-type')).toBe(type);
    tells(answer, 'role_denied');
    tells(answer, 'policy_denied');
    const record = running.records().at(-1)!;
    expect(record).toMatchObject({ outcome: 'denied', response: { status } });
  });

  test.each(ERROR_FORMATS)('without a credential is a 401 with its challenge as %s', async (format) => {
    const answer = await ask(`GET /${format}`, {});
    expect(answer.status).toBe(401);
    expect(headerOf(answer, 'www-authenticate')).toBe('Bearer');
    tells(answer, 'token_missing');
    if (format === 'soap') expect(elements(textOf(answer))).toMatchObject({ Fault: '' });
  });

  test('before there is a route reads as the routes of its path do, and otherwise as a problem', async () => {
    const type = async (line: string) => headerOf(await ask(line), 'content-type');
    expect(await type('DELETE /service')).toBe('text/xml; charset=utf-8');
    expect(await type('GET /nothing')).toBe('application/problem+json');
    expect(await type('GET //service')).toBe('application/problem+json');
  });

  test('of SOAP is of the version that was asked in', async () => {
    for (const [type, namespace, status] of [
      ['text/xml', SOAP11, 500],
      ['application/soap+xml; charset=utf-8', SOAP12, 400],
    ] as const) {
      const answer = await ask('POST /service', { ...denied, 'content-type': type }, envelope(namespace));
      expect(answer.status).toBe(status);
      expect(elements(textOf(answer))['ns']).toBe(namespace);
      tells(answer, 'role_denied');
    }
  });

  test.each(['7', '"seven"', '12345678901234567890', 'null', '1.50'])(
    'of JSON-RPC has the id of its call, as it was spelled: %s',
    async (id) => {
      const body = `{"jsonrpc":"2.0","method":"get","params":[{"id":1}],"id":${id}}`;
      const answer = await ask('POST /rpc', { ...denied, 'content-type': 'application/json' }, body);
      expect(textOf(answer)).toMatch(`{"jsonrpc":"2.0","id":${id},"error":{"code":-32000,`);
    },
  );
  test.each(['{}', '[]', '{"id":{"a":1}}', '{"id":[1]}', `{"id":"${'x'.repeat(300)}"}`, '{"id":true}'])(
    'of JSON-RPC has no id where the call has none that can be one: %s',
    async (body) => {
      const answer = await ask('POST /rpc', { ...denied, 'content-type': 'application/json' }, body);
      expect(jsonOf(answer)['id']).toBeNull();
    },
  );

  test('of XML-RPC is a fault', async () => {
    const call = '<methodCall><methodName>get</methodName></methodCall>';
    const answer = await ask('POST /xmlrpc', { ...denied, 'content-type': 'text/xml' }, call);
    expect(answer.status).toBe(200);
    expect(elements(textOf(answer))).toMatchObject({ fault: '', int: '403' });
  });

  test('is well formed whatever stands in its reasons', () => {
    const { refused } = createResponses([]);
    fc.assert(
      fc.property(
        fc.constantFrom(...ERROR_FORMATS),
        fc.boolean(),
        fc.string({ unit: 'binary', maxLength: 30 }),
        fc.string({ unit: 'grapheme', maxLength: 30 }),
        (format, soap12, code, message) => {
          const error = new SluiceError('policy_denied', { message: `No ${message}`, paths: [`/${code}`] });
          const { body, headers } = refused(error, 'd-1', [{ code, message }], undefined, {
            format,
            soap12,
            id: '7',
          });
          const text = Buffer.from(body).toString('utf8');
          if (headers['content-type']!.includes('xml')) elements(text);
          else JSON.parse(text);
          expect(text).toContain('d-1');
        },
      ),
    );
  });
});

describe('A known path with another method', () => {
  test.each([
    ['POST /plain', 'GET, HEAD, PUT'],
    ['OPTIONS /plain', 'GET, HEAD, PUT'],
    ['PATCH /things/7', 'DELETE, GET, HEAD'],
    ['GET /service', 'POST'],
    ['HEAD /service', 'POST'],
  ])('is answered 405: %s', async (line, allow) => {
    const answer = await ask(line, running.caller);
    expect(answer.status).toBe(405);
    expect(headerOf(answer, 'allow')).toBe(allow);
    expect(running.records().at(-1)).toMatchObject({
      outcome: 'denied',
      reasons: [{ code: 'method_not_allowed' }],
    });
  });
  test('tells nobody without a credential', async () => {
    const answer = await ask('POST /plain', {});
    expect(answer.status).toBe(401);
    expect(headerOf(answer, 'allow')).toBeUndefined();
  });
  test.each(['POST /nothing', 'GET /nothing', 'POST /'])('is not one that no route has: %s', async (line) => {
    const answer = await ask(line, running.caller);
    expect(answer.status).toBe(404);
    expect(headerOf(answer, 'allow')).toBeUndefined();
  });
});
