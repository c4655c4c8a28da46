/**
 * A month of an invented insurer, November 2026 in Asia/Shanghai, with things that reports must find. Everything is counted out here by hand, so
 * that a report can be compared with it.
 *
 *   working days   2 to 27 November, Monday to Friday: 20 of them
 *   clerks         ten of after-sales (u-01 … u-10, role support): each looks up the same number of customers every working day, 6 to 10 of them
 *   u-03           looks up 60 customers on 20 November
 *   u-05           works at night: 12 requests at 23:10 on 10 November
 *   C100007        is looked up by all ten clerks on 5 November
 *   u-06           tries C200001 … C200015, one after another, on 17 November; every second one is refused
 *   u-21           breaks the glass on 12 November, looks up 3 customers under it, and reads one for an emergency
 *   a parcel partner (swift_logistics) gets the address of 4 customers on each Monday
 */
import { type DataSubjectHasher, dataSubjectHasher } from '../../src/decision-log/data-subject.ts';
import type { DecisionRecordDraft } from '../../src/model/record.ts';
import { draft } from './decision-records.ts';
import { openJournal } from './journals.ts';

export const MONTH_KEY = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef';
export const pseudonym: DataSubjectHasher = dataSubjectHasher(Buffer.from(MONTH_KEY));

export const CLERKS = Array.from({ length: 10 }, (_, i) => `u-${String(i + 1).padStart(2, '0')}`);
export const WORKING_DAYS = [2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 16, 17, 18, 19, 20, 23, 24, 25, 26, 27];
/** customers of each day, for the nth clerk */
export const perDay = (clerk: number): number => 6 + (clerk % 5);
const GRANT = '01a1f0aa-0000-7000-8000-00000000feed';

/** ms since 1970 of a time in Asia/Shanghai (UTC+8) */
const at = (day: number, hour: number, minute = 0): number => Date.UTC(2026, 10, day, hour - 8, minute);

let last = 0;
/** UUIDv7 that sorts by time */
function idAt(ms: number): string {
  const time = ms.toString(16).padStart(12, '0');
  last++;
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${last.toString(16).padStart(12, '0')}`;
}

const subjectOf = (id: string, roles: readonly string[], organization = 'internal') => ({
  type: organization === 'internal' ? 'user' : 'service',
  id,
  properties: {
    roles,
    department: roles[0] === 'support' ? '售后服务部' : '理赔部',
    organization,
    clearance: 4,
    assurance: { amr: ['pwd', 'otp'], acr: null, auth_time: null },
  },
});

interface Look {
  readonly ms: number;
  readonly who: string;
  readonly customer: string;
  readonly roles?: readonly string[];
  readonly over?: Partial<DecisionRecordDraft>;
}

function look({ ms, who, customer, roles = ['support'], over = {} }: Look): DecisionRecordDraft {
  const id = pseudonym(customer);
  const denied = over.outcome === 'denied';
  return draft(0, {
    decision_id: idAt(ms),
    timestamp: new Date(ms).toISOString(),
    outcome: 'modified',
    subject: subjectOf(who, roles, over.recipient ?? 'internal'),
    resource: { type: 'customer', id, properties: {} },
    reasons: denied ? [{ code: 'consent_missing', message: 'The customer has not agreed.' }] : [],
    input: null,
    disclosure: denied
      ? null
      : {
          records: 1,
          records_withheld: 0,
          released: ['/name', '/phone'],
          withheld: [
            { path: '/id_number', class: 'identity/4', do: 'mask', because: 'grade_above_tier', count: 1 },
            {
              path: '/bank/card',
              class: 'financial/4',
              do: 'drop',
              because: 'category_outside_tier',
              count: 2,
            },
          ],
          by_class: {
            'contact/3': { disclose: 2 },
            'identity/3': { disclose: 1 },
            'identity/4': { mask: 1 },
            'financial/4': { drop: 2 },
          },
          data_subjects: [id],
          consents: [`c-${customer}`],
        },
    ...over,
  });
}

/** In the order of time. */
export function month(): readonly DecisionRecordDraft[] {
  const all: DecisionRecordDraft[] = [];
  for (const [d, day] of WORKING_DAYS.entries()) {
    for (const [c, who] of CLERKS.entries())
      for (let n = 0; n < perDay(c); n++)
        all.push(
          look({
            ms: at(day, 9 + (n % 8), 5 * c),
            who,
            customer: `C1${String(d * 100 + c * 10 + n).padStart(5, '0')}9`,
          }),
        );
    if ([2, 9, 16, 23].includes(day))
      for (let n = 0; n < 4; n++)
        all.push(
          look({
            ms: at(day, 15, n),
            who: 'p-3',
            customer: `C30000${n}`,
            roles: ['courier'],
            over: { recipient: 'swift_logistics', purpose: 'delivery' },
          }),
        );
  }
  for (const [c, who] of CLERKS.entries()) all.push(look({ ms: at(5, 10, c), who, customer: 'C100007' }));
  for (let n = 0; n < 60 - perDay(2); n++)
    all.push(
      look({
        ms: at(20, 10, n),
        who: 'u-03',
        customer: `C40${String((n * 7919) % 10_000).padStart(4, '0')}`,
      }),
    );
  for (let n = 0; n < 12; n++)
    all.push(
      look({ ms: at(10, 23, 10 + n), who: 'u-05', customer: `C50${String(17 * n).padStart(4, '0')}` }),
    );
  for (let n = 1; n <= 15; n++)
    all.push(
      look({
        ms: at(17, 16, n),
        who: 'u-06',
        customer: `C2000${String(n).padStart(2, '0')}`,
        over: n % 2 === 0 ? { outcome: 'denied' } : {},
      }),
    );
  all.push(
    draft(0, {
      decision_id: idAt(at(12, 14)),
      timestamp: new Date(at(12, 14)).toISOString(),
      kind: 'grant',
      outcome: 'allowed',
      action: 'grants.break_glass',
      subject: subjectOf('u-21', ['adjuster']),
      resource: null,
      purpose: 'claims',
      justification: '台风“海燕”理赔，系统审批人不在岗',
      grant_id: GRANT,
      reasons: [{ code: 'grant_opened', message: '' }],
      disclosure: null,
      input: null,
      labels: { holder: 'u-21' },
    }),
  );
  for (let n = 0; n < 3; n++)
    all.push(
      look({
        ms: at(12, 14, 10 + n),
        who: 'u-21',
        customer: `C60000${n}`,
        roles: ['adjuster'],
        over: { purpose: 'claims', grant_id: GRANT },
      }),
    );
  all.push(
    look({
      ms: at(12, 15),
      who: 'u-21',
      customer: 'C600000',
      roles: ['adjuster'],
      over: { purpose: 'emergency', tier: 1 },
    }),
  );
  return all.sort((a, b) =>
    a.timestamp < b.timestamp ? -1 : a.timestamp > b.timestamp ? 1 : a.decision_id < b.decision_id ? -1 : 1,
  );
}

/** A closed journal of the month. */
export async function writeMonth(dir: string, drafts = month()): Promise<void> {
  const journal = await openJournal(dir);
  await Promise.all(drafts.map((each) => journal.append(each)));
  await journal.close();
}

/** every id of a customer in the month */
export const customers = (): readonly string[] => [
  ...WORKING_DAYS.flatMap((_, d) =>
    CLERKS.flatMap((__, c) =>
      Array.from({ length: perDay(c) }, (___, n) => `C1${String(d * 100 + c * 10 + n).padStart(5, '0')}9`),
    ),
  ),
  ...Array.from({ length: 4 }, (_, n) => `C30000${n}`),
  'C100007',
  ...Array.from({ length: 60 }, (_, n) => `C40${String((n * 7919) % 10_000).padStart(4, '0')}`),
  ...Array.from({ length: 12 }, (_, n) => `C50${String(17 * n).padStart(4, '0')}`),
  ...Array.from({ length: 15 }, (_, n) => `C2000${String(n + 1).padStart(2, '0')}`),
  ...Array.from({ length: 3 }, (_, n) => `C60000${n}`),
];
