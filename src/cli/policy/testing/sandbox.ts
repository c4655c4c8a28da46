/**
 * Runs scenarios: a real sidecar on real sockets, with an upstream, an issuer, consents, grants and a clock that the scenario defines.
 * Only the systems around Sluice are simulated.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, createServer, type IncomingMessage, request as send, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compose, type Sluice } from '../../../compose/compose.ts';
import { parseConfig } from '../../../config/index.ts';
import { createStaticConsents, type StaticConsents } from '../../../consent/index.ts';
import { createDecisionLog, type OpenDecisionLog } from '../../../decision-log/decision-log.ts';
import { type Decision, merge } from '../../../decision-log/index/decision.ts';
import { createDevelopmentIssuer, type DevelopmentIssuer } from '../../../identity/development-issuer.ts';
import type { Grant } from '../../../model/input.ts';
import type { DecisionRecord } from '../../../model/record.ts';
import { type SubjectVerification, VERIFICATION_METHODS } from '../../../model/verification.ts';
import { createLogger } from '../../../observability/logger.ts';
import { type Scenario, type ScenarioFile, SCENARIO_NOW } from '../../../policy/schemas/scenario.ts';
import type { LivePolicy } from '../../../policy/snapshot/index.ts';
import type { LivePolicyStore } from '../../../policy/store.ts';
import { policyWith } from './scenario-files.ts';

/** The answer to a scenario's request, and its decision. */
export interface ScenarioResult {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  readonly decision: Decision | null;
  /** the requests that the upstream received, in order */
  readonly asked: readonly { readonly method: string; readonly target: string }[];
}

export interface Sandbox {
  /** Starts a sidecar for the scenarios of a file, which run one after the other. Several files may run at once. */
  open(file: ScenarioFile): Promise<SandboxedSidecar>;
  close(): Promise<void>;
}

export interface SandboxedSidecar {
  run(scenario: Scenario): Promise<ScenarioResult>;
  close(): Promise<void>;
}

const UPSTREAM = 'crm';
/** Constant, so that a scenario can expect a pseudonym. They protect nothing. */
const SECRET = (use: string): string =>
  Buffer.from(`sluice scenarios: ${use}`.padEnd(32, '.')).toString('base64');
const ENV = {
  SCENARIO_PSEUDONYMIZE: SECRET('pseudonymize'),
  SCENARIO_TOKENIZE: SECRET('tokenize'),
  SCENARIO_DATA_SUBJECTS: SECRET('data subjects'),
};

/** @throws SluiceError errors that prevent the sidecar from starting */
export async function openSandbox(whole: LivePolicy): Promise<Sandbox> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-scenarios-'));
  const issuer = await createDevelopmentIssuer();
  await writeFile(join(dir, 'keys.json'), JSON.stringify(issuer.jwks));
  const logger = createLogger({ level: 'silent' });
  const env = { ...ENV };
  const log = await createDecisionLog(
    {
      journal: { dir: join(dir, 'journal'), durability: 'interval', sync_interval: 60_000, min_free: 65_536 },
    },
    { logger, baseDir: dir },
  );
  return {
    async open(file) {
      const policy = file.data === undefined ? whole : await policyWith(whole, file.data);
      const upstream = await openUpstream();
      const clock = new FixedClock();
      const records: DecisionRecord[] = [];
      const recording: OpenDecisionLog = {
        ...log,
        async append(draft) {
          const record = await log.append(draft);
          records.push(record);
          return record;
        },
      };
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const consents: StaticConsents = createStaticConsents({}, { exposeDates: policy.reads_consent_dates });
      let grants: readonly Grant[] = [];
      let proof: Scenario['verification'];
      const loaded = parseConfig(
        JSON.stringify(configuration(file, issuer, upstream.url)),
        join(dir, 'sluice.yaml'),
        env,
      );
      const sluice: Sluice = await compose(loaded, {
        logger,
        clock,
        given: {
          log: recording,
          policy: fixed(policy),
          consents,
          grants: { active: async () => ({ grants, limited: null }), use: async () => true },
          verifications: {
            methods: VERIFICATION_METHODS,
            check: ({ at }) => (proof === undefined ? null : { state: provenBy(proof, at) }),
            mismatched: () => {},
          },
        },
      });
      const known = new Set<string>();
      return {
        async run(scenario) {
          clock.at = new Date(scenario.now ?? file.now ?? SCENARIO_NOW);
          for (const id of known) consents.forget(id);
          known.clear();
          for (const [id, state] of Object.entries(scenario.consents ?? {})) {
            known.add(id);
            consents.set(id, {
              ...(state.flags === undefined ? {} : { flags: state.flags }),
              consents: (state.consents ?? []).map((c) => ({ ...c, recipient: c.recipient ?? 'internal' })),
            });
          }
          grants = (scenario.grants ?? []) as readonly Grant[];
          proof = scenario.verification;
          upstream.answer = scenario.upstream;
          upstream.asked = [];
          records.length = 0;
          const answer = await ask(sluice.proxy, scenario, await tokenOf(scenario, issuer, clock), agent);
          return {
            ...answer,
            decision: records.length === 0 ? null : merge(records),
            asked: upstream.asked,
          };
        },
        async close() {
          // First: a closing sidecar waits for requests on connections that its callers keep open.
          agent.destroy();
          await sluice.close();
          await upstream.close();
        },
      };
    },
    async close() {
      await log.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

const provenBy = (
  { method, data_subject, failure = 'failed' }: NonNullable<Scenario['verification']>,
  at: Date,
): SubjectVerification =>
  data_subject === undefined
    ? { at: at.toISOString(), failure, method, verified: false }
    : { at: at.toISOString(), data_subject, method, verified: true };

class FixedClock {
  at = new Date(SCENARIO_NOW);
  now(): Date {
    return this.at;
  }
  micros(): number {
    return performance.now() * 1000;
  }
}

const fixed = (policy: LivePolicy): LivePolicyStore => ({
  current: () => policy,
  status: () => ({ ok: true, revision: policy.revision, activated_at: null, error: null, unavailable: null }),
  reload: async () => undefined,
  close: async () => undefined,
});

const configuration = (file: ScenarioFile, issuer: DevelopmentIssuer, upstream: string): object => ({
  version: 1,
  listen: { proxy: '127.0.0.1:0', admin: '127.0.0.1:0' },
  upstreams: Object.fromEntries(file.routes.map((r) => [upstreamOf(r), { url: upstream }])),
  identity: {
    issuers: [
      {
        issuer: issuer.issuer,
        audience: issuer.audience,
        jwks: { file: './keys.json' },
        algorithms: ['ES256'],
        claims: {
          roles: 'roles',
          department: 'dept',
          organization: 'org',
          clearance: 'clearance',
          properties: propertiesOf(file),
        },
      },
    ],
  },
  // A scenario says what its proof shows; the section is there for routes that demand one.
  verification: {
    case: {
      upstream: upstreamOf(file.routes[0]!),
      path: '/{value}',
      data_subject: '/id',
    },
    code: {
      upstream: upstreamOf(file.routes[0]!),
      path: '/',
      secret: 'env:SCENARIO_PSEUDONYMIZE',
    },
    assertion: {
      issuer: 'https://proofs.example',
      audience: 'sluice',
      algorithms: ['ES256'],
      jwks: { file: './keys.json' },
    },
  },
  policy: { dir: '.' },
  consent: { file: './consents.yaml' },
  keys: {
    pseudonyms: { use: 'pseudonymize', secret: 'env:SCENARIO_PSEUDONYMIZE' },
    tokens: { use: 'tokenize', secret: 'env:SCENARIO_TOKENIZE' },
    data_subjects: { use: 'data_subjects', secret: 'env:SCENARIO_DATA_SUBJECTS' },
  },
  routes: file.routes.map((r) => ({ upstream: UPSTREAM, ...r })),
});

const upstreamOf = (route: object): string =>
  String((route as { readonly upstream?: unknown }).upstream ?? UPSTREAM);

/** Claims of the tokens besides those with a meaning of their own are properties of the caller, under the same name. */
const propertiesOf = ({ scenarios }: ScenarioFile): Readonly<Record<string, string>> =>
  Object.fromEntries(
    scenarios
      .flatMap(({ token }) => Object.keys(token ?? {}))
      .filter((name) => /^[a-z][a-z0-9_]*$/.test(name) && !MEANT.has(name))
      .map((name) => [name, name]),
  );

const MEANT: ReadonlySet<string> = new Set([
  ...['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'purpose'],
  ...['roles', 'dept', 'org', 'clearance', 'amr', 'acr', 'auth_time', 'assurance'],
  ...['department', 'organization'],
]);

async function tokenOf(
  { token }: Scenario,
  issuer: DevelopmentIssuer,
  clock: FixedClock,
): Promise<string | null> {
  return token === null ? null : issuer.sign(token as Record<string, unknown>, 8 * 3600, clock.at);
}

function ask(
  proxy: string,
  { request }: Scenario,
  token: string | null,
  agent: Agent,
): Promise<Pick<ScenarioResult, 'status' | 'headers' | 'body'>> {
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  for (const [name, value] of Object.entries(request.headers ?? {}))
    headers[name.toLowerCase()] = /^[\x20-\x7e]*$/.test(value) ? value : encodeURIComponent(value);
  const body = bytesOf(request.body);
  if (body !== null) {
    if (typeof request.body !== 'string') headers['content-type'] ??= 'application/json';
    headers['content-length'] = String(body.length);
  }
  return new Promise((resolve, reject) => {
    const outgoing = send(
      proxy + request.path,
      { method: request.method, headers, agent },
      (response: IncomingMessage) => {
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
    outgoing.on('error', reject);
    outgoing.end(body ?? undefined);
  });
}

/** text unchanged, anything else as JSON */
const bytesOf = (body: unknown): Buffer | null =>
  body === undefined ? null : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));

interface Upstream {
  readonly url: string;
  answer: Scenario['upstream'];
  asked: { readonly method: string; readonly target: string }[];
  close(): Promise<void>;
}

async function openUpstream(): Promise<Upstream> {
  const server: Server = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      upstream.asked.push({ method: request.method ?? '', target: request.url ?? '' });
      const { answer } = upstream;
      if (answer === undefined) return response.writeHead(500).end();
      const body = bytesOf(answer.body);
      if (typeof answer.body !== 'string' && body !== null)
        response.setHeader('content-type', 'application/json');
      for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value);
      response.writeHead(answer.status);
      response.end(body ?? undefined);
    });
  });
  await new Promise<void>((resolve, reject) =>
    server.on('error', reject).listen({ port: 0, host: '127.0.0.1', exclusive: true }, resolve),
  );
  const upstream: Upstream = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answer: undefined,
    asked: [],
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return upstream;
}
