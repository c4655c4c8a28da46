/** What `sluice subject revoke` writes counts at the next request of every sidecar; whose revocation cannot be checked is rejected. */
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, createServer, type RequestListener, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { MIGRATIONS } from '../../src/compose/store.ts';
import {
  createIdentity,
  createRevocationRecords,
  type Identity,
  type Terms,
} from '../../src/identity/index.ts';
import type { Database } from '../../src/model/database.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { sluice } from '../cli/support.ts';
import { openForwarder, schemaUrl } from '../support/forwarder.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';
import { type Running, startSluice } from '../support/sluice.ts';
import { unrecorded } from '../support/unrecorded.ts';
import { identityConfig, ISSUER, issuerOf, newKey, NOW, SettableClock } from './setup.ts';

const closing: (() => unknown)[] = [];
const after: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(async () => {
  for (const close of after.splice(0).reverse()) await close();
});

const dir = mkdtempSync(join(tmpdir(), 'sluice-leavers-'));
let crm = '';
let schema = '';
let database: Database;
const served = async (listener: RequestListener): Promise<string> => {
  const server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  after.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};
beforeAll(async () => {
  after.push(() => rmSync(dir, { recursive: true }));
  crm = await served((_, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.end('{"id":"C1","name":"Li","phone":"13812345678"}');
  });
  const fresh = await freshSchema('leavers');
  schema = fresh.schema;
  after.push(fresh.drop);
  database = openPostgres(POSTGRES, { schema });
  after.push(() => database.close());
  await migrate(database, MIGRATIONS, () => new Date());
});
afterEach(() => database.query('DELETE FROM sluice_revocations'));

const start = async (store: object, upstream = crm): Promise<Running> => {
  const running = await startSluice({
    upstream,
    identity: { revocations_in_store: true },
    config: { store },
  });
  closing.push(() => running.close());
  return running;
};
const STORES: Readonly<Record<string, () => object>> = {
  SQLite: () => ({ sqlite: './data/store.db' }),
  PostgreSQL: () => ({ postgres: schemaUrl(schema) }),
};
/** all requests over one connection */
function connection({ port, caller }: Running) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  closing.push(() => agent.destroy());
  const ports = new Set<number>();
  return {
    ports,
    ask: (): Promise<string> =>
      new Promise((resolve, reject) => {
        const sent = request(
          { host: '127.0.0.1', port, path: '/customers/C1', headers: caller, agent },
          (response) => {
            ports.add(response.socket.localPort!);
            const pieces: Buffer[] = [];
            response.on('data', (piece: Buffer) => pieces.push(piece));
            response.on('end', () => {
              const { code } = JSON.parse(Buffer.concat(pieces).toString()) as { code?: string };
              resolve(code === undefined ? `${response.statusCode}` : `${response.statusCode} ${code}`);
            });
          },
        );
        sent.on('error', reject);
        sent.end();
      }),
  };
}
const subject = (running: Running, ...argv: string[]) =>
  sluice(['subject', ...argv, '--config', join(running.dir, 'sluice.yaml')]);
const BY = ['--by', 'hr-sync', '--reason', 'left the company'];

describe.each(Object.keys(STORES))('%s', (name) => {
  test('a subject that is revoked is refused at the next request of a connection that is kept, until it is restored', async () => {
    const running = await start(STORES[name]!());
    const { ask, ports } = connection(running);
    expect(await ask()).toBe('200');
    const revoked = await subject(running, 'revoke', 'u-1', ...BY);
    expect(revoked).toMatchObject({ code: 0, out: 'u-1 is revoked from now on.\n' });
    await vi.waitFor(async () => expect(await ask()).toBe('401 token_revoked'), 20_000);
    expect((await subject(running, 'list')).out).toContain('left the company');
    const back = await subject(running, 'restore', 'u-1', '--by', 'u-admin', '--reason', 'hired again');
    expect(back).toMatchObject({ code: 0, out: 'u-1 is restored: 1 revocation ended.\n' });
    await vi.waitFor(async () => expect(await ask()).toBe('200'), 20_000);
    expect(ports.size).toBe(1);
    expect((await subject(running, 'list')).out).toBe('Nothing is revoked in the store.\n');
    expect((await subject(running, 'restore', 'u-1', ...BY)).err).toContain('[revocation_not_found]');
    const told = await subject(running, 'history', 'u-1', '--json');
    expect(JSON.parse(told.out)).toMatchObject({
      subject: 'u-1',
      revocations: [{ revoked_by: 'hr-sync', restored_by: 'u-admin', restored_reason: 'hired again' }],
    });
    const { decisions } = JSON.parse(told.out) as {
      decisions: { subject: { id: string }; outcome: string }[];
    };
    expect(decisions.length).toBeGreaterThan(1);
    expect(decisions.some(({ outcome }) => outcome === 'denied')).toBe(true);
    expect(new Set(decisions.map((d) => d.subject.id))).toEqual(new Set(['u-1']));
    const shown = (await subject(running, 'history', 'u-1')).out;
    for (const word of ['hr-sync', 'hired again', 'read customer']) expect(shown).toContain(word);
  });
});

test('SQLite: not one request gets in after the command has returned', async () => {
  const running = await start(STORES['SQLite']!());
  const { ask } = connection(running);
  for (let i = 0; i < 5; i++) {
    expect(await ask()).toBe('200');
    await subject(running, 'revoke', 'u-1', ...BY);
    expect(await ask()).toBe('401 token_revoked');
    await subject(running, 'restore', 'u-1', ...BY);
  }
});

const isLoaded = (running: Running): Promise<void> =>
  vi.waitFor(async () => {
    const { text } = await running.admin('/readyz');
    const { checks } = JSON.parse(text) as { checks: Record<string, { ok: boolean; degraded?: boolean }> };
    expect(checks['announcements']).toEqual(expect.objectContaining({ ok: true }));
    expect(checks['announcements']!.degraded).not.toBe(true);
  }, 20_000);

test('PostgreSQL: two sidecars refuse what one command has revoked', async () => {
  const [one, two] = [await start(STORES['PostgreSQL']!()), await start(STORES['PostgreSQL']!())];
  const connections = [connection(one), connection(two)];
  await Promise.all([isLoaded(one), isLoaded(two)]);
  expect(await Promise.all(connections.map(({ ask }) => ask()))).toEqual(['200', '200']);
  await subject(one, 'revoke', 'u-1', ...BY);
  for (const { ask } of connections)
    await vi.waitFor(async () => expect(await ask()).toBe('401 token_revoked'), 20_000);
  await subject(two, 'restore', 'u-1', ...BY);
  for (const { ask } of connections) await vi.waitFor(async () => expect(await ask()).toBe('200'), 20_000);
});

test('PostgreSQL: what is changed by hand counts as well', async () => {
  const running = await start(STORES['PostgreSQL']!());
  const { ask } = connection(running);
  await isLoaded(running);
  await database.write(
    "INSERT INTO sluice_revocations (id, kind, name, reason, revoked_at, revoked_by) VALUES ('1', 'subject', 'u-2', 'r', 1, 'b')",
  );
  expect(await ask()).toBe('200');
  await database.write("UPDATE sluice_revocations SET name = 'u-1' WHERE id = '1'");
  await vi.waitFor(async () => expect(await ask()).toBe('401 token_revoked'), 20_000);
  await database.write("UPDATE sluice_revocations SET name = 'u-2' WHERE id = '1'");
  await vi.waitFor(async () => expect(await ask()).toBe('200'), 20_000);
  await database.write("UPDATE sluice_revocations SET name = 'u-1' WHERE id = '1'");
  await vi.waitFor(async () => expect(await ask()).toBe('401 token_revoked'), 20_000);
  await database.query('TRUNCATE sluice_revocations');
  await vi.waitFor(async () => expect(await ask()).toBe('200'), 20_000);
});

test('PostgreSQL that is lost: nobody gets in, and who was revoked meanwhile does not when it is back', async () => {
  const forwarder = await openForwarder();
  closing.push(() => forwarder.close());
  const running = await start({ postgres: forwarder.url(schema) });
  const { ask } = connection(running);
  await isLoaded(running);
  expect(await ask()).toBe('200');
  await forwarder.stop();
  await vi.waitFor(async () => expect(await ask()).toBe('503 keys_unavailable'), 20_000);
  expect(running.log()).toContain('revocations in the store cannot be read');
  expect(JSON.parse((await running.admin('/readyz')).text)).toMatchObject({
    checks: { identity: { ok: false } },
  });
  await createRevocationRecords(database, () => new Date()).revoke(
    { kind: 'subject', name: 'u-1' },
    {},
    { reason: 'r', by: 'b' },
    unrecorded,
  );
  await forwarder.start();
  const seen = new Set<string>();
  await vi.waitFor(async () => {
    const answered = await ask();
    seen.add(answered);
    expect(answered).toBe('401 token_revoked');
  }, 20_000);
  expect([...seen].filter((answered) => answered.startsWith('200'))).toEqual([]);
});

test('PostgreSQL that is silent: memory is used no longer than a lost announcement can go unnoticed', async () => {
  const forwarder = await openForwarder();
  closing.push(() => forwarder.close());
  const running = await start({ postgres: forwarder.url(schema) });
  const { ask } = connection(running);
  await isLoaded(running);
  expect(await ask()).toBe('200');
  forwarder.hold();
  await createRevocationRecords(database, () => new Date()).revoke(
    { kind: 'subject', name: 'u-1' },
    {},
    { reason: 'r', by: 'b' },
    unrecorded,
  );
  // From the moment at which the silence is noticed, memory is not used: the time of it is the channel's (test/store/channel.test.ts).
  const isDown = vi.waitFor(async () => {
    const { checks } = JSON.parse((await running.admin('/readyz')).text) as {
      checks: Record<string, { degraded?: boolean }>;
    };
    expect(checks['announcements']!.degraded).toBe(true);
  }, 60_000);
  await isDown;
  expect(await ask()).toBe('503 keys_unavailable');
  forwarder.release();
  await vi.waitFor(async () => expect(await ask()).toBe('401 token_revoked'), 60_000);
});

test('the rest of a long answer does not go to a subject that is revoked meanwhile', async () => {
  let more: () => void = () => undefined;
  const records = Array.from({ length: 150 }, () => JSON.stringify({ id: 'C1', name: 'x'.repeat(10_000) }));
  const upstream = await served(async (_, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.write(`{"items":[${records.join(',')}`);
    await new Promise<void>((resolve) => {
      more = resolve;
    });
    response.end(`,${records.join(',')}]}`);
  });
  const running = await start(STORES['SQLite']!(), upstream);
  const response = await fetch(`http://127.0.0.1:${running.port}/customers`, { headers: running.caller });
  const reader = response.body!.getReader();
  let received = (await reader.read()).value!.byteLength;
  await subject(running, 'revoke', 'u-1', ...BY);
  more();
  const rest = async (): Promise<void> => {
    for (let next = await reader.read(); !next.done; next = await reader.read())
      received += next.value.byteLength;
  };
  await expect(rest()).rejects.toThrow();
  expect(received).toBeLessThan(150 * 10_100);
  await vi.waitFor(() => expect(running.records().at(-1)).toMatchObject({ part: { last: true } }), 20_000);
  expect(running.records().at(-1)).toMatchObject({
    outcome: 'error',
    reasons: [{ code: 'token_revoked' }],
    subject: { id: 'u-1' },
  });
});

test('the command revokes nothing where no sidecar would look', async () => {
  const running = await startSluice({ upstream: crm });
  closing.push(() => running.close());
  const { code, err } = await subject(running, 'revoke', 'u-1', ...BY);
  expect(code).toBe(3);
  expect(err).toContain('identity.revocations_in_store');
});

describe('one identity stage', () => {
  const digest = 'ab'.repeat(32);
  const fingerprint = digest.match(/../g)!.join(':').toUpperCase();
  const CERTIFICATE = {
    fingerprint256: fingerprint,
    valid_to: 'Dec 31 23:59:59 2026 GMT',
    subject: {},
    subjectaltname: 'DNS:erp',
  };
  const PEER = { ip: null };
  const clock = new SettableClock();
  let store: Database;
  let identity: Identity;
  let token = '';
  beforeAll(async () => {
    store = openSqlite(join(dir, 'own.db'));
    after.push(() => store.close());
    await migrate(store, MIGRATIONS, () => clock.now());
    const key = await newKey();
    token = await key.sign({ jti: 'j-1' });
    const who = { id: 'erp', organization: 'internal' };
    identity = createIdentity(
      identityConfig({
        issuers: [issuerOf([key.jwk])],
        api_keys: [{ id: 'k', sha256: KEY_DIGEST, subject: who }],
        certificates: [{ dns: 'erp', subject: who }],
        revocations_in_store: true,
      }),
      { clock, logger: silentLogger, store: { database: store, announcements: null } },
    );
    after.push(() => identity.close());
  });
  afterEach(async () => {
    clock.time = NOW;
    await store.write('DELETE FROM sluice_revocations');
  });
  const KEY_DIGEST = '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b';
  const ask = {
    token: async () => identity.authenticate({ authorization: `Bearer ${token}` }, PEER),
    'API key': async () => identity.authenticate({ 'x-api-key': 'secret' }, PEER),
    certificate: async () => identity.authenticate({}, { ip: null, certificate: CERTIFICATE as never }),
    'token over a certificate': async () =>
      identity.authenticate(
        { authorization: `Bearer ${token}` },
        { ip: null, certificate: CERTIFICATE as never },
      ),
  };
  type Kind = 'subject' | 'jti' | 'sha256';
  const refusedBy = async (kind: Kind, name: string, terms: Terms = {}): Promise<string[]> => {
    await createRevocationRecords(store, () => clock.now()).revoke(
      { kind, name },
      terms,
      { reason: 'r', by: 'b' },
      unrecorded,
    );
    return refused();
  };
  const refused = async (): Promise<string[]> => {
    const asked = await Promise.allSettled(Object.values(ask).map((authenticate) => authenticate()));
    return Object.keys(ask).filter((_, i) => {
      const answered = asked[i]!;
      if (answered.status === 'rejected') expect(answered.reason).toMatchObject({ code: 'token_revoked' });
      return answered.status === 'rejected';
    });
  };

  test.each<[string, Kind, string, Terms, string[]]>([
    ['nobody else', 'subject', 'u-18', {}, []],
    ['a subject', 'subject', 'u-17', {}, ['token', 'token over a certificate']],
    ['a subject of a key and a certificate', 'subject', 'erp', {}, ['API key', 'certificate']],
    ['a key of two credentials', 'subject', 'erp', { issuer: 'api-key:k' }, ['API key']],
    ['an issuer’s subject', 'subject', 'u-17', { issuer: ISSUER }, ['token', 'token over a certificate']],
    ['another issuer’s subject', 'subject', 'u-17', { issuer: 'https://other' }, []],
    ['a token by its id', 'jti', 'j-1', {}, ['token', 'token over a certificate']],
    ['a subject named like a token', 'jti', 'u-17', {}, []],
    ['a token named like a subject', 'subject', 'j-1', {}, []],
    ['a key by its digest', 'sha256', KEY_DIGEST, {}, ['API key']],
    ['a certificate', 'sha256', fingerprint, {}, ['certificate', 'token over a certificate']],
    ['older tokens', 'subject', 'u-17', { issued_before: NOW }, ['token', 'token over a certificate']],
    ['tokens older than it', 'subject', 'u-17', { issued_before: NOW - 60_000 }, []],
    ['one who leaves later', 'subject', 'u-17', { starts_at: NOW + 1 }, []],
  ])('revokes %s: %s %s %j', async (_, kind, name, terms, expected) => {
    expect(await refused()).toEqual([]);
    expect(await refusedBy(kind, name, terms)).toEqual(expected);
  });

  test('a revocation begins and ends by itself', async () => {
    await refusedBy('subject', 'u-17', { starts_at: NOW + 10, ends_at: NOW + 20 });
    const at = async (ms: number) => {
      clock.time = NOW + ms;
      return (await refused()).includes('token');
    };
    expect([await at(9), await at(10), await at(19), await at(20)]).toEqual([false, true, true, false]);
  });

  test.each<[string, Kind, string, Terms, object]>([
    ['an empty name', 'subject', '', {}, {}],
    ['a name with a blank', 'subject', 'u-17 ', {}, {}],
    ['a digest that is none', 'sha256', 'abc', {}, {}],
    ['an end before its begin', 'subject', 'u-17', { starts_at: NOW + 2, ends_at: NOW + 1 }, {}],
    ['an end that has passed', 'subject', 'u-17', { ends_at: NOW }, {}],
    ['no reason', 'subject', 'u-17', {}, { reason: ' ' }],
    ['nobody who does it', 'subject', 'u-17', {}, { by: '' }],
  ])('refuses a revocation with %s', async (_, kind, name, terms, statement) => {
    const records = createRevocationRecords(store, () => clock.now());
    await expect(
      records.revoke({ kind, name }, terms, { reason: 'r', by: 'b', ...statement }, unrecorded),
    ).rejects.toMatchObject({ code: 'input_invalid' });
  });
});
