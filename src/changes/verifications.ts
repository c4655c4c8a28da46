/** Codes that a data subject is sent, so that a caller can prove to deal with them. */
import { NOTHING_DISCLOSED } from '../model/record.ts';
import type { Codes, NewCode, Send } from '../verification/index.ts';
import { type Recorder, recorded } from './change.ts';

export interface VerificationChanges {
  /** @returns when the code expires; @throws as `Codes.send` */
  send(wanted: Omit<NewCode, 'id'>, recorder: Recorder): Promise<Date>;
}

export interface VerificationDependencies {
  readonly send: Send;
  /** the keyed digest of a data subject's id; opens the journal */
  readonly dataSubject: () => Promise<(id: string) => string>;
  readonly now: () => Date;
}

export const verificationChanges = (
  codes: Codes,
  { send, dataSubject, now }: VerificationDependencies,
): VerificationChanges => ({
  async send(wanted, recorder) {
    const digest = await dataSubject();
    return recorded<NewCode, Date>(
      recorder,
      (made) => ({
        kind: 'admin',
        operation: 'verification.send',
        reasons: [{ code: 'verification_code_sent' }],
        disclosure: { ...NOTHING_DISCLOSED, data_subjects: [digest(made.data_subject)] },
        labels: { caller: made.caller },
      }),
      (journaled) => codes.send({ ...wanted, id: recorder.decision_id }, now(), send, journaled),
    );
  },
});
