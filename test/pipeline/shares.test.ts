/** Data for a recipient outside leaves only when it is noted who receives whose. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SluiceError } from '../../src/errors.ts';
import type { Reply } from '../../src/model/exchange.ts';
import type { DecisionEntry } from '../../src/pipeline/record.ts';
import { type PartsOptions, releaseParts } from '../../src/pipeline/release.ts';
import type { Stages } from '../../src/pipeline/stages.ts';
import { openDatabase } from '../../src/store/index.ts';
import { join } from 'node:path';
import { type HostileUpstream, reply, startHostile } from '../support/hostile.ts';
import { type Running, startSluice } from '../support/sluice.ts';
import { sluice } from '../cli/support.ts';

let upstream: HostileUpstream;
let running: Running;
const BODY = '{"id":"C1","name":"张三"}';

beforeAll(async () => {
  upstream = await startHostile();
  upstream.answer = (_request, socket) => {
    socket.write(reply(BODY, { 'Content-Type': 'application/json' }));
  };
  running = await startSluice({
    upstream: upstream.url,
    config: { shares: {}, store: { sqlite: './data/store.db' }, consent: { store: true } },
  });
});
afterAll(async () => {
  await running.close();
  await upstream.close();
});

const get = (recipient?: string): Promise<Response> =>
  fetch(`http://127.0.0.1:${running.port}/customers/C1`, {
    headers: { ...running.caller, ...(recipient === undefined ? {} : { 'Sluice-Recipient': recipient }) },
  });
const listed = async () =>
  (await sluice(['recipients', 'list', '--config', join(running.dir, 'sluice.yaml'), '--json'])).json<{
    recipients: object[];
  }>().recipients;

test('what an internal caller gets is no share, and what a partner gets is one', async () => {
  expect((await get()).status).toBe(200);
  expect(await listed()).toEqual([]);
  const answered = await get('logistics');
  expect(answered.status).toBe(200);
  expect(await listed()).toEqual([{ recipient: 'logistics', current: 1, open: 0, overdue: 0 }]);
  const record = running.records().at(-1)!;
  const database = openDatabase({ sqlite: join(running.dir, 'data/store.db') });
  const rows = await database.query(
    'SELECT x.data_subject, s.decision_id, s.purpose FROM sluice_shares s JOIN sluice_share_subjects x ON x.decision_id = s.decision_id',
  );
  await database.close();
  expect(rows).toEqual([
    {
      data_subject: record.disclosure!.data_subjects[0],
      decision_id: answered.headers.get('sluice-decision-id'),
      purpose: 'after_sales',
    },
  ]);
});

test('a withdrawal by the command owes that partner a notice', async () => {
  const config = ['--config', join(running.dir, 'sluice.yaml')];
  await sluice(['consent', 'set', 'C1', '--flag', 'opt_out', ...config, '--by', 'dpo']);
  const { notices } = (await sluice(['recipients', 'notices', ...config, '--json'])).json<{
    notices: { id: string; recipient: string; state: string; data: { data_subject: string } }[];
  }>();
  expect(notices).toMatchObject([{ recipient: 'logistics', state: 'unsent', data: { data_subject: 'C1' } }]);
  expect((await sluice(['recipients', 'notices', ...config])).code).toBe(1);
  const acknowledged = await sluice([
    'recipients',
    'acknowledge',
    notices[0]!.id,
    ...config,
    '--by',
    'dpo',
    '--note',
    'by letter',
  ]);
  expect(acknowledged.out).toBe('logistics knows.\n');
  expect((await sluice(['recipients', 'notices', ...config])).code).toBe(0);
});

test('where it cannot be noted nothing leaves, and the record says so', async () => {
  const database = openDatabase({ sqlite: join(running.dir, 'data/store.db') });
  await database.write('ALTER TABLE sluice_shares RENAME TO gone');
  try {
    const refused = await get('logistics');
    expect(refused.status).toBe(503);
    expect(await refused.text()).not.toContain('张三');
    expect(running.records().at(-1)).toMatchObject({
      outcome: 'error',
      reasons: [{ code: 'store_unavailable' }],
      disclosure: null,
    });
    expect((await get()).status).toBe(200);
  } finally {
    await database.write('ALTER TABLE gone RENAME TO sluice_shares');
    await database.close();
  }
});

test('what is stored when the data leaves is complete, also for a list', async () => {
  upstream.answer = (_request, socket) => {
    const items = Array.from({ length: 300 }, (_, i) => ({ id: `C${i}`, name: `客户${i}` }));
    socket.write(reply(JSON.stringify({ items }), { 'Content-Type': 'application/json' }));
  };
  const answered = await fetch(`http://127.0.0.1:${running.port}/customers`, {
    headers: { ...running.caller, 'Sluice-Recipient': 'logistics' },
  });
  expect(answered.status).toBe(200);
  const { items } = (await answered.json()) as { items: object[] };
  const database = openDatabase({ sqlite: join(running.dir, 'data/store.db') });
  const [row] = await database.query<{ n: number }>(
    'SELECT count(*) AS n FROM sluice_share_subjects WHERE decision_id = $1',
    [answered.headers.get('sluice-decision-id')],
  );
  await database.close();
  expect(row!.n).toBe(items.length);
});

test('a share is noted before the consents are confirmed, so that a withdrawal meanwhile keeps the data back', async () => {
  const happened: string[] = [];
  let isWithdrawn = false;
  const summary = {
    records: 1,
    records_withheld: 0,
    released: [],
    withheld: [],
    by_class: {},
    data_subjects: ['hmac:张三'],
  };
  const part = { chunks: [Buffer.from(BODY)], summary, last: true, lookups: { from: 0, to: 1 } };
  const options = {
    lookups: {
      confirm: () => {
        happened.push('confirmed');
        if (isWithdrawn) throw new SluiceError('consent_changed', 'changed');
      },
    },
    status: 200,
    headers: () => ({}),
    listing: {},
  } as unknown as PartsOptions;
  const entry = {
    id: 'd',
    recipient: 'logistics',
    purpose: 'delivery',
    timestamp: '2026-11-30T08:00:00Z',
    checkCaller: () => undefined,
    endStage: () => undefined,
  } as unknown as DecisionEntry;
  const stages = {
    shares: {
      note: async () => {
        happened.push('noted');
        isWithdrawn = true;
      },
    },
  } as unknown as Stages;
  const reply = { started: false, send: () => void happened.push('sent') } as unknown as Reply;
  await expect(releaseParts([part], options, reply, entry, stages)).rejects.toMatchObject({
    code: 'consent_changed',
  });
  expect(happened).toEqual(['noted', 'confirmed']);
  happened.length = 0;
  isWithdrawn = false;
  const head = {
    ...options,
    headOnly: true,
    lookups: {
      confirm: () => {
        throw new SluiceError('consent_changed', 'changed');
      },
    },
  };
  await expect(releaseParts([part], head, reply, entry, stages)).rejects.toMatchObject({
    code: 'consent_changed',
  });
  expect(happened).toEqual([]);
});
