/** `sluice decisions remove`: removes the content of records that are older than their retention, or of one data subject; the chains still verify. */
import { userInfo } from 'node:os';
import { newDecisionId } from '../../decision-log/decision-log.ts';
import { feed } from '../../decision-log/index/feeder.ts';
import { Journal } from '../../decision-log/journal/journal.ts';
import { chooser, type Hold, type Retention, type Wanted } from '../../decision-log/removal/choice.ts';
import { remove as removeContent, type RemovalReport } from '../../decision-log/removal/remove.ts';
import { REMOVALS } from '../../decision-log/removal/statement.ts';
import { settings } from '../../decision-log/settings.ts';
import { SluiceError } from '../../errors.ts';
import { silentLogger } from '../../observability/logger.ts';
import type { Io } from '../io.ts';
import { counted } from '../text.ts';
import { progressBar } from './check.ts';
import { copiedBy, openIndex } from './copied.ts';
import { time } from './filters.ts';
import { chainKey, inLogWords, type Place, place, type SourceOptions } from './source.ts';
import { table, width } from './table.ts';

export interface RemoveOptions extends SourceOptions {
  readonly until?: string;
  readonly dataSubject?: string;
  readonly shared?: boolean;
  readonly basis?: string;
  readonly by?: string;
  readonly dryRun?: boolean;
}

export async function remove(options: RemoveOptions, io: Io): Promise<void> {
  const at = await place(options, io);
  const now = new Date();
  const wanted = wantedBy(options, at, now, io);
  const holds = (at.config.holds ?? []).map(
    (hold): Hold =>
      hold.data_subject === undefined
        ? hold
        : {
            ...hold,
            data_subject: inLogWords({ data_subject: hold.data_subject }, options, at, io).data_subject,
          },
  );
  const key = chainKey(options, at, io);
  const { maxRecord, ...rest } = settings(at.config, at.baseDir);
  const index = openIndex(at, io);
  const bar = progressBar(io, 'reading');
  try {
    if (index !== null) await feed(at.dir, index);
    const report = await removeContent({
      dir: at.dir,
      key,
      isDryRun: options.dryRun === true,
      maxRecord,
      choose: chooser(wanted, holds, now.getTime()),
      removal: {
        decision_id: newDecisionId(),
        at: now.toISOString(),
        by: options.by ?? userInfo().username,
        basis: options.basis ?? 'decision_log.retention',
        filter: inWords(wanted),
        data_subject: wanted.dataSubject,
      },
      copied: await copiedBy(at, index),
      async state(drafts) {
        const journal = await Journal.open({
          ...rest,
          maxRecord,
          dir: at.dir,
          instance: REMOVALS,
          durability: 'strict',
          key,
          logger: silentLogger,
        });
        try {
          for (const draft of drafts) await journal.append(draft);
        } finally {
          await journal.close();
        }
      },
      forget: async (origin, ranges) => index?.forget(origin, ranges),
      progress: bar.update,
    });
    bar.stop();
    io.stdout.write(options.json ? `${JSON.stringify(report)}\n` : describe(report, options, width(io)));
  } finally {
    bar.stop();
    await index?.close();
  }
}

/** @throws SluiceError `usage_invalid` for a removal that nothing limits, or without a basis */
function wantedBy(options: RemoveOptions, at: Place, now: Date, io: Io): Wanted {
  const { until, dataSubject, shared = false, basis } = options;
  const isExplicit = until !== undefined || dataSubject !== undefined;
  if (shared && dataSubject === undefined)
    throw new SluiceError('usage_invalid', '--shared goes with --data-subject.');
  if (isExplicit && (basis === undefined || basis.trim() === ''))
    throw new SluiceError(
      'usage_invalid',
      '--until and --data-subject need --basis: the law, or the request, by which content is removed.',
    );
  const retention = at.config.retention as Retention | undefined;
  if (!isExplicit && retention === undefined)
    throw new SluiceError(
      'usage_invalid',
      'Nothing says what to remove: configure decision_log.retention, or give --until or --data-subject.',
    );
  return {
    retention: isExplicit ? null : retention!,
    until: until === undefined ? null : Date.parse(time(until, '--until', now)),
    dataSubject:
      dataSubject === undefined
        ? null
        : inLogWords({ data_subject: dataSubject }, options, at, io).data_subject!,
    shared,
  };
}

function inWords({ retention, until, dataSubject, shared }: Wanted): string {
  const { kinds = {}, categories = {} } = retention ?? {};
  const others = Object.entries({ ...kinds, ...categories }).map(([name, keep]) => `${name} ${keep}`);
  const words = [
    ...(retention === null ? [] : [`older than ${[retention.keep, ...others].join(', ')}`]),
    ...(until === null ? [] : [`before ${new Date(until).toISOString()}`]),
    ...(dataSubject === null ? [] : [`about ${dataSubject}${shared ? ', and others with it' : ' alone'}`]),
  ];
  return words.join(', ');
}

function describe(report: RemovalReport, { dryRun, shared }: RemoveOptions, columns: number): string {
  const { chains, records, held, fixed, open, uncopied } = report;
  const was = dryRun === true ? 'would be' : 'was';
  const out: string[] = [];
  if (chains.length > 0)
    out.push(
      table(
        ['chain', 'records', 'from', 'to'],
        chains.map((c) => [
          c.origin,
          String(c.records),
          String(c.ranges[0]![0]),
          String(c.ranges.at(-1)![1]),
        ]),
        columns,
      ),
    );
  out.push(`The content of ${counted(records, 'record')} ${was} removed; the hashes stay.\n`);
  for (const [basis, n] of Object.entries(held))
    out.push(`Kept: ${counted(n, 'record')} under a hold: ${basis}\n`);
  if (report.shared > 0 && shared !== true)
    out.push(`Kept: ${counted(report.shared, 'record')} that concern others, too (--shared removes them).\n`);
  if (fixed > 0)
    out.push(
      `Kept: ${counted(fixed, 'record')} of version 1, whose hash covers the content: archive their segments, and delete those.\n`,
    );
  if (open.length > 0)
    out.push(
      `Not searched: ${counted(open.length, 'segment')} that ${open.length === 1 ? 'is' : 'are'} being written.\n`,
    );
  if (uncopied.length > 0)
    out.push(
      `Not searched from ${uncopied.join(', ')} on: an index, a sink or a checkpoint does not have its records yet.\n`,
    );
  return out.join('');
}
