/** Requests of data subjects: for erasure, restriction and access. Records name the person by the keyed digest alone. */
import type {
  Change,
  checkCategory,
  ErasureStore,
  EventName,
  Happened,
  RequestRow,
} from '../erasure/index.ts';
import { categoriesOf } from '../model/catalog.ts';
import type { PolicySnapshot } from '../model/policy.ts';
import { NOTHING_DISCLOSED } from '../model/record.ts';
import { type Facts, type Recorder, recorded } from './change.ts';
import type { OperationName } from '../model/operations.ts';

/** `ErasureStore`, with the recorder of a change in the place of the change. */
export interface ErasureChanges extends Pick<ErasureStore, 'list' | 'show' | 'isOverdue'> {
  request(
    wanted: Parameters<ErasureStore['request']>[0],
    recorder: Recorder,
  ): ReturnType<ErasureStore['request']>;
  accept(id: string, note: string | null, recorder: Recorder): Promise<RequestRow>;
  /** @throws SluiceError `erasure_invalid` for a category that no catalog has */
  hold(id: string, hold: Parameters<ErasureStore['hold']>[1], recorder: Recorder): Promise<RequestRow>;
  release(id: string, category: string, note: string, recorder: Recorder): Promise<RequestRow>;
  confirm(
    id: string,
    confirmation: Parameters<ErasureStore['confirm']>[1],
    recorder: Recorder,
  ): Promise<RequestRow>;
  fail(id: string, why: string, recorder: Recorder): Promise<RequestRow>;
  complete(id: string, evidence: string | null, recorder: Recorder): Promise<RequestRow>;
  reject(id: string, reason: string, recorder: Recorder): Promise<RequestRow>;
  lift(id: string, reason: string, consentsRemoved: boolean, recorder: Recorder): Promise<RequestRow>;
}

export interface ErasureChangeDependencies {
  /** the keyed digest of a data subject's id; called for a change alone */
  readonly dataSubject: () => Promise<(id: string) => string>;
  /** the policy in force, whose catalogs name the categories; called for a hold alone */
  readonly policy: () => Promise<Pick<PolicySnapshot, 'catalogs'>>;
  /** of erasure/ */
  readonly checkCategory: typeof checkCategory;
}

export function erasureChanges(
  store: ErasureStore,
  { dataSubject, policy, checkCategory }: ErasureChangeDependencies,
): ErasureChanges {
  const change = async <T>(recorder: Recorder, make: (change: Change) => Promise<T>): Promise<T> => {
    const digest = await dataSubject();
    return recorded<Happened, T>(
      recorder,
      (happened) => factsOf(happened, digest),
      (journaled) => make({ by: recorder.by, decision_id: recorder.decision_id, journaled }),
    );
  };
  return {
    list: (filter) => store.list(filter),
    show: (id) => store.show(id),
    isOverdue: (row) => store.isOverdue(row),
    request: (wanted, recorder) => change(recorder, (by) => store.request(wanted, by)),
    accept: (id, note, recorder) => change(recorder, (by) => store.accept(id, note, by)),
    async hold(id, hold, recorder) {
      checkCategory(hold.category, categoriesOf((await policy()).catalogs));
      return change(recorder, (by) => store.hold(id, hold, by));
    },
    release: (id, category, note, recorder) =>
      change(recorder, (by) => store.release(id, category, note, by)),
    confirm: (id, confirmation, recorder) => change(recorder, (by) => store.confirm(id, confirmation, by)),
    fail: (id, why, recorder) => change(recorder, (by) => store.fail(id, why, by)),
    complete: (id, evidence, recorder) => change(recorder, (by) => store.complete(id, evidence, by)),
    reject: (id, reason, recorder) => change(recorder, (by) => store.reject(id, reason, by)),
    lift: (id, reason, consentsRemoved, recorder) =>
      change(recorder, (by) => store.lift(id, reason, consentsRemoved, by)),
  };
}

const OPERATIONS: Readonly<Record<EventName, OperationName>> = {
  requested: 'erasure.request',
  accepted: 'erasure.accept',
  held: 'erasure.hold',
  released: 'erasure.release',
  confirmed: 'erasure.confirm',
  failed: 'erasure.confirm',
  completed: 'erasure.complete',
  rejected: 'erasure.reject',
  lifted: 'erasure.lift',
};

const factsOf = ({ what, request, note }: Happened, digest: (id: string) => string): Facts => ({
  kind: 'erasure',
  operation: OPERATIONS[what],
  reasons: [{ code: `erasure_${what}` }],
  justification: note,
  labels: { request: request.id, kind: request.kind, state: request.state },
  disclosure: { ...NOTHING_DISCLOSED, data_subjects: [digest(request.data_subject)] },
});
