/** Whoever may no longer read a stream gets nothing more of it, and what changes for it applies to its next event. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HostileUpstream, startHostile } from '../../support/hostile.ts';
import { policyWith } from '../../support/policy.ts';
import {
  answer,
  CUSTOMER_ROUTES,
  prepare,
  type Running,
  type Setup,
  startSluice,
} from '../../support/sluice.ts';
import { requestText, Wire } from '../../support/wire.ts';

let upstream: HostileUpstream;
beforeAll(async () => {
  upstream = await startHostile();
});
afterAll(() => upstream.close());

const [, list] = CUSTOMER_ROUTES;
const routes = [{ ...list, records: undefined, match: 'GET /events', response: { format: 'sse' } }];
const start = (setup: Setup): Promise<Running> => startSluice({ upstream: upstream.url, routes, ...setup });

/** A stream of which the test sends the events. */
async function begun(
  { port, caller }: Pick<Running, 'port' | 'caller'>,
  more: Readonly<Record<string, string>> = {},
): Promise<{ readonly wire: Wire; send(id: string): Promise<string> }> {
  let socket: Socket | undefined;
  upstream.answer = (_request, given) => {
    socket = given;
    given.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n');
  };
  const wire = await Wire.open(port);
  wire.write(requestText('GET /events', { ...caller, ...more }));
  await wire.until(':\n\n');
  return {
    wire,
    /** @returns what is received of it; an empty string: the stream has ended */
    async send(id) {
      const seen = wire.received.length;
      socket!.write(`data: ${JSON.stringify({ id, name: '张三丰' })}\n\n`);
      await wire.until(`"${id}"`, seen).catch(() => wire.untilClosed());
      return wire.closed ? '' : wire.received.subarray(seen).toString();
    },
  };
}

/** Sends events until one is received as the change has it. */
async function sent(
  send: (id: string) => Promise<string>,
  until: (got: string) => boolean,
  prefix = 'N',
): Promise<string> {
  const deadline = Date.now() + 20_000;
  for (let n = 0; ; n++) {
    const got = await send(`${prefix}${n}`);
    if (until(got) || Date.now() > deadline) return got;
  }
}

test('an expired token ends a stream at the next event, with a record', async () => {
  let ahead = 0;
  const clock = {
    now: () => new Date(Date.now() + ahead),
    micros: () => (performance.now() + ahead) * 1000,
  };
  const sluice = await start({ parts: { clock } });
  const { wire, send } = await begun(sluice);
  expect(await send('C1')).toContain('C1');
  ahead = 100 * 86_400_000;
  expect(await send('C2')).toBe('');
  expect(wire.received.toString()).not.toContain('C2');
  expect(sluice.records().at(-1)).toMatchObject({ reasons: [{ code: 'token_expired' }] });
  await sluice.close();
});

test('a revoked credential ends a stream, with a record', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-stream-'));
  const file = join(dir, 'revoked.yaml');
  writeFileSync(file, '[]');
  const sluice = await start({ dir, identity: { revocations: './revoked.yaml' } });
  const { send } = await begun(sluice);
  expect(await send('C1')).toContain('C1');
  writeFileSync(file, `- sha256: ${createHash('sha256').update(sluice.token).digest('hex')}`);
  expect(await sent(send, (got) => got === '')).toBe('');
  expect(sluice.records().at(-1)).toMatchObject({ reasons: [{ code: 'token_revoked' }] });
  await sluice.close();
  rmSync(dir, { recursive: true });
});

test('a policy that is replaced applies to the events that follow', async () => {
  const sluice = await start({});
  const { wire, send } = await begun(sluice);
  expect(await send('C1')).toContain('张三丰');
  const answers = { customer: { '*': answer({ 'reference/1': 'disclose' }) } };
  await prepare({ upstream: upstream.url, routes, dir: sluice.dir, answers }, sluice.issuer);
  expect(await sent(send, (got) => !got.includes('name'))).toMatch(/^[^{]*\{"id":"N\d+"\}/);
  expect(await send('C3')).not.toContain('张三丰');
  wire.destroy();
  await sluice.close();
});

/** A Sluice with the default policy, where a grant can be requested and approved. */
async function granting() {
  const sluice = await start({
    policy: await policyWith({}),
    config: { grants: { rules: [{ approved_by: ['team_lead'] }] } },
  });
  const token = (sub: string, roles: readonly string[]): Promise<string> =>
    sluice.issuer.sign({
      sub,
      roles,
      dept: 'after-sales',
      org: 'internal',
      clearance: 3,
      amr: ['pwd', 'otp'],
    });
  const asked = async (method: string, path: string, bearer: string, body?: object): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${sluice.adminPort}${path}`, {
      method,
      headers: { Authorization: `Bearer ${bearer}`, 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return response.json();
  };
  const own = await token('u-17', ['support']);
  return {
    sluice,
    caller: { Authorization: `Bearer ${own}`, 'Sluice-Purpose': 'after_sales' },
    async granted(more: object): Promise<string> {
      const requested = await asked('POST', '/v1/grants', own, {
        purpose: 'after_sales',
        resource: 'customer',
        categories: ['identity'],
        justification: 'ticket 8812',
        ...more,
      });
      expect(requested).toMatchObject({ id: expect.any(String) });
      const { id } = requested as { readonly id: string };
      await asked(
        'POST',
        `/v1/grants/${id}/approve`,
        await token('u-lead', ['grant_approver', 'team_lead']),
        {},
      );
      return id;
    },
    reviews: async () => asked('GET', '/v1/reviews', await token('u-rev', ['reviewer', 'auditor'])),
  };
}

test('a review that is demanded in the middle of a stream is opened, once', async () => {
  const { sluice, caller, granted, reviews } = await granting();
  const { wire, send } = await begun({ port: sluice.port, caller });
  expect(await send('C1')).toContain('张**');
  expect(await reviews()).toMatchObject({ reviews: [] });
  await granted({});
  expect(await sent(send, (got) => got.includes('张三丰'), 'C')).toContain('张三丰');
  await send('C2');
  expect(await reviews()).toMatchObject({ reviews: [{ subject: 'u-17', decision_id: expect.any(String) }] });
  wire.destroy();
  await sluice.close();
});

test('a grant with one use holds for the whole stream that has used it, and for no other', async () => {
  const { sluice, caller, granted } = await granting();
  const id = await granted({ max_uses: 1 });
  const { wire, send } = await begun({ port: sluice.port, caller }, { 'Sluice-Grant': id });
  for (const each of ['C1', 'C2', 'C3']) expect(await send(each)).toContain('张三丰');
  wire.destroy();
  const other = await begun({ port: sluice.port, caller }, { 'Sluice-Grant': id });
  expect(await other.send('C4')).toContain('张**');
  other.wire.destroy();
  await sluice.close();
});
