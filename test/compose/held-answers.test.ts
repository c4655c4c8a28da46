/** What is held is checked again with every kind of source: consents of a service and of a store, revocations in a store. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { MIGRATIONS } from '../../src/compose/store.ts';
import { createRevocationRecords } from '../../src/identity/index.ts';
import type { Database } from '../../src/model/database.ts';
import { systemClock } from '../../src/observability/clock.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { schemaUrl } from '../support/forwarder.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';
import { type Running, startSluice } from '../support/sluice.ts';
import { unrecorded } from '../support/unrecorded.ts';

const closing: (() => unknown)[] = [];
const after: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(async () => {
  for (const close of after.splice(0).reverse()) await close();
});

/** moved by the tests: real time goes on besides */
let moved = 0;
const clock = {
  now: () => new Date(systemClock.now().getTime() + moved),
  micros: () => systemClock.micros() + moved * 1000,
};
/** what the service says of everybody */
let flags: readonly string[] = [];
let goesOn = Promise.withResolvers<void>();
let crm = '';
let service = '';
let schema = '';
const listening = async (server: Server): Promise<string> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  after.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

beforeAll(async () => {
  crm = await listening(
    createServer(async (_, response) => {
      response.setHeader('Content-Type', 'application/json');
      response.write('{"total":2,"items":[{"id":"C1","name":"Name of C1"},');
      await goesOn.promise;
      response.end('{"id":"C2","name":"Name of C2"}]}');
    }),
  );
  service = await listening(
    createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request.setEncoding('utf8')) body += chunk;
      const { data_subjects: ids } = JSON.parse(body) as { data_subjects: string[] };
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify({ data_subjects: Object.fromEntries(ids.map((id) => [id, { flags }])) }));
    }),
  );
  const fresh = await freshSchema('held');
  schema = fresh.schema;
  after.push(fresh.drop);
  const database = openPostgres(POSTGRES, { schema });
  await migrate(database, MIGRATIONS, () => new Date());
  await database.close();
});

interface Kind {
  readonly config: () => object;
  /** the store, as another process opens it */
  readonly store: (running: Running) => Database;
}
const STORES: Readonly<Record<string, Kind>> = {
  SQLite: {
    config: () => ({ sqlite: './data/store.db' }),
    store: ({ dir }) => openSqlite(join(dir, 'data/store.db')),
  },
  PostgreSQL: {
    config: () => ({ postgres: schemaUrl(schema) }),
    store: () => openPostgres(POSTGRES, { schema }),
  },
};

async function start(config: object, identity: object = {}): Promise<Running> {
  flags = [];
  const running = await startSluice({
    upstream: crm,
    data: { flags: { restricted: {} } },
    identity,
    config: { insecure: { literal_secrets: true }, ...config },
    parts: { clock },
  });
  closing.push(() => running.close());
  return running;
}

/** Asks for a list whose first record is held, because a total stands before it, while `meanwhile` happens. */
async function askedHeld(running: Running, meanwhile: () => Promise<unknown>) {
  goesOn = Promise.withResolvers();
  const isLookedUp = Promise.withResolvers<void>();
  const { consents } = running.sluice;
  const lookup = consents.lookup.bind(consents);
  consents.lookup = (ids, at) => {
    const found = lookup(ids, at);
    if (ids.includes('C1')) void Promise.resolve(found).then(() => setImmediate(isLookedUp.resolve));
    return found;
  };
  const asked = fetch(`http://127.0.0.1:${running.port}/customers`, { headers: running.caller });
  await isLookedUp.promise;
  await meanwhile();
  moved += 1_000;
  goesOn.resolve();
  const response = await asked;
  const text = await response.text();
  const { code } = JSON.parse(text) as { code?: string };
  return { status: response.status, code, text };
}
const LEFT = { status: 200, text: expect.stringContaining('Name of C1') };
const CHANGED = { status: 503, code: 'consent_changed' };

describe('consents of a service', () => {
  const config = () => ({ consent: { http: { url: service }, cache: { ttl: '0s' } } });

  test('nothing has changed: it leaves', async () => {
    expect(await askedHeld(await start(config()), async () => undefined)).toMatchObject(LEFT);
  });
  test('a consent changes: nothing of the record leaves', async () => {
    const running = await start(config());
    const answer = await askedHeld(running, async () => {
      flags = ['restricted'];
    });
    expect(answer).toMatchObject(CHANGED);
    expect(answer.text).not.toContain('Name of');
    expect(running.records().at(-1)).toMatchObject({
      outcome: 'error',
      reasons: [{ code: 'consent_changed' }],
    });
  });
});

describe.each(Object.entries(STORES))('in %s', (_, { config, store }) => {
  const opened = (running: Running): Database => {
    const database = store(running);
    closing.push(() => database.close());
    return database;
  };
  const consents = () => ({ store: config(), consent: { store: true, cache: { ttl: '0s' } } });

  test('nothing has changed: it leaves', async () => {
    expect(await askedHeld(await start(consents()), async () => undefined)).toMatchObject(LEFT);
  });

  test('a consent changes: nothing of the record leaves', async () => {
    const running = await start(consents());
    const database = opened(running);
    closing.push(() => database.write("DELETE FROM consent_subjects WHERE data_subject = 'C1'"));
    const answer = await askedHeld(running, () =>
      database.write(
        `INSERT INTO consent_subjects (data_subject, entry) VALUES ('C1', '{"flags":["restricted"]}')`,
      ),
    );
    expect(answer).toMatchObject(CHANGED);
    expect(answer.text).not.toContain('Name of');
  });

  test('the caller is revoked: nothing leaves', async () => {
    const running = await start({ store: config() }, { revocations_in_store: true });
    const database = opened(running);
    closing.push(() => database.write('DELETE FROM sluice_revocations'));
    const records = createRevocationRecords(database, () => clock.now());
    const isHeard = Promise.withResolvers<void>();
    const answer = await askedHeld(running, async () => {
      // PostgreSQL announces it; in SQLite each request looks.
      closing.push(
        running.sluice.invalidation.subscribe(({ kind }) => {
          if (kind === 'revocations') isHeard.resolve();
        }),
      );
      await records.revoke({ kind: 'subject', name: 'u-1' }, {}, { reason: 'left', by: 'li' }, unrecorded);
      if (database.dialect === 'postgres') await isHeard.promise;
    });
    expect(answer).toMatchObject({ status: 401, code: 'token_revoked' });
    expect(answer.text).not.toContain('Name of');
  });
});
