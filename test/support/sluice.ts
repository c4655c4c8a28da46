/**
 * A whole Sluice in front of an upstream, composed as `sluice serve` composes it, in a directory of its own. Its policy answers what
 * the test puts into its data; the Rego is compiled once a test file.
 */
import { recordsOf } from './journals.ts';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compose, type ComposeDependencies, type Sluice } from '../../src/compose/compose.ts';
import { parseConfig } from '../../src/config/index.ts';
import { createDevelopmentIssuer, type DevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import type { DecisionRecord } from '../../src/model/record.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { type PolicyBundle, writeBundle } from '../../src/policy/bundle/bundle.ts';
import { compileFiles } from '../../src/policy/compile.ts';
import { resolveOpa } from '../../src/policy/opa/opa.ts';

/**
 * `data.answers[resource][action or "*"]` is the disclosure answer, `data.answers[resource].objects` that about whoever has the flag
 * `objects`; the flag `restricted` withholds a record, the role `denied` a request; `data.obligations[resource]` are the obligations.
 */
export const SCRIPTED = `package sluice

# METADATA
# title: May this request go on
# entrypoint: true
default decision := {"allow": false, "reasons": [{"code": "role_denied"}], "tier": null, "obligations": {}}

decision := {
	"allow": true,
	"reasons": [],
	"tier": input.context.tier,
	"obligations": object.get(data.obligations, input.resource.type, {}),
} if {
	not "denied" in input.subject.properties.roles
}

# METADATA
# title: What happens to each class
# entrypoint: true
default disclosure := {"disclose": false, "reasons": [{"code": "no_answer"}], "classes": {}, "fields": {}}

disclosure := {"disclose": false, "reasons": [{"code": "restricted"}], "classes": {}, "fields": {}} if {
	"restricted" in input.data_subject.flags
}

disclosure := _answer if {
	not "restricted" in input.data_subject.flags
	not "objects" in input.data_subject.flags
}

disclosure := data.answers[input.resource.type].objects if "objects" in input.data_subject.flags

_answer := data.answers[input.resource.type][input.action.name]

_answer := data.answers[input.resource.type]["*"] if not data.answers[input.resource.type][input.action.name]
`;

let compiled: Promise<PolicyBundle> | undefined;
const scripted = (): Promise<PolicyBundle> => {
  compiled ??= resolveOpa().then((opa) =>
    compileFiles(
      {
        dir: 'scripted',
        rego: [{ path: 'sluice/scripted.rego', text: SCRIPTED }],
        tests: [],
        data: [],
        catalogs: [],
        scenarios: [],
      },
      { opa },
    ),
  );
  return compiled;
};

/** a treatment for each class, in short: `{ 'contact/3': 'mask' }` */
export const answer = (
  classes: Readonly<Record<string, string>>,
  fields: Readonly<Record<string, string>> = {},
): object => ({
  disclose: true,
  reasons: [],
  classes: Object.fromEntries(
    Object.entries(classes).map(([cls, treatment]) => [cls, { do: treatment, because: 'scripted' }]),
  ),
  fields: Object.fromEntries(
    Object.entries(fields).map(([path, treatment]) => [path, { do: treatment, because: 'scripted' }]),
  ),
});

/** One customer: the id and name leave, the phone is masked, the id number and everything else stays behind. */
export const CUSTOMER = {
  data_subject: ['/id'],
  attributes: {},
  fields: {
    '/id': { category: 'reference', grade: 1 },
    '/name': { category: 'identity', grade: 3, mask: 'person_name' },
    '/phone': { category: 'contact', grade: 3, mask: 'phone' },
    '/id_number': { category: 'identity', grade: 4, mask: 'national_id' },
    '/city': { category: 'contact', grade: 1 },
  },
  envelope: { '/items': { is: 'records' }, '/total': { is: 'record_count' } },
};
export const CUSTOMER_ANSWER = answer({
  'reference/1': 'disclose',
  'contact/1': 'disclose',
  'identity/3': 'disclose',
  'contact/3': 'mask',
  'identity/4': 'drop',
});
export const CUSTOMER_ROUTES = [
  {
    match: 'GET /customers/{id}',
    upstream: 'crm',
    resource: 'customer',
    action: 'read',
    id: '{id}',
    data_subject: '{id}',
  },
  {
    match: 'GET /customers',
    upstream: 'crm',
    resource: 'customer',
    action: 'search',
    records: '/items/*',
    query_fields: { phone: '/phone', city: '/city', id_number: '/id_number', name: '/name' },
    query_params: ['limit'],
  },
  {
    match: 'PUT /customers/{id}',
    upstream: 'crm',
    resource: 'customer',
    action: 'update',
    id: '{id}',
    data_subject: '{id}',
    request: { replaces: false },
  },
];

export interface Setup {
  /** URL of the upstream `crm` */
  readonly upstream?: string;
  /** settings of the upstream besides its URL */
  readonly crm?: object;
  readonly routes?: readonly object[];
  readonly catalogs?: Readonly<Record<string, object>>;
  readonly answers?: Readonly<Record<string, Readonly<Record<string, object>>>>;
  readonly obligations?: Readonly<Record<string, object>>;
  /** documents of the policy's data besides, e.g. `flags` */
  readonly data?: Readonly<Record<string, unknown>>;
  /** id of a data subject → its entry in consents.yaml */
  readonly dataSubjects?: Readonly<Record<string, object>>;
  /** `aliases` of consents.yaml */
  readonly aliases?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** members of the section `identity` besides the harness's */
  readonly identity?: object;
  /** sections of sluice.yaml that win over the harness's */
  readonly config?: Readonly<Record<string, unknown>>;
  /** use this directory, and leave it there at the end */
  readonly dir?: string;
  /** a compiled policy with its data, instead of the scripted one */
  readonly policy?: PolicyBundle;
  /** claims of the ordinary caller's token, instead of the harness's */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** parts that win over those of sluice.yaml */
  readonly parts?: Pick<ComposeDependencies, 'clock' | 'given'>;
}

export interface Running {
  readonly sluice: Sluice;
  readonly port: number;
  readonly adminPort: number;
  readonly dir: string;
  readonly journal: string;
  readonly issuer: DevelopmentIssuer;
  /** a token of an ordinary caller */
  readonly token: string;
  /** headers of an ordinary caller */
  readonly caller: Readonly<Record<string, string>>;
  /** everything logged so far */
  log(): string;
  /** decision records in the journal, without those of the start */
  records(): DecisionRecord[];
  /** lines of the journal as they stand */
  journalText(): string;
  admin(path: string): Promise<{ readonly status: number; readonly text: string }>;
  close(): Promise<void>;
}

export const journalText = (dir: string): string =>
  readdirSync(dir)
    .filter((f) => f.endsWith('.jsonl'))
    .sort()
    .map((f) => readFileSync(join(dir, f), 'utf8'))
    .join('');

export const recordsIn = (dir: string): DecisionRecord[] =>
  recordsOf(dir).filter((r) => r.kind === 'disclosure' || r.kind === 'mcp');

/** The scripted policy with what the test puts into its data. */
async function scriptedWith(setup: Setup): Promise<PolicyBundle> {
  const data = {
    purposes: { after_sales: {}, marketing: {} },
    partners: { logistics: {} },
    answers: setup.answers ?? { customer: { '*': CUSTOMER_ANSWER } },
    obligations: setup.obligations ?? {},
    ...setup.data,
    catalog: Object.fromEntries(
      Object.entries(setup.catalogs ?? { customer: CUSTOMER }).map(([resource, catalog]) => [
        resource,
        { resource, ...catalog },
      ]),
    ),
  };
  return { ...(await scripted()), data, dataJson: JSON.stringify(data) };
}

/** Files of a Sluice: policy bundle, keys, consents, and what stands in sluice.yaml. */
export async function prepare(
  setup: Setup,
  issuer: DevelopmentIssuer,
): Promise<{ readonly dir: string; readonly file: string; readonly text: string }> {
  const dir = setup.dir ?? mkdtempSync(join(tmpdir(), 'sluice-whole-'));
  mkdirSync(dir, { recursive: true });
  const bundle = setup.policy ?? (await scriptedWith(setup));
  writeFileSync(join(dir, 'bundle.tar.gz'), await writeBundle(bundle));
  writeFileSync(join(dir, 'keys.json'), JSON.stringify(issuer.jwks));
  writeFileSync(
    join(dir, 'consents.yaml'),
    JSON.stringify({
      version: 1,
      data_subjects: setup.dataSubjects ?? {},
      ...(setup.aliases === undefined ? {} : { aliases: setup.aliases }),
    }),
  );
  const text = JSON.stringify({
    version: 1,
    listen: { proxy: '127.0.0.1:0', admin: '127.0.0.1:0' },
    upstreams: { crm: { url: setup.upstream ?? 'http://127.0.0.1:9', ...setup.crm } },
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
            properties: { provinces: 'provinces' },
          },
        },
      ],
      ...setup.identity,
    },
    policy: { bundle: './bundle.tar.gz' },
    consent: { file: './consents.yaml' },
    decision_log: { journal: { dir: './journal' } },
    routes: setup.routes ?? CUSTOMER_ROUTES,
    ...setup.config,
  });
  const file = join(dir, 'sluice.yaml');
  writeFileSync(file, text);
  return { dir, file, text };
}

const ORDINARY = { sub: 'u-1', roles: ['support'], dept: 'after-sales', org: 'internal', clearance: 3 };

let shared: Promise<DevelopmentIssuer> | undefined;

export async function startSluice(setup: Setup = {}): Promise<Running> {
  shared ??= createDevelopmentIssuer();
  const issuer = await shared;
  const { dir, file, text } = await prepare(setup, issuer);
  const logged: string[] = [];
  const logger = createLogger({ level: 'debug' }, { write: (line: string) => void logged.push(line) });
  const env = { ...process.env };
  const sluice = await compose(parseConfig(text, file, env), { logger, ...setup.parts });
  const token = await issuer.sign(setup.claims ?? ORDINARY);
  const adminPort = Number(new URL(sluice.admin).port);
  return {
    sluice,
    port: Number(new URL(sluice.proxy).port),
    adminPort,
    dir,
    journal: sluice.log.dir,
    issuer,
    token,
    caller: { Authorization: `Bearer ${token}`, 'Sluice-Purpose': 'after_sales' },
    log: () => logged.join(''),
    records: () => recordsIn(sluice.log.dir),
    journalText: () => journalText(sluice.log.dir),
    async admin(path) {
      const response = await fetch(`http://127.0.0.1:${adminPort}${path}`);
      return { status: response.status, text: await response.text() };
    },
    async close() {
      await sluice.close();
      if (setup.dir === undefined) rmSync(dir, { recursive: true, force: true });
    },
  };
}
