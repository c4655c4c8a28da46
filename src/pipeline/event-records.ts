/** Records of what no caller asked: there was nothing to authorize, and still it is on record. */
import type { SluiceError } from '../errors.ts';
import type { Reason } from '../model/answers.ts';
import type { ShadowReport } from '../policy/shadow.ts';
import type { StoreDependencies } from '../policy/store.ts';
import { DecisionEntry, openEntry, unrecorded, writeRecord } from './record.ts';
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
