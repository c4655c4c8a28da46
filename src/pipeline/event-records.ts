/** Records of what no caller asked: there was nothing to authorize, and still it is on record. */
import type { SluiceError } from '../errors.ts';
import type { Reason } from '../model/answers.ts';
import type { ShadowReport } from '../policy/shadow.ts';
import type { StoreDependencies } from '../policy/store.ts';
import { DecisionEntry, NOTHING_DISCLOSED, openEntry, unrecorded, writeRecord } from './record.ts';
import type { Stages } from './stages.ts';

export type MalformedCode = 'request_malformed' | 'request_timeout' | 'upgrade_refused';

/** Records bytes that never became a request; the listener answers them. Never rejects. */
export type MalformedRecord = (
  ip: string | null,
  code: MalformedCode,
  status: number,
) => Promise<{
  /** id of the decision */
  readonly id: string;
  /** why it could not be recorded: then this is the answer; null: it is recorded */
  readonly unrecorded: SluiceError | null;
}>;

export const malformedRecord =
  (stages: Stages): MalformedRecord =>
  async (ip, code, status) => {
    const entry = openEntry(stages, { method: '', route: null, path: null, client_ip: ip });
    entry.reasons = [{ code }];
    try {
      await writeRecord(entry.draft('denied', status, null, null), stages);
      return { id: entry.id, unrecorded: null };
    } catch (err) {
      stages.logger.error({ err, decision_id: entry.id, code }, 'decision could not be recorded');
      return { id: entry.id, unrecorded: unrecorded(err) };
    }
  };

type Recording = Pick<Stages, 'log' | 'newDecisionId' | 'clock'>;

/** Which policy went live and who approved it, and which was refused. */
export function approvalRecords({
  log,
  newDecisionId,
  clock,
}: Recording): NonNullable<StoreDependencies['approvals']> {
  const record = async (
    outcome: 'allowed' | 'denied',
    reason: Reason,
    revision: string,
    bundle: string,
    labels: Readonly<Record<string, string>>,
  ): Promise<void> => {
    const entry = new DecisionEntry(newDecisionId(), clock);
    entry.kind = 'policy';
    entry.policy = { revision, bundle };
    entry.reasons = [reason];
    entry.labels = labels;
    await log.append({ ...entry.draft(outcome, 0, null, null), response: null });
  };
  return {
    approved: ({ name, revision }, { digest, reviewer, author, approved_at, key }) =>
      record(
        'allowed',
        { code: 'policy_approved', message: `${reviewer} approved the content ${digest}.` },
        revision,
        name,
        { digest, reviewer, approved_at, key, ...(author === undefined ? {} : { author }) },
      ),
    refused: ({ name, revision }, message) =>
      record('denied', { code: 'policy_unapproved', message }, revision, name, {}),
  };
}

/** Where the answer of the shadow policy differs from the live one's: recorded, and told to nobody. */
export const shadowRecord =
  ({ log, newDecisionId, clock, logger }: Recording & Pick<Stages, 'logger'>) =>
  (found: ShadowReport): void => {
    const entry = new DecisionEntry(newDecisionId(), clock);
    const { subject, action, resource, context } = found.input;
    entry.kind = 'policy';
    entry.subject = subject;
    entry.action = action.name;
    entry.resource = resource;
    entry.purpose = context.purpose;
    entry.tier = context.tier;
    entry.recipient = context.recipient;
    entry.policy = { revision: found.revision.shadow, bundle: 'shadow' };
    entry.input = found.input;
    entry.labels = { question: found.question, live_revision: found.revision.live };
    entry.reasons = found.differences.map(({ of, live, shadow }) => ({
      code: 'shadow_differs',
      message: `${of}: ${JSON.stringify(live)} live, ${JSON.stringify(shadow)} shadow`,
    }));
    log
      .append({ ...entry.draft('observed', 0, null, null), response: null })
      .catch((err: unknown) =>
        logger.error({ err }, 'a difference of the shadow policy could not be recorded'),
      );
  };

const NAMELESS = {
  roles: [],
  department: null,
  organization: 'internal',
  clearance: null,
  assurance: { amr: [], acr: null, auth_time: null },
} as const;

/** Who changed which consents by a command. An import has one record for each transaction. */
export const consentRecords =
  ({
    log,
    newDecisionId,
    clock,
  }: Recording & { readonly log: { readonly dataSubject: (id: string) => string } }) =>
  async (
    outcome: 'allowed' | 'error',
    actor: string,
    events: readonly {
      readonly data_subject: string;
      readonly what: string;
      readonly consent: { readonly record_id: string } | null;
    }[],
  ): Promise<void> => {
    const entry = new DecisionEntry(newDecisionId(), clock);
    entry.kind = 'consent';
    entry.subject = { type: 'user', id: actor, properties: NAMELESS };
    entry.action = 'update';
    const counts = new Map<string, number>();
    for (const { what } of events) counts.set(what, (counts.get(what) ?? 0) + 1);
    entry.reasons = [...counts].map(([what, count]) => ({
      code: outcome === 'error' ? 'consent_unchanged' : `consent_${what}`,
      message: `${count} × ${what}${outcome === 'error' ? ': recorded, and then not carried out' : ''}`,
    }));
    const consents = [...new Set(events.flatMap(({ consent }) => consent?.record_id || []))];
    const summary = {
      ...NOTHING_DISCLOSED,
      data_subjects: [...new Set(events.map(({ data_subject }) => log.dataSubject(data_subject)))],
      ...(consents.length === 0 ? {} : { consents }),
    };
    await log.append({ ...entry.draft(outcome, 0, null, summary), response: null });
  };

/** A change of a grant. Its ids are not recorded: the store has them, by the id of the grant. */
export interface GrantChange {
  readonly decision_id: string;
  /** `requested`, `approved` … */
  readonly what: string;
  readonly by: string;
  readonly note: string | null;
  readonly grant: {
    readonly id: string;
    readonly subject: string;
    readonly purpose: string;
    readonly tier: number | null;
    readonly resource: string | null;
    readonly justification: string;
  };
}

/** Resolves when it is durable. */
export const grantRecord =
  ({ log, clock }: Pick<Stages, 'log' | 'clock'>) =>
  async ({ decision_id, what, by, note, grant }: GrantChange): Promise<void> => {
    const entry = new DecisionEntry(decision_id, clock);
    entry.kind = 'grant';
    entry.subject = { type: 'user', id: by, properties: NAMELESS };
    entry.grantId = grant.id;
    entry.purpose = grant.purpose;
    entry.tier = grant.tier as DecisionEntry['tier'];
    entry.resource = grant.resource === null ? null : { type: grant.resource, properties: {} };
    entry.justification = note ?? grant.justification;
    entry.reasons = [{ code: `grant_${what}` }];
    entry.labels = { holder: grant.subject };
    const outcome = what === 'rejected' || what === 'revoked' ? 'denied' : 'allowed';
    await log.append({ ...entry.draft(outcome, 0, null, null), response: null });
  };
