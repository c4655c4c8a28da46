/** What one caller had access to. */
import type { Decision } from '../../decision-log/index/query.ts';
import type { Context, Fold, ReportKind } from '../report.ts';
import {
  momentIn,
  OUTCOMES,
  outcomeWord,
  summaryOf,
  TALLY_COLUMNS,
  tableOf,
  tallyCells,
} from '../sections.ts';
import {
  entryIn,
  Counts,
  customersOf,
  isAccess,
  isRefused,
  listed,
  rolesOf,
  Tallies,
  Tally,
} from '../tally.ts';
import { Timeline } from '../timeline.ts';

export const employeeAccess: ReportKind = {
  name: 'employee-access',
  title: { en: 'Access by one employee', zh: '单个员工的访问情况' },
  line: {
    en: 'what one caller asked for, when, why, about how many customers, and what was refused (--subject)',
    zh: '某一访问者在何时、为何种目的访问了多少客户的哪些数据，哪些被拒绝（--subject）',
  },
  requires: ['subject'],
  begin: (context) => new EmployeeAccess(context),
};

class EmployeeAccess implements Fold {
  readonly #context: Context;
  readonly #all = new Tally();
  readonly #roles = new Set<string>();
  readonly #purposes = new Tallies();
  readonly #customers = new Map<string, Tally>();
  readonly #reasons = new Counts();
  readonly #classes = new Map<string, Counts>();
  readonly #hours = Array.from({ length: 24 }, () => 0);
  readonly #timeline: Timeline;

  constructor(context: Context) {
    this.#context = context;
    this.#timeline = new Timeline(context.zone);
  }

  add(decision: Decision): void {
    if (!isAccess(decision)) return;
    const at = Date.parse(decision.timestamp);
    this.#all.add(decision);
    for (const role of rolesOf(decision)) this.#roles.add(role);
    this.#purposes.add(decision.purpose ?? this.#context.say('none'), decision);
    this.#timeline.add(outcomeWord(decision), at);
    this.#hours[this.#context.zone.hour(at)]! += 1;
    for (const id of customersOf(decision)) {
      const tally = entryIn(this.#customers, id, () => new Tally());
      tally.add(decision);
    }
    if (isRefused(decision)) for (const { code } of decision.reasons) this.#reasons.add(code);
    for (const [cls, treatments] of Object.entries(decision.disclosure?.by_class ?? {}))
      for (const [treatment, n] of Object.entries(treatments)) {
        const counts = entryIn(this.#classes, cls, () => new Counts());
        counts.add(treatment, n);
      }
  }

  end() {
    const context = this.#context;
    const { say } = context;
    const all = this.#all;
    const chart = this.#timeline.chart('over_time', say('accesses_over_time'), {
      nameOf: (name) => say(name as ReturnType<typeof outcomeWord>),
      others: say('others'),
      order: OUTCOMES.map((outcome) => `outcome_${outcome}`),
    });
    return [
      summaryOf(context, [
        say('employee_summary', {
          decisions: all.decisions,
          customers: all.customers.size,
          refused: all.refused,
          roles: listed(this.#roles) ?? say('none'),
        }),
      ]),
      ...(chart === null
        ? []
        : [
            chart,
            {
              kind: 'chart' as const,
              id: 'by_hour',
              title: say('by_hour'),
              places: this.#hours.map((_, hour) => String(hour)),
              series: [{ name: say('column_decisions'), values: this.#hours }],
            },
          ]),
      tableOf(
        context,
        'purposes',
        say('by_purpose'),
        ['column_purpose', ...TALLY_COLUMNS],
        this.#purposes.sorted().map(([purpose, tally]) => [purpose, ...tallyCells(context, tally)]),
        { total: [say('total'), ...tallyCells(context, all)] },
      ),
      tableOf(
        context,
        'classes',
        say('by_class'),
        ['column_class', 'column_treatment', ['column_places', 'count']],
        [...this.#classes]
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .flatMap(([cls, counts]) => counts.sorted().map(([treatment, n]) => [cls, treatment, n])),
      ),
      tableOf(
        context,
        'refusals',
        say('reasons_of_refusals'),
        ['column_reason', ['column_decisions', 'count']],
        this.#reasons.sorted(),
        { note: say('reasons_note') },
      ),
      tableOf(
        context,
        'customers',
        say('by_customer'),
        ['column_customer', ['column_decisions', 'count'], 'column_purposes', 'column_first', 'column_last'],
        [...this.#customers]
          .sort(([a, x], [b, y]) => y.decisions - x.decisions || (a < b ? -1 : 1))
          .map(([id, tally]) => [
            context.plain(id),
            tally.decisions,
            listed(tally.purposes),
            momentIn(context, tally.first),
            momentIn(context, tally.last),
          ]),
      ),
    ];
  }
}
