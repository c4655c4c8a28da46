/** What recipients outside received. */
import type { Decision } from '../../decision-log/index/query.ts';
import type { Context, Fold, ReportKind } from '../report.ts';
import { summaryOf, TALLY_COLUMNS, tableOf, tallyCells } from '../sections.ts';
import { isAccess, listed, Tallies, Tally } from '../tally.ts';
import { Timeline } from '../timeline.ts';

export const partners: ReportKind = {
  name: 'partners',
  title: { en: 'Disclosures to partners', zh: '向合作方提供的数据' },
  line: {
    en: 'what each partner received: decisions, distinct customers, classes of data',
    zh: '各合作方获得的数据：决策数、客户人数、数据类别',
  },
  begin: (context) => new Partners(context),
};

/** A recipient outside; null: it stays inside, or the request names none. */
export const partnerOf = ({ recipient }: Decision): string | null =>
  recipient === 'internal' ? null : recipient;

class Partners implements Fold {
  readonly #context: Context;
  readonly #all = new Tally();
  readonly #partners = new Tallies();
  readonly #purposes = new Tallies();
  readonly #timeline: Timeline;

  constructor(context: Context) {
    this.#context = context;
    this.#timeline = new Timeline(context.zone);
  }

  add(decision: Decision): void {
    const partner = partnerOf(decision);
    if (partner === null || !isAccess(decision)) return;
    this.#all.add(decision);
    this.#partners.add(partner, decision);
    this.#purposes.add(JSON.stringify([partner, decision.purpose]), decision);
    this.#timeline.add(partner, Date.parse(decision.timestamp));
  }

  end() {
    const context = this.#context;
    const { say } = context;
    const all = this.#all;
    const chart = this.#timeline.chart('over_time', say('partners_over_time'), {
      nameOf: (name) => name,
      others: say('others'),
    });
    return [
      summaryOf(context, [
        say('partners_summary', {
          partners: this.#partners.size,
          decisions: all.decisions,
          customers: all.customers.size,
        }),
      ]),
      ...(chart === null ? [] : [chart]),
      tableOf(
        context,
        'partners',
        say('by_partner'),
        ['column_partner', ...TALLY_COLUMNS, 'column_clear', 'column_disguised'],
        this.#partners
          .sorted()
          .map(([partner, tally]) => [
            partner,
            ...tallyCells(context, tally),
            listed(tally.clear),
            listed(tally.disguised),
          ]),
        { total: [say('total'), ...tallyCells(context, all), null, null], note: say('distinct_note') },
      ),
      tableOf(
        context,
        'purposes',
        say('by_partner_and_purpose'),
        ['column_partner', 'column_purpose', ...TALLY_COLUMNS],
        this.#purposes.sorted().map(([key, tally]) => {
          const [partner, purpose] = JSON.parse(key) as [string, string | null];
          return [partner, purpose, ...tallyCells(context, tally)];
        }),
      ),
    ];
  }
}
