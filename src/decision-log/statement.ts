/**
 * The statement for a data subject: who has received their data, when, why, and which kinds. It names roles and departments, and no employee; it
 * holds no values, since the log has none.
 */
import { type Decision, hasDisclosed } from './index/decision.ts';
import type { DecisionQuery, QueryInterface } from './index/query.ts';

export interface StatementEntry {
  readonly at: string;
  readonly decision_id: string;
  readonly action: string | null;
  readonly purpose: string | null;
  /** `internal`, or a partner */
  readonly recipient: string | null;
  readonly organization: string | null;
  readonly department: string | null;
  readonly roles: readonly string[];
  /** category → whether all of it left as it is, or some of it disguised */
  readonly categories: Readonly<Record<string, 'plain' | 'disguised'>>;
  /** the answer was about others, too, so the categories are those of the whole answer */
  readonly is_shared: boolean;
  /** records of the answer were withheld, and this person's may have been among them */
  readonly may_be_withheld: boolean;
}

/** A change of what the person has agreed to, or of a request of theirs. */
export interface StatementChange {
  readonly at: string;
  readonly decision_id: string;
  readonly kind: 'consent' | 'erasure';
  /** codes of reasons: `consent_withdrawn`, `erasure_requested` … */
  readonly what: readonly string[];
}

export interface Statement {
  readonly data_subject: string;
  readonly since: string | null;
  readonly until: string;
  /** the newest first */
  readonly disclosures: readonly StatementEntry[];
  readonly changes: readonly StatementChange[];
}

const PAGE = 1_000;
const CHANGED = /^(?:consent|erasure)_/;

/**
 * @param query with the data subject as the log has it
 * @throws SluiceError what the log throws
 */
export async function statementOf(
  data_subject: string,
  query: DecisionQuery,
  log: Pick<QueryInterface, 'query'>,
  now: Date,
): Promise<Statement> {
  const disclosures: StatementEntry[] = [];
  const changes: StatementChange[] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<QueryInterface['query']>> = await log.query({
      ...query,
      limit: PAGE,
      ...(cursor === null ? {} : { cursor }),
    });
    for (const decision of page.decisions) {
      const { kind, outcome, timestamp: at, decision_id, reasons } = decision;
      if (kind === 'consent' || kind === 'erasure') {
        // Looks at the customer's own page, and links to it, are no changes.
        const what = reasons.map(({ code }) => code).filter((code) => CHANGED.test(code));
        if (outcome !== 'error' && what.length > 0) changes.push({ at, decision_id, kind, what });
      } else {
        const entry = entryOf(decision);
        if (entry !== null) disclosures.push(entry);
      }
    }
    cursor = page.cursor;
  } while (cursor !== null);
  return {
    data_subject,
    since: query.since ?? null,
    until: query.until ?? now.toISOString(),
    disclosures,
    changes,
  };
}

/** null: nothing of anybody left */
function entryOf(decision: Decision): StatementEntry | null {
  const { disclosure, subject } = decision;
  if (disclosure === null || !hasDisclosed(decision)) return null;
  const categories: Record<string, 'plain' | 'disguised'> = {};
  for (const [cls, treatments] of Object.entries(disclosure.by_class)) {
    const left = Object.keys(treatments).filter((name) => name !== 'drop' && name !== 'nullify');
    if (left.length === 0) continue;
    const category = cls.slice(0, cls.indexOf('/'));
    const is = left.every((name) => name === 'disclose') ? 'plain' : 'disguised';
    categories[category] = categories[category] === 'disguised' ? 'disguised' : is;
  }
  return {
    at: decision.timestamp,
    decision_id: decision.decision_id,
    action: decision.action,
    purpose: decision.purpose,
    recipient: decision.recipient,
    organization: subject?.properties.organization ?? null,
    department: subject?.properties.department ?? null,
    roles: subject?.properties.roles ?? [],
    categories,
    is_shared: disclosure.data_subjects.length > 1,
    may_be_withheld: disclosure.records_withheld > 0 && disclosure.data_subjects.length > 1,
  };
}
