/** The proxy listener as a protected resource of OAuth 2.0, found by the client of the official MCP SDK. */
import { createHash } from 'node:crypto';
import {
  discoverOAuthProtectedResourceMetadata,
  extractWWWAuthenticateParams,
} from '@modelcontextprotocol/sdk/client/auth.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { parseConfig } from '../../src/config/index.ts';
import { connect, type McpUpstream, startMcpServer } from '../support/mcp.ts';
import { type Running, startSluice } from '../support/sluice.ts';

const API_KEY = 'key-of-the-service';
const RESOURCE = 'https://crm.example.com';
const WELL_KNOWN = '/.well-known/oauth-protected-resource';
const tools = (resource: string) => ({
  get_customer: { resource, action: 'read', id: '/customer_id', data_subject: '/customer_id' },
});

let upstream: McpUpstream;
let running: Running;
const at = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`http://127.0.0.1:${running.port}${path}`, init);
/** What the client of the SDK fetches from the public URL. */
const fetched = (url: string | URL, init?: RequestInit): Promise<Response> => {
  const { origin, pathname, search } = new URL(url);
  if (origin !== RESOURCE) throw new TypeError(`${origin} was asked`);
  return at(`${pathname}${search}`, init);
};
const challengeOf = (response: Response): string | null => response.headers.get('www-authenticate');

beforeAll(async () => {
  upstream = await startMcpServer(() => {
    const server = new McpServer({ name: 'crm', version: '1' });
    server.registerTool('get_customer', { inputSchema: { customer_id: z.string() } }, () => ({
      content: [{ type: 'text', text: '{"id":"C1","name":"Ann"}' }],
    }));
    return server;
  }, true);
  running = await startSluice({
    upstream: upstream.url,
    obligations: { customer: { step_up: 'mfa' } },
    identity: {
      api_keys: [
        {
          id: 'erp',
          sha256: createHash('sha256').update(API_KEY).digest('hex'),
          subject: { id: 'erp', roles: ['support'], organization: 'internal' },
        },
      ],
    },
    config: {
      cors: { origins: ['https://app.example.com'] },
      protected_resource: {
        url: RESOURCE,
        scopes: ['crm.read', 'crm.write'],
        step_up: { mfa: { acr_values: ['aal2', 'phr'], max_age: '10m' } },
      },
      mcp: [
        { path: '/mcp', upstream: 'crm', tools: tools('customer') },
        { path: '/agents/mcp', upstream: 'crm', tools: tools('customer') },
      ],
    },
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});

describe('the metadata', () => {
  test.each([
    ['the listener', ''],
    ['an MCP server', '/mcp'],
    ['an MCP server behind two segments', '/agents/mcp'],
  ])('of %s is found by the SDK from its URL', async (_, path) => {
    const metadata = await discoverOAuthProtectedResourceMetadata(`${RESOURCE}${path}`, {}, fetched);
    expect(metadata).toEqual({
      resource: `${RESOURCE}${path}`,
      authorization_servers: [running.issuer.issuer],
      scopes_supported: ['crm.read', 'crm.write'],
      bearer_methods_supported: ['header'],
    });
  });

  test('is answered to HEAD without its body, and to no other method', async () => {
    const head = await at(WELL_KNOWN, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([
      200,
      'application/json',
      '',
    ]);
    const post = await at(WELL_KNOWN, { method: 'POST', body: '{}' });
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  test.each(['/customers/C1', '/mcp/', '/MCP', '/', '/..%2f'])(
    'is not there for %s, which is no MCP server',
    async (path) => {
      const response = await at(`${WELL_KNOWN}${path}`);
      expect(response.ok).toBe(false);
      expect(await response.text()).not.toContain('authorization_servers');
    },
  );
});

describe('a refused credential', () => {
  test.each([
    ['a route', '/customers/C1', WELL_KNOWN],
    ['an MCP server', '/mcp', `${WELL_KNOWN}/mcp`],
    ['another MCP server', '/agents/mcp', `${WELL_KNOWN}/agents/mcp`],
  ])('of a request to %s is answered with the place of its metadata', async (_, path, place) => {
    const without = await at(path);
    expect([without.status, challengeOf(without)]).toEqual([
      401,
      `Bearer resource_metadata="${RESOURCE}${place}"`,
    ]);
    const broken = await at(path, { headers: { authorization: 'Bearer x' } });
    expect([broken.status, challengeOf(broken)]).toEqual([
      401,
      `Bearer error="invalid_token", error_description="token_malformed", resource_metadata="${RESOURCE}${place}"`,
    ]);
    // The client of the SDK reads it from there.
    const { resourceMetadataUrl, error } = extractWWWAuthenticateParams(broken);
    expect(error).toBe('invalid_token');
    const metadata = await discoverOAuthProtectedResourceMetadata(
      RESOURCE,
      { resourceMetadataUrl: resourceMetadataUrl! },
      fetched,
    );
    expect(metadata.resource).toBe(`${RESOURCE}${path.endsWith('mcp') ? path : ''}`);
  });

  test('is told to pages of other origins, which may read the field', async () => {
    const { headers } = await at('/mcp', { headers: { origin: 'https://app.example.com' } });
    expect(headers.get('access-control-expose-headers')).toContain('WWW-Authenticate');
  });

  test('of the admin API is answered without it: that is another resource', async () => {
    const response = await fetch(`http://127.0.0.1:${running.adminPort}/v1/decisions`);
    expect([response.status, challengeOf(response)]).toEqual([401, 'Bearer']);
  });
});

describe('a stronger authentication that the policy asks for', () => {
  const STEP_UP =
    'Bearer error="insufficient_user_authentication", error_description="A stronger authentication is required", acr_values="aal2 phr", max_age="600"';

  test('is demanded of the holder of a token, in the values of the configuration (RFC 9470)', async () => {
    const response = await at('/customers/C1', { headers: running.caller });
    expect([response.status, challengeOf(response)]).toEqual([
      401,
      `${STEP_UP}, resource_metadata="${RESOURCE}${WELL_KNOWN}"`,
    ]);
    expect(await response.json()).toMatchObject({
      status: 401,
      code: 'policy_denied',
      reasons: [{ code: 'step_up_required' }],
    });
    expect(running.records().at(-1)).toMatchObject({
      outcome: 'denied',
      reasons: [{ code: 'step_up_required' }],
      response: { status: 401 },
    });
  });

  test('is demanded by MCP in the same way, with the error of JSON-RPC as its body', async () => {
    const body = {
      jsonrpc: '2.0',
      id: 7,
      method: 'tools/call',
      params: { name: 'get_customer', arguments: { customer_id: 'C1' } },
    };
    const response = await at('/mcp', {
      method: 'POST',
      headers: { ...running.caller, 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify(body),
    });
    expect([response.status, challengeOf(response)]).toEqual([
      401,
      `${STEP_UP}, resource_metadata="${RESOURCE}${WELL_KNOWN}/mcp"`,
    ]);
    expect(await response.json()).toMatchObject({
      id: 7,
      error: { code: -32001, data: { code: 'policy_denied', reasons: [{ code: 'step_up_required' }] } },
    });
  });

  test('is not demanded by a challenge where the credential is an API key, which has no authentication', async () => {
    const response = await at('/customers/C1', {
      headers: { 'x-api-key': API_KEY, 'sluice-purpose': running.caller['Sluice-Purpose']! },
    });
    expect([response.status, challengeOf(response)]).toEqual([403, null]);
    expect(await response.json()).toMatchObject({
      code: 'policy_denied',
      reasons: [{ code: 'step_up_required' }],
    });
  });

  test('ends a call of the SDK that cannot authenticate anew, and not its session', async () => {
    const { client } = await connect(`http://127.0.0.1:${running.port}/mcp`, running.caller);
    await expect(
      client.callTool({ name: 'get_customer', arguments: { customer_id: 'C1' } }),
    ).rejects.toMatchObject({ code: 401 });
    expect(await client.ping()).toEqual({});
    await client.close();
  });
});

const faultsOf = (section: string, issuer = 'https://idp.example.com'): string => {
  try {
    const text = `version: 1
upstreams: { crm: { url: "http://127.0.0.1:9000" } }
identity:
  issuers: [{ issuer: "${issuer}", audience: sluice, jwks: { file: ./keys.json }, algorithms: [ES256] }]
policy: { dir: ./policies }
consent: { file: ./consents.yaml }
routes: [{ match: "GET /x/{id}", upstream: crm, resource: customer, action: read, id: "{id}" }]
protected_resource: { ${section} }
`;
    parseConfig(text, 'sluice.yaml', {});
    return '';
  } catch (e) {
    return (e as Error).message;
  }
};

test.each([
  ['a path', 'url: "https://crm.example.com/api"', 'is not an origin'],
  ['a slash at its end', 'url: "https://crm.example.com/"', 'is not an origin'],
  ['a query', 'url: "https://crm.example.com?x"', 'is not an origin'],
  ['the default port', 'url: "https://crm.example.com:443"', 'is not an origin'],
  ['no TLS', 'url: "http://crm.example.com"', 'must begin with https://'],
  ['a scope that ends the field', `url: "${RESOURCE}", scopes: ['a"b']`, 'protected_resource.scopes[0]'],
  [
    'a context that ends the field',
    `url: "${RESOURCE}", step_up: { mfa: { acr_values: ["a\\r\\nb"] } }`,
    'protected_resource.step_up.mfa.acr_values[0]',
  ],
  ['a step-up that says nothing', `url: "${RESOURCE}", step_up: { mfa: {} }`, 'says nothing'],
])('a resource with %s is refused at the start', (_, section, fault) => {
  expect(faultsOf(section)).toContain(fault);
});

test('a resource whose issuers are no URLs is refused at the start, and a sound one is taken', () => {
  expect(faultsOf(`url: "${RESOURCE}"`, 'our-idp')).toContain('needs an issuer whose name is a URL');
  expect(faultsOf(`url: "${RESOURCE}"`)).toBe('');
  expect(faultsOf('url: "http://127.0.0.1:8080"')).toBe('');
});
