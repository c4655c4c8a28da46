/** Routers from routes as they stand in sluice.yaml. */
import { parseConfig } from '../../src/config/index.ts';
import { charset } from '../../src/disclosure/formats/shared/charsets.ts';
import type { RouteConfig } from '../../src/routing/section.ts';
import { type ErrorCode, isSluiceError } from '../../src/errors.ts';
import { createRouter, type Headers, type Router, type Selected } from '../../src/routing/index.ts';

export const route = (match: string, more: object = {}): object => ({
  match,
  upstream: 'crm',
  resource: 'customer',
  action: 'read',
  ...more,
});

export function routesConfig(routes: readonly object[]): readonly RouteConfig[] {
  const text = JSON.stringify({
    version: 1,
    upstreams: { crm: { url: 'http://127.0.0.1:9' } },
    identity: {
      api_keys: [{ id: 'a', sha256: '0'.repeat(64), subject: { id: 'a', organization: 'internal' } }],
    },
    policy: { dir: '.' },
    consent: { file: 'consents.yaml' },
    routes,
  });
  return parseConfig(text, 'sluice.yaml', {}).config.routes;
}

export const routerOf = (...routes: object[]): Router =>
  createRouter(
    routesConfig(routes),
    { target: 8192, depth: 20, request_body: 1024 * 1024, decoded_ratio: 200 },
    charset,
  );

export interface Asked {
  readonly headers?: Headers;
  readonly body?: string | Uint8Array;
  readonly type?: string;
}

export function ask(
  router: Router,
  method: string,
  target: string,
  { headers = {}, body, type }: Asked = {},
): Selected {
  const given: Headers = {
    host: 'crm.example',
    ...(type === undefined ? {} : { 'content-type': type }),
    ...headers,
  };
  const candidates = router.match(method, target, given);
  return router.select(candidates, body === undefined ? null : Buffer.from(body));
}

export function codeOf(
  router: Router,
  method: string,
  target: string,
  asked: Asked = {},
): ErrorCode | 'routed' {
  try {
    ask(router, method, target, asked);
    return 'routed';
  } catch (e) {
    if (isSluiceError(e)) return e.code;
    throw e;
  }
}

export const JSON_TYPE = 'application/json';
