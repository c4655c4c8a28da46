/** The life of a grant in both databases, with a clock that the test sets. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MIGRATIONS } from '../../src/compose/store.ts';
import { newDecisionId } from '../../src/decision-log/decision-log.ts';
import {
  type Change,
  createGrantSource,
  createGrants,
  type GrantRow,
  type GrantStore,
  stateOf,
  type Wanted,
} from '../../src/grants/index.ts';
import type { Database } from '../../src/model/database.ts';
import type { GrantQuery, GrantSource } from '../../src/model/grant.ts';
import { createReviews, type ReviewStore } from '../../src/reviews/index.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';
import { unrecorded } from '../support/unrecorded.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const dir = mkdtempSync(join(tmpdir(), 'sluice-grants-'));
let schema: Awaited<ReturnType<typeof freshSchema>>;
beforeAll(async () => {
  schema = await freshSchema('grants');
});
afterAll(async () => {
  await schema.drop();
  rmSync(dir, { recursive: true });
});

const CONFIG = {
  approvers: {
    lead: ['team_lead'],
    lead2: ['team_lead'],
    dpo: ['data_protection', 'team_lead'],
    李: ['owner'],
  },
  rules: [
    { tiers: [2], max_grade: 3, approved_by: ['team_lead'], self_approval: false },
    { tiers: [2], max_grade: 4, approved_by: ['team_lead', 'data_protection'], self_approval: false },
    { tiers: [3], approved_by: ['owner'], self_approval: true },
  ],
  duration: 30 * DAY,
  max_duration: 90 * DAY,
  break_glass: { duration: HOUR },
};

const OPEN: Readonly<Record<string, () => Database>> = {
  sqlite: () => openSqlite(join(dir, `${newDecisionId()}.db`)),
  postgres: () => openPostgres(POSTGRES, { schema: schema.schema }),
};

describe.each(Object.keys(OPEN))('grants in %s', (dialect) => {
  let database: Database;
  let reviews: ReviewStore;
  let grants: GrantStore;
  let source: GrantSource;
  let now: Date;
  let subject: string;
  beforeEach(async () => {
    now = new Date('2026-11-30T08:00:00Z');
    database = OPEN[dialect]!();
    await migrate(database, MIGRATIONS, () => now);
    reviews = createReviews(database, 7 * DAY, () => now);
    grants = createGrants(database, CONFIG, { reviews, newId: newDecisionId, now: () => now });
    source = createGrantSource(database);
    subject = `u-'${newDecisionId()}`;
  });
  afterEach(() => database.close());

  const later = (ms: number) => {
    now = new Date(now.getTime() + ms);
  };
  const wanted = (over: Partial<Wanted> = {}): Wanted => ({
    subject,
    purpose: 'after_sales',
    tier: 2,
    grade: 3,
    resource: 'customer',
    categories: ['identity'],
    ids: ['C1'],
    justification: 'ticket 8812',
    max_uses: null,
    max_records: null,
    starts_at: null,
    duration: null,
    ...over,
  });
  const by = (who: string, over: Partial<Change> = {}): Change => ({
    by: who,
    roles: null,
    note: null,
    decision_id: newDecisionId(),
    journaled: async () => undefined,
    ...over,
  });
  const requested = async (over: Partial<Wanted> = {}): Promise<GrantRow> =>
    (await grants.request(wanted(over), by(subject))).grant;
  const query = (over: Partial<GrantQuery> = {}): GrantQuery => ({
    subject,
    at: now,
    purpose: 'after_sales',
    resource: 'customer',
    id: 'C1',
    named: null,
    isCounted: false,
    ...over,
  });
  const active = async (over: Partial<GrantQuery> = {}) =>
    (await source.active(query(over))).grants.map((g) => g.id);
  const happened = async (id: string) => (await grants.show(id)).events.map((e) => `${e.what} ${e.who}`);
  const use = (id: string) => source.use(id, { subject, at: now, decision_id: newDecisionId() });

  test('a grant holds from its approval until it has been in force for its duration', async () => {
    const { id } = await requested();
    expect(await active()).toEqual([]);
    later(3 * DAY);
    expect(await grants.approve(id, by('lead'))).toMatchObject({ state: 'active', from_at: now.getTime() });
    expect((await source.active(query())).grants).toEqual([
      {
        id,
        purpose: 'after_sales',
        resource: 'customer',
        categories: ['identity'],
        data_subject: 'C1',
        until: '2027-01-02T08:00:00.000Z',
      },
    ]);
    expect(await active({ subject: 'u-other' })).toEqual([]);
    expect(await active({ id: 'C2' })).toEqual([]);
    expect(await active({ id: null })).toEqual([]);
    later(30 * DAY - 1);
    expect(await active()).toEqual([id]);
    later(1);
    expect(await active()).toEqual([]);
    const { grant } = await grants.show(id);
    expect(stateOf(grant, now.getTime())).toBe('expired');
    expect(await happened(id)).toEqual([`requested ${subject}`, 'approved lead', 'activated lead']);
    const listed = async (state: 'open' | 'archived') =>
      (await grants.list({ state, subject, limit: 10 })).map((g) => g.id);
    expect(await listed('open')).toEqual([]);
    expect(await listed('archived')).toEqual([id]);
    await expect(grants.revoke(id, by('lead'))).rejects.toMatchObject({ code: 'grant_not_active' });
  });

  test('a planned grant holds from its date, and its time is counted from there', async () => {
    const starts_at = now.getTime() + 5 * DAY;
    const { id } = await requested({ starts_at, duration: DAY });
    const approved = await grants.approve(id, by('lead'));
    expect(approved).toMatchObject({ from_at: starts_at, until_at: starts_at + DAY });
    expect(stateOf(approved, now.getTime())).toBe('planned');
    expect(await active()).toEqual([]);
    later(5 * DAY);
    expect(await active()).toEqual([id]);
    later(DAY);
    expect(await active()).toEqual([]);
  });

  test('a planned start that is over at the approval does not shorten the grant', async () => {
    const { id } = await requested({ starts_at: now.getTime() + HOUR, duration: DAY });
    later(2 * HOUR);
    expect(await grants.approve(id, by('lead'))).toMatchObject({ until_at: now.getTime() + DAY });
  });

  test('a higher grade takes two approvals, by different people with different roles', async () => {
    const { id } = await requested({ grade: 4 });
    // The one who has both roles comes first, and somebody else fills the other.
    expect(await grants.approve(id, by('dpo'))).toMatchObject({ state: 'requested' });
    expect(await active()).toEqual([]);
    const refused = { code: 'grant_approver_unauthorized' };
    await expect(grants.approve(id, by('dpo'))).rejects.toMatchObject(refused);
    await expect(grants.approve(id, by('李'))).rejects.toMatchObject(refused);
    expect(await grants.approve(id, by('lead'))).toMatchObject({ state: 'active' });
    expect(await active()).toEqual([id]);
    await expect(grants.approve(id, by('lead2'))).rejects.toMatchObject({ code: 'grant_not_pending' });
    const other = await requested({ grade: 4, ids: ['C2'] });
    await grants.approve(other.id, by('lead'));
    await expect(grants.approve(other.id, by('lead2'))).rejects.toMatchObject(refused);
  });

  test('two last approvals at once: one is taken', async () => {
    const { id } = await requested();
    const both = await Promise.allSettled(['lead', 'lead2'].map((who) => grants.approve(id, by(who))));
    expect(both.map((r) => r.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await happened(id)).toHaveLength(3);
  });

  test('nobody approves their own access, as holder or as requester, unless the rule says so; then it is reviewed', async () => {
    const self = { code: 'grant_self_approval' };
    const own = await grants.request(wanted({ subject: 'lead', justification: subject }), by('lead'));
    await expect(grants.approve(own.grant.id, by('lead'))).rejects.toMatchObject(self);
    const asked = await grants.request(wanted(), by('lead'));
    await expect(grants.approve(asked.grant.id, by('lead'))).rejects.toMatchObject(self);
    expect(await happened(asked.grant.id)).toEqual(['requested lead']);
    await grants.reject(own.grant.id, by('lead'));

    const allowed = await grants.request(wanted({ tier: 3 }), by('李'));
    const approval = by('李');
    expect(await grants.approve(allowed.grant.id, approval)).toMatchObject({ state: 'active' });
    expect(await reviews.list({ subject: '李', limit: 10 })).toMatchObject([
      { decision_id: approval.decision_id, action: 'self_approval', closed_at: null },
    ]);
  });

  test('an identical request that is pending is returned; after its end there is a new one', async () => {
    const all = await Promise.all(
      [
        ['identity', 'contact'],
        ['contact', 'identity'],
        ['contact', 'identity', 'contact'],
      ].map((categories) =>
        grants.request(wanted({ categories, justification: categories.join() }), by(subject)),
      ),
    );
    expect(new Set(all.map(({ grant }) => grant.id)).size).toBe(1);
    expect(all.filter(({ isNew }) => isNew)).toHaveLength(1);
    const { id } = all[0]!.grant;
    expect(await happened(id)).toEqual([`requested ${subject}`]);
    for (const over of [
      { ids: [] },
      { max_uses: 1 },
      { duration: DAY },
      { purpose: 'claims' },
      { resource: 'employee' },
    ])
      expect((await requested({ categories: ['identity', 'contact'], ...over })).id).not.toBe(id);
    await grants.reject(id, by('lead'));
    expect((await requested({ categories: ['identity', 'contact'] })).id).not.toBe(id);
  });

  test('a request is rejected by an approver or withdrawn by the requester, and nobody else', async () => {
    const { id } = await requested();
    await expect(grants.reject(id, by('u-stranger'))).rejects.toMatchObject({
      code: 'grant_approver_unauthorized',
    });
    expect(await grants.reject(id, by(subject, { note: 'not needed' }))).toMatchObject({ state: 'rejected' });
    await expect(grants.approve(id, by('lead'))).rejects.toMatchObject({ code: 'grant_not_pending' });
    await expect(grants.reject('g-none', by('lead'))).rejects.toMatchObject({ code: 'grant_not_found' });
  });

  test('a revoked grant holds no longer', async () => {
    const { id } = await requested();
    await grants.approve(id, by('lead'));
    await expect(grants.revoke(id, by('u-stranger'))).rejects.toMatchObject({
      code: 'grant_approver_unauthorized',
    });
    await grants.revoke(id, by('lead2', { note: 'left the team' }));
    expect(await active()).toEqual([]);
    expect((await grants.show(id)).events.at(-1)).toMatchObject({ what: 'revoked', note: 'left the team' });
  });

  test('what no rule covers, and what could have no effect, is refused without naming ids', async () => {
    await expect(requested({ grade: 5 })).rejects.toMatchObject({ code: 'grant_rule_missing' });
    await expect(requested({ tier: null })).rejects.toMatchObject({ code: 'grant_rule_missing' });
    for (const over of [
      { categories: [] },
      { justification: ' ' },
      { subject: '' },
      { duration: 91 * DAY },
      { resource: null },
      { starts_at: now.getTime() - 2 * DAY, duration: DAY },
    ]) {
      const refused = await requested({ ids: ['CANARY'], ...over }).catch((e: unknown) => e);
      expect(refused).toMatchObject({ code: 'grant_invalid' });
      expect((refused as Error).message).not.toContain('CANARY');
    }
  });

  test('a change whose record cannot be written does not happen', async () => {
    const failing = { journaled: () => Promise.reject(new Error('disk full')) };
    await expect(grants.request(wanted(), by(subject, failing))).rejects.toThrow('disk full');
    expect(await grants.list({ state: 'all', subject, limit: 10 })).toEqual([]);
    const { id } = await requested();
    await expect(grants.approve(id, by('lead', failing))).rejects.toThrow('disk full');
    expect(await active()).toEqual([]);
    expect(await happened(id)).toEqual([`requested ${subject}`]);
  });

  test('a limited grant holds for requests that name it within its scope, and nothing else', async () => {
    const { id } = await requested({ max_records: 5, max_uses: 2 });
    await grants.approve(id, by('lead'));
    expect(await active()).toEqual([]);
    expect(await source.active(query({ named: id }))).toMatchObject({
      grants: [{ id }],
      limited: { id, max_records: 5 },
    });
    for (const over of [
      { purpose: 'claims' },
      { resource: 'employee' },
      { id: 'C2' },
      { id: null },
      { subject: 'x' },
    ])
      expect(await source.active(query({ named: id, ...over }))).toEqual({ grants: [], limited: null });
  });

  test('50 uses at once of a grant that has 10 left are exactly 10', async () => {
    const { id } = await requested({ max_uses: 12 });
    await grants.approve(id, by('lead'));
    expect([await use(id), await use(id)]).toEqual([true, true]);
    const other = OPEN[dialect === 'postgres' ? 'postgres' : 'sqlite'];
    // Several sidecars share a PostgreSQL database.
    const second = dialect === 'postgres' ? other!() : null;
    const sources = [source, second === null ? source : createGrantSource(second)];
    const uses = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        sources[i % 2]!.use(id, { subject, at: now, decision_id: newDecisionId() }),
      ),
    );
    await second?.close();
    expect(uses.filter(Boolean)).toHaveLength(10);
    const { grant, events } = await grants.show(id);
    expect(grant).toMatchObject({ state: 'used_up', uses: 12 });
    expect(events.filter((e) => e.what === 'used')).toHaveLength(12);
    expect(await active({ named: id })).toEqual([]);
  });

  test('a grant that is used up holds for the request that has used it, until it ends', async () => {
    const { id } = await requested({ max_uses: 1, duration: HOUR });
    await grants.approve(id, by('lead'));
    expect(await use(id)).toBe(true);
    const goesOn = query({ named: id, isCounted: true });
    expect(await source.active(query({ named: id }))).toEqual({ grants: [], limited: null });
    expect(await source.active(goesOn)).toMatchObject({ grants: [{ id }], limited: { id } });
    for (const over of [{ named: null }, { named: 'other' }, { subject: 'u-other' }, { purpose: 'claims' }])
      expect(await source.active({ ...goesOn, ...over })).toEqual({ grants: [], limited: null });
    later(HOUR);
    expect(await source.active(query({ named: id, isCounted: true }))).toEqual({ grants: [], limited: null });
  });

  test('a use by somebody else, or after the end, is not counted', async () => {
    const { id } = await requested({ max_uses: 2, duration: HOUR });
    await grants.approve(id, by('lead'));
    expect(await source.use(id, { subject: 'u-other', at: now, decision_id: 'd' })).toBe(false);
    later(HOUR);
    expect(await use(id)).toBe(false);
    expect((await grants.show(id)).grant.uses).toBe(0);
  });

  test('break-glass holds at once for a short time and opens a review; an overdue one bars the next', async () => {
    const everything = wanted({ categories: ['*'], resource: null, ids: [], grade: 5 });
    const first = by(subject);
    const { id } = await grants.breakGlass(everything, first);
    expect(await active({ id: null })).toEqual([id]);
    expect(await reviews.list({ subject, limit: 10 })).toMatchObject([
      { decision_id: first.decision_id, action: 'break_glass', closed_at: null },
    ]);
    later(HOUR);
    expect(await active({ id: null })).toEqual([]);
    // The review is open, and not overdue.
    await grants.breakGlass(everything, by(subject));
    later(7 * DAY + 1);
    const refused = { code: 'break_glass_review_overdue' };
    await expect(grants.breakGlass(everything, by(subject))).rejects.toMatchObject(refused);
    await expect(grants.breakGlass(wanted({ subject: 'u-other' }), by(subject))).rejects.toMatchObject(
      refused,
    );
    for (const { decision_id } of await reviews.list({ subject, state: 'open', limit: 10 }))
      await reviews.close(decision_id, 'u-auditor', 'justified', 'ok', unrecorded);
    await grants.breakGlass(everything, by(subject));
    await expect(grants.breakGlass({ ...everything, justification: '' }, by(subject))).rejects.toMatchObject({
      code: 'grant_invalid',
    });
  });

  test('without its section there is no break-glass', async () => {
    const { break_glass: _, ...config } = CONFIG;
    const without = createGrants(database, config, { reviews, newId: newDecisionId, now: () => now });
    await expect(without.breakGlass(wanted(), by(subject))).rejects.toMatchObject({
      code: 'grants_unconfigured',
    });
  });
});
