/** The default policy, and the same policy with more data than anybody has. */
import { fileURLToPath } from 'node:url';
import type { PolicyBundle } from '../../src/policy/bundle/bundle.ts';
import { compileFiles } from '../../src/policy/compile.ts';
import { type PolicyFile, readPolicyDirectory } from '../../src/policy/directory.ts';
import { type Opa, resolveOpa } from '../../src/policy/opa/opa.ts';
import type { DisclosureInput, PolicyInput } from '../../src/model/input.ts';

export const DEFAULT_POLICY = fileURLToPath(new URL('../../policies', import.meta.url));
export const opa: Opa = await resolveOpa();

/** with `fields` further fields (of the classes there are) and `roles` further roles */
export const enlarged = async (fields: number, roles: number): Promise<PolicyBundle> => {
  const files = await readPolicyDirectory(DEFAULT_POLICY);
  const lines = Array.from(
    { length: fields },
    (_, i) => `  /extra/f${i}: { category: contact, grade: ${2 + (i % 2)} }`,
  );
  const catalogs = files.catalogs.map(
    (f): PolicyFile =>
      f.path.endsWith('customer.yaml')
        ? { ...f, text: f.text.replace(/^fields:$/m, `fields:\n${lines.join('\n')}`) }
        : f,
  );
  const more = Array.from(
    { length: roles },
    (_, i) =>
      `  extra_${i}: { title: x, subject_types: [user], recipients: internal, purposes: [after_sales], actions: [read], resources: [customer], categories: { contact: use }, max_grade: 3, max_records: 10, mfa: by_rule }`,
  );
  const data = files.data.map(
    (f): PolicyFile =>
      f.path === 'data/roles.yaml' ? { ...f, text: `${f.text.trimEnd()}\n${more.join('\n')}\n` } : f,
  );
  return compileFiles({ ...files, catalogs, data }, { opa });
};

const deepFreeze = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null)
    for (const v of Object.values(Object.freeze(value))) deepFreeze(v);
  return value;
};

/** As the pipeline builds it: the subject is kept with its token, the rest is new for each request. */
const subject = deepFreeze({
  type: 'user',
  id: 'u-17',
  properties: {
    roles: ['support'],
    department: 'after-sales',
    organization: 'internal',
    clearance: 3,
    assurance: { amr: ['pwd', 'otp'], acr: '2', auth_time: 1_767_225_600 },
  },
});

export const decisionInput = (n: number): PolicyInput => ({
  subject,
  action: { name: 'read', properties: { query_fields: [], body_fields: [] } },
  resource: { type: 'customer', id: `C${n}`, properties: { source: 'crm' } },
  context: {
    purpose: 'after_sales',
    tier: 2,
    recipient: 'internal',
    justification: 'ticket 8812',
    time: '2026-11-22T08:00:00Z',
    grants: [],
    request: { method: 'GET', route: 'GET /api/customers/{id}', client_ip: '10.0.0.7' },
  },
});

export const disclosureInput = (n: number): DisclosureInput => ({
  ...decisionInput(n),
  data_subject: {
    consents: [
      {
        purpose: 'after_sales',
        categories: ['contact', 'transaction'],
        recipient: 'internal',
        status: 'given',
        explicit: true,
      },
      { purpose: 'marketing', categories: ['contact'], recipient: 'internal', status: 'withdrawn' },
    ],
    flags: [],
  },
  record: { attributes: { vip: false, region: '广东省' } },
});
