/** What was refused, and which classes were withheld, over time. */
import type { Decision } from '../../decision-log/index/query.ts';
import type { Context, Fold, ReportKind } from '../report.ts';
import { percent, summaryOf, tableOf } from '../sections.ts';
import { Counts, isAccess, isRefused, Tallies, Tally } from '../tally.ts';
import { Timeline } from '../timeline.ts';

export const refusals: ReportKind = {
  name: 'refusals',
  title: { en: 'Refusals and withheld classes', zh: '拒绝与未提供的数据类别' },
  line: {
    en: 'which requests were refused and why, and which classes of data were withheld, over time',
    zh: '哪些请求因何被拒绝，哪些类别的数据未予提供，及其随时间的变化',
  },
  begin: (context) => new Refusals(context),
};

class Refusals implements Fold {
  readonly #context: Context;
  readonly #all = new Tally();
  readonly #reasons = new Tallies();
  readonly #callers = new Tallies();
  readonly #permitted = new Counts();
  readonly #places = new Counts();
  readonly #decisions = new Counts();
  readonly #timeline: Timeline;
  readonly #withheld: Timeline;

  constructor(context: Context) {
    this.#context = context;
    this.#timeline = new Timeline(context.zone);
    this.#withheld = new Timeline(context.zone);
  }

  add(decision: Decision): void {
    if (!isAccess(decision)) return;
    const at = Date.parse(decision.timestamp);
    const who = decision.subject?.id ?? this.#context.say('nobody');
    this.#all.add(decision);
    this.#permitted.add(who);
    if (isRefused(decision)) {
      this.#callers.add(who, decision);
      for (const code of new Set(decision.reasons.map((reason) => reason.code))) {
        this.#reasons.add(code, decision);
        this.#timeline.add(code, at);
      }
    }
    const seen = new Set<string>();
    for (const { class: cls = '–', do: treatment, because, count } of decision.disclosure?.withheld ?? []) {
      const key = JSON.stringify([cls, treatment, because]);
      this.#places.add(key, count);
      if (!seen.has(key)) this.#decisions.add(key);
      seen.add(key);
      this.#withheld.add(cls, at, count);
    }
  }

  end() {
    const context = this.#context;
    const { say } = context;
    const all = this.#all;
    const names = { nameOf: (name: string) => name, others: say('others') };
    const charts = [
      this.#timeline.chart('refusals_over_time', say('refusals_over_time'), names),
      this.#withheld.chart('withheld_over_time', say('withheld_over_time'), names),
    ].filter((chart) => chart !== null);
    return [
      summaryOf(context, [
        say('refusals_summary', {
          refused: all.refused,
          decisions: all.decisions,
          share: percent(all.decisions === 0 ? 0 : all.refused / all.decisions),
        }),
      ]),
      ...charts,
      tableOf(
        context,
        'reasons',
        say('reasons_of_refusals'),
        [
          'column_reason',
          ['column_decisions', 'count'],
          ['column_callers', 'count'],
          ['column_share', 'share'],
        ],
        this.#reasons
          .sorted()
          .map(([code, tally]) => [code, tally.decisions, tally.callers.size, tally.decisions / all.refused]),
        { note: say('reasons_note') },
      ),
      tableOf(
        context,
        'callers',
        say('refused_callers'),
        [
          'column_caller',
          ['column_refused', 'count'],
          ['column_decisions', 'count'],
          ['column_share', 'share'],
        ],
        this.#callers
          .sorted()
          .map(([who, { decisions }]) => [
            who,
            decisions,
            this.#permitted.get(who),
            decisions / this.#permitted.get(who),
          ]),
        {
          total: [
            say('total'),
            all.refused,
            all.decisions,
            all.decisions === 0 ? null : all.refused / all.decisions,
          ],
        },
      ),
      tableOf(
        context,
        'withheld',
        say('withheld_classes'),
        [
          'column_class',
          'column_treatment',
          'column_because',
          ['column_places', 'count'],
          ['column_decisions', 'count'],
        ],
        this.#places.sorted().map(([key, count]) => {
          const [cls, treatment, because] = JSON.parse(key) as [string, string, string];
          return [cls, treatment, because, count, this.#decisions.get(key)];
        }),
        { total: [say('total'), null, null, this.#places.total, null] },
      ),
    ];
  }
}
