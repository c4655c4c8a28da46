/** Links to the page of a data subject: made, revoked. */
import type { LinkRow, Links } from '../links/index.ts';
import { NOTHING_DISCLOSED } from '../model/record.ts';
import { type Facts, type Recorder, recorded } from './change.ts';
import type { OperationName } from '../model/operations.ts';

export interface LinkChanges extends Pick<Links, 'exchange' | 'visit'> {
  create(data_subject: string, recorder: Recorder): ReturnType<Links['create']>;
  revoke(data_subject: string, recorder: Recorder): ReturnType<Links['revoke']>;
}

/** @param page where customers reach it (`data_subject_page.url`) */
export const linkUrl = (page: string, token: string): string => `${page.replace(/\/$/, '')}/l/${token}`;

/** @param dataSubject the keyed digest of a data subject's id; called for a change alone */
export function linkChanges(links: Links, dataSubject: () => Promise<(id: string) => string>): LinkChanges {
  return {
    exchange: (token, before) => links.exchange(token, before),
    visit: (session) => links.visit(session),
    async create(data_subject, recorder) {
      const digest = await dataSubject();
      return recorded<LinkRow, Awaited<ReturnType<Links['create']>>>(
        recorder,
        (row) => factsOf('links.create', [row], digest),
        (journaled) => links.create(data_subject, recorder.by, journaled),
      );
    },
    async revoke(data_subject, recorder) {
      const digest = await dataSubject();
      return recorded<readonly LinkRow[], readonly LinkRow[]>(
        recorder,
        (rows) => factsOf('links.revoke', rows, digest),
        (journaled) => links.revoke(data_subject, recorder.by, journaled),
      );
    },
  };
}

const factsOf = (
  operation: OperationName,
  rows: readonly LinkRow[],
  digest: (id: string) => string,
): Facts => ({
  kind: 'consent',
  operation,
  reasons: [{ code: operation === 'links.create' ? 'link_created' : 'link_revoked' }],
  labels: { links: rows.map(({ id }) => id).join(' ') },
  disclosure: {
    ...NOTHING_DISCLOSED,
    data_subjects: [...new Set(rows.map(({ data_subject }) => digest(data_subject)))],
  },
});
