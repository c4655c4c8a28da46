/**
 * Drafts of decision records in the shape of real ones: 800 employees, 200,000 customers and 12 partners over 90 days. A few employees and
 * customers have most of the requests. The same number gives the same draft, but for nothing random.
 */
import { createHmac } from 'node:crypto';
import type { DecisionRecordDraft, DisclosureSummary, WithheldPath } from '../../src/model/record.ts';

const DAY = 86_400_000;
export const DAYS = 90;
export const FROM = Date.UTC(2026, 0, 1);

/** mulberry32: a generator with a seed, so that a run can be repeated */
function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const KEY = Buffer.alloc(32, 7);
const hmacs = new Map<number, string>();
/** The id of a customer as it is in a record. */
export function customer(n: number): string {
  const known = hmacs.get(n);
  if (known !== undefined) return known;
  const made = `hmac:0011aabb:${createHmac('sha256', KEY).update(`C${n}`).digest('hex')}`;
  hmacs.set(n, made);
  return made;
}

const CUSTOMERS = 200_000;
const EMPLOYEES = 800;
const PATHS = [
  '/name',
  '/phone',
  '/email',
  '/id_number',
  '/address/street',
  '/address/city',
  '/orders/*/id',
  '/orders/*/amount',
  '/orders/*/created_at',
  '/bank_card',
  '/emergency_contact/name',
  '/emergency_contact/phone',
  '/preferences/language',
]; // prettier-ignore
const CLASSES = [
  'identity/3',
  'contact/3',
  'contact/3',
  'identity/4',
  'contact/3',
  'contact/2',
  'reference/1',
  'transaction/2',
  'transaction/2',
  'financial/4',
  'emergency_contact/3',
  'emergency_contact/3',
  'preference/2',
]; // prettier-ignore

interface Route {
  readonly action: 'read' | 'search' | 'export' | 'update';
  readonly route: string;
  /** share of the requests, of this route and those before */
  readonly until: number;
}
const ROUTES: readonly Route[] = [
  { action: 'read', route: 'GET /api/customers/{id}', until: 0.55 },
  { action: 'read', route: 'GET /api/customers/{id}/orders', until: 0.75 },
  { action: 'search', route: 'GET /api/customers', until: 0.92 },
  { action: 'update', route: 'PUT /api/customers/{id}', until: 0.99 },
  { action: 'export', route: 'GET /partners/export', until: 1 },
];
const PURPOSES = ['after_sales', 'claims', 'fraud_prevention', 'billing'];
const RECIPIENTS = ['internal', ...Array.from({ length: 12 }, (_, i) => `partner-${i + 1}`)];
const REFUSALS = ['purpose_not_allowed', 'consent_withdrawn', 'clearance_too_low', 'locked'];

const rolesOf = (n: number) => [['support'], ['claims'], ['support', 'lead'], ['analyst']][n % 4]!;
const subjects = new Map<string, object>();
/** A login changes what is recorded about a caller, once a day. */
function employee(n: number, day: number): { readonly id: string } {
  const key = `${n} ${day}`;
  const known = subjects.get(key);
  if (known !== undefined) return known as { readonly id: string };
  if (subjects.size > 5 * EMPLOYEES) subjects.clear();
  const auth_time = (FROM + day * DAY) / 1000 + n * 7;
  const properties = {
    roles: rolesOf(n),
    department: `dept-${n % 9}`,
    organization: 'internal',
    clearance: 2 + (n % 3),
    assurance: { amr: ['pwd', 'otp'], acr: '2', auth_time },
  }; // prettier-ignore
  const made = { type: 'user', id: `u-${n}`, properties };
  subjects.set(key, made);
  return made;
}

/** What is released depends on the role, the purpose and which members the customer has: some hundred combinations. */
const shapes = new Map<number, Pick<DisclosureSummary, 'released' | 'withheld' | 'by_class'>>();
function shape(role: number, purpose: number, members: number) {
  const key = (role * 8 + purpose) * 16 + members;
  const known = shapes.get(key);
  if (known !== undefined) return known;
  const released: string[] = [];
  const withheld: WithheldPath[] = [];
  const by_class: { [cls: string]: { [treatment: string]: number } } = {};
  PATHS.forEach((path, i) => {
    if (members & (1 << (i % 4)) && i > 8) return;
    const treatment = (i * 7 + role * 3 + purpose) % 5;
    const cls = CLASSES[i]!;
    const what = ['disclose', 'disclose', 'mask', 'drop', 'disclose'][treatment]!;
    // The card number leaves for one purpose and one role only.
    const isRare = path === '/bank_card' && !(role === 3 && purpose === 2);
    const done = isRare ? 'drop' : what;
    if (done === 'disclose') released.push(path);
    else
      withheld.push({
        path,
        class: cls,
        do: done,
        because: done === 'mask' ? 'consent_missing' : 'grade_above_clearance',
        count: 1,
      }); // prettier-ignore
    by_class[cls] = { ...by_class[cls], [done]: (by_class[cls]?.[done] ?? 0) + 1 };
  });
  const made = { released, withheld, by_class };
  shapes.set(key, made);
  return made;
}

const id = (at: number, n: number, next: () => number): string => {
  const time = at.toString(16).padStart(12, '0');
  const tail = Math.floor(next() * 0xffffffff)
    .toString(16)
    .padStart(8, '0'); // prettier-ignore
  return `${time.slice(0, 8)}-${time.slice(8)}-7${(n & 0xfff).toString(16).padStart(3, '0')}-8${tail.slice(0, 3)}-${tail}${(n & 0xffff).toString(16).padStart(4, '0')}`;
};

/** Yields `count` drafts in the order of their time. */
export function* drafts(count: number, seed = 1): Generator<DecisionRecordDraft, void, void> {
  const next = random(seed);
  const skewed = (n: number): number => Math.floor(next() ** 3 * n);
  for (let n = 0; n < count; n++) {
    const at = FROM + Math.floor((n / count) * DAYS * DAY);
    const timestamp = new Date(at + 3).toISOString();
    const day = Math.floor((at - FROM) / DAY);
    const who = skewed(EMPLOYEES);
    const subject = employee(who, day);
    const pick = next();
    const { action, route } = ROUTES.find(({ until }) => pick < until)!;
    const purpose = PURPOSES[skewed(PURPOSES.length)]!;
    const recipient = action === 'export' ? RECIPIENTS[1 + skewed(12)]! : 'internal';
    const revision = createRevision(Math.floor(day / 7));
    const refused = next() < 0.06 ? REFUSALS[skewed(REFUSALS.length)]! : null;
    const isMany = action === 'search' || action === 'export';
    const found = isMany ? 1 + Math.floor(next() * 20) : 1;
    const customers = Array.from({ length: found }, () => skewed(CUSTOMERS));
    const data_subjects = [...new Set(customers.map(customer))];
    const resource = {
      type: 'customer',
      ...(isMany ? {} : { id: data_subjects[0]! }),
      properties: { source: 'crm' },
    };
    const grant_id = next() < 0.002 ? `g-${Math.floor(n / 5000)}` : null;
    const justification = next() < 0.3 ? `工单 ${80_000 + n}` : null;
    const fields = shape(who % 4, PURPOSES.indexOf(purpose), skewed(16));
    const client_ip = `10.0.${who % 8}.${who % 250}`;
    const method = route.slice(0, route.indexOf(' '));
    const reasons = refused === null ? [] : [{ code: refused, message: `Refused: ${refused}.` }];
    yield {
      decision_id: id(at, n, next),
      timestamp,
      kind: 'disclosure',
      outcome: refused !== null ? 'denied' : fields.withheld.length > 0 ? 'modified' : 'allowed',
      subject: subject as DecisionRecordDraft['subject'],
      action,
      resource,
      purpose,
      tier: 2,
      recipient,
      justification,
      grant_id,
      claimed: [],
      reasons,
      disclosure:
        refused !== null
          ? null
          : {
              records: data_subjects.length,
              records_withheld: 0,
              ...fields,
              data_subjects,
              consents: data_subjects.slice(0, 2).map((_, i) => `c-${customers[i]}`),
            },
      request: { method, route, path: route.slice(method.length + 1), client_ip },
      upstream: refused !== null ? null : { name: 'crm', status: 200 },
      response: { status: refused !== null ? 403 : 200, bytes: 900 + Math.floor(next() * 4000) },
      policy: { revision, bundle: 'policies' },
      input: {
        subject,
        action: { name: action, properties: { query_fields: [], body_fields: [] } },
        resource,
        context: {
          purpose,
          tier: 2,
          recipient,
          justification,
          time: timestamp,
          grants: [],
          request: { method, route, client_ip },
        },
      } as unknown as DecisionRecordDraft['input'],
      timings_us: {
        identity: 10 + skewed(40),
        routing: 3,
        policy: 40 + skewed(200),
        upstream: 1000 + skewed(9000),
        disclosure: 60 + skewed(300),
      },
      trace_id: null,
      labels: {},
      part: { number: 1, last: true },
    }; // prettier-ignore
  }
}

const revisions: string[] = [];
const createRevision = (week: number): string =>
  (revisions[week] ??= createHmac('sha256', KEY).update(`revision ${week}`).digest('hex').slice(0, 16));
