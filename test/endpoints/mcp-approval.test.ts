/** Approval in the loop: a denied call is requested, approved by somebody else, and answered when it is repeated. */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { recordsOf } from '../support/journals.ts';
import { connect, type McpUpstream, startMcpServer } from '../support/mcp.ts';
import { policyWith } from '../support/policy.ts';
import { type Running, startSluice } from '../support/sluice.ts';

let upstream: McpUpstream;
let running: Running;

const token = (sub: string, roles: readonly string[], amr = ['pwd', 'otp']): Promise<string> =>
  running.issuer.sign({ sub, roles, dept: 'after-sales', org: 'internal', clearance: 3, amr });

const found = { items: [{ id: 'C8855667701', name: '张三丰', phone: '13812345678' }], total: 1 };

beforeAll(async () => {
  upstream = await startMcpServer(() => {
    const server = new McpServer({ name: 'crm', version: '1' });
    server.registerTool('search_customers', { inputSchema: { name: z.string() } }, () => ({
      content: [{ type: 'text', text: JSON.stringify(found) }],
    }));
    return server;
  }, false);
  running = await startSluice({
    upstream: upstream.url,
    policy: await policyWith({}),
    config: {
      admin: { url: 'https://sluice.example/admin' },
      grants: { rules: [{ approved_by: ['team_lead'] }] },
      mcp: [
        {
          path: '/mcp',
          upstream: 'crm',
          approval: true,
          tools: {
            search_customers: {
              resource: 'customer',
              action: 'search',
              records: '/items/*',
              query_fields: { '/name': '/name' },
            },
          },
        },
      ],
    },
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});

/** A client of its own, with what the caller says of the request. */
async function calling(bearer: string, headers: Readonly<Record<string, string>> = {}) {
  const { client } = await connect(`http://127.0.0.1:${running.port}/mcp`, {
    Authorization: `Bearer ${bearer}`,
    'Sluice-Purpose': 'after_sales',
    ...headers,
  });
  try {
    return await client.callTool({ name: 'search_customers', arguments: { name: '张三丰' } });
  } finally {
    await client.close();
  }
}

interface Denied {
  readonly code: number;
  readonly message: string;
  readonly data: {
    readonly code: string;
    readonly decision_id: string;
    readonly access_request?: { readonly binding_token: string; readonly task?: { readonly id: string } };
  };
}
const denied = (bearer: string, headers: Readonly<Record<string, string>> = {}): Promise<Denied> =>
  calling(bearer, headers).then(
    () => {
      throw new Error('the call was answered');
    },
    (error: unknown) => error as Denied,
  );

describe('a call that a grant could allow', () => {
  const why = { 'Sluice-Justification': 'ticket 8812' };

  test('is denied with the handle of its request, and answered when that is approved', async () => {
    const caller = await token('u-17', ['support']);
    const first = await denied(caller, why);
    expect(first).toMatchObject({ code: -32001, data: { code: 'query_field_withheld' } });
    const task = first.data.access_request?.task;
    expect(task).toMatchObject({ status: 'pending' });
    expect(first.message).toContain(`Access was requested (${task!.id}, pending)`);
    // The same call is the same request.
    expect((await denied(caller, why)).data.access_request?.task).toEqual(task);

    const lead = await token('u-lead', ['grant_approver', 'team_lead']);
    const approved = await fetch(`http://127.0.0.1:${running.adminPort}/v1/grants/${task!.id}/approve`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${lead}`, 'Content-Type': 'application/json' },
      body: '{}',
    });
    expect(approved.status).toBe(200);
    const { content } = await calling(caller, why);
    expect(JSON.parse((content as { text: string }[])[0]!.text)).toMatchObject({
      items: [{ id: 'C8855667701', name: '张三丰' }],
    });
    expect(recordsOf(running.journal).filter(({ kind }) => kind === 'grant').length).toBeGreaterThan(0);
  });

  test('is only offered where the caller states no justification', async () => {
    const { message, data } = await denied(await token('u-18', ['support']));
    expect(data.access_request).toMatchObject({ binding_token: expect.any(String) });
    expect(data.access_request).not.toHaveProperty('task');
    expect(message).toContain('Somebody else could grant it');
  });

  test('is not requested where the policy does not let its caller request', async () => {
    const { data } = await denied(await token('u-19', ['support'], ['pwd']), why);
    expect(data.access_request).not.toHaveProperty('task');
    expect(recordsOf(running.journal)).toContainEqual(
      expect.objectContaining({ kind: 'admin', outcome: 'denied', action: 'grants.request' }),
    );
  });
});
