/** Drafts of decision records for tests: realistic, different for each number. */
import { newDecisionId } from '../../src/decision-log/ids.ts';
import type { DecisionRecordDraft } from '../../src/model/record.ts';

export function draft(n = 0, over: Partial<DecisionRecordDraft> = {}): DecisionRecordDraft {
  const subject = {
    type: 'user',
    id: `u-${n % 7}`,
    properties: {
      roles: ['support'],
      department: 'after-sales',
      organization: 'internal',
      clearance: 3,
      assurance: { amr: ['pwd', 'otp'], acr: '2', auth_time: 1_767_225_600 },
    },
  };
  const resource = { type: 'customer', id: `C${100_000 + n}`, properties: { source: 'crm' } };
  const timestamp = new Date(
    Date.UTC(2026, 10, 22, 8, 0, 0, n % 1000) + Math.floor(n / 1000) * 60_000,
  ).toISOString();
  const context = {
    purpose: 'after_sales',
    tier: 2 as const,
    recipient: 'internal',
    justification: `工单 ${8000 + n}`,
    time: timestamp,
    grants: [],
    request: { method: 'GET', route: 'GET /api/customers/{id}', client_ip: '10.0.0.7' },
  };
  return {
    decision_id: newDecisionId(),
    timestamp,
    kind: 'disclosure',
    outcome: n % 5 === 0 ? 'denied' : 'modified',
    subject,
    action: 'read',
    resource,
    purpose: 'after_sales',
    tier: 2,
    recipient: 'internal',
    justification: context.justification,
    grant_id: null,
    reasons:
      n % 5 === 0
        ? [{ code: 'purpose_not_allowed', message: 'Role support may not act for this purpose.' }]
        : [],
    disclosure: {
      records: 1,
      records_withheld: 0,
      released: ['/id', '/name', '/orders/*/amount', '/orders/*/id'],
      withheld: [
        { path: '/phone', class: 'contact/3', do: 'mask', because: 'consent_missing', count: 1 },
        { path: '/id_number', class: 'identity/4', do: 'drop', because: 'grade_above_clearance', count: 1 },
        { path: '/notes', do: 'drop', because: 'free_text', count: 1 },
      ],
      by_class: { 'transaction/2': { disclose: 9 }, 'contact/3': { mask: 1 }, 'identity/4': { drop: 1 } },
      data_subjects: [`hmac:0011aabb:${String(n).padStart(64, '0')}`],
      consents: [`c-${n}`],
    },
    request: {
      method: 'GET',
      route: 'GET /api/customers/{id}',
      path: '/api/customers/{id}',
      client_ip: '10.0.0.7',
    },
    upstream: { name: 'crm', status: 200 },
    response: { status: 200, bytes: 1234 },
    policy: { revision: 'abcdef0123456789', bundle: 'policies' },
    input: {
      subject,
      action: { name: 'read', properties: { query_fields: [], body_fields: [] } },
      resource,
      context,
    },
    timings_us: { identity: 12, routing: 3, policy: 55, upstream: 1800, disclosure: 90 },
    trace_id: null,
    labels: {},
    part: { number: 1, last: true },
    ...over,
  };
}
