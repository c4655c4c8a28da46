/**
 * Requests of data subjects in the store: for erasure, for restriction of processing, for access. Each change is one transaction: the request, its
 * event, and the marks by which the policy stops the disclosure. PostgreSQL announces the marks when they are in force.
 * They are in one file: all take the same lock and have the same last step.
 */
import { SluiceError } from '../errors.ts';
import type { Database, Queries } from '../model/database.ts';
import type { Kind } from '../model/erasure.ts';
import type { Journaled } from '../model/journaled.ts';
import { checkHold, checkId, isOver, requireOpen } from './checks.ts';
import {
  type Confirmation,
  confirmationsOf,
  type EventName,
  type Hold,
  holdsOf,
  isOverdue,
  marksBy,
  type RequestEvent,
  type RequestRow,
} from './tables.ts';

export { checkCategory } from './checks.ts';
export { type Certificate, certificateOf, checkCertificate, signedCertificate } from './certificate.ts';
export { carryOut, type Deleted, type Send } from './deletion.ts';
export { markSource } from './marks.ts';
export {
  type Confirmation,
  confirmationsOf,
  ERASURE_MIGRATIONS,
  type EventName,
  type Hold,
  holdsOf,
  isOpen,
  isOverdue,
  MARKS,
  type RequestEvent,
  type RequestRow,
} from './tables.ts';

/** What has changed, as it is recorded. */
export interface Happened {
  readonly what: EventName;
  readonly request: RequestRow;
  readonly note: string | null;
}

/** Who changes a request, and where that is recorded. */
export interface Change {
  readonly by: string;
  readonly decision_id: string;
  /** Called before the change is in force; what it throws undoes the change. */
  readonly journaled: Journaled<Happened>;
}

export interface RequestFilter {
  readonly state: 'open' | 'overdue' | 'closed' | 'all';
  readonly kind?: Kind;
  readonly data_subject?: string;
  readonly limit: number;
  readonly after?: { readonly at: number; readonly id: string };
  /** the newest first, without `after`; default: the oldest first */
  readonly newest?: boolean;
}

export interface ErasureStore {
  /**
   * In force at once: nothing of the person is disclosed any more, but what the policy excepts.
   * @returns the open request where one of this kind is open: then nothing is changed
   * @throws SluiceError `erasure_invalid`
   */
  request(
    wanted: { readonly kind: Kind; readonly data_subject: string; readonly note: string | null },
    change: Change,
  ): Promise<{ readonly request: RequestRow; readonly isNew: boolean }>;
  /** Somebody has checked it, and takes it on. @throws SluiceError `erasure_not_found`, `erasure_closed` */
  accept(id: string, note: string | null, change: Change): Promise<RequestRow>;
  /** Keeps a category of an erasure; one that is held is held anew. @throws SluiceError `erasure_invalid`, and as `accept` */
  hold(id: string, hold: Hold, change: Change): Promise<RequestRow>;
  /** Ends a hold of an open request. @throws SluiceError `erasure_invalid`, and as `accept` */
  release(id: string, category: string, note: string, change: Change): Promise<RequestRow>;
  /** An upstream has confirmed the deletion. @throws as `accept` */
  confirm(id: string, confirmation: Confirmation, change: Change): Promise<RequestRow>;
  /** An upstream has not confirmed the deletion. @throws as `accept` */
  fail(id: string, why: string, change: Change): Promise<RequestRow>;
  /**
   * Partly, where categories are held. Once more for a request that is partly completed: when what was held is deleted. An erasure was accepted
   * before: a completed one cannot be undone, and those who have received the data are told when it is accepted.
   * @param evidence where the proof of the deletion is kept; null: every upstream has confirmed it
   * @throws as `accept`; `erasure_invalid`
   */
  complete(id: string, evidence: string | null, change: Change): Promise<RequestRow>;
  /** The disclosure goes on. @throws as `accept` */
  reject(id: string, reason: string, change: Change): Promise<RequestRow>;
  /**
   * The person of a completed erasure is a customer again: what is disclosed of them is new. Consents from before are withdrawn.
   * @param consentsRemoved where consents are not in the store: somebody has removed those from before
   * @throws as `accept`; `erasure_invalid`: it is not completed, or consents from before may be in force
   */
  lift(id: string, reason: string, consentsRemoved: boolean, change: Change): Promise<RequestRow>;
  /** Its time is over, or that of a hold. */
  isOverdue(request: RequestRow): boolean;
  /** the oldest first */
  list(filter: RequestFilter): Promise<readonly RequestRow[]>;
  /** @throws SluiceError `erasure_not_found` */
  show(id: string): Promise<{ readonly request: RequestRow; readonly events: readonly RequestEvent[] }>;
}

export interface ErasureDependencies {
  readonly newId: () => string;
  readonly now: () => Date;
  /** milliseconds in which a request is to be done */
  readonly due: number;
  /** Called when an erasure is accepted, in its transaction: who else has to know. */
  readonly accepted?: (queries: Queries, data_subject: string) => Promise<void>;
  /** Called when an erasure is lifted, in its transaction: withdraws the consents from before. Absent: consents are not in the store. */
  readonly lifted?: (queries: Queries, data_subject: string, by: string) => Promise<void>;
}

export function createErasure(
  database: Database,
  { newId, now, due, accepted, lifted }: ErasureDependencies,
): ErasureStore {
  const find = async (queries: Queries, id: string, lock = ''): Promise<RequestRow> => {
    const [request] = await queries.query<RequestRow>(
      `SELECT * FROM erasure_requests WHERE id = $1 ${lock}`,
      [id],
    );
    if (request === undefined)
      throw new SluiceError(
        'erasure_not_found',
        `There is no request ${id}: sluice erasure list --state all.`,
      );
    return request;
  };

  /** Two requests of one person are changed one after the other: each sees the marks of both. */
  const lock = async (tx: Queries, data_subject: string): Promise<void> => {
    await tx.query(`INSERT INTO erasure_marks VALUES ($1, '[]') ON CONFLICT DO NOTHING`, [data_subject]);
    await tx.query(`SELECT marks FROM erasure_marks WHERE data_subject = $1 ${database.forUpdate}`, [
      data_subject,
    ]);
  };

  /** Writes marks and event, and records the change as the last step of its transaction. */
  const settle = async (
    tx: Queries,
    request: RequestRow,
    what: EventName,
    note: string | null,
    { by, decision_id, journaled }: Change,
    at: number,
  ): Promise<RequestRow> => {
    const all = await tx.query<RequestRow>('SELECT * FROM erasure_requests WHERE data_subject = $1', [
      request.data_subject,
    ]);
    await tx.query('UPDATE erasure_marks SET marks = $2 WHERE data_subject = $1', [
      request.data_subject,
      JSON.stringify(marksBy(all)),
    ]);
    await tx.query(
      `INSERT INTO erasure_events (request_id, number, at, who, what, note, decision_id)
       VALUES ($1, (SELECT COALESCE(MAX(number), 0) + 1 FROM erasure_events WHERE request_id = $1), $2, $3, $4, $5, $6)`,
      [request.id, at, by, what, note, decision_id],
    );
    await journaled({ what, request, note }, tx);
    return request;
  };

  /** Changes some columns of a request that `check` lets pass. */
  const changed = (
    id: string,
    what: EventName,
    note: string | null,
    change: Change,
    columns: (request: RequestRow, at: number) => Partial<RequestRow>,
  ): Promise<RequestRow> =>
    database.transaction(async (tx) => {
      await lock(tx, (await find(tx, id)).data_subject);
      const before = await find(tx, id, database.forUpdate);
      const at = now().getTime();
      const set = Object.entries(columns(before, at));
      const [after] = await tx.query<RequestRow>(
        `UPDATE erasure_requests SET ${set.map(([name], i) => `${name} = $${i + 2}`).join(', ')} WHERE id = $1 RETURNING *`,
        [id, ...set.map(([, value]) => value ?? null)],
      );
      if (what === 'accepted' && before.kind === 'erasure') await accepted?.(tx, before.data_subject);
      if (what === 'lifted') await lifted?.(tx, before.data_subject, change.by);
      return settle(tx, after!, what, note, change, at);
    });

  return {
    async request({ kind, data_subject, note }, change) {
      checkId(data_subject);
      return database.transaction(async (tx) => {
        await lock(tx, data_subject);
        const [open] = await tx.query<RequestRow>(
          `SELECT * FROM erasure_requests WHERE data_subject = $1 AND kind = $2 AND state IN ('requested', 'in_progress')`,
          [data_subject, kind],
        );
        if (open !== undefined) return { request: open, isNew: false };
        const at = now().getTime();
        const [made] = await tx.query<RequestRow>(
          `INSERT INTO erasure_requests (id, kind, data_subject, state, requested_at, due_at, requested_by, note)
           VALUES ($1, $2, $3, 'requested', $4, $5, $6, $7) RETURNING *`,
          [newId(), kind, data_subject, at, at + due, change.by, note],
        );
        return { request: await settle(tx, made!, 'requested', note, change, at), isNew: true };
      });
    },

    accept: (id, note, change) =>
      changed(id, 'accepted', note, change, (request) => {
        requireOpen(request);
        if (request.state === 'in_progress')
          throw new SluiceError('erasure_invalid', `The request ${id} has been accepted already.`);
        return { state: 'in_progress' };
      }),

    async hold(id, hold, change) {
      checkHold(hold, now());
      return changed(
        id,
        'held',
        `${hold.category}: ${hold.basis}, until ${hold.until}`,
        change,
        (request) => {
          requireOpen(request);
          if (request.kind !== 'erasure')
            throw new SluiceError('erasure_invalid', 'Only a request for erasure has holds.');
          const others = holdsOf(request).filter(({ category }) => category !== hold.category);
          return { holds: JSON.stringify([...others, hold]) };
        },
      );
    },

    release: (id, category, note, change) =>
      changed(id, 'released', `${category}: ${note}`, change, (request) => {
        const holds = holdsOf(request);
        if (!holds.some((hold) => hold.category === category))
          throw new SluiceError(
            'erasure_invalid',
            `The request ${id} does not hold the category ${category}.`,
          );
        if (request.state === 'partly')
          throw new SluiceError(
            'erasure_invalid',
            'It is partly completed, and what was held is still there: complete it when that is deleted, too.',
          );
        requireOpen(request);
        return { holds: JSON.stringify(holds.filter((hold) => hold.category !== category)) };
      }),

    confirm: (id, confirmation, change) =>
      changed(id, 'confirmed', `${confirmation.upstream}: ${confirmation.status}`, change, (request) => {
        requireOpen(request);
        const others = confirmationsOf(request).filter(({ upstream }) => upstream !== confirmation.upstream);
        return { confirmations: JSON.stringify([...others, confirmation]) };
      }),

    fail: (id, why, change) =>
      changed(id, 'failed', why, change, (request) => {
        requireOpen(request);
        return { state: request.state };
      }),

    complete: (id, evidence, change) =>
      changed(id, 'completed', evidence, change, (request, at) => {
        const { by } = change;
        if (request.state === 'partly') {
          const held = holdsOf(request).filter(({ until }) => !isOver(until, at));
          if (held.length > 0)
            throw new SluiceError(
              'erasure_invalid',
              `${held.map(({ category }) => category).join(', ')}: still held. It can be completed when the holds are over.`,
            );
          return { state: 'completed', holds: '[]', closed_at: at, closed_by: by, evidence };
        }
        requireOpen(request);
        if (request.kind === 'erasure' && request.state === 'requested')
          throw new SluiceError(
            'erasure_invalid',
            `Nobody has accepted the request ${id}. When it is checked who asks and what must be kept: sluice erasure accept ${id}.`,
          );
        const isPartly = request.kind === 'erasure' && holdsOf(request).length > 0;
        return { state: isPartly ? 'partly' : 'completed', closed_at: at, closed_by: by, evidence };
      }),

    reject: (id, reason, change) =>
      changed(id, 'rejected', reason, change, (request, at) => {
        requireOpen(request);
        return { state: 'rejected', reason, closed_at: at, closed_by: change.by };
      }),

    lift: (id, reason, consentsRemoved, change) =>
      changed(id, 'lifted', reason, change, (request) => {
        if (request.kind !== 'erasure' || request.state !== 'completed')
          throw new SluiceError(
            'erasure_invalid',
            request.state === 'partly'
              ? `The request ${id} is completed in part: what is held is of the time before, and would be disclosed as if it were new. Complete it first, or give the person another number.`
              : `Only an erasure that is completed is lifted, and the request ${id} (${request.kind}) is ${request.state.replaceAll('_', ' ')}.`,
          );
        if (lifted === undefined && !consentsRemoved)
          throw new SluiceError(
            'erasure_invalid',
            'Consents are not in the store, so that those from before may be in force: remove them where they are kept, and say so (--consents-removed, "consents_removed": true).',
          );
        return { state: 'lifted', reason };
      }),

    isOverdue: (request) => isOverdue(request, now().getTime()),

    async list({ state, kind = null, data_subject = null, limit, after, newest = false }) {
      const at = now().getTime();
      const order = newest ? 'DESC' : '';
      const found = await database.query<RequestRow>(
        `SELECT * FROM erasure_requests WHERE ${CONDITION[state]} AND (CAST($2 AS text) IS NULL OR kind = $2)
         AND (CAST($3 AS text) IS NULL OR data_subject = $3) AND requested_at <= CAST($1 AS bigint)
         AND (requested_at, id) > (CAST($4 AS bigint), CAST($5 AS text))
         ORDER BY requested_at ${order}, id ${order} ${state === 'overdue' ? '' : 'LIMIT CAST($6 AS bigint)'}`,
        [
          ...[at, kind, data_subject, after?.at ?? -1, after?.id ?? ''],
          ...(state === 'overdue' ? [] : [limit]),
        ],
      );
      // Whether a hold is over stands in its JSON.
      return state === 'overdue' ? found.filter((row) => isOverdue(row, at)).slice(0, limit) : found;
    },

    async show(id) {
      const request = await find(database, id);
      const events = await database.query<RequestEvent>(
        'SELECT * FROM erasure_events WHERE request_id = $1 ORDER BY number',
        [id],
      );
      return { request, events };
    },
  };
}

const CONDITION: Readonly<Record<RequestFilter['state'], string>> = {
  all: 'TRUE',
  open: `state IN ('requested', 'in_progress')`,
  overdue: `((state IN ('requested', 'in_progress') AND due_at < CAST($1 AS bigint)) OR state = 'partly')`,
  closed: `state NOT IN ('requested', 'in_progress')`,
};
