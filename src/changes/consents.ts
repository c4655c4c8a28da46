/** Changes of what data subjects have agreed to. */
import type { ConsentEvent, ConsentRecords } from '../consent/index.ts';
import { NOTHING_DISCLOSED } from '../pipeline/record.ts';
import { type Facts, type Recorder, recorded } from './change.ts';
import type { OperationName } from './names.ts';

type Edits = Parameters<ConsentRecords['edit']>[0];
type Withdrawal = Parameters<ConsentRecords['withdraw']>;

export interface ConsentChanges extends Pick<ConsentRecords, 'entry' | 'aliases' | 'history'> {
  /** One transaction and one record, of however many people. @throws as `ConsentRecords.edit` */
  edit(edits: Edits, recorder: Recorder): ReturnType<ConsentRecords['edit']>;
  /** @throws as `ConsentRecords.withdraw` */
  withdraw(
    id: Withdrawal[0],
    wanted: Withdrawal[1],
    evidence: Withdrawal[2],
    recorder: Recorder,
  ): ReturnType<ConsentRecords['withdraw']>;
}

/** @param dataSubject the keyed digest of a data subject's id; called for a change alone */
export function consentChanges(
  records: ConsentRecords,
  dataSubject: () => Promise<(id: string) => string>,
): ConsentChanges {
  const change = async <T>(
    operation: OperationName,
    recorder: Recorder,
    make: (journaled: (events: readonly ConsentEvent[]) => Promise<void>) => Promise<T>,
  ): Promise<T> => {
    const digest = await dataSubject();
    return recorded(recorder, (events) => factsOf(operation, events, digest), make);
  };
  return {
    entry: (id) => records.entry(id),
    aliases: (id) => records.aliases(id),
    history: (id) => records.history(id),
    edit: (edits, recorder) =>
      change('consents.set', recorder, (journaled) => records.edit(edits, recorder.by, journaled)),
    withdraw: (id, wanted, evidence, recorder) =>
      change('consents.withdraw', recorder, (journaled) =>
        records.withdraw(id, wanted, evidence, recorder.by, journaled),
      ),
  };
}

function factsOf(
  operation: OperationName,
  events: readonly ConsentEvent[],
  digest: (id: string) => string,
): Facts {
  const counts = new Map<string, number>();
  for (const { what } of events) counts.set(what, (counts.get(what) ?? 0) + 1);
  const consents = [...new Set(events.flatMap(({ consent }) => consent?.record_id || []))];
  return {
    kind: 'consent',
    operation,
    reasons: [...counts].map(([what, count]) => ({
      code: `consent_${what}`,
      message: `${count} × ${what}`,
    })),
    disclosure: {
      ...NOTHING_DISCLOSED,
      data_subjects: [...new Set(events.map(({ data_subject }) => digest(data_subject)))],
      ...(consents.length === 0 ? {} : { consents }),
    },
  };
}
