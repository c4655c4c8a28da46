/** The checklist of a system audit, with its verdicts: what was measured is turned into items with evidence. */
import type { Context } from './report.ts';
import { percent } from './sections.ts';
import { Counts, listed, Tallies, Tally } from './tally.ts';
import type { Word } from './words.ts';

export type Verdict = 'ok' | 'attention' | 'not_shown';

export interface Check {
  /** the same in every language and report, so that the next audit finds it */
  readonly id: string;
  readonly area: Word;
  readonly verdict: Verdict;
  readonly evidence: string;
}

/** A caller that was refused so often, and more often than not, is looked at. */
const OFTEN_REFUSED = 10;

export interface Found {
  /** requests of the period */
  readonly all: Tally;
  /** permitted ones for recipients outside */
  readonly outside: Tally;
  readonly callers: Tallies;
  /** of permitted requests */
  readonly purposes: Counts;
  readonly partners: Counts;
  /** partner → permitted requests after the end of its agreement */
  readonly late: Counts;
  readonly incidents: Counts;
  /** decisions of every kind */
  count: number;
  /** permitted requests that disclosed records */
  disclosing: number;
  withoutPurpose: number;
  onConsent: number;
  emergencies: number;
  errors: number;
  unfinished: number;
}

export const nothingFound = (): Found => ({
  all: new Tally(),
  outside: new Tally(),
  callers: new Tallies(),
  purposes: new Counts(),
  partners: new Counts(),
  late: new Counts(),
  incidents: new Counts(),
  count: 0,
  disclosing: 0,
  withoutPurpose: 0,
  onConsent: 0,
  emergencies: 0,
  errors: 0,
  unfinished: 0,
});

interface Measured extends Found {
  /** null: there is no policy to compare with */
  readonly rights: { readonly unused: number; readonly rights: number } | null;
  /** findings */
  readonly unusual: number;
}

export const checklist = (context: Context, found: Measured): readonly Check[] => [
  ...purposeChecks(context, found),
  ...rightChecks(context, found),
  ...storageChecks(context),
  ...partnerChecks(context, found),
  ...incidentChecks(context, found),
];

function purposeChecks(context: Context, found: Measured): readonly Check[] {
  const { say, policy, system } = context;
  const area: Word = 'area_purposes';
  const unknown =
    policy === null ? [] : found.purposes.names().filter((name) => !policy.purposes.includes(name));
  const consents = system?.configuration?.consents ?? null;
  return [
    { id: 'collection', area, verdict: 'not_shown', evidence: say('evidence_collection') },
    {
      id: 'purpose_stated',
      area,
      verdict: found.disclosing === 0 ? 'not_shown' : found.withoutPurpose === 0 ? 'ok' : 'attention',
      evidence: say('evidence_purpose_stated', {
        without: found.withoutPurpose,
        disclosing: found.disclosing,
      }),
    },
    {
      id: 'purpose_known',
      area,
      verdict:
        policy === null || found.purposes.total === 0
          ? 'not_shown'
          : unknown.length === 0
            ? 'ok'
            : 'attention',
      evidence:
        policy === null
          ? say('no_policy')
          : say('evidence_purpose_known', {
              purposes: found.purposes.names().length,
              unknown: listed(unknown) ?? say('none'),
            }),
    },
    {
      id: 'consent',
      area,
      verdict: consents === null || found.disclosing === 0 ? 'not_shown' : 'ok',
      evidence: `${consents === null ? say('no_consents') : say('evidence_consent_source', { consents })} ${say(
        'evidence_consent',
        {
          on: found.onConsent,
          disclosing: found.disclosing,
        },
      )}`,
    },
  ];
}

function rightChecks(context: Context, found: Measured): readonly Check[] {
  const { say, reviews, end } = context;
  const area: Word = 'area_rights';
  const counts = found.rights;
  const often = found.callers
    .sorted()
    .filter(([, { refused, decisions }]) => refused >= OFTEN_REFUSED && refused * 2 > decisions)
    .map(([who]) => who);
  const overdue = reviews?.filter(({ due_at }) => due_at <= end).length ?? 0;
  return [
    {
      id: 'rights_used',
      area,
      verdict: counts === null ? 'not_shown' : counts.unused === 0 ? 'ok' : 'attention',
      evidence: counts === null ? say('no_policy') : say('evidence_rights', counts),
    },
    {
      id: 'refusals',
      area,
      verdict: found.all.decisions === 0 ? 'not_shown' : often.length === 0 ? 'ok' : 'attention',
      evidence: say('evidence_refusals', {
        refused: found.all.refused,
        decisions: found.all.decisions,
        share: percent(found.all.decisions === 0 ? 0 : found.all.refused / found.all.decisions),
        often: listed(often) ?? say('none'),
        least: OFTEN_REFUSED,
      }),
    },
    {
      id: 'emergencies',
      area,
      verdict:
        overdue > 0
          ? 'attention'
          : reviews !== null
            ? 'ok'
            : found.emergencies === 0 && found.all.decisions > 0
              ? 'ok'
              : 'not_shown',
      evidence: `${say('evidence_emergencies', { emergencies: found.emergencies })} ${
        reviews === null ? say('reviews_unknown') : say('reviews_summary', { open: reviews.length, overdue })
      }`,
    },
  ];
}

function storageChecks(context: Context): readonly Check[] {
  const { say, system } = context;
  const area: Word = 'area_storage';
  const journal = system?.journal ?? null;
  const configuration = system?.configuration ?? null;
  const unknown = (id: string): Check => ({
    id,
    area,
    verdict: 'not_shown',
    evidence: say('no_configuration'),
  });
  const isProven =
    (configuration?.witnesses ?? 0) > 0 ||
    (journal !== null && journal.chains > 0 && journal.signed === journal.chains);
  return [
    journal === null
      ? unknown('log_intact')
      : {
          id: 'log_intact',
          area,
          verdict: journal.ok ? 'ok' : 'attention',
          evidence: journal.ok
            ? say('evidence_intact', {
                records: journal.records,
                chains: journal.chains,
                archived: journal.archived,
              })
            : say('evidence_broken', { problem: journal.problem ?? '' }),
        },
    journal === null
      ? unknown('log_protected')
      : {
          id: 'log_protected',
          area,
          verdict: isProven ? 'ok' : 'attention',
          evidence: say('evidence_protected', {
            signed: journal.signed,
            chains: journal.chains,
            checkpoints: say(configuration?.checkpoints === true ? 'yes' : 'no'),
            witnesses: configuration?.witnesses ?? 0,
          }),
        },
    ...(configuration === null
      ? ['log_durable', 'copies', 'keys'].map(unknown)
      : [
          {
            id: 'log_durable',
            area,
            verdict: configuration.durability === 'strict' ? ('ok' as const) : ('attention' as const),
            evidence: say('evidence_durable', { durability: configuration.durability }),
          },
          {
            id: 'copies',
            area,
            verdict: configuration.copies.length > 0 ? ('ok' as const) : ('attention' as const),
            evidence: say('evidence_copies', { copies: listed(configuration.copies) ?? say('none') }),
          },
          {
            id: 'keys',
            area,
            verdict: configuration.dataSubjectKey ? ('ok' as const) : ('attention' as const),
            evidence: say(configuration.dataSubjectKey ? 'evidence_key_named' : 'evidence_key_generated'),
          },
        ]),
    { id: 'backup', area, verdict: 'not_shown', evidence: say('evidence_backup') },
  ];
}

function partnerChecks(context: Context, found: Measured): readonly Check[] {
  const { say, policy } = context;
  const area: Word = 'area_partners';
  const strangers =
    policy === null ? [] : found.partners.names().filter((name) => !policy.partners.has(name));
  const none = found.outside.decisions === 0;
  const verdictOf = (bad: number): Verdict =>
    policy === null ? 'not_shown' : bad === 0 ? 'ok' : 'attention';
  return [
    {
      id: 'partners_known',
      area,
      verdict: verdictOf(strangers.length),
      evidence: `${say('partners_summary', {
        partners: found.partners.names().length,
        decisions: found.outside.decisions,
        customers: found.outside.customers.size,
      })} ${policy === null ? say('no_policy') : say('evidence_strangers', { strangers: listed(strangers) ?? say('none') })}`,
    },
    {
      id: 'agreements',
      area,
      verdict: verdictOf(found.late.total),
      evidence:
        policy === null
          ? say('no_policy')
          : none
            ? say('evidence_no_sharing')
            : say('evidence_agreements', {
                late: found.late.total,
                partners: listed(found.late.names()) ?? say('none'),
              }),
    },
  ];
}

function incidentChecks(context: Context, found: Measured): readonly Check[] {
  const { say } = context;
  const area: Word = 'area_incidents';
  const incidents = found.incidents.sorted().map(([code, n]) => `${code} (${n})`);
  return [
    {
      id: 'incidents',
      area,
      verdict: incidents.length > 0 ? 'attention' : found.count > 0 ? 'ok' : 'not_shown',
      evidence: say('evidence_incidents', {
        incidents: incidents.join(', ') || say('none'),
        errors: found.errors,
        unfinished: found.unfinished,
      }),
    },
    {
      id: 'unusual',
      area,
      verdict: found.all.decisions === 0 ? 'not_shown' : found.unusual === 0 ? 'ok' : 'attention',
      evidence: say('evidence_unusual', { found: found.unusual }),
    },
  ];
}
