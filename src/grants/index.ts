/**
 * Access requests and grants in the store: requested → active (after one or two approvals) → used up, expired or revoked; or rejected. Messages
 * never name the ids of a scope: they are personal data.
 */
import { SluiceError } from '../errors.ts';
import type { Database, Queries } from '../model/database.ts';
import { mayBeSame } from '../model/realm.ts';
import type { ReviewDesk } from '../model/review.ts';
import { append, type Happening } from './events.ts';
import { checked, insert, newRow, type Wanted } from './request.ts';
import { notFound, requirePending, spell, unauthorized } from './refusals.ts';
import { isOwn, matched, mayBeOwn, ruleFor } from './rules.ts';
import type { GrantsConfig } from './section.ts';
import { type EventName, type GrantEvent, type GrantRow, stateOf } from './tables.ts';

export { createGrantSource } from './source.ts';
export { scopeOf } from './scope.ts';
export type { Callback, Wanted } from './request.ts';
export { GRANT_MIGRATIONS, type GrantEvent, type GrantRow, type GrantState, stateOf } from './tables.ts';

/** Who changes a grant, and where that is recorded. */
export interface Change {
  /** `subject.id` */
  readonly by: string;
  /** of a credential that was verified; null: nobody verified who it is */
  readonly roles: readonly string[] | null;
  readonly decision_id: string;
  readonly note: string | null;
  /** Called before the change is in force; what it throws undoes the change. */
  journaled(what: EventName, grant: GrantRow, queries: Queries): Promise<void>;
}

export type GrantFilter = 'open' | 'requested' | 'active' | 'archived' | 'all';

export interface GrantStore {
  /**
   * @returns the pending request where an identical one is pending: then nothing is changed
   * @throws SluiceError `grant_invalid`, `grant_rule_missing`
   */
  request(wanted: Wanted, change: Change): Promise<{ readonly grant: GrantRow; readonly isNew: boolean }>;
  /**
   * Access at once, for a short time. A review is opened, which somebody else must close.
   * @throws SluiceError `grants_unconfigured`, `grant_invalid`, `break_glass_review_overdue`
   */
  breakGlass(wanted: Wanted, change: Change): Promise<GrantRow>;
  /**
   * @returns the grant: `active` if this was the last approval that it takes
   * @throws SluiceError `grant_not_found`, `grant_not_pending`, `grant_rule_missing`, `grant_self_approval`, `grant_approver_unauthorized`
   */
  approve(id: string, change: Change): Promise<GrantRow>;
  /** By an approver or the requester. @throws SluiceError `grant_not_found`, `grant_not_pending`, `grant_approver_unauthorized` */
  reject(id: string, change: Change): Promise<GrantRow>;
  /** By an approver, the requester or the holder. @throws SluiceError `grant_not_found`, `grant_not_active`, `grant_approver_unauthorized` */
  revoke(id: string, change: Change): Promise<GrantRow>;
  /** the oldest first */
  list(filter: {
    readonly state: GrantFilter;
    readonly subject?: string;
    readonly limit: number;
    /** the last of the page before */
    readonly after?: { readonly at: number; readonly id: string };
  }): Promise<readonly GrantRow[]>;
  /** @throws SluiceError `grant_not_found` */
  show(id: string): Promise<{ readonly grant: GrantRow; readonly events: readonly GrantEvent[] }>;
}

export interface GrantDependencies {
  readonly reviews: ReviewDesk;
  /** owes an alert, in the transaction of an access without approval */
  readonly alert?: (queries: Queries, grant: GrantRow) => Promise<unknown>;
  /** owes whoever asked a message, in the transaction of the decision about a request */
  readonly decided?: (queries: Queries, grant: GrantRow, by: string) => Promise<unknown>;
  readonly newId: () => string;
  readonly now: () => Date;
  /** of the callers; null or absent: a name needs none */
  readonly realms?: readonly string[] | null;
}

export function createGrants(
  database: Database,
  config: GrantsConfig,
  { reviews, alert, decided, newId, now, realms = null }: GrantDependencies,
): GrantStore {
  const approving = new Set(config.rules.flatMap(({ approved_by }) => approved_by));
  /** The roles in which somebody approves: those of sluice.yaml, and if it names nobody, those of the credential. */
  const rolesOf = ({ by, roles }: Pick<Change, 'by' | 'roles'>): readonly string[] => {
    const { approvers } = config;
    const held = approvers === undefined ? roles : Object.hasOwn(approvers, by) ? approvers[by] : null;
    return (held ?? []).filter((role) => approving.has(role));
  };
  const isApprover = (change: Change): boolean => rolesOf(change).length > 0;
  const ruleOf = ({ tier, grade }: GrantRow) => {
    const rule = ruleFor(config.rules, { tier, grade });
    if (rule !== null) return rule;
    throw new SluiceError(
      'grant_rule_missing',
      `No rule says who approves tier ${tier ?? 'unknown'} and grade ${grade} (grants.rules in sluice.yaml).`,
    );
  };
  /** Records a change, then what happened, inside its transaction. */
  const settle = async (
    tx: Queries,
    grant: GrantRow,
    change: Change,
    ...happened: readonly EventName[]
  ): Promise<void> => {
    const { by: who, note, decision_id } = change;
    for (const what of happened) {
      const event: Happening = { at: now().getTime(), who, what, note, decision_id };
      await append(tx, grant.id, event);
    }
    await change.journaled(happened.at(-1)!, grant, tx);
  };
  const locked = async (tx: Queries, id: string): Promise<GrantRow> => {
    const [grant] = await tx.query<GrantRow>(
      `SELECT * FROM sluice_grants WHERE id = $1 ${database.forUpdate}`,
      [id],
    );
    if (grant === undefined) throw notFound(id);
    return grant;
  };
  /** About the one who took the access: nobody reviews what they did themselves. Access and review are made together, or neither is. */
  const openReview = (
    tx: Queries,
    { purpose, tier, resource }: GrantRow,
    action: 'break_glass' | 'self_approval',
    subject: string,
    { decision_id }: Change,
  ) =>
    reviews.open(
      {
        decision_id,
        timestamp: now().toISOString(),
        subject,
        purpose,
        tier,
        recipient: 'internal',
        action,
        resource: resource ?? '*',
      },
      tx,
    );
  const ended = async (
    id: string,
    change: Change,
    state: 'rejected' | 'revoked',
    check: (grant: GrantRow) => void,
  ): Promise<GrantRow> =>
    database.transaction(async (tx) => {
      const before = await locked(tx, id);
      check(before);
      const [after] = await tx.query<GrantRow>(
        'UPDATE sluice_grants SET state = $2 WHERE id = $1 RETURNING *',
        [id, state],
      );
      if (state === 'rejected') await decided?.(tx, after!, change.by);
      await settle(tx, after!, change, state);
      return after!;
    });

  return {
    async request(wanted, change) {
      const grant = checked(newRow(wanted, change.by, newId(), now(), config.duration), config, realms);
      ruleOf(grant);
      return database.transaction(async (tx) => {
        // The pending one may be approved between the two statements: then this request is a new one.
        for (;;) {
          const [made] = await insert(tx, grant);
          if (made !== undefined) {
            await settle(tx, made, change, 'requested');
            return { grant: made, isNew: true };
          }
          const [pending] = await tx.query<GrantRow>(
            `SELECT * FROM sluice_grants WHERE digest = $1 AND state = 'requested'`,
            [grant.digest],
          );
          if (pending === undefined) continue;
          // Who asks again and wants to be called is called, unless somebody else is already.
          const [called] =
            grant.callback === null
              ? []
              : await tx.query<GrantRow>(
                  'UPDATE sluice_grants SET callback = $2 WHERE id = $1 AND callback IS NULL RETURNING *',
                  [pending.id, grant.callback],
                );
          return { grant: called ?? pending, isNew: false };
        }
      });
    },

    async breakGlass(wanted, change) {
      if (config.break_glass === undefined)
        throw new SluiceError(
          'grants_unconfigured',
          'There is no access without approval here: sluice.yaml has no section grants.break_glass.',
        );
      for (const who of new Set([wanted.subject, change.by]))
        if ((await reviews.overdue(who)) > 0)
          throw new SluiceError(
            'break_glass_review_overdue',
            `A review of an earlier access by ${who} is overdue. Until somebody closes it (sluice reviews list --state overdue), there is no other break-glass.`,
          );
      const at = now();
      const row = newRow(
        { ...wanted, starts_at: null, duration: config.break_glass.duration },
        change.by,
        newId(),
        at,
        config.duration,
      );
      const grant: GrantRow = {
        ...checked(row, config, realms),
        kind: 'break_glass',
        state: 'active',
        from_at: at.getTime(),
        until_at: at.getTime() + config.break_glass.duration,
      };
      return database.transaction(async (tx) => {
        await openReview(tx, grant, 'break_glass', grant.subject, change);
        await insert(tx, grant);
        await alert?.(tx, grant);
        await settle(tx, grant, change, 'broke_glass');
        return grant;
      });
    },

    async approve(id, change) {
      return database.transaction(async (tx) => {
        const before = await locked(tx, id);
        const { approved_by, approved_as, isLast } = checkApproval(before);
        if (mayBeOwn(before, change.by)) await openReview(tx, before, 'self_approval', change.by, change);
        const at = now().getTime();
        const from = Math.max(before.starts_at ?? at, at);
        const [after] = await tx.query<GrantRow>(
          'UPDATE sluice_grants SET approved_by = $2, approved_as = $3, state = $4, from_at = $5, until_at = $6 WHERE id = $1 RETURNING *',
          isLast
            ? [id, approved_by, approved_as, 'active', from, from + before.duration]
            : [id, approved_by, approved_as, 'requested', null, null],
        );
        if (isLast) await decided?.(tx, after!, change.by);
        if (isLast) await settle(tx, after!, change, 'approved', 'activated');
        else await settle(tx, after!, change, 'approved');
        return after!;
      });

      function checkApproval(grant: GrantRow) {
        requirePending(grant);
        const rule = ruleOf(grant);
        const before = JSON.parse(grant.approved_by) as string[];
        if (mayBeOwn(grant, change.by) && !rule.self_approval)
          throw new SluiceError(
            'grant_self_approval',
            'Nobody approves their own access: somebody else has to.',
          );
        if (before.some((earlier) => mayBeSame(earlier, change.by)))
          throw new SluiceError(
            'grant_approver_unauthorized',
            `${change.by} has approved it already: the other approval has to come from somebody else.`,
          );
        const approved_by = [...before, change.by];
        const earlier = JSON.parse(grant.approved_as) as Readonly<Record<string, readonly string[]>>;
        // Of somebody who approved earlier, what sluice.yaml says now counts.
        const approved_as = Object.fromEntries(
          approved_by.map((by) => {
            const roles = by === change.by ? change.roles : Object.hasOwn(earlier, by) ? earlier[by]! : null;
            return [by, rolesOf({ by, roles })];
          }),
        );
        if (!matched(approved_by, rule.approved_by, (who, role) => approved_as[who]!.includes(role)))
          throw new SluiceError(
            'grant_approver_unauthorized',
            `${change.by} cannot give an approval that is missing: it takes ${rule.approved_by.join(' and ')} (grants.rules, grants.approvers in sluice.yaml).`,
          );
        return {
          approved_by: JSON.stringify(approved_by),
          approved_as: JSON.stringify(approved_as),
          isLast: approved_by.length === rule.approved_by.length,
        };
      }
    },

    reject: (id, change) =>
      ended(id, change, 'rejected', (grant) => {
        requirePending(grant);
        if (!isApprover(change) && grant.requested_by !== change.by) throw unauthorized(change.by);
      }),

    revoke: (id, change) =>
      ended(id, change, 'revoked', (grant) => {
        const state = stateOf(grant, now().getTime());
        if (state !== 'active' && state !== 'planned')
          throw new SluiceError(
            'grant_not_active',
            `The grant ${id} is not in force: it is ${spell(state)}.`,
          );
        if (!isApprover(change) && !isOwn(grant, change.by)) throw unauthorized(change.by);
      }),

    list: ({ state, subject = null, limit, after }) =>
      database.query<GrantRow>(
        `SELECT * FROM sluice_grants WHERE ${CONDITION[state]} AND (CAST($1 AS text) IS NULL OR subject = $1)
         AND requested_at <= CAST($2 AS bigint) AND (requested_at, id) > (CAST($4 AS bigint), CAST($5 AS text))
         ORDER BY requested_at, id LIMIT $3`,
        [subject, now().getTime(), limit, after?.at ?? -1, after?.id ?? ''],
      ),

    async show(id) {
      const [grant] = await database.query<GrantRow>('SELECT * FROM sluice_grants WHERE id = $1', [id]);
      if (grant === undefined) throw notFound(id);
      const events = await database.query<GrantEvent>(
        'SELECT * FROM sluice_grant_events WHERE grant_id = $1 ORDER BY number',
        [id],
      );
      return { grant, events };
    },
  };
}

const CONDITION: Readonly<Record<GrantFilter, string>> = {
  all: 'TRUE',
  requested: `state = 'requested'`,
  active: `state = 'active' AND until_at > $2`,
  open: `(state = 'requested' OR (state = 'active' AND until_at > $2))`,
  archived: `state <> 'requested' AND (state <> 'active' OR until_at <= $2)`,
};
