/** Records of changes: of a command, with the name that `--by` gives; of a call of the admin API, with its caller. */
import type { Clock } from '../observability/clock.ts';
import { namelessIn, type Subject } from '../model/input.ts';
import { DecisionEntry, writeRecord } from '../pipeline/record.ts';
import type { Stages } from '../pipeline/stages.ts';
import type { Facts, Recorder } from './change.ts';
import { NOTED } from './made.ts';

export interface RecorderDependencies {
  /** opened by the first record: who changes nothing needs no journal */
  readonly log: () => Promise<Pick<Stages['log'], 'append'>>;
  readonly newDecisionId: () => string;
  readonly clock: Clock;
}

/** @param by as somebody says: a command verifies nobody */
export function commandRecorder(by: string, { log, newDecisionId, clock }: RecorderDependencies): Recorder {
  const entry = new DecisionEntry(newDecisionId(), clock);
  entry.subject = { type: 'user', id: by, properties: namelessIn('internal') };
  return {
    by,
    roles: null,
    decision_id: entry.id,
    async record(facts) {
      state(entry, facts);
      const draft = entry.draft('allowed', 0, null, facts.disclosure ?? null);
      await (await log()).append({ ...draft, response: null });
    },
    async unconfirmed(facts, reason) {
      entry.reasons = [reason];
      const draft = entry.draft('error', 0, null, facts.disclosure ?? null);
      await (await log()).append({ ...draft, response: null });
    },
  };
}

/** The record of a change that a call of the admin API makes. Where it fails after that, the refusal of the call is its second part. */
export interface CallRecorder extends Recorder {
  /** the call is on record: it needs no other record */
  readonly isRecorded: boolean;
}

/** @param status of the answer if the change is made */
export function callRecorder(
  entry: DecisionEntry,
  subject: Subject,
  status: number,
  stages: Pick<Stages, 'metrics' | 'log'>,
): CallRecorder {
  let isRecorded = false;
  return {
    by: subject.id,
    roles: subject.properties.roles,
    decision_id: entry.id,
    get isRecorded() {
      return isRecorded;
    },
    async record(facts) {
      await entry.checkCaller(false);
      state(entry, facts);
      await writeRecord(entry.draft('allowed', status, null, facts.disclosure ?? null), stages);
      isRecorded = true;
    },
    async unconfirmed(_facts, reason) {
      entry.reasons = [];
      entry.internalReasons = [reason];
    },
  };
}

/** Puts what a change is about into the entry of its decision. */
function state(entry: DecisionEntry, facts: Facts): void {
  entry.kind = facts.kind;
  entry.action = facts.operation;
  entry.resource = facts.resource ?? entry.resource;
  entry.purpose = facts.purpose ?? null;
  entry.recipient = facts.recipient ?? null;
  const { tier = null } = facts;
  entry.tier = tier as DecisionEntry['tier'];
  entry.justification = facts.justification ?? null;
  entry.grantId = facts.grantId ?? entry.grantId;
  entry.reasons = [...entry.reasons, ...facts.reasons];
  entry.labels = { ...entry.labels, ...facts.labels, ...NOTED };
}
