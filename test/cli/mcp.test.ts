/** `sluice mcp map` with the server of the official SDK: what is proposed, what is told to be looked at, and what is refused. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { checkMcp, mcpSchema, type ServerConfig } from '../../src/endpoints/mcp/section.ts';
import { compiledFault } from '../../src/documents/kinds.ts';
import { type McpUpstream, startMcpServer } from '../support/mcp.ts';
import { sluice } from './support.ts';

const RECORD = {
  id: 'C1',
  name: '张三丰',
  phone: '13812345678',
  address: { city: '北京' },
  loyalty: 'gold-77',
};
let deleted = 0;

function crm(): McpServer {
  const server = new McpServer({ name: 'CRM', version: '1' });
  const text = (value: unknown) => ({ content: [{ type: 'text' as const, text: JSON.stringify(value) }] });
  server.registerTool(
    'get_customer',
    {
      inputSchema: { customer_id: z.string(), verbose: z.boolean().optional() },
      annotations: { readOnlyHint: true },
    },
    () => text(RECORD),
  );
  server.registerTool(
    'searchCustomers',
    { inputSchema: { phone: z.string(), city: z.string().optional(), limit: z.number().optional() } },
    () => text({ data: { rows: [RECORD] } }),
  );
  server.registerTool(
    'update_customer_phone',
    { inputSchema: { customer_id: z.string(), new_phone: z.string() } },
    () => text('done'),
  );
  server.registerTool(
    'delete_customer',
    { inputSchema: { customer_id: z.string() }, annotations: { readOnlyHint: true } },
    () => {
      deleted += 1;
      return text('done');
    },
  );
  server.registerTool('reindex', { inputSchema: {} }, () => text('done'));
  server.registerResource(
    'customer',
    new ResourceTemplate('crm://customers/{id}', { list: undefined }),
    {},
    (uri) => ({ contents: [{ uri: uri.href, text: JSON.stringify(RECORD) }] }),
  );
  return server;
}

describe.each([
  ['JSON', true],
  ['server-sent events', false],
])('sluice mcp map, of a server that answers in %s', (_, json) => {
  let upstream: McpUpstream;
  const map = (...argv: string[]) => sluice(['mcp', 'map', `${upstream.url}/mcp`, ...argv]);
  beforeAll(async () => {
    upstream = await startMcpServer(crm, json);
  });
  afterAll(() => upstream?.close());

  test('proposes a section that the configuration accepts, and leaves out what it does not know', async () => {
    const { code, out, err } = await map();
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const { mcp, upstreams } = parse(out) as { mcp: ServerConfig[]; upstreams: object };
    expect(compiledFault(mcpSchema)(mcp)).toBeNull();
    expect(upstreams).toEqual({ 'crm-mcp': { url: upstream.url } });
    expect(mcp[0]!.tools).toMatchObject({
      get_customer: {
        resource: 'customer',
        action: 'read',
        id: '/customer_id',
        data_subject: '/customer_id',
      },
      searchCustomers: {
        action: 'search',
        records: '/items/*',
        query_fields: { '/phone': '/phone', '/city': '/address/city' },
        params: ['/limit'],
      },
      update_customer_phone: { action: 'update', id: '/customer_id', body: { '/new_phone': '/phone' } },
      delete_customer: { action: 'delete', id: '/customer_id' },
    });
    expect(mcp[0]!.tools).not.toHaveProperty('reindex');
    expect(mcp[0]!.resources).toEqual([
      { uri: 'crm://customers/{id}', resource: 'customer', action: 'read', id: '{id}', data_subject: '{id}' },
    ]);
    const faults: unknown[] = [];
    const complete = mcp.map((one) => ({
      ...one,
      tools: Object.fromEntries(
        Object.entries(one.tools).map(([name, tool]) => [
          name,
          { ...{ body: {}, query_fields: {}, params: [] }, ...tool },
        ]),
      ),
    })) as ServerConfig[];
    checkMcp(complete, ['crm-mcp'], (...fault) => faults.push(fault));
    expect(faults).toEqual([]);
  });

  test('marks each guess that is not certain', async () => {
    const { out } = await map();
    expect(out).toContain('# check: the argument "verbose" is of no known field, so callers cannot send it');
    expect(out).toContain('# check: nothing says where its records are: --sample shows it');
    expect(out).toContain('# check: its name says delete, and readOnlyHint says that it writes nothing');
    expect(out).toMatch(/# reindex: /);
  });

  test('finds the records in a sample, and prints none of its values', async () => {
    const { code, out } = await map('--sample', 'searchCustomers={"phone":"13812345678"}');
    expect(code).toBe(0);
    expect((parse(out) as { mcp: ServerConfig[] }).mcp[0]!.tools['searchCustomers']!.records).toBe(
      '/data/rows/*',
    );
    expect(out).toContain('the catalog has no line for loyalty: never disclosed');
    for (const value of ['张三丰', '13812345678', 'gold-77', '北京']) expect(out).not.toContain(value);
  });

  test('does not call a tool that writes, whatever it says of itself', async () => {
    const { code, err } = await map('--sample', 'delete_customer={"customer_id":"C1"}');
    expect(code).toBe(2);
    expect(err).toContain('It was not called. [usage_invalid]');
    expect(deleted).toBe(0);
  });

  test('prints the same as JSON', async () => {
    const { out } = await map('--json');
    const { tools } = JSON.parse(out) as { tools: { name: string; mapping: object | null }[] };
    expect(tools.map(({ name, mapping }) => [name, mapping !== null])).toEqual([
      ['get_customer', true],
      ['searchCustomers', true],
      ['update_customer_phone', true],
      ['delete_customer', true],
      ['reindex', false],
    ]);
  });
});

describe('sluice mcp map says what is wrong with a server', () => {
  const mapped = async (listener: RequestListener, ...argv: string[]) => {
    const server = createServer(listener);
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
      return await sluice(['mcp', 'map', url, ...argv]);
    } finally {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  };

  test('that wants a credential, and sends the one that is given', async () => {
    const got: unknown[] = [];
    const listener: RequestListener = (request, response) => {
      got.push(request.headers.authorization);
      response.writeHead(401).end();
    };
    const { code, err } = await mapped(listener, '--header', 'Authorization: Bearer t-1');
    expect(code).toBe(3);
    expect(err).toContain('wants a credential (401). Give it with --header');
    expect(err).not.toContain('t-1');
    expect(got).toEqual(['Bearer t-1']);
  });

  test('that speaks the transport of 2024-11-05 only', async () => {
    const { code, err } = await mapped((request, response) => {
      if (request.method === 'POST') return response.writeHead(405).end();
      response
        .writeHead(200, { 'content-type': 'text/event-stream' })
        .write('event: endpoint\ndata: /messages\n\n');
    });
    expect(code).toBe(3);
    expect(err).toMatch(/HTTP\+SSE of 2024-11-05 only.*\[mcp_version_unsupported\]/);
  });

  test.each([
    ['that answers in HTML', { 'content-type': 'text/html' }, '<p>', 'response_format_unsupported'],
    [
      'that answers in other JSON',
      { 'content-type': 'application/json' },
      '{"ok":true}',
      'response_malformed',
    ],
  ])('%s', async (_what, headers, body, code) => {
    const said = await mapped((_request, response) => response.writeHead(200, headers).end(body));
    expect(said).toMatchObject({ code: 3, out: '' });
    expect(said.err).toContain(`[${code}]`);
  });

  test('that is not there', async () => {
    const upstream = await startMcpServer(crm, true);
    await upstream.close();
    const { code, err } = await sluice(['mcp', 'map', `${upstream.url}/mcp`]);
    expect(code).toBe(3);
    expect(err).toMatch(/cannot be reached \(ECONNREFUSED\)\. \[upstream_unreachable\]/);
  });

  test.each(['crm', 'ftp://127.0.0.1/', 'http://u:p@127.0.0.1/mcp'])('whose URL is %s', async (url) => {
    expect(await sluice(['mcp', 'map', url])).toMatchObject({ code: 2, out: '' });
  });
});
