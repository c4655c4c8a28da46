/** API keys in the store. A record names a key by its id and its digest, never the key itself. */
import type { ApiKeyRecords, ApiKeyRow, NewApiKey } from '../identity/index.ts';
import { type Facts, type Recorder, recorded } from './change.ts';
import type { OperationName } from '../model/operations.ts';

type Create = Parameters<ApiKeyRecords['create']>;

export interface ApiKeyChanges extends Pick<ApiKeyRecords, 'list' | 'newest'> {
  /** @throws as `ApiKeyRecords.create` */
  create(id: string, subject: Create[1], expires: number, recorder: Recorder): Promise<NewApiKey>;
  /** @throws as `ApiKeyRecords.rotate` */
  rotate(id: string, expires: number, overlap: number, recorder: Recorder): Promise<NewApiKey>;
  /** @throws as `ApiKeyRecords.revoke` */
  revoke(id: string, reason: string, recorder: Recorder): Promise<readonly ApiKeyRow[]>;
}

export const apiKeyChanges = (records: ApiKeyRecords): ApiKeyChanges => ({
  list: (limit, after) => records.list(limit, after),
  newest: (id) => records.newest(id),
  create: (id, subject, expires, recorder) =>
    recorded<ApiKeyRow, NewApiKey>(
      recorder,
      (row) => factsOf('keys.create', row, null),
      (journaled) => records.create(id, subject, expires, recorder.by, journaled),
    ),
  rotate: (id, expires, overlap, recorder) =>
    recorded<ApiKeyRow, NewApiKey>(
      recorder,
      (row) => factsOf('keys.rotate', row, null),
      (journaled) => records.rotate(id, expires, overlap, recorder.by, journaled),
    ),
  revoke: (id, reason, recorder) =>
    recorded<readonly ApiKeyRow[], readonly ApiKeyRow[]>(
      recorder,
      ([first]) => factsOf('keys.revoke', first!, reason),
      (journaled) => records.revoke(id, { reason, by: recorder.by }, journaled),
    ),
});

const REASONS = {
  'keys.create': 'key_created',
  'keys.rotate': 'key_rotated',
  'keys.revoke': 'key_revoked',
} as const satisfies { readonly [operation in OperationName]?: string };

const factsOf = (operation: keyof typeof REASONS, row: ApiKeyRow, reason: string | null): Facts => ({
  kind: 'admin',
  operation,
  reasons: [{ code: REASONS[operation] }],
  justification: reason,
  labels: {
    key: row.id,
    key_sha256: row.sha256,
    holder: (JSON.parse(row.subject) as { readonly id: string }).id,
  },
});
