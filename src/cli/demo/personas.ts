/** The personas of the demo: tokens and headers only. The policy decides what each may see. */

export interface Persona {
  readonly key: string;
  /** column heading: subject, purpose, data subject */
  readonly title: string;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly path: string;
  /** pointer to the record to show; null: the response itself */
  readonly record: string | null;
}

const staff = { org: 'internal', amr: ['pwd', 'otp'], acr: 'aal2' };

export const PERSONAS: readonly Persona[] = [
  {
    key: 'support',
    title: 'support\nafter_sales\nC100001',
    claims: { sub: 'u-17', roles: ['support'], dept: 'after-sales', clearance: 3, ...staff },
    headers: { 'Sluice-Purpose': 'after_sales' },
    path: '/api/customers/C100001',
    record: null,
  },
  {
    key: 'adjuster-emergency',
    title: 'adjuster\nemergency\nC100001',
    claims: { sub: 'u-21', roles: ['adjuster'], dept: 'claims', clearance: 4, ...staff },
    headers: {
      'Sluice-Purpose': 'emergency',
      'Sluice-Justification': 'accident on the A4, driver unconscious',
    },
    path: '/api/customers/C100001',
    record: null,
  },
  {
    key: 'adjuster-no-mfa',
    title: 'adjuster\nclaims, no MFA\nC100001',
    claims: { sub: 'u-22', roles: ['adjuster'], dept: 'claims', clearance: 4, org: 'internal', amr: ['pwd'] },
    headers: { 'Sluice-Purpose': 'claims' },
    path: '/api/customers/C100001',
    record: null,
  },
  {
    key: 'adjuster-claims',
    title: 'adjuster\nclaims\nC100001',
    claims: { sub: 'u-21', roles: ['adjuster'], dept: 'claims', clearance: 4, ...staff },
    headers: { 'Sluice-Purpose': 'claims' },
    path: '/api/customers/C100001',
    record: null,
  },
  {
    key: 'analyst',
    title: 'analyst\nmarket_research\na page of 200',
    claims: { sub: 'u-40', roles: ['analyst'], dept: 'marketing', clearance: 2, ...staff },
    headers: { 'Sluice-Purpose': 'market_research' },
    path: '/api/customers?limit=200',
    record: '/items/0',
  },
  {
    key: 'partner',
    title: 'logistics partner\ndelivery\nC100001 (agreed)',
    claims: { sub: 'p-3', roles: ['courier'], org: 'swift_logistics', clearance: 3, amr: ['pwd', 'otp'] },
    headers: { 'Sluice-Purpose': 'delivery' },
    path: '/api/customers/C100001',
    record: null,
  },
  {
    key: 'partner-no-consent',
    title: 'logistics partner\ndelivery\nC100002 (never asked)',
    claims: { sub: 'p-3', roles: ['courier'], org: 'swift_logistics', clearance: 3, amr: ['pwd', 'otp'] },
    headers: { 'Sluice-Purpose': 'delivery' },
    path: '/api/customers/C100002',
    record: null,
  },
  {
    key: 'support-withdrawn',
    title: 'support\nafter_sales\nC100003 (withdrew)',
    claims: { sub: 'u-17', roles: ['support'], dept: 'after-sales', clearance: 3, ...staff },
    headers: { 'Sluice-Purpose': 'after_sales' },
    path: '/api/customers/C100003',
    record: null,
  },
];

/** Rows of the table: all fields of the customer's record, in its order. */
export const ROWS: readonly string[] = [
  '/id',
  '/name',
  '/id_number',
  '/gender',
  '/birth_date',
  '/phone',
  '/email',
  '/address/province',
  '/address/city',
  '/address/street',
  '/address/postcode',
  '/emergency_contact/name',
  '/emergency_contact/relation',
  '/emergency_contact/phone',
  '/policies/0/policy_no',
  '/policies/0/product',
  '/policies/0/premium',
  '/claims/0/claim_no',
  '/claims/0/amount',
  '/claims/0/diagnosis',
  '/orders/0/order_no',
  '/orders/0/item',
  '/orders/0/amount',
  '/preferences/channel',
  '/preferences/interests',
  '/bank_card',
  '/password_hash',
  '/notes',
  '/vip',
  '/created_at',
  '/agent/name',
  '/agent/work_phone',
  '/agent/phone',
  '/agent/salary',
]; // prettier-ignore
