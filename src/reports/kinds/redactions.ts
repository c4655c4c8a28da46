/** How much was redacted in each hour, and by which rule. */
import type { Decision } from '../../decision-log/index/query.ts';
import type { Context, Fold, ReportKind } from '../report.ts';
import { summaryOf, tableOf } from '../sections.ts';
import { Counts } from '../tally.ts';
import { Timeline } from '../timeline.ts';

export const redactions: ReportKind = {
  name: 'redactions',
  title: { en: 'Redactions per hour, by rule', zh: '每小时脱敏数量（按规则）' },
  line: {
    en: 'how many values were masked or removed in each hour, and by which rule of the policy',
    zh: '每小时有多少数据被遮盖或移除，依据策略的哪条规则',
  },
  begin: (context) => new Redactions(context),
};

class Redactions implements Fold {
  readonly #context: Context;
  readonly #timeline: Timeline;
  readonly #places = new Counts();
  readonly #decisions = new Counts();
  readonly #paths = new Map<string, Set<string>>();
  #count = 0;

  constructor(context: Context) {
    this.#context = context;
    this.#timeline = new Timeline(context.zone);
  }

  add({ disclosure, timestamp }: Decision): void {
    if (disclosure === null) return;
    this.#count++;
    const at = Date.parse(timestamp);
    const seen = new Set<string>();
    for (const { path, do: treatment, because, count } of disclosure.withheld) {
      const rule = JSON.stringify([because, treatment]);
      this.#places.add(rule, count);
      if (!seen.has(rule)) this.#decisions.add(rule);
      seen.add(rule);
      this.#timeline.add(because, at, count);
      const paths = this.#paths.get(rule) ?? new Set();
      this.#paths.set(rule, paths.add(path));
    }
  }

  end() {
    const context = this.#context;
    const { say, zone } = context;
    const chart = this.#timeline.chart('over_time', say('redactions_over_time'), {
      nameOf: (name) => name,
      others: say('others'),
    });
    return [
      summaryOf(context, [say('redactions_summary', { places: this.#places.total, decisions: this.#count })]),
      ...(chart === null ? [] : [chart]),
      tableOf(
        context,
        'rules',
        say('by_rule'),
        [
          'column_because',
          'column_treatment',
          ['column_places', 'count'],
          ['column_decisions', 'count'],
          ['column_fields', 'count'],
        ],
        this.#places.sorted().map(([rule, count]) => {
          const [because, treatment] = JSON.parse(rule) as [string, string];
          return [because, treatment, count, this.#decisions.get(rule), this.#paths.get(rule)!.size];
        }),
        { total: [say('total'), null, this.#places.total, null, null] },
      ),
      tableOf(
        context,
        'hours',
        say('by_hour_and_rule'),
        ['column_hour', 'column_because', ['column_places', 'count']],
        this.#timeline.hours().map(({ hour, series, count }) => [zone.moment(hour), series, count]),
        { total: [say('total'), null, this.#places.total] },
      ),
    ];
  }
}
