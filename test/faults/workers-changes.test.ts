/**
 * Two workers of one sidecar share what is in the store: a grant's uses, a call that is repeated, a notice that is owed. A worker that is killed while it
 * delivers a notice leaves it due again.
 */
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MIGRATIONS } from '../../src/compose/store.ts';
import { createDevelopmentIssuer, type DevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import type { Database } from '../../src/model/database.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { sluice as command } from '../cli/support.ts';
import { schemaUrl } from '../support/forwarder.ts';
import { recordsOf } from '../support/journals.ts';
import { policyWith } from '../support/policy.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';
import { type Cleaning, childrenOf, type Served, serve, until, upstreamOf } from '../support/served.ts';
import { CUSTOMER_ROUTES } from '../support/sluice.ts';

const PARTNER = 'swift_logistics';
const cleaning: Cleaning = [];
const closing: (() => Promise<unknown>)[] = [];
let issuer: DevelopmentIssuer;
let database: Database;
let served: Served;
/** what the recipient does with a delivery */
let receive: (request: IncomingMessage, response: ServerResponse) => void;

beforeAll(async () => {
  issuer = await createDevelopmentIssuer();
  const schema = await freshSchema('workers_changes');
  closing.push(schema.drop);
  database = openPostgres(POSTGRES, { schema: schema.schema });
  closing.push(() => database.close());
  await migrate(database, MIGRATIONS, () => new Date());
  const recipient = createServer((request, response) => receive(request, response));
  await new Promise<void>((done) => recipient.listen(0, '127.0.0.1', done));
  cleaning.push(() => {
    recipient.closeAllConnections();
    recipient.close();
  });
  const url = `http://127.0.0.1:${(recipient.address() as AddressInfo).port}/`;
  served = await serve(
    {
      upstream: await upstreamOf((response) => {
        response.setHeader('Content-Type', 'application/json');
        response.end('{"id":"C50","name":"张三丰","phone":"13812345678"}');
      }, cleaning),
      policy: await policyWith({}),
      routes: CUSTOMER_ROUTES,
      identity: { revocations_in_store: true },
      config: {
        workers: 2,
        policy: { bundle: './bundle.tar.gz', watch: false },
        store: { postgres: schemaUrl(schema.schema) },
        consent: { store: true },
        decision_log: {
          journal: { dir: './journal' },
          data_subject_key: 'a key of the test with more than 32 bytes in it',
        },
        insecure: { literal_secrets: true },
        shares: {},
        erasure: {},
        notices: {
          recipients: { [PARTNER]: { url, secret: `whsec_${Buffer.alloc(32, 7).toString('base64')}` } },
          timeout: '1s',
        },
        grants: {
          approvers: { 'u-lead': ['team_lead'] },
          rules: [{ approved_by: ['team_lead'] }],
        },
      },
    },
    issuer,
    cleaning,
  );
}, 120_000);
afterAll(async () => {
  for (const clean of cleaning.splice(0).reverse()) clean();
  await served?.ended;
  for (const close of closing.splice(0).reverse()) await close();
});

/** Each on a connection of its own, so that both workers get some. */
async function post(path: string, token: string, body: object, key: string) {
  const response = await fetch(`${served.admin}${path}`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      'Idempotency-Key': key,
      Connection: 'close',
    },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
const journal = () => join(served.dir, 'journal');
const originsOf = (ids: ReadonlySet<string>): ReadonlySet<string> =>
  new Set(recordsOf(journal()).flatMap((r) => (ids.has(r.decision_id) ? [r.origin] : [])));

test('50 requests at once under a grant with 10 uses: exactly 10 see the value, through both workers', async () => {
  const grants = (...argv: string[]) => command(['grants', ...argv, '--config', served.file]);
  const asked = await grants(
    'request',
    ...['--subject', 'u-1', '--purpose', 'after_sales', '--resource', 'customer', '--category', 'identity'],
    ...['--justification', 'ticket', '--id', 'C50', '--uses', '10', '--json'],
  );
  const { id } = asked.json<{ id: string }>();
  expect((await grants('approve', id, '--by', 'u-lead')).code).toBe(0);
  const token = await issuer.sign({
    sub: 'u-1',
    roles: ['support'],
    dept: 'after-sales',
    org: 'internal',
    clearance: 3,
  });
  const answers = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const response = await fetch(`${served.proxy}/customers/C50`, {
        headers: {
          Authorization: `Bearer ${token}`,
          'Sluice-Purpose': 'after_sales',
          'Sluice-Grant': id,
          Connection: 'close',
        },
      });
      const decision = response.headers.get('sluice-decision-id')!;
      return {
        decision,
        status: response.status,
        body: (await response.json()) as { name?: string; code?: string },
      };
    }),
  );
  expect(answers.filter(({ body }) => body.name === '张三丰')).toHaveLength(10);
  for (const { status, body } of answers.filter(({ body: { name } }) => name !== '张三丰'))
    expect(status === 403 ? body.code : body.name).toBe(status === 403 ? 'grant_used_up' : '张**');
  expect(originsOf(new Set(answers.map(({ decision }) => decision))).size).toBe(2);
  const shown = (await grants('show', id, '--json')).json<{ state: string; events: { what: string }[] }>();
  expect(shown.events.filter(({ what }) => what === 'used')).toHaveLength(10);
  expect(shown.state).toBe('used_up');
});

test('a call that is repeated at once is carried out once, by one of the workers', async () => {
  const admin = await issuer.sign({
    sub: 'u-admin',
    roles: ['access_admin'],
    org: 'internal',
    amr: ['pwd', 'otp'],
  });
  for (let round = 0; round < 5; round++) {
    const key = randomUUID();
    const subject = `u-${key}`;
    const all = await Promise.all(
      Array.from({ length: 8 }, () => post('/v1/revocations', admin, { subject, reason: 'r' }, key)),
    );
    for (const { status, body } of all)
      expect(status === 201 ? 'made' : body['code']).toBe(status === 201 ? 'made' : 'idempotency_pending');
    expect(new Set(all.flatMap(({ status, body }) => (status === 201 ? [body['id']] : []))).size).toBe(1);
    expect(await database.query('SELECT id FROM sluice_revocations WHERE name = $1', [subject])).toHaveLength(
      1,
    );
  }
});

/** One that is due now. */
async function owe(n: number): Promise<void> {
  await database.write(
    `INSERT INTO sluice_notices (id, recipient, type, data, created_at, next_at, retry_until)
     SELECT 'notice-' || i || $1, $2, 'consent.withdrawn', '{"data_subject":"C1"}', 1, $3, $4 FROM generate_series(1, ${n}) AS i`,
    [`-${randomUUID()}`, PARTNER, Date.now(), Date.now() + 86_400_000],
  );
}
const due = () => database.query('SELECT id FROM sluice_notices WHERE delivered_at IS NULL');

test('a notice is delivered once, whichever worker finds it', async () => {
  const got: string[] = [];
  receive = (request, response) => {
    got.push(String(request.headers['webhook-id']));
    response.end();
  };
  await owe(40);
  await until(async () => (await due()).length === 0);
  expect(got).toHaveLength(40);
  expect(new Set(got).size).toBe(40);
});

test('a worker that is killed while it delivers: the notice is due again, and arrives under the same id', async () => {
  const got: string[] = [];
  let from: Socket | undefined;
  receive = (request) => {
    got.push(String(request.headers['webhook-id']));
    from = request.socket;
  };
  await owe(1);
  await until(() => from !== undefined);
  const worker = childrenOf(served.child.pid!).find((pid) => holds(pid, from!));
  receive = (request, response) => {
    got.push(String(request.headers['webhook-id']));
    response.end();
  };
  process.kill(worker!, 'SIGKILL');
  await until(async () => (await due()).length === 0, 60);
  expect(new Set(got).size).toBe(1);
  expect(got.length).toBeGreaterThanOrEqual(2);
  await until(() => served.log().includes('a worker serves again'), 60);
}, 150_000);

/** Whether a process has the other end of a TCP connection. Two connections may share one of their ports, not both. */
function holds(pid: number, { remotePort, localPort }: Socket): boolean {
  const at = (port: number): string => `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const inode = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .find(([, local, remote]) => local === at(remotePort!) && remote === at(localPort!))?.[9];
  return readdirSync(`/proc/${pid}/fd`).some((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`;
    } catch {
      return false;
    }
  });
}
