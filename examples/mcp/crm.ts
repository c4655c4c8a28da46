/** The MCP server of a CRM, of the official SDK, which returns everything to whoever calls it, as such servers do. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { z } from 'zod';
import { createPeople } from '../../src/cli/demo/people.ts';

type Customer = Record<string, unknown>;

const customers: readonly Customer[] = createPeople(20261122, 40).customers.map(
  ({ record }) => JSON.parse(record) as Customer,
);
const withId = (id: string): Customer | undefined => customers.find((one) => one['id'] === id);
const unknown = (id: string) => ({
  isError: true,
  content: [{ type: 'text' as const, text: `T_CUST_MST has no row ${id}` }],
});

function crm(): McpServer {
  const server = new McpServer({ name: 'crm', version: '4.2.0' });
  server.registerTool(
    'get_customer',
    {
      title: '查询客户',
      description: '按客户号查询一位客户',
      inputSchema: { customer_id: z.string() },
      annotations: { readOnlyHint: true },
    },
    ({ customer_id }) => {
      const found = withId(customer_id);
      if (found === undefined) return unknown(customer_id);
      return {
        structuredContent: found,
        content: [{ type: 'text', text: `客户 ${String(found['name'])}，电话 ${String(found['phone'])}` }],
      };
    },
  );
  server.registerTool(
    'search_customers',
    {
      title: '搜索客户',
      description: '按姓名或电话搜索客户',
      inputSchema: {
        name: z.string().optional(),
        phone: z.string().optional(),
        limit: z.number().optional(),
      },
      annotations: { readOnlyHint: true },
    },
    ({ name, phone, limit = 10 }) => {
      const found = customers.filter(
        (one) =>
          (name === undefined || one['name'] === name) && (phone === undefined || one['phone'] === phone),
      );
      const items = found.slice(0, limit);
      return { content: [{ type: 'text', text: JSON.stringify({ total: found.length, items }) }] };
    },
  );
  server.registerTool(
    'update_phone',
    {
      title: '修改电话',
      description: '修改客户的电话号码',
      inputSchema: { customer_id: z.string(), new_phone: z.string() },
      annotations: { destructiveHint: true },
    },
    ({ customer_id, new_phone }) => {
      const found = withId(customer_id);
      if (found === undefined) return unknown(customer_id);
      found['phone'] = new_phone;
      return { content: [{ type: 'text', text: '已修改' }] };
    },
  );
  server.registerTool('export_all', { description: '导出全部客户', inputSchema: {} }, () => ({
    content: [{ type: 'text', text: JSON.stringify(customers) }],
  }));
  server.registerResource(
    'customer',
    new ResourceTemplate('crm://customers/{id}', { list: undefined }),
    { title: '客户' },
    (uri, { id }) => ({ contents: [{ uri: uri.href, text: JSON.stringify(withId(String(id)) ?? null) }] }),
  );
  return server;
}

export interface Served {
  readonly url: string;
  close(): Promise<void>;
}

/** @param json answers in JSON instead of server-sent events, which are the SDK's default */
export async function startCrmServer(json: boolean): Promise<Served> {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString('utf8');
    let transport = sessions.get(String(request.headers['mcp-session-id']));
    if (transport === undefined) {
      const created: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        enableJsonResponse: json,
        onsessioninitialized: (id) => void sessions.set(id, created),
        onsessionclosed: (id) => void sessions.delete(id),
      });
      await crm().connect(created as Transport);
      transport = created;
    }
    await transport.handleRequest(request, response, body === '' ? undefined : JSON.parse(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
