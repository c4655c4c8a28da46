/** Access without approval in an emergency, what was done under it, and reviews that are open. */
import type { Decision } from '../../decision-log/index/query.ts';
import type { Context, Fold, ReportKind } from '../report.ts';
import { limitsOf, momentIn, summaryOf, TALLY_COLUMNS, tableOf, tallyCells } from '../sections.ts';
import { isAccess, Tallies, Tally } from '../tally.ts';

export const breakGlass: ReportKind = {
  name: 'break-glass',
  title: { en: 'Break-glass and open reviews', zh: '紧急授权与待办复核' },
  line: {
    en: 'access without approval, emergencies, what was done under them, and reviews that are open',
    zh: '未经审批的紧急授权、紧急访问及其使用情况，尚未完成的复核',
  },
  uses: ['reviews'],
  // A grant from before the period may have been used in it.
  looksBack: true,
  begin: (context) => new BreakGlass(context),
};

const OPENED = 'grants.break_glass';
const EMERGENCY_TIER = 1;

interface Opened {
  readonly at: number;
  readonly id: string;
  readonly by: string;
  readonly holder: string;
  readonly purpose: string | null;
  readonly why: string | null;
}

class BreakGlass implements Fold {
  readonly #context: Context;
  readonly #since: number;
  readonly #opened = new Map<string, Opened>();
  /** by grant */
  readonly #uses = new Tallies();
  readonly #emergencies = new Tallies();
  readonly #emergency = new Tally();

  constructor(context: Context) {
    this.#context = context;
    this.#since =
      context.query.since === undefined ? Number.NEGATIVE_INFINITY : Date.parse(context.query.since);
  }

  add(decision: Decision): void {
    const at = Date.parse(decision.timestamp);
    const { grant_id: grant, subject, labels } = decision;
    if (decision.kind === 'grant') {
      if (decision.action !== OPENED || grant === null || decision.outcome === 'error') return;
      const by = subject?.id ?? this.#context.say('nobody');
      this.#opened.set(grant, {
        at,
        id: grant,
        by,
        holder: labels['holder'] ?? by,
        purpose: decision.purpose,
        why: decision.justification,
      });
      return;
    }
    if (!isAccess(decision) || at < this.#since) return;
    if (grant !== null) this.#uses.add(grant, decision);
    if (decision.tier === EMERGENCY_TIER) {
      this.#emergency.add(decision);
      this.#emergencies.add(
        JSON.stringify([subject?.id ?? this.#context.say('nobody'), decision.purpose]),
        decision,
      );
    }
  }

  end() {
    const context = this.#context;
    const { say, reviews, end } = context;
    const opened = [...this.#opened.values()]
      .filter(({ at, id }) => at >= this.#since || this.#uses.get(id) !== undefined)
      .sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
    const none = new Tally();
    const uses = (id: string): Tally => this.#uses.get(id) ?? none;
    const overdue = reviews?.filter(({ due_at }) => due_at <= end) ?? [];
    return [
      summaryOf(context, [
        say('break_glass_summary', {
          grants: opened.length,
          uses: opened.reduce((n, { id }) => n + uses(id).decisions, 0),
          emergencies: this.#emergency.decisions,
        }),
        reviews === null
          ? say('reviews_unknown')
          : say('reviews_summary', { open: reviews.length, overdue: overdue.length }),
      ]),
      tableOf(
        context,
        'grants',
        say('break_glass_grants'),
        [
          'column_time',
          'column_by',
          'column_holder',
          'column_purpose',
          'column_justification',
          ['column_uses', 'count'],
          ['column_customers', 'count'],
          'column_grant',
        ],
        opened.map(({ at, by, holder, purpose, why, id }) => [
          momentIn(context, at),
          by,
          holder,
          purpose,
          why,
          uses(id).decisions,
          uses(id).customers.size,
          id,
        ]),
      ),
      tableOf(
        context,
        'emergencies',
        say('emergencies'),
        ['column_caller', 'column_purpose', ...TALLY_COLUMNS],
        this.#emergencies.sorted().map(([key, tally]) => {
          const [caller, purpose] = JSON.parse(key) as [string, string | null];
          return [caller, purpose, ...tallyCells(context, tally)];
        }),
        { total: [say('total'), null, ...tallyCells(context, this.#emergency)] },
      ),
      ...(reviews === null
        ? []
        : [
            tableOf(
              context,
              'reviews',
              say('open_reviews'),
              [
                'column_opened',
                'column_due',
                'column_state',
                'column_caller',
                'column_purpose',
                'column_decision',
              ],
              [...reviews]
                .sort((a, b) => a.due_at - b.due_at || (a.decision_id < b.decision_id ? -1 : 1))
                .map((review) => [
                  momentIn(context, review.opened_at),
                  momentIn(context, review.due_at),
                  say(review.due_at <= end ? 'overdue' : 'open'),
                  review.subject,
                  review.purpose,
                  review.decision_id,
                ]),
            ),
          ]),
      limitsOf(context, [say('break_glass_limits')]),
    ];
  }
}
