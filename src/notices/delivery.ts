/**
 * Delivers notices that are due as webhooks, to one recipient independently of the others: one that does not answer keeps nobody waiting. Every
 * sidecar that uses the store does; a lease keeps two from delivering one at the same time.
 * A delivery may still be repeated, after a crash: recipients know it by `webhook-id`.
 */
import type { Database } from '../model/database.ts';
import type { Logger } from '../observability/logger.ts';
import type { NoticesConfig, WebhookConfig } from './section.ts';
import { signedHeaders, signingKey } from './signature.ts';
import type { NoticeRow } from './tables.ts';
import { webhookOf } from './webhooks.ts';

/** What a recipient may say in the body of its answer (JSON). */
export interface Reply {
  readonly acknowledged: boolean;
  /** what was done with expired data */
  readonly how: 'destroyed' | 'archived' | null;
  readonly note: string | null;
}

export interface DeliveryDependencies {
  readonly logger: Logger;
  readonly now: () => Date;
  /** aborted when the process stops: a delivery under way is broken off, and due again */
  readonly closing: AbortSignal;
  /** Stores what the recipient has said. What it throws makes the delivery fail. */
  readonly answered: (notice: NoticeRow, reply: Reply) => Promise<void>;
}

export interface Delivery {
  /** Delivers what is due. Never rejects. @returns how many deliveries succeeded */
  run(): Promise<number>;
  readonly counts: { readonly delivered: number; readonly failed: number };
}

/** most of one round to one recipient */
const ROUND = 50;
const LONGEST_ANSWER = 64 * 1024;
const LONGEST_NOTE = 1_000;
/** seconds until the next attempt, by number of attempts; as Standard Webhooks suggests */
const DELAYS = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

export function createDelivery(
  database: Database,
  config: NoticesConfig,
  { logger, now, closing, answered }: DeliveryDependencies,
): Delivery {
  const counts = { delivered: 0, failed: 0 };

  /** @returns null: another process has it */
  async function leased({ id, next_at }: NoticeRow): Promise<NoticeRow | null> {
    // Longer than the delivery can take: what a process that was killed had begun becomes due again.
    const until = now().getTime() + 2 * config.timeout + 5_000;
    const [row] = await database.write<NoticeRow>(
      `UPDATE sluice_notices SET next_at = $3, attempts = attempts + 1
       WHERE id = $1 AND next_at = $2 AND acknowledged_at IS NULL RETURNING *`,
      [id, next_at, until],
    );
    return row ?? null;
  }

  async function deliver(notice: NoticeRow): Promise<boolean> {
    const { id, recipient, type, data, created_at, attempts, retry_until } = notice;
    try {
      const webhook = webhookOf(config, recipient);
      if (webhook === undefined) throw new Error('no webhook is configured any more');
      const timestamp = new Date(created_at).toISOString();
      const told = JSON.parse(data ?? '{}') as object;
      // A callback has the members of its profile (AuthZEN) at the top, and expects no answer.
      const isCallback = type === 'access_request.decided';
      const body = JSON.stringify(
        isCallback ? { type, timestamp, ...told } : { type, timestamp, data: { notice: id, ...told } },
      );
      const reply = await posted(webhook, id, body);
      if (reply !== null && !isCallback) await answered(notice, reply);
      await database.write(
        `UPDATE sluice_notices SET delivered_at = $2, next_at = NULL, last_error = NULL${isCallback ? ', acknowledged_at = $2, acknowledged_by = recipient' : ''} WHERE id = $1`,
        [id, now().getTime()],
      );
      counts.delivered++;
      return true;
    } catch (err) {
      counts.failed++;
      const delay = (DELAYS[Math.min(attempts, DELAYS.length) - 1] ?? 5) * 1_000;
      const at = now().getTime();
      const next = at + delay > retry_until ? null : at + delay;
      const why = reasonOf(err);
      logger[next === null ? 'error' : 'warn'](
        { notice: id, recipient: recipient ?? 'alerts', type, why },
        next === null ? 'a notice could not be delivered: nobody tries again' : 'a notice was not delivered',
      );
      await database
        .write(
          'UPDATE sluice_notices SET next_at = $2, last_error = $3 WHERE id = $1 AND acknowledged_at IS NULL',
          [id, next, why],
        )
        .catch((e: unknown) => logger.warn({ err: e, notice: id }, 'the store does not answer'));
      return false;
    }
  }

  async function posted({ url, secret }: WebhookConfig, id: string, body: string): Promise<Reply | null> {
    // The configuration was checked.
    const key = signingKey(secret)!;
    const response = await fetch(url, {
      method: 'POST',
      headers: signedHeaders(key, id, Math.floor(now().getTime() / 1_000), body),
      body,
      redirect: 'error',
      signal: AbortSignal.any([closing, AbortSignal.timeout(config.timeout)]),
    });
    const text = await limited(response);
    if (!response.ok) throw new Error(`status ${response.status}`);
    return replyOf(text);
  }

  /**
   * What is due for one recipient, one after the other, until one fails or takes long: then the others' next round does not wait for the rest.
   * @returns how many deliveries succeeded
   */
  async function deliverTo(recipient: string | null): Promise<number> {
    const until = performance.now() + config.timeout;
    const due = await database.query<NoticeRow>(
      `SELECT * FROM sluice_notices WHERE next_at <= $1 AND ${recipient === null ? 'recipient IS NULL AND CAST($2 AS text) IS NULL' : 'recipient = $2'}
       ORDER BY next_at, id LIMIT $3`,
      [now().getTime(), recipient, ROUND],
    );
    let delivered = 0;
    for (const row of due) {
      const notice = await leased(row);
      if (notice === null) continue;
      if (!(await deliver(notice))) break;
      delivered++;
      if (closing.aborted || performance.now() > until) break;
    }
    return delivered;
  }

  return {
    counts,
    async run() {
      try {
        const owed = await database.query<Pick<NoticeRow, 'recipient'>>(
          'SELECT DISTINCT recipient FROM sluice_notices WHERE next_at <= $1',
          [now().getTime()],
        );
        const delivered = await Promise.all(owed.map(({ recipient }) => deliverTo(recipient)));
        return delivered.reduce((sum, n) => sum + n, 0);
      } catch (err) {
        logger.warn({ err }, 'notices cannot be delivered: the store does not answer');
        return 0;
      }
    },
  };
}

/** Of an answer that is longer nothing is used. */
async function limited({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.byteLength;
    if (size > LONGEST_ANSWER) return '';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** @returns null: the answer says nothing */
function replyOf(text: string): Reply | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const { acknowledged, confirmed, note } = value as Record<string, unknown>;
  const how = confirmed === 'destroyed' || confirmed === 'archived' ? confirmed : null;
  if (acknowledged !== true && how === null) return null;
  return { acknowledged: true, how, note: typeof note === 'string' ? note.slice(0, LONGEST_NOTE) : null };
}

function reasonOf(err: unknown): string {
  const { message, cause, name } = err as Error;
  if (name === 'TimeoutError') return 'no answer in time';
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  return code === undefined ? message : `${message} (${code})`;
}
