/** Rights that the policy gives and nobody uses: its matrix minus the log. */
import type { Decision } from '../../decision-log/index/query.ts';
import type { Cell, Context, Fold, PolicyFacts, ReportKind } from '../report.ts';
import { limitsOf, momentIn, summaryOf, tableOf } from '../sections.ts';
import { classesOf, isAccess, isPermitted, rolesOf } from '../tally.ts';

export const unusedRights: ReportKind = {
  name: 'unused-rights',
  title: { en: 'Rights never used', zh: '从未使用的权限' },
  line: {
    en: 'rights of the policy that nobody has used in N days (--days, --policies)',
    zh: '策略授予但 N 天内无人使用的权限（--days、--policies）',
  },
  requires: ['policy'],
  // The last use may be older than the period.
  looksBack: true,
  begin: (context) => new UnusedRights(context, context.policy!),
};

const DAY = 86_400_000;
const key = (...parts: readonly (string | null)[]): string => JSON.stringify(parts);

export class UnusedRights implements Fold {
  readonly #context: Context;
  readonly #policy: PolicyFacts;
  /** a right is unused if it was not used from then on */
  readonly #start: number;
  readonly #granted: ReadonlySet<string>;
  /** right → its last use */
  readonly #uses = new Map<string, number>();
  /** right and class → when it last left as it is */
  readonly #clear = new Map<string, number>();
  readonly #foreign = new Map<string, { count: number; last: number }>();
  #first = Number.POSITIVE_INFINITY;

  constructor(context: Context, policy: PolicyFacts) {
    this.#context = context;
    this.#policy = policy;
    this.#start =
      context.query.since === undefined
        ? context.end - context.thresholds.days * DAY
        : Date.parse(context.query.since);
    this.#granted = new Set(
      policy.rights.map((r) => key(r.role, r.purpose, r.recipient, r.resource, r.action)),
    );
  }

  add(decision: Decision): void {
    if (!isAccess(decision)) return;
    const at = Date.parse(decision.timestamp);
    this.#first = Math.min(this.#first, at);
    if (!isPermitted(decision)) return;
    const { purpose, recipient, action } = decision;
    const resource = decision.resource?.type ?? null;
    const roles = rolesOf(decision);
    const rights = roles.map((role) => key(role, purpose, recipient, resource, action));
    for (const right of rights) later(this.#uses, right, at);
    for (const cls of classesOf(decision).clear)
      for (const role of roles) later(this.#clear, key(role, purpose, recipient, resource, cls), at);
    if (at < this.#start || rights.some((right) => this.#granted.has(right))) return;
    const foreign = key([...roles].sort().join(', '), purpose, recipient, resource, action);
    const known = this.#foreign.get(foreign) ?? { count: 0, last: at };
    this.#foreign.set(foreign, { count: known.count + 1, last: Math.max(known.last, at) });
  }

  get counts(): { readonly unused: number; readonly rights: number } {
    return {
      unused: this.#policy.rights.filter((r) => !this.#isUsed(lastUse(this.#uses, r))).length,
      rights: this.#policy.rights.length,
    };
  }

  #isUsed(last: number | undefined): boolean {
    return last !== undefined && last >= this.#start;
  }

  end() {
    const context = this.#context;
    const { say, end, zone } = context;
    const { rights, revision } = this.#policy;
    const moment = (last: number | undefined): Cell =>
      last === undefined ? say('never') : momentIn(context, last);
    const unused = rights.filter((r) => !this.#isUsed(lastUse(this.#uses, r)));
    const roles = [...new Set(rights.map(({ role }) => role))].sort().map((role): readonly Cell[] => {
      const of = rights.filter((r) => r.role === role);
      const idle = of.filter((r) => unused.includes(r)).length;
      return [role, of.length, of.length - idle, idle];
    });
    const active = new Set(
      rights
        .filter((r) => this.#isUsed(lastUse(this.#uses, r)))
        .map((r) => key(r.role, r.purpose, r.recipient, r.resource)),
    );
    const classes = new Map<string, readonly Cell[]>();
    for (const { role, purpose, recipient, resource, clear } of rights) {
      if (!active.has(key(role, purpose, recipient, resource))) continue;
      for (const cls of clear) {
        const place = key(role, purpose, recipient, resource, cls);
        const last = this.#clear.get(place);
        if (!this.#isUsed(last)) classes.set(place, [role, purpose, recipient, resource, cls, moment(last)]);
      }
    }
    const days = Math.round((end - this.#start) / DAY);
    const covers = this.#first <= this.#start;
    return [
      summaryOf(context, [
        say('unused_summary', {
          unused: unused.length,
          rights: rights.length,
          days,
          since: zone.moment(this.#start),
          revision,
        }),
        ...(covers
          ? []
          : [
              Number.isFinite(this.#first)
                ? say('log_shorter', { first: zone.moment(this.#first), days })
                : say('log_empty'),
            ]),
      ]),
      tableOf(
        context,
        'roles',
        say('by_role'),
        ['column_role', ['column_rights', 'count'], ['column_used', 'count'], ['column_unused', 'count']],
        roles,
        { total: [say('total'), rights.length, rights.length - unused.length, unused.length] },
      ),
      tableOf(
        context,
        'unused',
        say('unused_rights'),
        [
          'column_role',
          'column_purpose',
          'column_recipient',
          'column_resource',
          'column_action',
          'column_last_use',
        ],
        unused.map((r) => [
          r.role,
          r.purpose,
          r.recipient,
          r.resource,
          r.action,
          moment(lastUse(this.#uses, r)),
        ]),
      ),
      tableOf(
        context,
        'classes',
        say('unused_classes'),
        [
          'column_role',
          'column_purpose',
          'column_recipient',
          'column_resource',
          'column_class',
          'column_last_use',
        ],
        [...classes.values()],
        { note: say('unused_classes_note') },
      ),
      tableOf(
        context,
        'not_granted',
        say('used_not_granted'),
        [
          'column_roles',
          'column_purpose',
          'column_recipient',
          'column_resource',
          'column_action',
          ['column_decisions', 'count'],
          'column_last_use',
        ],
        [...this.#foreign]
          .sort(([a, x], [b, y]) => y.count - x.count || (a < b ? -1 : 1))
          .map(([foreign, { count, last }]) => [
            ...(JSON.parse(foreign) as (string | null)[]),
            count,
            moment(last),
          ]),
        { note: say('used_not_granted_note') },
      ),
      limitsOf(context, [say('unused_limits')]),
    ];
  }
}

const lastUse = (uses: ReadonlyMap<string, number>, r: PolicyFacts['rights'][number]): number | undefined =>
  uses.get(key(r.role, r.purpose, r.recipient, r.resource, r.action));

function later(times: Map<string, number>, name: string, at: number): void {
  const known = times.get(name);
  if (known === undefined || known < at) times.set(name, at);
}
