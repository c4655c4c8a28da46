/** MCP with the server and the client of the official SDK: both modes, and what is refused. */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { connect, type Connected, type McpUpstream, startMcpServer } from '../support/mcp.ts';
import { type Running, startSluice } from '../support/sluice.ts';

const RECORDS = [
  { id: 'C1', name: 'Ann', phone: '13812345678', id_number: '110101199003074514', city: 'Beijing' },
  { id: 'C2', name: 'Bob', phone: '13887654321', id_number: '110101199003074522', city: 'Xi’an' },
];
const customer = z.object({
  id: z.string(),
  name: z.string(),
  phone: z.string().length(11),
  id_number: z.string(),
  city: z.string(),
});

const written: unknown[] = [];

function crm(): McpServer {
  const server = new McpServer({ name: 'crm', version: '1.0.0' }, { instructions: 'A CRM.' });
  server.registerTool(
    'get_customer',
    {
      description: 'One customer',
      inputSchema: { customer_id: z.string(), secret_option: z.string().optional() },
      outputSchema: customer.shape,
    },
    ({ customer_id }) => {
      const found = RECORDS.find(({ id }) => id === customer_id);
      if (found === undefined)
        return { isError: true, content: [{ type: 'text', text: `${RECORDS[0]!.id_number} is not it` }] };
      return {
        structuredContent: found,
        content: [{ type: 'text', text: JSON.stringify({ ...found, id_number: '110101199003074514' }) }],
      };
    },
  );
  server.registerTool(
    'search_customers',
    { description: 'Search', inputSchema: { city: z.string(), limit: z.number().optional() } },
    ({ city }) => ({
      content: [
        {
          type: 'text',
          text: JSON.stringify({ items: RECORDS.filter((one) => one.city === city), total: 1 }, null, 2),
        },
        { type: 'text', text: 'Found 110101199003074514' },
        { type: 'image', data: 'AAAA', mimeType: 'image/png' },
      ],
    }),
  );
  server.registerTool(
    'update_city',
    { inputSchema: { customer_id: z.string(), new_city: z.string() } },
    (args) => {
      written.push(args);
      return { content: [{ type: 'text', text: 'Updated 13812345678.' }] };
    },
  );
  server.registerTool('dump_all', { description: 'Everything', inputSchema: {} }, () => ({
    content: [{ type: 'text', text: JSON.stringify(RECORDS) }],
  }));
  server.registerResource('home', 'crm://home', { title: 'Home' }, () => ({
    contents: [{ uri: 'crm://home', text: JSON.stringify(RECORDS[0]) }],
  }));
  return server;
}

const MCP = {
  path: '/mcp',
  upstream: 'crm',
  tools: {
    get_customer: { resource: 'customer', action: 'read', id: '/customer_id', data_subject: '/customer_id' },
    search_customers: {
      resource: 'customer',
      action: 'search',
      records: '/items/*',
      query_fields: { '/city': '/city' },
      params: ['/limit'],
    },
    update_city: {
      resource: 'customer',
      action: 'update',
      id: '/customer_id',
      data_subject: '/customer_id',
      body: { '/new_city': '/city' },
    },
  },
  resources: [{ uri: 'crm://home', resource: 'customer', action: 'read' }],
};

describe.each([
  ['JSON', true],
  ['server-sent events', false],
])('a server that answers in %s', (_, json) => {
  let upstream: McpUpstream;
  let running: Running;
  let connected: Connected;
  const url = (): string => `http://127.0.0.1:${running.port}/mcp`;
  const call = (name: string, args: Record<string, unknown>) =>
    connected.client.callTool({ name, arguments: args });

  beforeAll(async () => {
    upstream = await startMcpServer(crm, json);
    running = await startSluice({ upstream: upstream.url, config: { mcp: [MCP] } });
    connected = await connect(url(), running.caller);
  });
  afterAll(async () => {
    await connected?.client.close();
    await running?.close();
    await upstream?.close();
  });

  test('lists the tools of the mapping alone, with the arguments that it names', async () => {
    const { tools } = await connected.client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['get_customer', 'search_customers', 'update_city']);
    expect(Object.keys(tools[0]!.inputSchema.properties ?? {})).toEqual(['customer_id']);
    expect(tools[0]!.outputSchema).not.toHaveProperty('required');
  });

  test('discloses a result field by field, and a client that validates it accepts it', async () => {
    await connected.client.listTools();
    const { structuredContent, content, _meta } = await call('get_customer', { customer_id: 'C1' });
    const disclosed = { id: 'C1', name: 'Ann', phone: '138****5678', city: 'Beijing' };
    expect(structuredContent).toEqual(disclosed);
    expect((content as { text: string }[]).map(({ text }) => JSON.parse(text))).toEqual([disclosed]);
    const record = running.records().find(({ decision_id }) => decision_id === _meta?.['sluice/decision_id']);
    expect(record).toMatchObject({
      kind: 'mcp',
      outcome: 'modified',
      action: 'read',
      resource: { type: 'customer' },
      request: { path: '/mcp', route: 'MCP /mcp tools/call get_customer' },
      disclosure: { records: 1, released: ['/city', '/id', '/name'] },
    });
  });

  test('discloses a text that is JSON, and leaves out other texts and pictures', async () => {
    const { content } = await call('search_customers', { city: 'Beijing' });
    expect(content).toEqual([{ type: 'text', text: expect.any(String) }]);
    expect(JSON.parse((content as { text: string }[])[0]!.text)).toEqual({
      items: [{ id: 'C1', name: 'Ann', phone: '138****5678', city: 'Beijing' }],
      total: 1,
    });
    expect(running.records().at(-1)!.reasons).toContainEqual({
      code: 'content_left_out',
      message: 'Left out of the result: 1 image, 1 text.',
    });
  });

  test('passes a write on with the arguments of the caller', async () => {
    const { content } = await call('update_city', { customer_id: 'C1', new_city: 'Tianjin' });
    expect(written.at(-1)).toEqual({ customer_id: 'C1', new_city: 'Tianjin' });
    expect(JSON.stringify(content)).not.toContain('138');
    expect(running.records().at(-1)).toMatchObject({ kind: 'mcp', action: 'update' });
  });

  test('replaces what a tool says of its failure', async () => {
    const { isError, content } = await call('get_customer', { customer_id: 'C9' });
    expect(isError).toBe(true);
    expect(JSON.stringify(content)).toContain('reported an error');
    expect(JSON.stringify(content)).not.toContain('110101');
  });

  test.each([
    ['a tool that is not mapped', 'dump_all', {}, -32602],
    [
      'an argument that the mapping does not name',
      'get_customer',
      { customer_id: 'C1', secret_option: 'x' },
      -32602,
    ],
    ['a call without its id', 'get_customer', {}, -32602],
  ])('refuses %s', async (_what, name, args, code) => {
    const before = upstream.got.length;
    await expect(call(name, args)).rejects.toMatchObject({ code });
    expect(upstream.got.length).toBe(before);
    expect(running.records().at(-1)).toMatchObject({ kind: 'mcp', outcome: 'denied' });
  });

  test('reads and lists a resource of the mapping', async () => {
    const { resources } = await connected.client.listResources();
    expect(resources.map(({ uri }) => uri)).toEqual(['crm://home']);
    const { contents } = await connected.client.readResource({ uri: 'crm://home' });
    expect(JSON.parse((contents[0] as { text: string }).text)).toEqual({
      id: 'C1',
      name: 'Ann',
      phone: '138****5678',
      city: 'Beijing',
    });
    await expect(connected.client.readResource({ uri: 'crm://other' })).rejects.toMatchObject({
      code: -32602,
    });
  });

  test('shows who may use nothing no tools, and refuses a call with the code of a denial', async () => {
    const token = await running.issuer.sign({ sub: 'u-2', roles: ['denied'], org: 'internal' });
    const other = await connect(url(), { ...running.caller, Authorization: `Bearer ${token}` });
    expect((await other.client.listTools()).tools).toEqual([]);
    await expect(
      other.client.callTool({ name: 'get_customer', arguments: { customer_id: 'C1' } }),
    ).rejects.toMatchObject({
      code: -32001,
      data: { code: 'policy_denied', reasons: [{ code: 'role_denied' }] },
    });
    await other.client.close();
  });

  test.each([
    ['another person', { sub: 'u-3' }],
    ['the same person through an agent', { act: { sub: 'helper' } }],
  ])('refuses a session of another caller as one that has ended: %s', async (_who, claims) => {
    const own = { sub: 'u-1', roles: ['support'], org: 'internal', clearance: 3 };
    const token = await running.issuer.sign({ ...own, ...claims });
    const response = await fetch(url(), {
      method: 'POST',
      headers: {
        ...running.caller,
        Authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'mcp-session-id': connected.transport.sessionId!,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ id: 1, error: { data: { code: 'mcp_session_unknown' } } });
  });

  test('ends a session, and has no stream of the server’s own messages', async () => {
    const own = await connect(url(), running.caller);
    expect((await fetch(url(), { headers: running.caller })).status).toBe(405);
    await own.transport.terminateSession();
    expect(own.transport.sessionId).toBeUndefined();
    await own.client.close();
  });
});
