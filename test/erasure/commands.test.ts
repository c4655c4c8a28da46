/** `sluice erasure`: from the request to the certificate. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sluice as run } from '../cli/support.ts';
import { recordsOf } from '../support/journals.ts';

const POLICIES = fileURLToPath(new URL('../../policies', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'sluice-erasure-cli-'));
/** requests that the upstream has got, and the statuses that it answers with, the last one for ever */
const seen: string[] = [];
let statuses: number[] = [];
const server = createServer((request, response) => {
  seen.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`.trim());
  response.statusCode = statuses.length > 1 ? statuses.shift()! : (statuses[0] ?? 204);
  response.end('王小明 was here');
});
let file = '';
beforeAll(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  file = config('sluice.yaml', {
    erasure: { deletions: [{ upstream: 'crm', path: '/customers/{id}' }] },
  });
});
afterAll(() => {
  server.close();
  rmSync(dir, { recursive: true });
});
beforeEach(() => {
  seen.length = 0;
  statuses = [204];
});

function config(name: string, more: object): string {
  const path = join(dir, name);
  writeFileSync(
    path,
    JSON.stringify({
      version: 1,
      upstreams: {
        crm: {
          url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
          auth: { bearer: 'secret of the upstream' },
        },
      },
      insecure: { literal_secrets: true },
      identity: {
        issuers: [
          { issuer: 'https://i.example', audience: 's', jwks: { file: './k.json' }, algorithms: ['ES256'] },
        ],
      },
      policy: { dir: POLICIES },
      consent: { file: './consents.yaml' },
      store: { sqlite: './store.db' },
      decision_log: { journal: { dir: './journal' } },
      routes: [{ match: 'GET /c/{id}', upstream: 'crm', resource: 'customer', action: 'read' }],
      ...more,
    }),
  );
  return path;
}
const erasure = (argv: readonly string[], stdin = '') =>
  run(['erasure', ...argv, '--config', file], { stdin });
let n = 0;
const opened = async (...more: string[]): Promise<{ id: string; person: string }> => {
  const person = `客户-${n++}`;
  const said = await erasure(['request', person, '--by', 'li', '--json', ...more]);
  return { id: said.json<{ id: string }>().id, person };
};
const hold = (id: string, category = 'transaction') =>
  erasure([
    ...['hold', id, '--category', category, '--basis', '保险法 第八十七条'],
    ...['--until', '2031-12-31', '--by', 'li'],
  ]);

describe('sluice erasure', () => {
  test('request, accept, hold, complete and the certificate tell the same story', async () => {
    const { id, person } = await opened('--note', 'letter of 2026-11-28');
    expect((await erasure(['accept', id, '--by', 'han'])).out).toMatch(
      / \(erasure\) is accepted, due on \d{4}-/,
    );
    expect((await hold(id)).code).toBe(0);
    const early = await erasure(['certificate', id]);
    expect(early).toMatchObject({ code: 3, err: expect.stringContaining('[erasure_invalid]') as string });
    const done = await erasure(['complete', id, '--evidence', 'ticket 8812', '--by', 'han']);
    expect(done.out).toBe(
      `${id} (erasure) is completed, but for what is held: transaction until 2031-12-31.\n`,
    );
    const shown = await erasure(['show', id]);
    for (const text of [
      person,
      '保险法 第八十七条',
      'ticket 8812',
      'partly on',
      'requested',
      'accepted',
      'held',
    ])
      expect(shown.out).toContain(text);
    const certificate = await erasure(['certificate', id, '--json']);
    const { payload } = certificate.json<{ payload: object }>();
    expect(payload).toMatchObject({
      request: id,
      data_subject: person,
      state: 'partly',
      held: [{ category: 'transaction', basis: '保险法 第八十七条', until: '2031-12-31' }],
      confirmations: [],
      confirmed_by_person: true,
    });
    expect(JSON.stringify(payload)).not.toMatch(/8812|han|letter/);
    const jws = (await erasure(['certificate', id])).out;
    const checked = await erasure(['verify-certificate', '-'], jws);
    expect(checked).toMatchObject({ code: 0, err: '' });
    expect(checked.out).toContain(`the erasure of ${person} is partly since`);
  });

  test('hold refuses a category that no catalog has, and says which there are', async () => {
    const { id } = await opened();
    const said = await hold(id, 'transactions');
    expect(said.code).toBe(3);
    expect(said.err).toMatch(
      /No catalog of the policy has the category "transactions"; did you mean "transaction"\? Its categories: .*identity.*\[erasure_invalid\]/s,
    );
    expect((await erasure(['show', id, '--json'])).json()).toMatchObject({ holds: [] });
  });

  test('lift ends a completed erasure with its reason, and the certificate still holds', async () => {
    const { id, person } = await opened();
    await erasure(['accept', id, '--by', 'han']);
    await erasure(['complete', id, '--evidence', 'ticket 1', '--by', 'han']);
    const jws = (await erasure(['certificate', id])).out;
    const lift = ['lift', id, '--reason', '新保单', '--by', 'wu'];
    expect((await erasure(lift)).err).toContain('--consents-removed');
    expect(await erasure([...lift, '--consents-removed'])).toMatchObject({
      ...{ code: 0, err: '', out: `${id} (erasure) is lifted.\n` },
    });
    const shown = (await erasure(['show', id])).out;
    for (const text of ['lifted, completed on', '新保单', 'wu', 'ticket 1']) expect(shown).toContain(text);
    const checked = await erasure(['verify-certificate', '-'], jws);
    expect(checked).toMatchObject({ code: 0, err: '' });
    expect(checked.out).toMatch(
      new RegExp(
        `the erasure of ${person} is completed since .*\n.*since then: lifted, ${person} is a customer again`,
      ),
    );
    const [record] = recordsOf(join(dir, 'journal')).filter(({ action }) => action === 'erasure.lift');
    expect(record).toMatchObject({
      ...{ kind: 'erasure', outcome: 'allowed', subject: { id: 'wu' }, justification: '新保单' },
      ...{ reasons: [{ code: 'erasure_lifted' }], labels: { request: id, state: 'lifted' } },
    });
  });

  test('a certificate that was changed, is of another kind, or is of a completion that the store does not have, does not hold', async () => {
    const { id } = await opened();
    await erasure(['accept', id, '--by', 'han']);
    await erasure(['complete', id, '--evidence', 'ticket 1', '--by', 'han']);
    const jws = (await erasure(['certificate', id])).out.trim();
    const no = await erasure(['verify-certificate', '-'], `${jws.slice(0, -3)}AAA`);
    expect(no).toMatchObject({ code: 1, out: expect.stringContaining('[signature_invalid]') as string });
    const other = config('other.yaml', { erasure: {}, store: { sqlite: './other.db' } });
    const elsewhere = await run(['erasure', 'verify-certificate', '-', '--config', other], { stdin: jws });
    expect(elsewhere).toMatchObject({
      code: 1,
      out: expect.stringContaining('[certificate_unknown]') as string,
    });
  });

  test('run deletes at the upstream with its own credential, and completes what it confirms', async () => {
    const { id, person } = await opened();
    await erasure(['accept', id, '--by', 'han']);
    const done = await erasure(['run', id, '--by', 'cron']);
    expect(done).toMatchObject({ code: 0, out: `${id}: crm has confirmed (204)\n${id}: completed\n` });
    expect(seen).toEqual([`DELETE /customers/${encodeURIComponent(person)} Bearer secret of the upstream`]);
    expect((await erasure(['certificate', id, '--json'])).json()).toMatchObject({
      payload: { state: 'completed', confirmed_by_person: false, confirmations: [{ upstream: 'crm' }] },
    });
  });

  test('run tries again what may pass, and records what does not', async () => {
    const { id } = await opened();
    await erasure(['accept', id, '--by', 'han']);
    statuses = [503];
    const failed = await erasure(['run', id, '--by', 'cron']);
    expect(failed).toMatchObject({ code: 1, out: `${id}: not confirmed: crm: status 503\n` });
    expect(seen).toHaveLength(3);
    statuses = [403];
    seen.length = 0;
    expect((await erasure(['run', id, '--by', 'cron'])).code).toBe(1);
    expect(seen).toHaveLength(1);
    statuses = [503, 410];
    expect((await erasure(['run', '--by', 'cron', '--json'])).json()).toEqual({
      requests: [
        {
          id,
          state: 'completed',
          confirmations: [{ upstream: 'crm', status: 410, at: expect.any(String) as string }],
        },
      ],
    });
    const what = recordsOf(join(dir, 'journal'))
      .filter(({ labels }) => labels['request'] === id)
      .map(({ reasons }) => reasons[0]?.code);
    expect(what).toEqual([
      'erasure_requested',
      'erasure_accepted',
      'erasure_failed',
      'erasure_failed',
      'erasure_confirmed',
      'erasure_completed',
    ]);
  });

  test('a status that a wrong path would have, too, confirms nothing, unless the configuration says that it does', async () => {
    const { id } = await opened();
    await erasure(['accept', id, '--by', 'han']);
    statuses = [404];
    const failed = await erasure(['run', id, '--by', 'cron']);
    expect(failed).toMatchObject({ code: 1, out: `${id}: not confirmed: crm: status 404\n` });
    const absent = config('absent.yaml', {
      erasure: { deletions: [{ upstream: 'crm', path: '/customers/{id}', absent: [404, 410] }] },
    });
    const done = await run(['erasure', 'run', id, '--by', 'cron', '--config', absent]);
    expect(done).toMatchObject({ code: 0, out: `${id}: crm has confirmed (404)\n${id}: completed\n` });
  });

  test('run leaves alone what nobody has accepted, and what is held', async () => {
    const fresh = await opened();
    const held = await opened();
    await erasure(['accept', held.id, '--by', 'han']);
    await hold(held.id);
    expect(await erasure(['run', '--by', 'cron'])).toMatchObject({
      code: 0,
      out: 'No accepted request without a hold.\n',
    });
    for (const { id } of [fresh, held])
      expect((await erasure(['run', id, '--by', 'cron'])).err).toContain('[erasure_invalid]');
    expect(seen).toEqual([]);
    for (const { id } of [fresh, held]) await erasure(['reject', id, '--reason', 'test', '--by', 'li']);
  });

  test('list shows what is open, and exits with 1 if a request is overdue', async () => {
    const { id, person } = await opened('--kind', 'access');
    const all = await erasure(['list']);
    expect(all).toMatchObject({ code: 0, err: '' });
    expect(all.out).toContain(person);
    expect(await erasure(['list', '--overdue'])).toMatchObject({ code: 0, out: 'No overdue requests.\n' });
    const listed = (await erasure(['list', '--kind', 'access', '--json'])).json<{
      requests: { id: string }[];
    }>();
    expect(listed.requests.map((row) => row.id)).toEqual([id]);
    const { DatabaseSync } = await import('node:sqlite');
    const store = new DatabaseSync(join(dir, 'store.db'));
    store.prepare('UPDATE erasure_requests SET due_at = 1 WHERE id = ?').run(id);
    store.close();
    const late = await erasure(['list', '--overdue']);
    expect(late.code).toBe(1);
    expect(late.out).toContain('OVERDUE since 1970-01-01');
  });

  test('is refused where sluice.yaml has no section erasure, since nothing would stop', async () => {
    const none = config('none.yaml', {});
    expect((await run(['erasure', 'request', 'C1', '--by', 'li', '--config', none])).err).toContain(
      '[erasure_unconfigured]',
    );
    const byHand = config('by-hand.yaml', { erasure: {} });
    expect((await run(['erasure', 'run', '--by', 'li', '--config', byHand])).code).toBe(2);
  });
});
