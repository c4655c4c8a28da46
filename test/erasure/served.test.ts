/** A request of a customer stops the disclosure at the next request, at every sidecar, whatever the consents are kept in. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { MIGRATIONS } from '../../src/compose/store.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { sluice as run } from '../cli/support.ts';
import { type Forwarder, openForwarder, schemaUrl } from '../support/forwarder.ts';
import { recordsOf } from '../support/journals.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';
import { type Running, startSluice } from '../support/sluice.ts';

const closing: (() => unknown)[] = [];
const after: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(async () => {
  for (const close of after.splice(0).reverse()) await close();
});

let crm = '';
let schema = '';
let forwarder: Forwarder;
beforeAll(async () => {
  const server = createServer((_, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.end('{"id":"C1","name":"王小明","phone":"13812345678"}');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  after.push(() => server.close());
  crm = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const fresh = await freshSchema('erased');
  schema = fresh.schema;
  after.push(fresh.drop);
  const database = openPostgres(POSTGRES, { schema });
  await migrate(database, MIGRATIONS, () => new Date());
  await database.close();
  forwarder = await openForwarder();
  after.push(() => forwarder.close());
});

const start = async (config: object): Promise<Running> => {
  const running = await startSluice({
    upstream: crm,
    data: { flags: { restricted: {} } },
    config: { erasure: {}, ...config },
  });
  closing.push(() => running.close());
  return running;
};
const ask = async ({ port, caller }: Running): Promise<string> => {
  const response = await fetch(`http://127.0.0.1:${port}/customers/C1`, { headers: caller });
  const text = await response.text();
  return response.ok ? '200' : `${response.status} ${(JSON.parse(text) as { code: string }).code}`;
};
const erasure = async ({ dir }: Running, ...argv: string[]) => {
  const said = await run(['erasure', ...argv, '--config', join(dir, 'sluice.yaml'), '--json']);
  expect(said).toMatchObject({ code: 0, err: '' });
  return said.json<{ id: string }>();
};
const restrict = (running: Running) =>
  erasure(running, 'request', 'C1', '--kind', 'restriction', '--by', 'li', '--note', 'letter');

describe('SQLite', () => {
  test.each([
    ['a file', {}],
    ['the store', { consent: { store: true } }],
  ])(
    'with consents in %s: the next request is refused, until the restriction ends',
    async (_what, config) => {
      const running = await start({ store: { sqlite: './data/store.db' }, ...config });
      expect(await ask(running)).toBe('200');
      const { id } = await restrict(running);
      expect(await ask(running)).toBe('403 record_withheld');
      await erasure(running, 'complete', id, '--evidence', 'ticket 1', '--by', 'li');
      expect(await ask(running)).toBe('200');
    },
  );

  test('every change is a decision record, which names the customer by a digest alone', async () => {
    const running = await start({ store: { sqlite: './data/store.db' } });
    const { id } = await restrict(running);
    await erasure(running, 'reject', id, '--reason', 'not the customer', '--by', 'han');
    const found = recordsOf(join(running.dir, 'journal')).filter(({ kind }) => kind === 'erasure');
    expect(
      found.map(({ subject, action, outcome, reasons, labels }) => [
        subject?.id,
        action,
        outcome,
        reasons[0]?.code,
        labels['state'],
      ]),
    ).toEqual([
      ['li', 'erasure.request', 'allowed', 'erasure_requested', 'requested'],
      ['han', 'erasure.reject', 'allowed', 'erasure_rejected', 'rejected'],
    ]);
    expect(found[0]?.disclosure?.data_subjects).toEqual([expect.stringMatching(/^hmac:/)]);
    expect(JSON.stringify(found)).not.toContain('"C1"');
  });

  test('a policy that does not know the flag discloses nothing of the customer', async () => {
    const running = await start({ store: { sqlite: './data/store.db' } });
    await erasure(running, 'request', 'C1', '--by', 'li');
    expect(await ask(running)).toBe('403 record_withheld');
    expect(running.log()).toContain('are not in the policy’s flags.yaml');
  });
});

describe('PostgreSQL', () => {
  test('two sidecars that have remembered the customer both refuse after the request', async () => {
    const store = { postgres: schemaUrl(schema) };
    const [one, two] = [await start({ store, consent: { store: true } }), await start({ store })];
    await vi.waitFor(async () => {
      expect(await ask(one)).toBe('200');
      expect(await ask(two)).toBe('200');
    }, 20_000);
    const { id } = await restrict(one);
    await vi.waitFor(async () => {
      expect(await ask(one)).toBe('403 record_withheld');
      expect(await ask(two)).toBe('403 record_withheld');
    }, 20_000);
    await erasure(two, 'complete', id, '--evidence', 'ticket 2', '--by', 'li');
    await vi.waitFor(async () => {
      expect(await ask(one)).toBe('200');
      expect(await ask(two)).toBe('200');
    }, 20_000);
  });

  test('that is down refuses, also where the consents are in a file', async () => {
    const running = await start({ store: { postgres: forwarder.url(schema) } });
    expect(await ask(running)).toBe('200');
    await forwarder.stop();
    await vi.waitFor(async () => expect(await ask(running)).toBe('503 consent_unavailable'), 20_000);
    await forwarder.start();
    await vi.waitFor(async () => expect(await ask(running)).toBe('200'), 20_000);
  });
});
