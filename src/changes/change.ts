/**
 * How every change of what is in force is made: validated, recorded (durable), committed. Where the store does not confirm it after that, the
 * decision log says so in a second part of the same decision.
 */
import { isSluiceError } from '../errors.ts';
import type { Reason } from '../model/answers.ts';
import type { Resource } from '../model/input.ts';
import type { Journaled } from '../model/journaled.ts';
import type { DisclosureSummary, RecordKind } from '../model/record.ts';
import type { OperationName } from '../model/operations.ts';
import { noteMade } from './made.ts';

/**
 * What the decision record of a change says, besides who makes it and when. Its outcome is `allowed`, also where a grant is rejected: that was done,
 * and not denied.
 */
export interface Facts {
  readonly kind: Extract<RecordKind, 'admin' | 'consent' | 'grant' | 'erasure' | 'share'>;
  readonly operation: OperationName;
  readonly reasons: readonly Reason[];
  readonly resource?: Resource;
  readonly purpose?: string;
  readonly recipient?: string;
  readonly tier?: number | null;
  readonly justification?: string | null;
  readonly grantId?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly disclosure?: DisclosureSummary;
}

/** Who makes one change, and its decision record. */
export interface Recorder {
  /** `subject.id` */
  readonly by: string;
  /** of the credential; null: a command, which verifies nobody */
  readonly roles: readonly string[] | null;
  readonly decision_id: string;
  /** Resolves when the record is durable. */
  record(facts: Facts): Promise<void>;
  /** What was recorded was not confirmed by the store. */
  unconfirmed(facts: Facts, reason: Reason): Promise<void>;
}

/**
 * @param make makes the change, and calls `journaled` before it commits
 * @throws what `make` throws
 */
export async function recorded<C, T>(
  recorder: Recorder,
  factsOf: (change: C) => Facts,
  make: (journaled: Journaled<C>) => Promise<T>,
): Promise<T> {
  let recording: Promise<Facts> | null = null;
  try {
    return await make(async (change, queries) => {
      const facts = factsOf(change);
      await noteMade(queries, recorder.decision_id);
      recording = recorder.record(facts).then(() => facts);
      await recording;
    });
  } catch (error) {
    // A transaction may have run out of time while its record was being written: the record may still become durable.
    const facts = await (recording as Promise<Facts> | null)?.catch(() => null);
    if (facts) await recorder.unconfirmed(facts, unconfirmed(error));
    throw error;
  }
}

const unconfirmed = (error: unknown): Reason => ({
  code: 'change_unconfirmed',
  message: `It was recorded, and the store did not confirm it (${isSluiceError(error) ? error.code : 'internal'}): see there whether it is in force.`,
});
