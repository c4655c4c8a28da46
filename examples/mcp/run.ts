/**
 * A CRM's MCP server behind Sluice, called by two people and an agent with the official client, in both modes of the server. Ends with
 * what must hold, checked; exit code 1 if it did not. DATABASE_URL (of a user who may create a database) names another PostgreSQL.
 */
import '../../src/json-parse.ts';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, promisify } from 'node:util';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import pg from 'pg';
import { parseDocument } from 'yaml';
import { createDevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { startCrmServer } from './crm.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const main = join(root, 'src/main.ts');
const server = new URL(process.env['DATABASE_URL'] ?? 'postgres://postgres@127.0.0.1:5432/postgres');

type Headers = Readonly<Record<string, string>>;
interface Denied {
  readonly code: number;
  readonly message: string;
  readonly data: {
    readonly code: string;
    readonly decision_id: string;
    readonly access_request?: { readonly task?: { readonly id: string } };
  };
}

const failures: string[] = [];
function check(what: string, holds: boolean): void {
  process.stdout.write(`${holds ? 'ok  ' : 'FAIL'} ${what}\n`);
  if (!holds) failures.push(what);
}
const write = (text: string): void => void process.stdout.write(`${text}\n`);
const say = (text: string): void => write(`\n== ${text}`);

/** Of a decision record, what is shown here. */
interface DecisionRecord {
  readonly decision_id: string;
  readonly outcome: string;
  readonly subject: { readonly id: string };
  readonly request: { readonly route: string };
  readonly disclosure: { readonly released: readonly string[] };
}

/** What one caller is shown and answered; the same in both modes of the server. */
interface Seen {
  readonly tools: readonly string[];
  readonly customer: unknown;
}

const dir = await mkdtemp(join(tmpdir(), 'sluice-mcp-'));
const config = join(dir, 'sluice.yaml');
const database = `sluice_mcp_${process.pid}`;
const own = new URL(server);
own.pathname = `/${database}`;
const env = { ...process.env, DATABASE_URL: own.href };
const administrator = new pg.Client(server.href);
await administrator.connect();
await administrator.query(`CREATE DATABASE ${database}`);
const streaming = await startCrmServer(false);
const inJson = await startCrmServer(true);
let sidecar: ChildProcess | undefined;
try {
  const issuer = await createDevelopmentIssuer();
  await writeFile(join(dir, 'keys.json'), JSON.stringify(issuer.jwks));
  const key = randomBytes(32).toString('base64url');
  const document = parseDocument(await readFile(new URL('sluice.yaml', import.meta.url), 'utf8'));
  document.setIn(['upstreams', 'crm', 'url'], streaming.url);
  document.setIn(['upstreams', 'crm-json', 'url'], inJson.url);
  document.setIn(['identity', 'api_keys', 0, 'sha256'], createHash('sha256').update(key).digest('hex'));
  await writeFile(config, document.toString());
  await run('build', join(root, 'policies'), '-o', join(dir, 'bundle.tar.gz'));
  await run('store', 'migrate', '--config', config);
  sidecar = spawn(process.execPath, [main, 'serve', '--config', config], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const proxy = await urlOf(sidecar);

  const person = async (claims: object, purpose: string): Promise<Headers> => ({
    Authorization: `Bearer ${await issuer.sign({ org: 'internal', amr: ['pwd', 'otp'], ...claims })}`,
    'Sluice-Purpose': purpose,
  });
  const support = (sub: string): Promise<Headers> =>
    person({ sub, roles: ['support'], dept: 'after-sales', clearance: 3 }, 'after_sales');
  const callers: Readonly<Record<string, Headers>> = {
    'u-17': await support('u-17'),
    'u-23': await person({ sub: 'u-23', roles: ['adjuster'], dept: 'claims', clearance: 4 }, 'claims'),
    'sync-agent': { 'X-Api-Key': key, 'Sluice-Purpose': 'system_sync' },
  };

  const call = { name: 'get_customer', arguments: { customer_id: 'C100001' } };
  say('Without Sluice, for everybody');
  const direct = await connected(streaming.url, {});
  write(`tools: ${(await direct.listTools()).tools.map(({ name }) => name).join(', ')}`);
  const result = await direct.callTool(call);
  write(JSON.stringify(result));
  await direct.close();
  const whole = result.structuredContent as Readonly<Record<string, string>>;

  const seen: Record<string, Seen>[] = [];
  const calls: { readonly id: string; readonly subject: string; readonly path: string }[] = [];
  for (const path of ['/mcp', '/mcp-json']) {
    const shown: Record<string, Seen> = {};
    for (const [subject, headers] of Object.entries(callers)) {
      say(`Through Sluice, ${subject} for ${headers['Sluice-Purpose']}, ${path}`);
      const client = await connected(proxy + path, headers);
      const tools = (await client.listTools()).tools.map(({ name }) => name);
      const { structuredContent, content, _meta } = await client.callTool(call);
      write(`tools: ${tools.join(', ')}\n${JSON.stringify(structuredContent)}`);
      calls.push({ id: String(_meta?.['sluice/decision_id']), subject, path });
      check('a tool without a mapping is not listed', !tools.includes('export_all'));
      const texts = content as readonly { readonly text: string }[];
      check(
        'the text says what structuredContent says',
        texts.length === 1 && isDeepStrictEqual(JSON.parse(texts[0]!.text), structuredContent),
      );
      const all = JSON.stringify({ structuredContent, content });
      check(
        'neither the identity number nor the notes nor the password leave',
        ['id_number', 'notes', 'password_hash'].every((field) => !all.includes(whole[field]!)),
      );
      shown[subject] = { tools, customer: structuredContent };
      await client.close();
    }
    seen.push(shown);
  }
  check(
    'both modes of the server: every caller is shown and answered the same',
    isDeepStrictEqual(seen[0], seen[1]),
  );
  check('the agent may not write', seen[0]!['sync-agent']!.tools.join() === 'get_customer,search_customers');

  for (const [path, subject] of [
    ['/mcp', 'u-17'],
    ['/mcp-json', 'u-18'],
  ] as const) {
    say(`Denied, approved, repeated: ${subject}, ${path}`);
    const client = await connected(proxy + path, {
      ...(await support(subject)),
      'Sluice-Justification': 'ticket 8812',
    });
    const search = { name: 'search_customers', arguments: { name: whole['name']! } };
    const denied = await client.callTool(search).then(
      () => null,
      (error: unknown) => error as Denied,
    );
    const task = denied?.data.access_request?.task?.id ?? '';
    write(`search_customers ${JSON.stringify(search.arguments)}\n${denied?.message}`);
    check('the search by a masked field is denied, and requested', denied?.code === -32001 && task !== '');
    write(`$ sluice grants approve ${task} --by u-31`);
    process.stdout.write(await run('grants', 'approve', task, '--by', 'u-31', '--config', config));
    const [found] = (await client.callTool(search)).content as { readonly text: string }[];
    write(`search_customers ${JSON.stringify(search.arguments)}\n${found?.text}`);
    check('the same call is answered', found?.text.includes(whole['name']!) === true);
    await client.close();
  }

  say('The records');
  const journaled = (await run('decisions', 'query', '--kind', 'mcp', '--json', '--config', config))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as DecisionRecord);
  for (const { id, subject, path } of calls) {
    const record = journaled.find(({ decision_id }) => decision_id === id);
    write(
      `${record?.outcome} ${record?.subject.id} ${record?.request.route}: released ${record?.disclosure.released.length} fields`,
    );
    check(
      'the record names caller and tool',
      record?.subject.id === subject && record.request.route === `MCP ${path} tools/call get_customer`,
    );
  }
  const verified = await run('decisions', 'verify', '--config', config);
  process.stdout.write(`$ sluice decisions verify\n${verified}`);
  check('the journal is intact', verified.includes('intact'));
} finally {
  if (sidecar !== undefined && sidecar.exitCode === null) {
    sidecar.kill('SIGTERM');
    await new Promise((done) => sidecar!.once('exit', done));
  }
  await streaming.close();
  await inJson.close();
  await administrator.query(`DROP DATABASE ${database} WITH (FORCE)`);
  await administrator.end();
  await rm(dir, { recursive: true, force: true });
}
if (failures.length > 0) process.exitCode = 1;

/** A command. @returns what it printed */
async function run(...argv: string[]): Promise<string> {
  return (await promisify(execFile)(process.execPath, [main, ...argv], { env })).stdout;
}

async function connected(url: string, headers: Headers): Promise<Client> {
  const client = new Client({ name: 'example', version: '1' });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }) as Transport,
  );
  return client;
}

/** @returns the proxy's URL */
async function urlOf(sidecar: ChildProcess): Promise<string> {
  for await (const line of createInterface(sidecar.stdout!)) {
    const [, url] = /proxy\D*(http:\/\/[\d.:]+)/.exec(line) ?? [];
    if (url !== undefined) {
      sidecar.stdout!.resume();
      return url;
    }
  }
  throw new Error('the sidecar did not start');
}
