/** The reports. A new one is a file in `kinds/` and a line here. */
import type { Decision } from '../decision-log/index/query.ts';
import { SluiceError } from '../errors.ts';
import { breakGlass } from './kinds/break-glass.ts';
import { customerAccess } from './kinds/customer-access.ts';
import { employeeAccess } from './kinds/employee-access.ts';
import { partners } from './kinds/partners.ts';
import { redactions } from './kinds/redactions.ts';
import { refusals } from './kinds/refusals.ts';
import { systemAudit } from './kinds/system-audit.ts';
import { unusedRights } from './kinds/unused-rights.ts';
import { unusual } from './kinds/unusual.ts';
import { type Context, type Report, REPORT_FORMAT, type ReportKind, type Section } from './report.ts';
import { momentIn, tableOf } from './sections.ts';

export const REPORTS: readonly ReportKind[] = [
  customerAccess,
  employeeAccess,
  refusals,
  unusedRights,
  breakGlass,
  partners,
  unusual,
  redactions,
  systemAudit,
];

/**
 * @param decisions in any order, each once
 * @param sources what they, and the context, were read from
 * @throws what reading throws
 */
export async function makeReport(
  kind: ReportKind,
  context: Context,
  decisions: AsyncIterable<Decision>,
  sources: readonly string[],
  now: Date,
): Promise<Report> {
  const fold = kind.begin(context);
  let [count, first, last] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for await (const decision of decisions) {
    fold.add(decision);
    const at = Date.parse(decision.timestamp);
    count++;
    first = Math.min(first, at);
    last = Math.max(last, at);
  }
  const { query, zone, language } = context;
  const moment = (ms: number): string | null => (Number.isFinite(ms) ? new Date(ms).toISOString() : null);
  return {
    format: REPORT_FORMAT,
    name: kind.name,
    title: kind.title[language],
    language,
    at: now.toISOString(),
    period: {
      since: query.since ?? null,
      until: query.until ?? null,
      first: moment(first),
      last: moment(last),
    },
    time_zone: zone.name,
    sources,
    filter: query,
    decisions: count,
    sections: [...fold.end(), ...removedContent(context)],
  };
}

/** Whoever reads a report takes it for everything, unless it says what is missing. */
function removedContent(context: Context): readonly Section[] {
  const { removals, say } = context;
  if (removals.length === 0) return [];
  const rows = removals.map(({ at, records, by, basis, filter }) => [
    momentIn(context, Date.parse(at)),
    records,
    by,
    basis,
    filter,
  ]);
  const columns = [
    'column_time',
    ['column_records', 'count'],
    'column_by',
    'column_basis',
    'column_what',
  ] as const;
  const note = { note: say('removed_note') };
  return [tableOf(context, 'removed_content', say('removed_content'), columns, rows, note)];
}

/** @throws SluiceError `input_invalid` for anything that is no report of this kind */
export function readReport(text: string, name: string, where: string): Report {
  let report: Report | null = null;
  try {
    report = JSON.parse(text) as Report;
  } catch {
    // said below
  }
  if (report?.format !== REPORT_FORMAT || report.name !== name || !Array.isArray(report.sections))
    throw new SluiceError(
      'input_invalid',
      `${where} is no report "${name}" in JSON, as --format json writes it.`,
    );
  return report;
}
