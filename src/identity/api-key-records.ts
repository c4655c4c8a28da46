/** API keys in the store, as commands make, rotate and revoke them. Only digests are stored: a key is shown once. */
import { hash, randomBytes } from 'node:crypto';
import { SluiceError } from '../errors.ts';
import type { Database, Queries, Row } from '../model/database.ts';
import type { Journaled } from '../model/journaled.ts';
import { holdsUnseen } from '../model/spelling.ts';
import type { Statement } from './revocation-records.ts';
import type { SubjectConfig } from './section.ts';

/** Moments are milliseconds since 1970. */
export interface ApiKeyRow extends Row {
  readonly sha256: string;
  /** several rows have it while a rotation lasts */
  readonly id: string;
  /** 1, 2, 3 … of those with this id; null: made by a version that did not number them */
  readonly number: number | null;
  /** JSON, as in `identity.api_keys` */
  readonly subject: string;
  readonly created_at: number;
  readonly created_by: string;
  readonly expires_at: number;
  readonly revoked_at: number | null;
  readonly revoked_by: string | null;
  readonly reason: string | null;
}

/** The only moment at which a key is readable. */
export interface NewApiKey {
  readonly key: string;
  readonly row: ApiKeyRow;
}

export interface ApiKeyRecords {
  /** @throws SluiceError `input_invalid`, `api_key_taken`, `store_unavailable` */
  create(
    id: string,
    subject: SubjectConfig,
    expires: number,
    by: string,
    journaled: Journaled<ApiKeyRow>,
  ): Promise<NewApiKey>;
  /**
   * A new key for the same subject. Those before end after `overlap` milliseconds at the latest.
   * @throws SluiceError `input_invalid`, `api_key_not_found`, `store_unavailable`
   */
  rotate(
    id: string,
    expires: number,
    overlap: number,
    by: string,
    journaled: Journaled<ApiKeyRow>,
  ): Promise<NewApiKey>;
  /** @throws SluiceError `input_invalid`, `api_key_not_found`, `store_unavailable` */
  revoke(
    id: string,
    statement: Statement,
    journaled: Journaled<readonly ApiKeyRow[]>,
  ): Promise<readonly ApiKeyRow[]>;
  /** the one in force that a rotation replaces; null: there is none. @throws SluiceError `store_unavailable` */
  newest(id: string): Promise<ApiKeyRow | null>;
  /** the newest first */
  list(
    limit: number,
    /** the last of the page before */
    after?: { readonly at: number; readonly id: string },
  ): Promise<readonly ApiKeyRow[]>;
}

const PREFIX = 'slk_';

export function createApiKeyRecords(database: Database, now: () => Date): ApiKeyRecords {
  const usable = (tx: Queries, id: string): Promise<readonly ApiKeyRow[]> =>
    tx.query<ApiKeyRow>(
      `SELECT * FROM sluice_api_keys WHERE id = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY created_at DESC ${database.forUpdate}`,
      [id, now().getTime()],
    );
  async function insert(
    tx: Queries,
    id: string,
    subject: string,
    expires: number,
    by: string,
    journaled: Journaled<ApiKeyRow>,
  ): Promise<NewApiKey> {
    const key = `${PREFIX}${randomBytes(32).toString('base64url')}`;
    const [row] = await tx.query<ApiKeyRow>(
      `INSERT INTO sluice_api_keys (sha256, id, subject, created_at, created_by, expires_at, number)
        VALUES ($1, $2, $3, $4, $5, $6, (SELECT COALESCE(MAX(number), 0) + 1 FROM sluice_api_keys WHERE id = $2))
        ON CONFLICT (id, number) DO NOTHING RETURNING *`,
      [hash('sha256', key, 'hex'), id, subject, now().getTime(), by, expires],
    );
    // Somebody else has made one since this transaction looked.
    if (row === undefined) throw taken(id);
    await journaled(row, tx);
    return { key, row };
  }
  const checkExpiry = (expires: number): void => {
    if (!(expires > now().getTime())) throw invalid('The key would have expired already: give a later time.');
  };
  return {
    async create(id, subject, expires, by, journaled) {
      for (const name of [id, subject.id, by])
        if (name.trim() === '' || name.length > 256 || holdsUnseen(name))
          throw invalid(
            'A name is empty, too long, or has a blank around it or an invisible character in it.',
          );
      checkExpiry(expires);
      return database.transaction(async (tx) => {
        if ((await usable(tx, id)).length > 0) throw taken(id);
        return insert(tx, id, JSON.stringify(subject), expires, by, journaled);
      });
    },
    async rotate(id, expires, overlap, by, journaled) {
      if (by.trim() === '') throw invalid('Say who does this, for whoever asks later.');
      checkExpiry(expires);
      return database.transaction(async (tx) => {
        const [newest] = await usable(tx, id);
        if (newest === undefined) throw notFound(id);
        const end = now().getTime() + overlap;
        await tx.query(
          'UPDATE sluice_api_keys SET expires_at = $2 WHERE id = $1 AND revoked_at IS NULL AND expires_at > $2',
          [id, end],
        );
        return insert(tx, id, newest.subject, expires, by, journaled);
      });
    },
    async revoke(id, { reason, by }, journaled) {
      if (reason.trim() === '' || by.trim() === '')
        throw invalid('Say who does this, and why, for whoever asks later.');
      return database.transaction(async (tx) => {
        const revoked = await tx.query<ApiKeyRow>(
          'UPDATE sluice_api_keys SET revoked_at = $2, revoked_by = $3, reason = $4 WHERE id = $1 AND revoked_at IS NULL AND expires_at > $2 RETURNING *',
          [id, now().getTime(), by, reason],
        );
        if (revoked.length === 0) throw notFound(id);
        await journaled(revoked, tx);
        return revoked;
      });
    },
    async newest(id) {
      const [row] = await database.query<ApiKeyRow>(
        'SELECT * FROM sluice_api_keys WHERE id = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY created_at DESC LIMIT 1',
        [id, now().getTime()],
      );
      return row ?? null;
    },
    list: (limit, after) =>
      database.query<ApiKeyRow>(
        `SELECT * FROM sluice_api_keys WHERE (created_at, sha256) < (CAST($2 AS bigint), CAST($3 AS text))
         ORDER BY created_at DESC, sha256 DESC LIMIT $1`,
        [limit, after?.at ?? Number.MAX_SAFE_INTEGER, after?.id ?? ''],
      ),
  };
}

const taken = (id: string): SluiceError =>
  new SluiceError('api_key_taken', `There is a key "${id}" already: rotate it, or choose another name.`);
const notFound = (id: string): SluiceError =>
  new SluiceError(
    'api_key_not_found',
    `No key "${id}" in the store is in force: see "sluice keys list". Keys of sluice.yaml are changed there.`,
  );
const invalid = (message: string): SluiceError => new SluiceError('input_invalid', message);
