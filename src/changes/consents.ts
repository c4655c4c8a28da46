/** Changes of what data subjects have agreed to. */
import type { ConsentEvent, ConsentRecords, Evidence, recordIdOf } from '../consent/index.ts';
import type { Journaled } from '../model/journaled.ts';
import { NOTHING_DISCLOSED } from '../model/record.ts';
import { type Facts, type Recorder, recorded } from './change.ts';
import type { OperationName } from '../model/operations.ts';

type Edits = Parameters<ConsentRecords['edit']>[0];
type Withdrawal = Parameters<ConsentRecords['withdraw']>;

/** What a data subject says now, and what else is noted about them. */
export interface Said {
  /** absent: no consent, flags and aliases alone */
  readonly consent?: {
    readonly purpose: string;
    readonly categories: readonly string[];
    readonly recipient: string;
    readonly status: 'given' | 'withdrawn';
    readonly explicit?: boolean | undefined;
    readonly from?: string | undefined;
    readonly until?: string | undefined;
  };
  readonly evidence: Evidence;
  readonly addFlags?: readonly string[];
  readonly removeFlags?: readonly string[];
  readonly aliases?: readonly { readonly type: string; readonly alias: string }[];
}

export interface ConsentChanges extends Pick<ConsentRecords, 'entry' | 'aliases' | 'history'> {
  /** @throws SluiceError `consent_invalid`, `store_unavailable` */
  say(id: string, said: Said, recorder: Recorder): ReturnType<ConsentRecords['edit']>;
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

export interface ConsentChangeDependencies {
  /** the keyed digest of a data subject's id; called for a change alone */
  readonly dataSubject: () => Promise<(id: string) => string>;
  readonly now: () => Date;
  /** of consent/ */
  readonly recordIdOf: typeof recordIdOf;
}

export function consentChanges(
  records: ConsentRecords,
  { dataSubject, now, recordIdOf }: ConsentChangeDependencies,
): ConsentChanges {
  const change = async <T>(
    operation: OperationName,
    recorder: Recorder,
    make: (journaled: Journaled<readonly ConsentEvent[]>) => Promise<T>,
  ): Promise<T> => {
    const digest = await dataSubject();
    return recorded(recorder, (events) => factsOf(operation, events, digest), make);
  };
  const edit: ConsentChanges['edit'] = (edits, recorder) =>
    change('consents.set', recorder, (journaled) => records.edit(edits, recorder.by, journaled));
  return {
    async say(id, { consent, evidence, addFlags = [], removeFlags = [], aliases = [] }, recorder) {
      const others = { data_subject: id, addFlags, removeFlags, aliases };
      if (consent === undefined) return edit([others], recorder);
      const { purpose, recipient, status, explicit, from, until } = consent;
      const stated = {
        purpose,
        categories: [...new Set(consent.categories)].sort(),
        recipient,
        status,
        ...(explicit === true ? { explicit } : {}),
        ...(from === undefined ? {} : { from }),
        ...(until === undefined ? {} : { until }),
        at: now().toISOString(),
      };
      const statement = {
        data_subject: id,
        consent: { id: recordIdOf(id, stated), ...stated },
        evidence,
        isSaidNow: true,
      };
      return edit([{ ...others, statements: [statement] }], recorder);
    },
    edit,
    entry: (id) => records.entry(id),
    aliases: (id) => records.aliases(id),
    history: (id) => records.history(id),
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
