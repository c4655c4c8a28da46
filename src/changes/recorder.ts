/** Records of changes that a command makes: the process's own chain, and the name that `--by` gives. */
import type { Clock } from '../observability/clock.ts';
import { DecisionEntry } from '../pipeline/record.ts';
import type { Stages } from '../pipeline/stages.ts';
import type { Facts, Recorder } from './change.ts';

const NAMELESS = {
  roles: [],
  department: null,
  organization: 'internal',
  clearance: null,
  assurance: { amr: [], acr: null, auth_time: null },
} as const;

export interface RecorderDependencies {
  /** opened by the first record: who changes nothing needs no journal */
  readonly log: () => Promise<Pick<Stages['log'], 'append'>>;
  readonly newDecisionId: () => string;
  readonly clock: Clock;
}

/** @param by as somebody says: a command verifies nobody */
export function commandRecorder(by: string, { log, newDecisionId, clock }: RecorderDependencies): Recorder {
  const entry = new DecisionEntry(newDecisionId(), clock);
  entry.subject = { type: 'user', id: by, properties: NAMELESS };
  return {
    by,
    decision_id: entry.id,
    async record(facts) {
      state(entry, facts);
      const draft = entry.draft(facts.outcome ?? 'allowed', 0, null, facts.disclosure ?? null);
      await (await log()).append({ ...draft, response: null });
    },
    async unconfirmed(facts, reason) {
      entry.reasons = [reason];
      const draft = entry.draft('error', 0, null, facts.disclosure ?? null);
      await (await log()).append({ ...draft, response: null });
    },
  };
}

/** Puts what a change is about into the entry of its decision. */
export function state(entry: DecisionEntry, facts: Facts): void {
  entry.kind = facts.kind;
  entry.action = facts.operation;
  entry.resource = facts.resource ?? null;
  entry.purpose = facts.purpose ?? null;
  const { tier = null } = facts;
  entry.tier = tier as DecisionEntry['tier'];
  entry.justification = facts.justification ?? null;
  entry.grantId = facts.grantId ?? null;
  entry.reasons = facts.reasons;
  entry.labels = { ...entry.labels, ...facts.labels };
}
