/** What the tests of the policy engine share: the fixture compiled once, and inputs. */
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DisclosureInput, PolicyInput } from '../../src/model/input.ts';
import type { PolicyBundle } from '../../src/policy/bundle/bundle.ts';
import { compileFiles, compilePolicy } from '../../src/policy/compile.ts';
import type { PolicyFile } from '../../src/policy/directory.ts';
import { type Opa, resolveOpa } from '../../src/policy/opa/opa.ts';

export const FIXTURE = fileURLToPath(new URL('./fixtures/policy', import.meta.url));

let found: Promise<Opa> | undefined;
export const opa = (): Promise<Opa> => {
  found ??= resolveOpa();
  return found;
};

let compiled: Promise<PolicyBundle> | undefined;
export const fixture = (): Promise<PolicyBundle> => {
  compiled ??= opa().then((o) => compilePolicy(FIXTURE, { opa: o }));
  return compiled;
};

/** a policy written in a test; entrypoints that it does not define answer nothing */
export const policyOf = async (
  rego: string,
  more: { readonly data?: string; readonly catalog?: string; readonly entrypoints?: readonly string[] } = {},
): Promise<PolicyBundle> => {
  const file = (path: string, text: string | undefined): PolicyFile[] =>
    text === undefined ? [] : [{ path, text }];
  return compileFiles(
    {
      dir: 'policy',
      rego: [{ path: 'sluice/policy.rego', text: rego }],
      tests: [],
      data: file('data/data.yaml', more.data),
      catalogs: file('catalog/catalog.yaml', more.catalog),
      scenarios: [],
    },
    { opa: await opa(), ...(more.entrypoints === undefined ? {} : { entrypoints: more.entrypoints }) },
  );
};

const made: string[] = [];
export const scratch = async (): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  made.push(dir);
  return dir;
};
// Test files share this module: a hook would belong to the first of them alone.
process.once('exit', () => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
});

export const inputFor = (role: string, purpose: string, time = '2026-11-22T08:00:00Z'): PolicyInput => ({
  subject: {
    type: 'user',
    id: 'u-17',
    properties: {
      roles: [role],
      department: 'after-sales',
      organization: 'internal',
      clearance: 3,
      assurance: { amr: ['pwd', 'otp'], acr: '2', auth_time: 1767225600 },
    },
  },
  action: { name: 'read', properties: { query_fields: [], body_fields: [] } },
  resource: { type: 'customer', id: 'C100234', properties: { source: 'crm' } },
  context: {
    purpose,
    tier: 2,
    recipient: 'internal',
    justification: null,
    time,
    grants: [],
    request: { method: 'GET', route: 'GET /api/customers/{id}', client_ip: '10.0.0.7' },
  },
});

export const disclosureFor = (
  input: PolicyInput,
  consents: DisclosureInput['data_subject']['consents'] = [],
): DisclosureInput => ({ ...input, data_subject: { consents, flags: [] }, record: { attributes: {} } });

export const codesOf = (answer: { readonly reasons: readonly { readonly code: string }[] }): string[] =>
  answer.reasons.map((r) => r.code);

/** the error that a promise is rejected with */
export const rejection = async (
  promise: Promise<unknown>,
): Promise<Error & { code?: string; at?: unknown }> => {
  try {
    await promise;
  } catch (e) {
    return e as Error;
  }
  throw new Error('it was expected to fail');
};
