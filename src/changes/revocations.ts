/** Access of a caller: taken away, and given back. */
import type { Revocation, RevocationRecords, RevocationTarget, Terms } from '../identity/index.ts';
import { type Facts, type Recorder, recorded } from './change.ts';
import type { OperationName } from '../model/operations.ts';

export interface RevocationChanges extends Pick<RevocationRecords, 'list' | 'ofSubject'> {
  /** @throws as `RevocationRecords.revoke` */
  revoke(target: RevocationTarget, terms: Terms, reason: string, recorder: Recorder): Promise<Revocation>;
  /** @throws as `RevocationRecords.restore` */
  restore(target: RevocationTarget, reason: string, recorder: Recorder): Promise<readonly Revocation[]>;
  /** Gives back what the same caller has taken away, and nothing else. @throws as `restore` */
  restoreOwn(target: RevocationTarget, reason: string, recorder: Recorder): Promise<readonly Revocation[]>;
}

export function revocationChanges(records: RevocationRecords): RevocationChanges {
  const restored = (target: RevocationTarget, reason: string, recorder: Recorder, ofWhom: string | null) =>
    recorded<readonly Revocation[], readonly Revocation[]>(
      recorder,
      ([first]) => factsOf('subjects.restore', first!, reason),
      (journaled) => records.restore(target, { reason, by: recorder.by }, journaled, ofWhom),
    );
  return {
    list: (options) => records.list(options),
    ofSubject: (subject) => records.ofSubject(subject),
    revoke: (target, terms, reason, recorder) =>
      recorded<Revocation, Revocation>(
        recorder,
        (revocation) => factsOf('subjects.revoke', revocation, reason),
        (journaled) => records.revoke(target, terms, { reason, by: recorder.by }, journaled),
      ),
    restore: (target, reason, recorder) => restored(target, reason, recorder, null),
    restoreOwn: (target, reason, recorder) => restored(target, reason, recorder, recorder.by),
  };
}

/** A name of a caller or of a credential: an id or a digest, from which no credential can be made. */
const factsOf = (operation: OperationName, { kind, name }: Revocation, reason: string): Facts => ({
  kind: 'admin',
  operation,
  reasons: [{ code: operation === 'subjects.revoke' ? 'subject_revoked' : 'subject_restored' }],
  justification: reason,
  labels: { [`target_${kind}`]: name },
});
