/** What recipients outside are asked for, and what they have answered. */
import { SluiceError } from '../errors.ts';
import type { NoticeRow, NoticeStore } from '../notices/index.ts';
import type { DemandRow, ShareStore } from '../shares/index.ts';
import { type Facts, type Recorder, recorded } from './change.ts';
import type { OperationName } from '../model/operations.ts';
import type { How } from '../model/share.ts';

export interface RecipientChanges extends Pick<ShareStore, 'demands' | 'recipients' | 'recipientOf'> {
  /** Opens one demand for what has expired. @returns null: nothing has */
  demand(recorder: Recorder): Promise<DemandRow | null>;
  /** @throws SluiceError `shares_unconfigured`, as `ShareStore.confirm` */
  confirm(id: string, how: How, note: string | null, recorder: Recorder): Promise<DemandRow>;
  readonly notices: Pick<NoticeStore, 'list' | 'recipientOf' | 'stateOf'> & {
    /** @throws as `NoticeStore.acknowledge` */
    acknowledge(id: string, note: string | null, recorder: Recorder): Promise<NoticeRow>;
    /** @throws as `NoticeStore.retry` */
    retry(id: string, recorder: Recorder): Promise<NoticeRow>;
  };
}

/** @param shares null: the configuration has no section `shares` */
export function recipientChanges(shares: ShareStore | null, notices: NoticeStore): RecipientChanges {
  const configured = (): ShareStore => {
    if (shares === null)
      throw new SluiceError(
        'shares_unconfigured',
        'The configuration has no section shares, which says how long recipients may keep data (docs/recipients.md).',
      );
    return shares;
  };
  return {
    demands: async (filter) => configured().demands(filter),
    recipients: async () => configured().recipients(),
    // Asked before the policy is: whoever may not do it learns nothing of the configuration.
    recipientOf: async (id) => shares?.recipientOf(id),
    demand: (recorder) =>
      recorded<DemandRow, DemandRow | null>(
        recorder,
        (demand) => demandFacts('shares.demand', demand, null),
        (journaled) => configured().demand(journaled),
      ),
    confirm: (id, how, note, recorder) =>
      recorded<DemandRow, DemandRow>(
        recorder,
        (demand) => demandFacts('shares.confirm', demand, note),
        (journaled) => configured().confirm(id, { how, by: recorder.by, note }, journaled),
      ),
    notices: {
      list: (filter) => notices.list(filter),
      recipientOf: (id) => notices.recipientOf(id),
      stateOf: (row) => notices.stateOf(row),
      acknowledge: (id, note, recorder) =>
        recorded<NoticeRow, NoticeRow>(
          recorder,
          (notice) => noticeFacts('notices.acknowledge', notice, note),
          (journaled) => notices.acknowledge(id, recorder.by, note, journaled),
        ),
      retry: (id, recorder) =>
        recorded<NoticeRow, NoticeRow>(
          recorder,
          (notice) => noticeFacts('notices.retry', notice, null),
          (journaled) => notices.retry(id, journaled),
        ),
    },
  };
}

const demandFacts = (
  operation: OperationName,
  { id, recipient, how, shares }: DemandRow,
  note: string | null,
): Facts => ({
  kind: 'share',
  operation,
  reasons: [{ code: how === null ? 'share_demanded' : `share_${how}` }],
  recipient,
  justification: note,
  labels: { demand: id, decisions: String(shares) },
});

const noticeFacts = (
  operation: OperationName,
  { id, recipient, type }: NoticeRow,
  note: string | null,
): Facts => ({
  kind: 'share',
  operation,
  reasons: [{ code: operation === 'notices.retry' ? 'notice_retried' : 'notice_acknowledged' }],
  ...(recipient === null ? {} : { recipient }),
  justification: note,
  labels: { notice: id, type },
});
