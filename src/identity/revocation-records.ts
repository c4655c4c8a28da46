/** Revocations in the store, as commands change and list them. */
import { randomUUID } from 'node:crypto';
import { SluiceError } from '../errors.ts';
import type { Database, Row } from '../model/database.ts';
import type { Journaled } from '../model/journaled.ts';
import { namesOf } from '../model/realm.ts';
import { asSeen, holdsUnseen } from '../model/spelling.ts';
import { DIGEST } from './revoked.ts';

/** What a revocation names: a caller by `subject.id` (without its realm: whoever has that id in any), a token by its id, or any credential by a digest, as in the file. */
export interface RevocationTarget {
  readonly kind: 'subject' | 'jti' | 'sha256';
  readonly name: string;
}

/** Moments are milliseconds since 1970. */
export interface Revocation extends Row {
  readonly id: string;
  readonly kind: RevocationTarget['kind'];
  readonly name: string;
  /** null: whoever issued the credential */
  readonly issuer: string | null;
  /** null: whenever it was issued */
  readonly issued_before: number | null;
  /** null: from when it is stored, whatever the clocks say */
  readonly starts_at: number | null;
  /** null: until it is restored */
  readonly ends_at: number | null;
  readonly reason: string;
  readonly revoked_at: number;
  readonly revoked_by: string;
  readonly restored_at: number | null;
  readonly restored_by: string | null;
  readonly restored_reason: string | null;
}

export interface Statement {
  readonly reason: string;
  readonly by: string;
}

export interface Terms {
  readonly issuer?: string;
  readonly issued_before?: number;
  readonly starts_at?: number;
  readonly ends_at?: number;
}

export interface RevocationRecords {
  /** @throws SluiceError `input_invalid`, `store_unavailable` */
  revoke(
    target: RevocationTarget,
    terms: Terms,
    statement: Statement,
    journaled: Journaled<Revocation>,
  ): Promise<Revocation>;
  /**
   * Ends every revocation of the target.
   * @param ofWhom only what this caller has revoked; null: whoever did
   * @throws SluiceError `revocation_not_found`, `input_invalid`, `store_unavailable`
   */
  restore(
    target: RevocationTarget,
    statement: Statement,
    journaled: Journaled<readonly Revocation[]>,
    ofWhom: string | null,
  ): Promise<readonly Revocation[]>;
  /** the newest first; `current`: those that are in force, or will be */
  list(options: {
    readonly state: 'current' | 'all';
    readonly limit: number;
    /** the last of the page before */
    readonly after?: { readonly at: number; readonly id: string };
  }): Promise<readonly Revocation[]>;
  /** all that a subject ever had, also under its name without a realm, the newest first */
  ofSubject(subject: string): Promise<readonly Revocation[]>;
}

export function createRevocationRecords(database: Database, now: () => Date): RevocationRecords {
  return {
    async revoke(target, { issuer, issued_before, starts_at, ends_at }, statement, journaled) {
      const { kind, name } = readTarget(target);
      const { reason, by } = readStatement(statement);
      const at = now().getTime();
      if (ends_at !== undefined && ends_at <= Math.max(at, starts_at ?? at))
        throw invalid('The revocation would end before it begins: give a later end.');
      return database.transaction(async (tx) => {
        const [revocation] = await tx.query<Revocation>(
          `INSERT INTO sluice_revocations (id, kind, name, issuer, issued_before, starts_at, ends_at, reason, revoked_at, revoked_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING *`,
          [
            randomUUID(),
            kind,
            name,
            issuer ?? null,
            issued_before ?? null,
            starts_at ?? null,
            ends_at ?? null,
            reason,
            at,
            by,
          ],
        );
        await journaled(revocation!, tx);
        return revocation!;
      });
    },
    async restore(target, statement, journaled, ofWhom) {
      const { kind, name } = readTarget(target);
      const { reason, by } = readStatement(statement);
      return database.transaction(async (tx) => {
        const restored = await tx.query<Revocation>(
          `UPDATE sluice_revocations SET restored_at = $3, restored_by = $4, restored_reason = $5
         WHERE kind = $1 AND name = $2 AND restored_at IS NULL AND (ends_at IS NULL OR ends_at > $3)
         AND (CAST($6 AS text) IS NULL OR revoked_by = $6) RETURNING *`,
          [kind, name, now().getTime(), by, reason, ofWhom],
        );
        if (restored.length === 0)
          throw new SluiceError(
            'revocation_not_found',
            'Nothing is revoked under this name in the store: see "sluice subject list". A revocation in the file of identity.revocations ends there.',
          );
        await journaled(restored, tx);
        return restored;
      });
    },
    list: ({ state, limit, after }) =>
      database.query<Revocation>(
        `SELECT * FROM sluice_revocations
         WHERE (CAST($1 AS bigint) IS NULL OR (restored_at IS NULL AND (ends_at IS NULL OR ends_at > $1)))
         AND (revoked_at, id) < (CAST($3 AS bigint), CAST($4 AS text)) ORDER BY revoked_at DESC, id DESC LIMIT $2`,
        [
          state === 'all' ? null : now().getTime(),
          limit,
          after?.at ?? Number.MAX_SAFE_INTEGER,
          after?.id ?? '',
        ],
      ),
    ofSubject: (subject) =>
      database.query<Revocation>(
        "SELECT * FROM sluice_revocations WHERE kind = 'subject' AND name = ANY($1) ORDER BY revoked_at DESC, id",
        [namesOf(subject).map(asSeen)],
      ),
  };
}

const MAX_NAME = 512;

/** A name that no credential can have would revoke nothing. */
function readTarget({ kind, name }: RevocationTarget): RevocationTarget {
  if (name === '' || name.length > MAX_NAME || holdsUnseen(name))
    throw invalid(
      `A ${kind} is 1 to ${MAX_NAME} characters, without a blank around it or an invisible character in it: nothing would be found by it.`,
    );
  if (kind !== 'sha256') return { kind, name: asSeen(name) };
  if (!DIGEST.test(name)) throw invalid('A sha256 is 64 hexadecimal digits.');
  return { kind, name: name.replaceAll(':', '').toLowerCase() };
}

function readStatement({ reason, by }: Statement): Statement {
  if (reason.trim() === '') throw invalid('The reason is empty: say why, for whoever asks later.');
  if (by.trim() === '') throw invalid('Say who does this, for whoever asks later.');
  return { reason, by };
}

const invalid = (message: string): SluiceError => new SluiceError('input_invalid', message);
