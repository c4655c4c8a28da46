/** Grants over a real proxy, with the default policy and the commands: masked, requested, approved, disclosed, used up, masked again. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { DecisionRecord } from '../../src/model/record.ts';
import { type Said, sluice } from '../cli/support.ts';
import { type HostileUpstream, reply, startHostile } from '../support/hostile.ts';
import { recordsOf } from '../support/journals.ts';
import { policyWith } from '../support/policy.ts';
import { CUSTOMER_ROUTES, type Running, startSluice } from '../support/sluice.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-grants-'));
const config = join(dir, 'sluice.yaml');
let upstream: HostileUpstream;
let running: Running;
let asked = 0;

beforeAll(async () => {
  upstream = await startHostile();
  upstream.answer = (request, socket) => {
    asked++;
    const id = /customers\/([^ ?]+)/.exec(request.target)?.[1];
    const one = (n: string) => ({ id: n, name: '张三丰', phone: '13812345678' });
    const body = JSON.stringify(
      id === undefined ? { items: ['C1', 'C2', 'C3'].map(one), total: 3 } : one(id),
    );
    socket.write(
      `${reply('', { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body)) })}${body}`,
    );
  };
  running = await startSluice({
    upstream: upstream.url,
    dir,
    policy: await policyWith({}),
    routes: CUSTOMER_ROUTES,
    config: {
      grants: {
        approvers: { 'u-lead': ['team_lead'], 'u-dpo': ['data_protection'] },
        rules: [
          { tiers: [2], max_grade: 4, approved_by: ['team_lead'] },
          { approved_by: ['team_lead', 'data_protection'] },
        ],
        break_glass: {},
      },
    },
  });
});
afterAll(async () => {
  await running.close();
  await upstream.close();
  rmSync(dir, { recursive: true });
});
beforeEach(() => {
  asked = 0;
});

const get = async (path: string, grant?: string) => {
  const response = await fetch(`http://127.0.0.1:${running.port}${path}`, {
    headers: { ...running.caller, ...(grant === undefined ? {} : { 'Sluice-Grant': grant }) },
  });
  const text = await response.text();
  const body = JSON.parse(text) as { name?: string; code?: string; items?: { name: string }[] };
  return { status: response.status, id: response.headers.get('sluice-decision-id')!, body };
};
const grants = (...args: string[]): Promise<Said> => sluice(['grants', ...args, '--config', config]);
const ask = async (...args: string[]): Promise<string> => {
  const said = await grants(
    'request',
    ...['--subject', 'u-1', '--purpose', 'after_sales', '--resource', 'customer', '--category', 'identity'],
    ...['--justification', 'ticket 8812', '--json', ...args],
  );
  expect(said.err).toBe('');
  return said.json<{ id: string }>().id;
};
const approved = async (...args: string[]): Promise<string> => {
  const id = await ask(...args);
  expect((await grants('approve', id, '--by', 'u-lead')).out).toContain('is approved, active until');
  return id;
};
const recorded = (id: string): DecisionRecord =>
  recordsOf(running.journal).find((r) => r.decision_id === id)!;

/** an id that must be nowhere but in the store */
const CANARY = 'C8855667701';
const PLAIN = '张三丰';
const MASKED = '张**';

test('masked, requested, approved, disclosed, used up, and masked again; all of it on record, and no id anywhere', async () => {
  expect((await get(`/customers/${CANARY}`)).body.name).toBe(MASKED);
  const id = await ask('--id', CANARY, '--uses', '2');
  expect((await get(`/customers/${CANARY}`, id)).body.name).toBe(MASKED);
  expect((await grants('approve', id, '--by', 'u-1')).err).toContain('grant_self_approval');
  expect((await grants('approve', id, '--by', 'u-dpo')).err).toContain('grant_approver_unauthorized');
  expect((await grants('approve', id, '--by', 'u-lead', '--note', 'ok')).code).toBe(0);

  // Not named, another customer, a list: none of them uses it.
  expect((await get(`/customers/${CANARY}`)).body.name).toBe(MASKED);
  expect((await get('/customers/C2', id)).body.name).toBe(MASKED);
  expect((await get('/customers', id)).body.items!.map((r) => r.name)).toEqual([MASKED, MASKED, MASKED]);

  const first = await get(`/customers/${CANARY}`, id);
  expect(first).toMatchObject({ status: 200, body: { name: PLAIN } });
  expect(recorded(first.id)).toMatchObject({
    grant_id: id,
    claimed: expect.not.arrayContaining(['grant_id']),
  });
  expect((await get(`/customers/${CANARY}`, id)).body.name).toBe(PLAIN);
  const after = await get(`/customers/${CANARY}`, id);
  expect(after).toMatchObject({ status: 200, body: { name: MASKED } });
  expect(recorded(after.id).claimed).toContain('grant_id');

  const shown = await grants('show', id, '--json');
  const grant = shown.json<{ state: string; events: { what: string; decision_id: string }[] }>();
  expect(grant.state).toBe('used_up');
  expect(grant.events.map((e) => e.what)).toEqual(['requested', 'approved', 'activated', 'used', 'used']);
  for (const e of grant.events)
    expect(recorded(e.decision_id)).toMatchObject({
      grant_id: id,
      kind: e.what === 'used' ? 'disclosure' : 'grant',
    });
  const reviews = await sluice(['reviews', 'list', '--config', config, '--json']);
  const opened = reviews.json<{ reviews: { decision_id: string }[] }>().reviews.map((r) => r.decision_id);
  expect(opened).toEqual(grant.events.filter((e) => e.what === 'used').map((e) => e.decision_id));

  expect(running.log()).not.toContain(CANARY);
  expect(running.journalText()).not.toContain(CANARY);
  const listed = await grants('list', '--state', 'all');
  expect(listed.out).toContain(id);
  expect(listed.out).not.toContain(CANARY);
});

test('50 requests at once under a grant with 10 uses: exactly 10 see the value', async () => {
  const id = await approved('--id', 'C50', '--uses', '10');
  const answers = await Promise.all(Array.from({ length: 50 }, () => get('/customers/C50', id)));
  expect(answers.filter(({ body }) => body.name === PLAIN)).toHaveLength(10);
  const others = answers.filter(({ body }) => body.name !== PLAIN);
  const refused = others.filter(({ status }) => status === 403);
  for (const { body, id: decision } of refused) {
    expect(body.code).toBe('grant_used_up');
    expect(recorded(decision).outcome).toBe('denied');
  }
  for (const { body } of others.filter(({ status }) => status !== 403)) expect(body.name).toBe(MASKED);
  // Who found no use left when the request came is masked; who lost it to another in between is refused, and the upstream not asked.
  expect(asked).toBe(50 - refused.length);
});

test('a limit of records ends the answer there', async () => {
  const id = await approved('--records', '2', '--category', 'contact');
  const { body } = await get('/customers', id);
  expect(body.items!.map((r) => r.name)).toEqual([PLAIN, PLAIN]);
  expect((await get('/customers')).body.items).toHaveLength(3);
});

test('a grant without limits holds for every request of its holder, until it is revoked', async () => {
  const id = await approved('--id', 'C7');
  expect((await get('/customers/C7')).body.name).toBe(PLAIN);
  expect((await grants('revoke', id, '--by', 'u-dpo', '--note', 'moved')).out).toContain('revoked');
  expect((await get('/customers/C7')).body.name).toBe(MASKED);
});

test('an identical request prints the pending one', async () => {
  const id = await ask('--id', 'C8');
  expect(await ask('--id', 'C8', '--id', 'C8')).toBe(id);
  expect((await grants('reject', id, '--by', 'u-1')).out).toContain('rejected');
  expect(await ask('--id', 'C8')).not.toBe(id);
});

test('a scope that the policy does not have is refused, and says what is meant', async () => {
  const wrong = async (...args: string[]) =>
    (
      await grants(
        'request',
        ...['--subject', 'u-1', '--purpose', 'after_sales', '--resource', 'customer', '--id', CANARY],
        ...['--category', 'identity', '--justification', 'x', ...args],
      )
    ).err;
  expect(await wrong('--purpose', 'after_sale')).toMatch(/after_sales[\s\S]*grant_invalid/);
  expect(await wrong('--resource', 'custmer')).toMatch(/customer[\s\S]*grant_invalid/);
  expect(await wrong('--category', 'identty')).toMatch(/identty[\s\S]*grant_invalid/);
  expect(await wrong('--purpose', 'emergency')).toMatch(/tier 1[\s\S]*grant_invalid/);
  expect(await wrong('--duration', '400d')).toContain('grant_invalid');
  expect(await wrong('--duration', 'long')).toContain('duration');
  expect(await wrong('--start', 'tomorrow')).toContain('date');
  expect(await wrong('--duration', '400d')).not.toContain(CANARY);
  expect((await grants('show', 'g-none')).err).toContain('grant_not_found');
});

test('break-glass discloses at once, and its review is open', async () => {
  const said = await grants(
    'break-glass',
    ...['--subject', 'u-1', '--purpose', 'after_sales', '--id', 'C9', '--resource', 'customer'],
    ...['--reason', 'fraud in progress', '--json'],
  );
  expect(said.err).toBe('');
  const { id } = said.json<{ id: string }>();
  expect((await get('/customers/C9')).body.name).toBe(PLAIN);
  const records = recordsOf(running.journal).filter((r) => r.kind === 'grant' && r.grant_id === id);
  expect(records).toMatchObject([
    {
      reasons: [{ code: 'grant_broke_glass' }],
      justification: 'fraud in progress',
      subject: { id: 'u-1' },
      labels: { holder: 'u-1' },
    },
  ]);
  const reviews = await sluice(['reviews', 'list', '--config', config, '--json']);
  expect(reviews.json<{ reviews: object[] }>().reviews).toContainEqual(
    expect.objectContaining({ decision_id: records[0]!.decision_id, action: 'break_glass' }),
  );
});

test('grants that cannot be read refuse the request, and the upstream is not asked', async () => {
  const other = mkdtempSync(join(tmpdir(), 'sluice-grants-'));
  // A directory where the file should be.
  mkdirSync(join(other, 'data/store.db'), { recursive: true });
  const broken = await startSluice({
    upstream: upstream.url,
    dir: other,
    config: {
      grants: { approvers: { 'u-lead': ['team_lead'] }, rules: [{ approved_by: ['team_lead'] }] },
    },
  });
  try {
    const answered = await fetch(`http://127.0.0.1:${broken.port}/customers/C1`, { headers: broken.caller });
    expect(answered.status).toBe(503);
    expect(await answered.json()).toMatchObject({ code: 'store_unavailable' });
    expect(asked).toBe(0);
    expect(broken.records()).toMatchObject([{ outcome: 'error', input: null }]);
    expect((await broken.admin('/readyz')).text).toContain('store.sqlite');
  } finally {
    await broken.close();
    rmSync(other, { recursive: true });
  }
});
