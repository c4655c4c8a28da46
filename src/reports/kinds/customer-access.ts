/** Who had access to the data of one customer. */
import type { Decision } from '../../decision-log/index/query.ts';
import type { Cell, Context, Fold, ReportKind } from '../report.ts';
import { momentIn, OUTCOMES, outcomeWord, summaryOf, tableOf } from '../sections.ts';
import { classesOf, isAccess, isLater, listed, rolesOf, Tallies, Tally } from '../tally.ts';
import { Timeline } from '../timeline.ts';

export const customerAccess: ReportKind = {
  name: 'customer-access',
  title: { en: 'Access to one customer', zh: '单个客户的访问情况' },
  line: {
    en: 'who had access to the data of one customer, when, why, and to what (--data-subject)',
    zh: '谁在何时、为何种目的访问了某位客户的哪些数据（--data-subject）',
  },
  requires: ['data_subject'],
  begin: (context) => new CustomerAccess(context),
};

class CustomerAccess implements Fold {
  readonly #context: Context;
  readonly #people = new Tallies();
  /** the newest decision of each caller, with their roles */
  readonly #about = new Map<string, Decision>();
  readonly #all = new Tally();
  readonly #timeline: Timeline;
  readonly #rows: { readonly at: number; readonly id: string; readonly cells: readonly Cell[] }[] = [];
  readonly #changes: { readonly at: number; readonly id: string; readonly cells: readonly Cell[] }[] = [];

  constructor(context: Context) {
    this.#context = context;
    this.#timeline = new Timeline(context.zone);
  }

  add(decision: Decision): void {
    const { say } = this.#context;
    const at = Date.parse(decision.timestamp);
    const id = decision.decision_id;
    const who = decision.subject?.id ?? say('nobody');
    if (!isAccess(decision)) {
      const what = listed(decision.reasons.map(({ code }) => code)) ?? decision.action;
      this.#changes.push({ at, id, cells: [momentIn(this.#context, at), who, decision.kind, what, id] });
      return;
    }
    this.#all.add(decision);
    this.#people.add(who, decision);
    const known = this.#about.get(who);
    if (known === undefined || isLater(decision, known)) this.#about.set(who, decision);
    this.#timeline.add(outcomeWord(decision), at);
    const { clear, disguised } = classesOf(decision);
    const others = Math.max(0, (decision.disclosure?.data_subjects.length ?? 0) - 1);
    this.#rows.push({
      at,
      id,
      cells: [
        momentIn(this.#context, at),
        who,
        decision.action,
        decision.purpose,
        decision.recipient,
        say(outcomeWord(decision)),
        listed(clear),
        listed(disguised),
        others,
        id,
      ],
    });
  }

  end() {
    const context = this.#context;
    const { say } = context;
    const all = this.#all;
    const byTime = <T extends { readonly at: number; readonly id: string }>(rows: T[]): T[] =>
      rows.sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
    const chart = this.#timeline.chart('over_time', say('accesses_over_time'), {
      nameOf: (name) => say(name as ReturnType<typeof outcomeWord>),
      others: say('others'),
      order: OUTCOMES.map((outcome) => `outcome_${outcome}`),
    });
    return [
      summaryOf(context, [
        say('customer_summary', {
          decisions: all.decisions,
          callers: this.#people.size,
          refused: all.refused,
        }),
      ]),
      ...(chart === null ? [] : [chart]),
      tableOf(
        context,
        'callers',
        say('by_caller'),
        [
          'column_caller',
          'column_roles',
          'column_department',
          'column_organization',
          ['column_decisions', 'count'],
          ['column_refused', 'count'],
          'column_purposes',
          'column_clear',
          'column_disguised',
          'column_first',
          'column_last',
        ],
        this.#people.sorted().map(([who, tally]) => {
          const decision = this.#about.get(who)!;
          return [
            who,
            listed(rolesOf(decision)),
            decision.subject?.properties.department ?? null,
            decision.subject?.properties.organization ?? null,
            tally.decisions,
            tally.refused,
            listed(tally.purposes),
            listed(tally.clear),
            listed(tally.disguised),
            momentIn(context, tally.first),
            momentIn(context, tally.last),
          ];
        }),
        { total: [say('total'), null, null, null, all.decisions, all.refused, null, null, null, null, null] },
      ),
      tableOf(
        context,
        'accesses',
        say('each_access'),
        [
          'column_time',
          'column_caller',
          'column_action',
          'column_purpose',
          'column_recipient',
          'column_outcome',
          'column_clear',
          'column_disguised',
          ['column_other_customers', 'count'],
          'column_decision',
        ],
        byTime(this.#rows).map(({ cells }) => cells),
        { note: say('classes_of_answer') },
      ),
      tableOf(
        context,
        'changes',
        say('changes_about_customer'),
        ['column_time', 'column_by', 'column_kind', 'column_what', 'column_decision'],
        byTime(this.#changes).map(({ cells }) => cells),
      ),
    ];
  }
}
