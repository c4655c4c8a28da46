/**
 * One-time codes: the data subject is sent a code and tells it to the caller for whom it was made. The store keeps its keyed digest, never the
 * code. A caller's codes are locked while one is compared, so that tries at the same time get no more than the others.
 */
import { createHmac, randomInt, timingSafeEqual } from 'node:crypto';
import { SluiceError } from '../errors.ts';
import type { Database, Migration, Row } from '../model/database.ts';
import type { Journaled } from '../model/journaled.ts';
import { EXPIRED, FAILED, type Finding } from './finding.ts';
import type { CodeConfig } from './section.ts';

export const VERIFICATION_MIGRATIONS: readonly Migration[] = [
  {
    name: 'verification/1',
    isAdditive: true,
    sql: `
      CREATE TABLE sluice_verification_codes (
        id text PRIMARY KEY, caller text NOT NULL, data_subject text NOT NULL, digest text NOT NULL, created_at bigint NOT NULL,
        expires_at bigint NOT NULL, attempts bigint NOT NULL DEFAULT 0, used_at bigint, lasts_until bigint
      );
      CREATE INDEX sluice_verification_codes_caller ON sluice_verification_codes (caller, created_at);
      CREATE INDEX sluice_verification_codes_data_subject ON sluice_verification_codes (data_subject, created_at)`,
  },
];

/** Moments are milliseconds. */
interface CodeRow extends Row {
  readonly id: string;
  readonly data_subject: string;
  readonly digest: string;
  readonly attempts: number;
  readonly expires_at: number;
  readonly used_at: number | null;
  readonly lasts_until: number | null;
}

export interface NewCode {
  readonly id: string;
  /** `sub` of the caller's token */
  readonly caller: string;
  /** its id, as catalogs' data subjects have it */
  readonly data_subject: string;
}

/** Sends a code. @throws if it is not accepted */
export type Send = (message: {
  readonly data_subject: string;
  readonly code: string;
  /** RFC 3339 */
  readonly expires: string;
}) => Promise<void>;

export interface Codes {
  /** @throws SluiceError `store_unavailable` */
  check(code: string, caller: string, at: Date): Promise<Finding>;
  /**
   * Makes a code, records it, and lets it be sent.
   * @returns when it expires
   * @throws SluiceError `verification_limited`, `verification_unavailable` if it cannot be sent: then it is void
   */
  send(wanted: NewCode, at: Date, send: Send, journaled: Journaled<NewCode>): Promise<Date>;
}

const HOUR = 3_600_000;
/** how long a code that has expired is told from one that was never sent, and counted for the limits */
/** advisory lock of PostgreSQL: the numbers of codes that were sent hold for those that are sent at once, too */
const SENDING = 5_170_423;
const KEPT = 24 * HOUR;

export function createCodes(database: Database, config: CodeConfig): Codes {
  const form = new RegExp(`^[0-9]{${config.digits}}$`);
  /** Bound to its row, so that equal codes have different digests. */
  const digestOf = (id: string, caller: string, data_subject: string, code: string): string =>
    createHmac('sha256', config.secret)
      .update(JSON.stringify([id, caller, data_subject, code]))
      .digest('hex');

  /** Requests at the same time may bring a code that lasts; of those that bring another one is permitted. */
  const use = async (id: string, at: Date): Promise<boolean> => {
    const used = await database.write(
      `UPDATE sluice_verification_codes SET used_at = COALESCE(used_at, $2), lasts_until = COALESCE(lasts_until, $3)
       WHERE id = $1 AND (used_at IS NULL OR lasts_until > $2) RETURNING id`,
      // Null: never again, also where a clock is behind the one that has used it.
      [id, at.getTime(), config.lasts === 0 ? null : at.getTime() + config.lasts],
    );
    return used.length === 1;
  };

  return {
    async check(code, caller, at) {
      if (!form.test(code)) return FAILED;
      const now = at.getTime();
      return database.transaction(async (tx) => {
        const rows = await tx.query<CodeRow>(
          `SELECT * FROM sluice_verification_codes WHERE caller = $1 AND attempts < $2 AND created_at > $3
           ORDER BY id ${database.forUpdate}`,
          [caller, config.attempts, now - KEPT],
        );
        const row = rows.find(({ id, data_subject, digest }) =>
          isSame(digest, digestOf(id, caller, data_subject, code)),
        );
        const counted = (change: string, ids: readonly string[]): Promise<unknown> =>
          tx.query(`UPDATE sluice_verification_codes SET attempts = ${change} WHERE id = ANY($1)`, [ids]);
        if (row === undefined) {
          await counted(
            'attempts + 1',
            rows.map(({ id }) => id),
          );
          return FAILED;
        }
        const { id, data_subject, attempts, used_at, lasts_until, expires_at } = row;
        if (attempts > 0) await counted('0', [id]);
        if ((used_at === null ? expires_at : (lasts_until ?? 0)) <= now) return EXPIRED;
        return used_at === null ? { data_subject, use: (when) => use(id, when) } : { data_subject };
      });
    },

    async send(wanted, at, send, journaled) {
      const { id, caller, data_subject } = wanted;
      const now = at.getTime();
      const expires = new Date(now + config.expires);
      const code = String(randomInt(10 ** config.digits)).padStart(config.digits, '0');
      await database.transaction(async (tx) => {
        // In SQLite a transaction that writes is alone.
        if (database.dialect === 'postgres') await tx.query('SELECT pg_advisory_xact_lock($1)', [SENDING]);
        await tx.query('DELETE FROM sluice_verification_codes WHERE created_at <= $1', [now - KEPT]);
        const sent = async (column: 'caller' | 'data_subject', value: string): Promise<number> => {
          const [row] = await tx.query<{ n: number }>(
            `SELECT count(*) AS n FROM sluice_verification_codes WHERE ${column} = $1 AND created_at > $2`,
            [value, now - HOUR],
          );
          return Number(row?.n ?? 0);
        };
        if ((await sent('data_subject', data_subject)) >= config.per_data_subject)
          throw limited('this data subject was sent', 'per_data_subject');
        if ((await sent('caller', caller)) >= config.per_caller)
          throw limited('this caller let be sent', 'per_caller');
        await tx.query(
          `INSERT INTO sluice_verification_codes (id, caller, data_subject, digest, created_at, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6)`,
          [id, caller, data_subject, digestOf(id, caller, data_subject, code), now, expires.getTime()],
        );
        await journaled(wanted, tx);
      });
      try {
        await send({ data_subject, code, expires: expires.toISOString() });
      } catch (cause) {
        // It may have been sent all the same, so it is made void.
        await database.write('UPDATE sluice_verification_codes SET expires_at = 0 WHERE id = $1', [id]);
        throw new SluiceError('verification_unavailable', {
          message: 'The code could not be sent (verification.code), and is void.',
          cause,
        });
      }
      return expires;
    },
  };
}

const isSame = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

const limited = (what: string, key: string): SluiceError =>
  new SluiceError(
    'verification_limited',
    `In the last hour ${what} as many codes as are permitted (verification.code.${key}). Try again later.`,
  );
