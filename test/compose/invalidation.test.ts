import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDevelopmentIssuer, type DevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import type { ChangeKind } from '../../src/model/invalidation.ts';
import { type PolicyBundle, writeBundle } from '../../src/policy/bundle/bundle.ts';
import { compileFiles } from '../../src/policy/compile.ts';
import { resolveOpa } from '../../src/policy/opa/opa.ts';
import { answer, CUSTOMER, type Running, startSluice } from '../support/sluice.ts';

/** A record is disclosed while its data subject's consent is given. */
const REGO = `package sluice

# METADATA
# entrypoint: true
decision := {"allow": true, "reasons": [], "tier": null, "obligations": {}}

# METADATA
# entrypoint: true
default disclosure := {"disclose": false, "reasons": [{"code": "consent_missing"}], "classes": {}, "fields": {}}

disclosure := data.answer if {
	some consent in input.data_subject.consents
	consent.status == "given"
}
`;

/** What a caller's answer depends on. */
interface State {
  readonly consent: 'given' | 'withdrawn';
  readonly policy: 'mask' | 'drop';
  readonly revoked: boolean;
  readonly keys: 'of the token' | 'others';
}

/** Every value of every part of the state, and the kind of change that brings it into force. */
const CHANGES: readonly (readonly [ChangeKind, Partial<State>])[] = [
  ['consents', { consent: 'withdrawn' }],
  ['consents', { consent: 'given' }],
  ['policy', { policy: 'drop' }],
  ['policy', { policy: 'mask' }],
  ['revocations', { revoked: true }],
  ['revocations', { revoked: false }],
  ['keys', { keys: 'others' }],
  ['keys', { keys: 'of the token' }],
];

/** Status, and what is seen of the phone number. */
function expected({ consent, policy, revoked, keys }: State): readonly [number, string | null] {
  if (revoked || keys === 'others') return [401, null];
  if (consent === 'withdrawn') return [403, null];
  return [200, policy === 'mask' ? 'masked' : null];
}

const PHONE = '13812345678';
const ID = 'C1';
const dir = mkdtempSync(join(tmpdir(), 'sluice-invalidation-'));
let upstream: Server;
let compiled: PolicyBundle;
let own: DevelopmentIssuer;
let other: DevelopmentIssuer;
let token: string;
let running: Running;
let state: State = { consent: 'given', policy: 'mask', revoked: false, keys: 'of the token' };

/** Another process that replaces a file renames a finished one, so that nobody reads half of it. */
const replace = (name: string, content: string | Uint8Array): void => {
  writeFileSync(join(dir, `${name}.new`), content);
  renameSync(join(dir, `${name}.new`), join(dir, name));
};

const consents = ({ consent }: State): string =>
  JSON.stringify({
    version: 1,
    data_subjects: {
      [ID]: {
        consents: [
          { purpose: 'after_sales', categories: ['contact'], recipient: 'internal', status: consent },
        ],
      },
    },
  });

const bundle = ({ policy }: State): PolicyBundle => {
  const classes = { 'reference/1': 'disclose', 'identity/3': 'disclose', 'contact/3': policy };
  const data = {
    purposes: { after_sales: {} },
    partners: {},
    answer: answer(classes),
    catalog: { customer: { resource: 'customer', ...CUSTOMER } },
  };
  return { ...compiled, revision: policy, data, dataJson: JSON.stringify(data) };
};

const revocations = ({ revoked }: State): string => (revoked ? '- jti: "the token"\n' : '[]\n');
const keys = (s: State): string => JSON.stringify((s.keys === 'of the token' ? own : other).jwks);

const WRITE: { readonly [K in ChangeKind]: (s: State) => Promise<void> | void } = {
  consents: (s) => replace('consents.yaml', consents(s)),
  policy: async (s) => replace('bundle.tar.gz', await writeBundle(bundle(s))),
  revocations: (s) => replace('revoked.yaml', revocations(s)),
  keys: (s) => replace('issuer.json', keys(s)),
};

async function change(kind: ChangeKind, part: Partial<State>): Promise<void> {
  const next = { ...state, ...part };
  const isNew = Object.entries(part).some(([name, value]) => state[name as keyof State] !== value);
  const announced = new Promise<void>((resolve) => {
    const unsubscribe = running.sluice.invalidation.subscribe((announced) => {
      if (announced.kind !== kind) return;
      unsubscribe();
      resolve();
    });
    if (!isNew) unsubscribe();
  });
  state = next;
  if (!isNew) return;
  await WRITE[kind](next);
  await announced;
}

async function ask(): Promise<readonly [number, string | null]> {
  const response = await fetch(`http://127.0.0.1:${running.port}/customers/${ID}`, {
    headers: { authorization: `Bearer ${token}`, 'sluice-purpose': 'after_sales' },
  });
  const body = (await response.json()) as { readonly phone?: string };
  if (response.status === 200) expect(body).toMatchObject({ id: ID });
  return [response.status, body.phone === undefined ? null : body.phone === PHONE ? 'disclosed' : 'masked'];
}

beforeAll(async () => {
  upstream = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ id: ID, name: '张三', phone: PHONE }));
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  compiled = await compileFiles(
    {
      dir: 'invalidation',
      rego: [{ path: 'sluice/policy.rego', text: REGO }],
      tests: [],
      data: [],
      catalogs: [],
      scenarios: [],
    },
    { opa: await resolveOpa() },
  );
  own = await createDevelopmentIssuer();
  other = await createDevelopmentIssuer();
  token = await own.sign({ sub: 'u-1', jti: 'the token', roles: ['support'], org: 'internal', clearance: 3 });
  await WRITE.revocations(state);
  await WRITE.keys(state);
  running = await startSluice({
    dir,
    upstream: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
    policy: bundle(state),
    dataSubjects: (JSON.parse(consents(state)) as { data_subjects: Record<string, object> }).data_subjects,
    config: {
      identity: {
        issuers: [
          {
            issuer: own.issuer,
            audience: own.audience,
            jwks: { file: './issuer.json' },
            algorithms: ['ES256'],
            claims: { roles: 'roles', organization: 'org', clearance: 'clearance' },
          },
        ],
        revocations: './revoked.yaml',
      },
    },
  });
});

afterAll(async () => {
  await running?.close();
  upstream.close();
  rmSync(dir, { recursive: true, force: true });
});

test.each(CHANGES)('the first request after an announcement of %s sees %o', async (kind, part) => {
  // Twice, so that whatever is cached comes from the state before.
  expect(await ask()).toEqual(expected(state));
  expect(await ask()).toEqual(expected(state));
  await change(kind, part);
  expect(await ask()).toEqual(expected(state));
});

test('the first request after an announcement sees the change, whatever changed before', async () => {
  const changes = fc.array(fc.constantFrom(...CHANGES), { minLength: 4, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(changes, async (list) => {
      for (const [kind, part] of list) {
        await change(kind, part);
        expect(await ask()).toEqual(expected(state));
      }
    }),
    // The sidecar keeps its state from run to run: a shrunk sequence would begin elsewhere.
    { numRuns: 5, endOnFailure: true },
  );
});
