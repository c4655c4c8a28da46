/** Cases of one request and the upstream's answer, on the default policy with the roles of the case. */
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PolicyBundle } from '../../src/policy/bundle/bundle.ts';
import { classesOf } from '../../src/policy/catalog/classes.ts';
import { parseCatalog } from '../../src/policy/catalog/read.ts';
import { compileFiles } from '../../src/policy/compile.ts';
import { readPolicyDirectory } from '../../src/policy/directory.ts';
import { resolveOpa } from '../../src/policy/opa/opa.ts';
import { startSluice } from '../support/sluice.ts';
import type { Result } from './run.ts';

const POLICIES = new URL('../../policies', import.meta.url).pathname;
export const ROLE = 'support';
export const PURPOSE = 'after_sales';
export const CLAIMS = {
  sub: 'u-1',
  roles: [ROLE],
  dept: 'after-sales',
  org: 'internal',
  clearance: 4,
  amr: ['pwd', 'otp'],
};

interface Message {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly body_base64?: string;
}

export interface ExchangeCase {
  readonly name: string;
  readonly class: string;
  readonly catalog: string;
  readonly route: Readonly<Record<string, unknown>>;
  readonly roles?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly consents?: Readonly<Record<string, object>>;
  readonly upstreams?: object;
  readonly request: Message & { readonly method: string; readonly path: string };
  readonly upstream: Message & { readonly status: number };
  readonly expect: Message & {
    readonly status?: number | readonly number[];
    readonly body_not?: readonly string[];
    readonly upstream_not_called?: boolean;
    readonly upstream_body?: string;
    readonly soap_fault?: boolean;
  };
}

interface Received {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export async function* exchanges(cases: readonly ExchangeCase[]): AsyncIterable<Result> {
  const rules = await compiledRules();
  for (const c of cases) {
    const faults = await faultsOf(c, rules).catch((error: Error) => [`could not run: ${error.message}`]);
    yield { name: c.name, class: c.class, faults };
  }
}

async function faultsOf(c: ExchangeCase, rules: PolicyBundle): Promise<string[]> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      seen.push(Buffer.concat(chunks).toString('utf8'));
      response.writeHead(c.upstream.status, c.upstream.headers ?? { 'content-type': 'application/json' });
      response.end(bytesOf(c.upstream));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  try {
    const sluice = await startSluice({
      upstream: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      crm: c.upstreams ?? {},
      routes: [saidOf(c.route)],
      dataSubjects: (c.consents ?? {}) as Record<string, object>,
      claims: CLAIMS,
      policy: policyOf(c, rules),
    });
    try {
      return compare(c, await send(sluice.port, c.request, sluice.caller), seen);
    } finally {
      await sluice.close();
    }
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** The cases are older than `request.replaces`, and their catalogs cover all that their upstreams have. */
function saidOf(route: ExchangeCase['route']): object {
  const { match, request = {} } = route as { match: string; request?: Record<string, unknown> };
  const says = ['replaces', 'keep_masked', 'refused_fields'].some((option) => option in request);
  const said = match.startsWith('PUT ') && !says ? { request: { ...request, replaces: true } } : {};
  return { upstream: 'crm', ...route, ...said };
}

/** The default policy's rules, compiled once: what differs from case to case is data. */
async function compiledRules(): Promise<PolicyBundle> {
  const files = await readPolicyDirectory(POLICIES);
  return compileFiles({ ...files, tests: [], catalogs: [], scenarios: [] }, { opa: await resolveOpa() });
}

type Data = Record<string, Record<string, Record<string, unknown>>>;

/** The caller's role and tier leave to the case who may see what. */
function policyOf({ catalog: text, roles }: ExchangeCase, rules: PolicyBundle): PolicyBundle {
  const catalog = parseCatalog('catalog', text);
  const data = structuredClone(rules.data) as Data;
  const role = data['roles']![ROLE]!;
  const purposes = data['purposes']![PURPOSE]!;
  delete purposes['actions'];
  Object.assign(role, {
    actions: ['read', 'search', 'export', 'update'],
    resources: [catalog.resource],
    categories: roles?.[ROLE] ?? {},
  });
  data['tiers']!['2']!['categories'] = Object.fromEntries(
    Object.keys(data['categories']!).map((category) => [category, 'disclose']),
  );
  const complete = {
    ...data,
    catalog: { [catalog.resource]: catalog },
    classes: { [catalog.resource]: classesOf(catalog) },
  };
  return {
    ...rules,
    data: complete,
    dataJson: JSON.stringify(complete),
    catalogs: new Map([[catalog.resource, catalog]]),
    sources: {},
  };
}

const bytesOf = ({ body = '', body_base64 }: Message): Buffer =>
  body_base64 === undefined ? Buffer.from(body) : Buffer.from(body_base64, 'base64');

function send(
  port: number,
  { method, path, headers = {}, ...message }: ExchangeCase['request'],
  caller: Readonly<Record<string, string>>,
): Promise<Received> {
  const body = bytesOf(message);
  const type = body.length > 0 && !('content-type' in headers) ? { 'content-type': 'application/json' } : {};
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      {
        port,
        host: '127.0.0.1',
        method,
        path,
        headers: {
          ...caller,
          ...type,
          ...headers,
          ...(body.length > 0 ? { 'content-length': body.length } : {}),
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

function compare({ expect }: ExchangeCase, got: Received, seen: readonly string[]): string[] {
  const text = got.body.toString('utf8');
  const faults: string[] = [];
  const { status, headers = {}, body, body_base64, body_not = [] } = expect;
  if (status !== undefined && ![status].flat().includes(got.status))
    faults.push(`status ${got.status}, not ${[status].flat().join(' or ')}: ${text}`);
  for (const [name, value] of Object.entries(headers))
    if (String(got.headers[name.toLowerCase()]) !== value)
      faults.push(`header ${name} is ${got.headers[name.toLowerCase()]}, not ${value}`);
  if (body !== undefined && text !== body) faults.push(`the body is ${text}, not ${body}`);
  if (body_base64 !== undefined && got.body.toString('base64') !== body_base64)
    faults.push(`the body is ${got.body.toString('base64')} (base64), not ${body_base64}`);
  for (const part of body_not) if (text.includes(part)) faults.push(`the body has ${part}: ${text}`);
  if (expect.upstream_not_called === true && seen.length > 0) faults.push('the upstream was called');
  if (expect.upstream_body !== undefined && !(seen.length === 1 && seen[0] === expect.upstream_body))
    faults.push(
      seen.length === 0
        ? `the upstream was not called: ${got.status} ${text}`
        : `the upstream got ${seen.join(' and ')}, not ${expect.upstream_body}`,
    );
  if (expect.soap_fault === true && !/<(?:[\w.-]+:)?Fault[\s>]/.test(text))
    faults.push(`the answer is no SOAP fault: ${got.status} ${text}`);
  return faults;
}
