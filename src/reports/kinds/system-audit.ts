/**
 * The system audit: the usual checklist for a system with data of customers. Each item has a verdict and its evidence from the policy, the log and
 * the configuration. What Sluice cannot see is `not_shown`, and never `ok`.
 */
import type { Decision } from '../../decision-log/index/query.ts';
import { type Check, checklist, nothingFound, type Verdict } from '../checklist.ts';
import type { Cell, Context, Fold, Report, ReportKind } from '../report.ts';
import { limitsOf, summaryOf, tableOf } from '../sections.ts';
import { isAccess, isPermitted } from '../tally.ts';
import type { Word } from '../words.ts';
import { partnerOf } from './partners.ts';
import { Unusual } from './unusual.ts';
import { UnusedRights } from './unused-rights.ts';

export const systemAudit: ReportKind = {
  name: 'system-audit',
  title: { en: 'System audit', zh: '系统审计' },
  line: {
    en: 'the checklist of a customer information system, each item with evidence and a verdict (--previous)',
    zh: '客户信息系统审计清单，逐项列出证据与结论（--previous）',
  },
  requires: ['policy'],
  uses: ['reviews', 'system'],
  looksBack: true,
  begin: (context) => new SystemAudit(context),
};

export const CHECKS = 'checks';
/** reasons of records that the log itself writes about its files */
const INCIDENTS = new Set([
  'journal_torn_tail',
  'chain_broken',
  'journal_unwritable',
  'journal_full',
  'change_unconfirmed',
]);
const EMERGENCY_TIER = 1;

class SystemAudit implements Fold {
  readonly #context: Context;
  readonly #since: number;
  readonly #unusual: Unusual;
  readonly #rights: UnusedRights | null;
  readonly #found = nothingFound();

  constructor(context: Context) {
    this.#context = context;
    this.#since =
      context.query.since === undefined ? Number.NEGATIVE_INFINITY : Date.parse(context.query.since);
    this.#unusual = new Unusual(context);
    this.#rights = context.policy === null ? null : new UnusedRights(context, context.policy);
  }

  add(decision: Decision): void {
    this.#unusual.add(decision);
    this.#rights?.add(decision);
    const at = Date.parse(decision.timestamp);
    if (at < this.#since) return;
    this.#found.count++;
    for (const { code } of decision.reasons) if (INCIDENTS.has(code)) this.#found.incidents.add(code);
    if (!isAccess(decision)) return;
    const { purpose, disclosure, tier, outcome } = decision;
    this.#found.all.add(decision);
    if (decision.subject !== null) this.#found.callers.add(decision.subject.id, decision);
    if (outcome === 'error') this.#found.errors++;
    if (!decision.complete) this.#found.unfinished++;
    if (tier === EMERGENCY_TIER && isPermitted(decision)) this.#found.emergencies++;
    if (!isPermitted(decision)) return;
    if (purpose !== null) this.#found.purposes.add(purpose);
    if ((disclosure?.records ?? 0) > 0) {
      this.#found.disclosing++;
      if (purpose === null) this.#found.withoutPurpose++;
      if ((disclosure?.consents ?? []).length > 0) this.#found.onConsent++;
    }
    const partner = partnerOf(decision);
    if (partner === null) return;
    this.#found.outside.add(decision);
    this.#found.partners.add(partner);
    const until = this.#context.policy?.partners.get(partner)?.get(purpose ?? '');
    // The last day counts as a whole (UTC), as in the policy.
    if (typeof until === 'string' && decision.timestamp.slice(0, 10) > until.slice(0, 10))
      this.#found.late.add(partner);
  }

  #checks(): readonly Check[] {
    return checklist(this.#context, {
      ...this.#found,
      rights: this.#rights?.counts ?? null,
      unusual: this.#unusual.findings().length,
    });
  }

  #followUp(checks: readonly Check[]): readonly Check[] {
    const { say, previous } = this.#context;
    const area: Word = 'area_follow_up';
    if (previous === null)
      return [{ id: 'follow_up', area, verdict: 'not_shown', evidence: say('no_previous') }];
    const now = new Map(checks.map(({ id, verdict }) => [id, verdict]));
    const open = verdictsOf(previous).filter(
      ({ id, verdict }) => verdict === 'attention' && !id.startsWith('follow_up'),
    );
    if (open.length === 0)
      return [
        { id: 'follow_up', area, verdict: 'ok', evidence: say('evidence_nothing_open', { at: previous.at }) },
      ];
    return open.map(({ id }): Check => {
      const verdict = now.get(id) ?? 'not_shown';
      return {
        id: `follow_up:${id}`,
        area,
        verdict,
        evidence: say('evidence_follow_up', {
          at: previous.at,
          check: say(`check_${id}` as Word),
          verdict: say(`verdict_${verdict}`),
        }),
      };
    });
  }

  end() {
    const context = this.#context;
    const { say } = context;
    const measured = this.#checks();
    const checks = [...measured, ...this.#followUp(measured)];
    const count = (verdict: Verdict): number => checks.filter((check) => check.verdict === verdict).length;
    return [
      summaryOf(context, [
        say('audit_summary', {
          ok: count('ok'),
          attention: count('attention'),
          not_shown: count('not_shown'),
        }),
      ]),
      tableOf(
        context,
        CHECKS,
        say('checks'),
        [
          ['column_check', 'code'],
          'column_area',
          'column_item',
          ['column_verdict', 'code'],
          'column_result',
          'column_evidence',
        ],
        checks.map(({ id, area, verdict, evidence }): readonly Cell[] => [
          id,
          say(area),
          say(`check_${id.replace(/^follow_up:/, '')}` as Word),
          verdict,
          say(`verdict_${verdict}`),
          evidence,
        ]),
      ),
      limitsOf(context, [say('audit_limits')]),
    ];
  }
}

/** The items of an earlier report, which somebody may have edited. */
function verdictsOf(report: Report): readonly { readonly id: string; readonly verdict: string }[] {
  const section = report.sections.find(({ id }) => id === CHECKS);
  if (section?.kind !== 'table') return [];
  const column = (name: string): number => section.columns.findIndex(({ id }) => id === name);
  const [check, verdict] = [column('check'), column('verdict')];
  return section.rows.map((row) => ({ id: String(row[check]), verdict: String(row[verdict]) }));
}
