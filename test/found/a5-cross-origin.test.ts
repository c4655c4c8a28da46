/**
 * Class: what a browser asks before, and needs beside, an answer. Root cause: there was no notion of an origin, so that a page could be let
 * through only by a proxy in front, which answers for paths and methods that it does not know.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/index.ts';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { CUSTOMER_ROUTES, type Running, startSluice } from '../support/sluice.ts';
import { exchange, headerOf, jsonOf, requestText } from '../support/wire.ts';

const APP = 'https://app.example.com';
const cors = {
  origins: [APP, 'https://*.pages.example.com', 'http://localhost:*'],
  headers: ['X-Trace'],
  expose: ['X-Extra'],
  max_age: '5m',
  credentials: true,
};

let upstream: HostileUpstream;
let running: Running;
let closed: Running;
beforeAll(async () => {
  upstream = await startHostile();
  upstream.answer = answers('{"id":"C1","name":"Ada"}');
  const setup = {
    upstream: upstream.url,
    crm: { response_headers: ['X-Page'], request_headers: ['X-Shop'] },
    routes: CUSTOMER_ROUTES,
  };
  running = await startSluice({ ...setup, config: { cors } });
  closed = await startSluice(setup);
});
afterAll(async () => {
  await running?.close();
  await closed?.close();
  await upstream?.close();
});
const preflight = (origin: string, path = '/customers/C1', method = 'PUT', at = running) =>
  exchange(
    at.port,
    requestText(`OPTIONS ${path}`, {
      Origin: origin,
      'Access-Control-Request-Method': method,
      'Access-Control-Request-Headers': 'authorization,sluice-purpose',
    }),
    { bodiless: false },
  );
const get = (origin: string, headers: Readonly<Record<string, string>> = running.caller, at = running) =>
  exchange(at.port, requestText('GET /customers/C1', { ...headers, Origin: origin }));
const names = (value: string | undefined): string[] =>
  (value ?? '').split(',').map((name) => name.trim().toLowerCase());

describe('A preflight', () => {
  test('is answered from the configuration and the routes of its path, and recorded', async () => {
    const asked = upstream.received.length;
    const answer = await preflight(APP);
    expect(answer.status).toBe(204);
    expect(headerOf(answer, 'access-control-allow-origin')).toBe(APP);
    expect(headerOf(answer, 'access-control-allow-credentials')).toBe('true');
    expect(headerOf(answer, 'access-control-allow-methods')).toBe('GET, HEAD, PUT');
    expect(headerOf(answer, 'access-control-max-age')).toBe('300');
    expect(names(headerOf(answer, 'access-control-allow-headers'))).toEqual(
      expect.arrayContaining([
        'authorization',
        'content-type',
        'soapaction',
        'sluice-purpose',
        'x-trace',
        'x-shop',
      ]),
    );
    expect(names(headerOf(answer, 'vary'))).toContain('origin');
    expect(upstream.received).toHaveLength(asked);
    expect(running.records().at(-1)).toMatchObject({
      outcome: 'allowed',
      subject: null,
      disclosure: null,
      upstream: null,
      policy: null,
      reasons: [{ code: 'cors_preflight' }],
    });
  });
  test.each([
    ['https://evil.example', '/customers/C1', 'PUT', 403, 'origin_not_allowed'],
    [APP, '/customers/C1', 'DELETE', 405, 'method_not_allowed'],
    [APP, '/nothing', 'GET', 404, 'route_unknown'],
    [APP, '//customers', 'GET', 400, 'path_not_canonical'],
  ])('of %s for %s %s is refused with %i', async (origin, path, method, status, code) => {
    const answer = await preflight(origin, path, method);
    expect(answer.status).toBe(status);
    expect(jsonOf(answer)['code']).toBe(code);
    expect(headerOf(answer, 'access-control-allow-methods')).toBeUndefined();
  });
  test('is a request like any other where nothing is configured', async () => {
    const answer = await preflight(APP, '/customers/C1', 'PUT', closed);
    expect(answer.status).toBe(401);
    expect(headerOf(answer, 'access-control-allow-origin')).toBeUndefined();
  });
});

describe('An answer', () => {
  test.each([APP, 'https://a.pages.example.com', 'http://localhost:5173'])(
    'may be read by %s',
    async (origin) => {
      const answer = await get(origin);
      expect(answer.status).toBe(200);
      expect(headerOf(answer, 'access-control-allow-origin')).toBe(origin);
      expect(names(headerOf(answer, 'access-control-expose-headers'))).toEqual(
        expect.arrayContaining(['sluice-decision-id', 'sluice-withheld', 'x-page', 'x-extra']),
      );
      expect(names(headerOf(answer, 'vary'))).toContain('origin');
    },
  );
  test('that refuses may be read too', async () => {
    const answer = await get(APP, {});
    expect(answer.status).toBe(401);
    expect(headerOf(answer, 'access-control-allow-origin')).toBe(APP);
  });
  test.each([
    'null',
    'https://app.example.com.evil.example',
    'https://evil.example/https://app.example.com',
    'https://app.example.com:8443',
    'http://app.example.com',
    'https://APP.example.com',
    'https://app.example.com.',
    'https://a.b.pages.example.com',
    'https://pages.example.com',
    'https://evil.example#.pages.example.com',
    'https://xpages.example.com',
    'http://localhost:80@evil.example',
    'http://localhost:',
    `${APP}, ${APP}`,
    '*',
  ])('may not be read by %j', async (origin) => {
    const answer = await get(origin);
    expect(headerOf(answer, 'access-control-allow-origin')).toBeUndefined();
    expect(headerOf(answer, 'access-control-expose-headers')).toBeUndefined();
    expect(names(headerOf(answer, 'vary'))).toContain('origin');
  });
  test('varies by origin also for who sends none, and says nothing where nothing is configured', async () => {
    const plain = await exchange(running.port, requestText('GET /customers/C1', running.caller));
    expect(names(headerOf(plain, 'vary'))).toContain('origin');
    expect(headerOf(plain, 'access-control-allow-origin')).toBeUndefined();
    const other = await get(APP, closed.caller, closed);
    expect(other.status).toBe(200);
    expect(headerOf(other, 'access-control-allow-origin')).toBeUndefined();
    expect(names(headerOf(other, 'vary'))).not.toContain('origin');
  });
  test('never names an origin that the configuration does not, whatever is sent', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.webUrl(),
          fc
            .tuple(
              fc.constantFrom(APP, 'https://a.pages.example.com'),
              fc.constantFrom('/', '.', '@x', ':1', '?', ' x'),
            )
            .map((t) => t.join('')),
        ),
        async (origin) => {
          const answer = await get(origin);
          expect(headerOf(answer, 'access-control-allow-origin')).toBeUndefined();
        },
      ),
      { numRuns: 30 },
    );
  });
});

test.each([
  [['*', APP], false],
  [['*'], true],
  [['https://*.com'], false],
  [['https://*example.com'], false],
  [['https://app.example.com/'], false],
  [['https://app.example.com:443'], false],
  [['http://app.example.com:80'], false],
  [['https://App.example.com'], false],
  [['null'], false],
  [['app.example.com'], false],
  [[], false],
])('The origins %j (credentials: %s) are a fault at the start.', (origins, credentials) => {
  const text = JSON.stringify({
    version: 1,
    upstreams: { crm: { url: 'http://127.0.0.1:9' } },
    identity: { issuers: [{ issuer: 'i', audience: 'a', jwks: { file: 'k' }, algorithms: ['ES256'] }] },
    policy: { dir: '.' },
    consent: { file: 'c.yaml' },
    cors: { origins, credentials },
    routes: [{ match: 'GET /', upstream: 'crm', resource: 'x', action: 'read' }],
  });
  expect(() => parseConfig(text, 'sluice.yaml', {})).toThrow(/cors\.origins|origins/);
});
