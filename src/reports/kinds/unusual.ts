/**
 * Unusual look-ups. Each finding shows its arithmetic, so that an auditor can check it with a pocket calculator. A finding is a reason to ask, and
 * no verdict.
 */
import type { Decision } from '../../decision-log/index/query.ts';
import type { Cell, Context, Fold, ReportKind } from '../report.ts';
import { limitsOf, percent, rounded, summaryOf, tableOf } from '../sections.ts';
import { median, type Score, scoreOf } from '../statistics.ts';
import { runsOf, type Walked } from '../walks.ts';
import { customersOf, entryIn, isAccess, isLater, rolesOf } from '../tally.ts';

export const unusual: ReportKind = {
  name: 'unusual',
  title: { en: 'Unusual look-ups', zh: '异常查询' },
  line: {
    en: 'callers far above their own history or their role’s, off-hours, one customer looked up by many, ids in order',
    zh: '明显超出本人或同岗位历史水平的查询、非工作时间查询、多人查询同一客户、按编号顺序查询',
  },
  // History before the period is what the period is compared with.
  looksBack: true,
  begin: (context) => new Unusual(context),
};

/** fewer values are no history */
const LEAST_HISTORY = 5;
/** customers: one more than usual is never far away */
const FLOOR = 1;
const SHARE_FLOOR = 0.005;
/** requests outside of working hours; fewer are never unusual */
const LEAST_OFF = 5;
interface Caller {
  /** with its roles */
  newest: Decision;
  /** day → customers */
  readonly days: Map<string, Set<string>>;
  decisions: number;
  off: number;
  readonly walked: Walked[];
}

const rolesIn = ({ newest }: Caller): string => [...rolesOf(newest)].sort().join(', ');

export interface Finding {
  readonly what: 'own_history' | 'role_history' | 'off_hours' | 'many_callers' | 'in_order';
  readonly who: string;
  readonly when: string | null;
  readonly value: string;
  readonly usual: string;
  readonly score: number | null;
  readonly arithmetic: string;
}

export class Unusual implements Fold {
  readonly #context: Context;
  readonly #since: number;
  readonly #callers = new Map<string, Caller>();
  /** customer → callers, in the period */
  readonly #customers = new Map<string, Set<string>>();
  #pseudonyms = 0;

  constructor(context: Context) {
    this.#context = context;
    this.#since =
      context.query.since === undefined ? Number.NEGATIVE_INFINITY : Date.parse(context.query.since);
  }

  add(decision: Decision): void {
    if (!isAccess(decision) || decision.subject === null) return;
    const { zone, plain } = this.#context;
    const at = Date.parse(decision.timestamp);
    const caller = this.#callerOf(decision.subject.id, decision);
    const customers = customersOf(decision);
    const day = zone.day(at);
    const seen = entryIn(caller.days, day, () => new Set());
    for (const id of customers) seen.add(id);
    if (at < this.#since) return;
    caller.decisions++;
    if (this.#isOff(at)) caller.off++;
    for (const id of customers) {
      const callers = entryIn(this.#customers, id, () => new Set());
      callers.add(decision.subject.id);
    }
    // Also what was refused: whoever tries ids in order meets some that do not exist.
    const id = decision.resource?.id ?? (customers.length === 1 ? customers[0] : undefined);
    if (id === undefined) return;
    const known = plain(id);
    if (known.startsWith('hmac:')) this.#pseudonyms++;
    else caller.walked.push({ at, id: known, decision: decision.decision_id });
  }

  #callerOf(id: string, decision: Decision): Caller {
    const caller = entryIn(this.#callers, id, () => ({
      newest: decision,
      days: new Map(),
      decisions: 0,
      off: 0,
      walked: [],
    }));
    if (isLater(decision, caller.newest)) caller.newest = decision;
    return caller;
  }

  #isOff(at: number): boolean {
    const { zone, thresholds } = this.#context;
    const [begins, ends] = thresholds.hours;
    const hour = zone.hour(at);
    return zone.isWeekend(at) || hour < begins || hour >= ends;
  }

  findings(): readonly Finding[] {
    return [...this.#byHistory(), ...this.#offHours(), ...this.#manyCallers(), ...this.#inOrder()];
  }

  #callersSorted(): readonly (readonly [string, Caller])[] {
    return [...this.#callers].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  #byHistory(): Finding[] {
    const { zone, thresholds } = this.#context;
    const first = Number.isFinite(this.#since) ? zone.day(this.#since) : '';
    const typical = new Map(
      [...this.#callers].map(([id, { days }]) => [id, median([...days.values()].map(({ size }) => size))]),
    );
    const found: Finding[] = [];
    for (const [who, caller] of this.#callersSorted()) {
      const { days } = caller;
      for (const [day, { size }] of [...days].sort(([a], [b]) => (a < b ? -1 : 1))) {
        if (day < first || size < thresholds.least) continue;
        const own = [...days].filter(([other]) => other !== day).map(([, customers]) => customers.size);
        const peers = [...this.#callers]
          .filter(([id, other]) => id !== who && rolesIn(other) === rolesIn(caller))
          .map(([id]) => typical.get(id)!);
        for (const [what, values] of [
          ['own_history', own],
          ['role_history', peers],
        ] as const) {
          if (values.length < LEAST_HISTORY) continue;
          const score = scoreOf(size, values, FLOOR);
          if (score.score > thresholds.deviations)
            found.push(this.#finding(what, who, day, size, score, String, FLOOR));
        }
      }
    }
    return found;
  }

  #offHours(): Finding[] {
    const { thresholds } = this.#context;
    const active = this.#callersSorted().filter(([, { decisions }]) => decisions > 0);
    return active.flatMap(([who, caller]) => {
      const { decisions, off } = caller;
      if (off < LEAST_OFF) return [];
      const others = active.filter(([id]) => id !== who);
      const alike = others.filter(([, other]) => rolesIn(other) === rolesIn(caller));
      const values = (alike.length < LEAST_HISTORY ? others : alike).map(([, c]) => c.off / c.decisions);
      if (values.length < LEAST_HISTORY) return [];
      const score = scoreOf(off / decisions, values, SHARE_FLOOR);
      return score.score > thresholds.deviations
        ? [
            this.#finding('off_hours', who, null, off / decisions, score, percent, SHARE_FLOOR, {
              off,
              decisions,
            }),
          ]
        : [];
    });
  }

  #manyCallers(): Finding[] {
    const { thresholds, plain } = this.#context;
    const values = [...this.#customers.values()].map(({ size }) => size);
    if (values.length < LEAST_HISTORY) return [];
    return [...this.#customers]
      .filter(([, { size }]) => size >= thresholds.callers)
      .sort(([a, x], [b, y]) => y.size - x.size || (a < b ? -1 : 1))
      .flatMap(([id, { size }]) => {
        const score = scoreOf(size, values, FLOOR);
        return score.score > thresholds.deviations
          ? [this.#finding('many_callers', plain(id), null, size, score, String, FLOOR)]
          : [];
      });
  }

  #inOrder(): Finding[] {
    const { say, thresholds, zone } = this.#context;
    return this.#callersSorted().flatMap(([who, { walked }]) =>
      runsOf(walked)
        .filter(({ steps }) => steps >= thresholds.steps)
        .map(({ from, to, steps, step, begin, end }) => ({
          what: 'in_order' as const,
          who,
          when: zone.moment(begin),
          value: say('in_order_value', { steps }),
          usual: say('in_order_usual', { steps: thresholds.steps }),
          score: null,
          arithmetic: say('in_order_arithmetic', {
            who,
            from,
            to,
            steps,
            step: `${step > 0 ? '+' : ''}${step}`,
            begin: zone.moment(begin),
            end: zone.moment(end),
            least: thresholds.steps,
          }),
        })),
    );
  }

  #finding(
    what: Exclude<Finding['what'], 'in_order'>,
    who: string,
    day: string | null,
    value: number,
    score: Score,
    spell: (value: number) => string,
    floor: number,
    more: Readonly<Record<string, number>> = {},
  ): Finding {
    const { say, thresholds } = this.#context;
    const short = (n: number): string => (spell === percent ? percent(n) : rounded(n));
    return {
      what,
      who,
      when: day,
      value: spell(value),
      usual: short(score.median),
      score: Math.round(score.score * 10) / 10,
      arithmetic: say(`${what}_arithmetic`, {
        who,
        day: day ?? '',
        value: spell(value),
        count: score.count,
        median: short(score.median),
        mad: short(score.mad),
        floor: short(floor),
        spread: short(score.spread),
        score: rounded(score.score),
        threshold: thresholds.deviations,
        ...more,
      }),
    };
  }

  end() {
    const context = this.#context;
    const { say, thresholds, zone, listed } = context;
    const found = this.findings();
    const off = this.#callersSorted().filter(([, caller]) => caller.off > 0);
    const [begins, ends] = thresholds.hours;
    return [
      summaryOf(context, [
        say('unusual_summary', { findings: found.length, callers: this.#callers.size }),
        say('unusual_thresholds', {
          deviations: thresholds.deviations,
          least: thresholds.least,
          callers: thresholds.callers,
          steps: thresholds.steps,
          begins,
          ends,
          zone: zone.name,
        }),
      ]),
      tableOf(
        context,
        'findings',
        say('findings'),
        [
          'column_finding',
          'column_about',
          'column_when',
          'column_value',
          'column_usual',
          ['column_score', 'number'],
        ],
        found.map(({ what, who, when, value, usual, score }): readonly Cell[] => [
          say(what),
          who,
          when,
          value,
          usual,
          score,
        ]),
      ),
      {
        kind: 'text' as const,
        id: 'arithmetic',
        title: say('arithmetic'),
        is: 'arithmetic' as const,
        lines: found.map(({ arithmetic }, i) => `${i + 1}. ${arithmetic}`),
      },
      tableOf(
        context,
        'off_hours',
        say('off_hours_callers'),
        [
          'column_caller',
          'column_roles',
          ['column_off', 'count'],
          ['column_decisions', 'count'],
          ['column_share', 'share'],
        ],
        off.map(([who, caller]) => [
          who,
          rolesIn(caller) || null,
          caller.off,
          caller.decisions,
          caller.off / caller.decisions,
        ]),
      ),
      limitsOf(context, [
        say('unusual_limits'),
        ...(this.#pseudonyms > 0
          ? [say(listed === null ? 'order_unknown' : 'order_partly', { count: this.#pseudonyms })]
          : []),
      ]),
    ];
  }
}
