/**
 * Requests that a client may send again (draft-ietf-httpapi-idempotency-key-header). Each key of a caller stands for one request: its answer is
 * kept for a while and given again, and the request is never carried out twice, also by another sidecar.
 */
import { createHash } from 'node:crypto';
import { SluiceError } from '../errors.ts';
import type { Database, Migration, Row } from '../model/database.ts';
import type { Idempotency } from '../model/idempotency.ts';

export const IDEMPOTENCY_MIGRATIONS: readonly Migration[] = [
  {
    name: 'idempotency/1',
    isAdditive: true,
    sql: `
      CREATE TABLE sluice_idempotency (
        id text PRIMARY KEY, request text NOT NULL, decision_id text NOT NULL, begun_at bigint NOT NULL, expires_at bigint NOT NULL,
        status bigint, answer text
      );
      CREATE INDEX sluice_idempotency_expiry ON sluice_idempotency (expires_at)`,
  },
];

export interface IdempotencyOptions {
  /** milliseconds for which an answer is kept */
  readonly lifetime: number;
  readonly now: () => Date;
}

/** A change takes less: its transaction is limited. After that, the process that began it has ended. */
const PENDING_MS = 60_000;

interface KeyRow extends Row {
  readonly request: string;
  readonly decision_id: string;
  readonly begun_at: number;
  readonly status: number | null;
  readonly answer: string | null;
}

export function createIdempotency(database: Database, { lifetime, now }: IdempotencyOptions): Idempotency {
  return {
    async begin({ caller, key, parts, decision_id }) {
      // Digests: neither keys nor ids of data subjects in paths are in this table.
      const id = digestOf([caller, key]);
      const request = digestOf(parts);
      const at = now().getTime();
      await database.write('DELETE FROM sluice_idempotency WHERE expires_at <= $1', [at]);
      const [made] = await database.write(
        `INSERT INTO sluice_idempotency (id, request, decision_id, begun_at, expires_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING RETURNING id`,
        [id, request, decision_id, at, at + lifetime],
      );
      if (made !== undefined)
        return {
          async answered({ status, body }) {
            await database.write(
              'UPDATE sluice_idempotency SET status = $3, answer = $4 WHERE id = $1 AND decision_id = $2',
              [id, decision_id, status, body],
            );
          },
          async forget() {
            await database.write('DELETE FROM sluice_idempotency WHERE id = $1 AND decision_id = $2', [
              id,
              decision_id,
            ]);
          },
        };
      const [first] = await database.query<KeyRow>('SELECT * FROM sluice_idempotency WHERE id = $1', [id]);
      if (first === undefined) throw pending();
      if (first.request !== request)
        throw new SluiceError(
          'idempotency_key_reused',
          'The Idempotency-Key was sent with another request already. A new request needs a new key.',
        );
      if (first.status !== null) return { replay: { status: first.status, body: first.answer! } };
      // A clock that was set back does not make it wait for the whole step.
      if (Math.abs(at - first.begun_at) < PENDING_MS) throw pending();
      throw new SluiceError(
        'idempotency_unknown',
        `The first request with this Idempotency-Key never ended (decision ${first.decision_id}). Look whether its change is in force. To make it now, send it with a new key.`,
      );
    },
  };
}

const pending = (): SluiceError =>
  new SluiceError(
    'idempotency_pending',
    'The first request with this Idempotency-Key is still being carried out. Send this one again a little later.',
  );

const digestOf = (parts: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex');
