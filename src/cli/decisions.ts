/** `sluice decisions`: commands for auditors of the decision log. The file is long because it lists all of them with their options. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { prove } from '../decision-log/verify/proof.ts';
import { countDecisions } from '../decision-log/index/count.ts';
import type { Decision } from '../decision-log/index/query.ts';
import type { RemovalReport } from '../decision-log/verify/removals.ts';
import { SluiceError } from '../errors.ts';
import {
  archive,
  type ArchiveCommandOptions,
  unarchive,
  type UnarchiveOptions,
} from './decisions/archive.ts';
import { check, checkFiles, type CheckOptions } from './decisions/check.ts';
import { DECISION_COLUMNS } from './decisions/columns.ts';
import { COUNTED, type CountOptions, countsAsked, printCounts } from './decisions/counts.ts';
import { type CheckBundleOptions, checkBundleAt, isBundle } from './decisions/evidence.ts';
import { exportDecisions, type ExportOptions, FORMATS } from './decisions/export.ts';
import { count, type FilterOptions, filters, withFilters } from './decisions/filters.ts';
import { follow, line } from './decisions/follow.ts';
import { type IndexCommandOptions, indexCommand } from './decisions/index-status.ts';
import { describeDecision } from './decisions/show.ts';
import {
  checkpoint,
  type ProveOptions,
  proveDecision,
  verifyProof,
  type VerifyProofOptions,
} from './decisions/proofs.ts';
import { openRecord, recordQuestion } from './decisions/recorded.ts';
import { reportCommand } from './decisions/report-options.ts';
import { inLogWords, place, removalsIn, source, type SourceOptions, withSource } from './decisions/source.ts';
import { remove, type RemoveOptions } from './decisions/remove.ts';
import { statement, type StatementOptions } from './decisions/statement.ts';
import { decisionTable, plain, width } from './decisions/table.ts';
import { warnOfUnheardNames } from './decisions/unheard.ts';
import { csvLine } from './csv.ts';
import { colourful, type Io } from './io.ts';
import { by } from './options.ts';
import { counted } from './text.ts';

const S3_ENDPOINT = 'the server of s3://…; default: AWS_ENDPOINT_URL, or Amazon S3 in AWS_REGION';

type Options = SourceOptions & FilterOptions & { readonly by?: string };
type QueryOptions = Options &
  CountOptions & { readonly limit?: string; readonly cursor?: string; readonly csv?: boolean };

export function command(io: Io): Command {
  const decisions = new Command('decisions').description(
    'Ask the decision log who saw what, and whether it was altered.',
  );
  // `… | head` closes the pipe early. The command ends then, without an error.
  if (io.stdout === process.stdout)
    process.stdout.once('error', (e: NodeJS.ErrnoException) => {
      if (e.code === 'EPIPE') process.exit(0);
      throw e;
    });
  const add = (name: string, description: string): Command =>
    withSource(decisions.command(name).description(description));
  /** What it asks is itself recorded. */
  const addRecorded = (name: string, description: string): Command =>
    by(add(name, description), 'the user of this process');

  withFilters(addRecorded('query', 'decisions that answer a question, newest first'))
    .option('--limit <n>', 'how many: 50 decisions, or all rows of counts')
    .option('--cursor <cursor>', 'goes on behind a page')
    .option('--csv', 'a table for spreadsheets (RFC 4180)')
    .option('--count-by <members>', `counts instead of decisions, by one or more of: ${COUNTED}`)
    .option(
      '--distinct <member>',
      'with or without --count-by: how many different ones, e.g. data-subject; those of which something was disclosed are in a column of their own, and those of refused requests are not among them',
    )
    .addHelpText(
      'after',
      '\nWho saw this customer’s ID number in the last week?\n  sluice decisions query --data-subject C100234 --path /id_number --released --since 7d\nHow many customers did each partner get?\n  sluice decisions query --count-by recipient --distinct data-subject',
    )
    .action((options: QueryOptions) => query(options, io));

  addRecorded(
    'show <decision-id>',
    'one decision: who, why, on which consent, what left and how, where it stands in the chain',
  ).action((id: string, options: Options) => show(id, options, io));

  withFilters(addRecorded('tail', 'the newest decisions, and with -f those that follow'))
    .option('-n, --lines <n>', 'how many to begin with', '10')
    .option('-f, --follow', 'until interrupted')
    .action((options: Options & { lines: string; follow?: boolean }) => tail(options, io));

  addRecorded(
    'statement <data-subject>',
    'who has received the data of this person, for the person: roles and departments, no names of employees',
  )
    .option('--since <time>', 'from then on: 90d ago, or RFC 3339')
    .option('--until <time>', 'before then')
    .option('--html', 'a page that can be printed, in Chinese and English')
    .addHelpText('after', '\nExample:\n  sluice decisions statement C100234 --html > statement.html')
    .action((id: string, options: StatementOptions) => statement(id, options, io));

  add(
    'verify [file...]',
    'reads every chain, or files of records (exports, segments, gzip) and evidence bundles, and says whether one was altered, removed or reordered (exit 1)',
  )
    .option('--key <ref>', 'decision_log.journal.key, if there is no configuration: env:NAME or file:PATH')
    .option('--anchor <file...>', 'anchors that the chains must contain')
    .option(
      '--checkpoint <path...>',
      'checkpoints that the chains must continue: files, or a directory with *.checkpoint',
    )
    .option('--expect-head <origin:seq:hash...>', 'an earlier head that a chain must contain')
    .option('--write-anchor <file>', 'append the heads of the chains if the journal verifies')
    .option('--identity <ref...>', 'keys of age that decrypt files: env:NAME or file:PATH')
    .option(
      '--public-key <key...>',
      'of an evidence bundle: key of its owner, NAME+ID+BASE64; or a file with such keys, or a JWK Set',
    )
    .action(async (files: readonly string[], options: CheckOptions & CheckBundleOptions) => {
      if (files.length === 0) return check(options, io);
      for (const file of files)
        if (await isBundle(resolve(io.cwd, file))) await checkBundleAt(file, options, io);
        else await checkFiles([file], options, io);
    });

  add('index', 'how far the index (decision_log.index) has followed the journal, and its size')
    .option('--rebuild', 'empties it and fills it from the journal')
    .action((options: IndexCommandOptions) => indexCommand(options, io));

  add('archive', 'moves full segments out of the journal, compressed, so that it still verifies')
    .option(
      '--to <place>',
      'a directory, best on another disk, or s3://BUCKET/PREFIX; default: decision_log.archive.to',
    )
    .option('--s3-endpoint <url>', S3_ENDPOINT)
    .option(
      '--recipient <key...>',
      'encrypt for these public keys (age1…); default: decision_log.encryption.recipients',
    )
    .option('--before <time>', 'only segments in which all records are older: 90d, or RFC 3339')
    .option('--key <ref>', 'decision_log.journal.key, if there is no configuration: env:NAME or file:PATH')
    .addHelpText(
      'after',
      '\nThe newest segment of each chain stays. Verify an archived one with `sluice decisions verify FILE`, or unpack it with `sluice decisions unarchive` for `query`. S3: credentials are in decision_log.archive.s3, or in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION.',
    )
    .action((options: ArchiveCommandOptions) => archive(options, io));

  decisions
    .command('unarchive <path...>')
    .description(
      'writes archived segments into a directory of their own, verified, where `query --journal` reads them',
    )
    .requiredOption('--to <dir>', 'the directory')
    .option(
      '-c, --config <file>',
      'configuration with decision_log.archive.s3, for s3:// (default: sluice.yaml, if it is here)',
    )
    .option('--identity <ref...>', 'keys of age that decrypt them: env:NAME or file:PATH')
    .option('--s3-endpoint <url>', S3_ENDPOINT)
    .option('--json', 'one JSON object a line, instead of a table')
    .action((from: readonly string[], options: UnarchiveOptions) => unarchive(from, options, io));

  by(
    add(
      'remove',
      'removes the content of records that are older than decision_log.retention, or of one data subject; the chains still verify',
    ),
    'the user of this process',
  )
    .option('--until <time>', 'records before then, whatever the retention: 90d ago, or RFC 3339')
    .option(
      '--data-subject <id>',
      'records about this data subject alone: a plain id, found with the key, or the HMAC',
    )
    .option(
      '--shared',
      'with --data-subject: also records that concern others, whose content is removed with it',
    )
    .option('--basis <text>', 'the law, or the request, by which content is removed')
    .option('--dry-run', 'says what would be removed')
    .option('--key <ref>', 'decision_log.journal.key, if there is no configuration: env:NAME or file:PATH')
    .addHelpText(
      'after',
      '\nRecords under a hold (decision_log.holds) are kept. Copies in sinks and archives are not touched.\n\nExamples:\n  sluice decisions remove --dry-run\n  sluice decisions remove --data-subject C100234 --basis "request 01a22e1b" --by han',
    )
    .action((options: RemoveOptions) => remove(options, io));

  add(
    'checkpoint',
    'adds new records to the Merkle tree of each chain, signs its root (signing.key), and shows it to the witnesses',
  )
    .addHelpText(
      'after',
      '\nA sidecar does this at intervals if decision_log.checkpoints is configured. Publish the keys that this prints where auditors find them.',
    )
    .action((options: SourceOptions) => checkpoint(options, io));

  addRecorded(
    'prove <decision-id>',
    'one file that proves to others what was recorded, and that it was not altered',
  )
    .option('-o, --out <file>', 'a new file, instead of standard output')
    .addHelpText('after', '\nExample:\n  sluice decisions prove 019a… -o decision.proof.json')
    .action((id: string, options: ProveOptions) => proveDecision(id, options, io));

  decisions
    .command('verify-proof <file>')
    .description('checks such a file without journal and configuration (exit 1: it does not hold)')
    .option('--key <key...>', 'key of the log, NAME+ID+BASE64; or a file with such keys, or a JWK Set')
    .option('--witness <key...>', 'a witness that must have cosigned')
    .option('--json', 'the decision and the checkpoints, as JSON')
    .action((file: string, options: VerifyProofOptions) => verifyProof(file, options, io));

  withFilters(
    addRecorded('export', 'records as the journal has them, in another format, or as evidence for others'),
  )
    .option('--format <format>', FORMATS.join(', '), 'ndjson')
    .option(
      '-o, --out <file>',
      'a new file, instead of standard output; of a bundle: a directory or *.tar.gz',
    )
    .option(
      '--policy-bundle <bundle...>',
      'with --format bundle: policies that decided, as `sluice build` made them',
    )
    .addHelpText(
      'after',
      '\nWhat somebody else can check without Sluice:\n  sluice decisions export --format bundle --data-subject C100234 -o evidence.tar.gz',
    )
    .action(async (options: Options & ExportOptions) => {
      const at = await place(options, io);
      const wanted = inLogWords(filters(options, new Date()), options, at, io);
      const asked = { action: 'decisions.export', filters: wanted, by: options.by } as const;
      const record = await openRecord(at, { ...asked, labels: { format: options.format } }, io);
      try {
        await record.begun();
        await record.answered(await exportDecisions(at, wanted, options, io));
      } finally {
        await record.close();
      }
    });
  reportCommand(
    withFilters(
      addRecorded('report [name]', 'a report on many decisions; without a name, the list of reports'),
    ),
    io,
  );
  return decisions;
}

async function query(options: QueryOptions, io: Io): Promise<void> {
  if (options.json && options.csv) throw new SluiceError('usage_invalid', 'Choose one of --json and --csv.');
  const form = options.csv ? 'csv' : options.json ? 'json' : 'table';
  const spec = countsAsked(options);
  if (spec !== null && options.cursor !== undefined)
    throw new SluiceError('usage_invalid', '--cursor does not go with counts: they have no pages.');
  const limit = options.limit === undefined ? undefined : count(options.limit, '--limit', 1000);
  const at = await place(options, io);
  const wanted = inLogWords(filters(options, new Date()), options, at, io);
  const log = await source(at, io);
  try {
    if (spec !== null) {
      const counts = await countDecisions(log, wanted, spec);
      const counted = {
        ...wanted,
        ...(spec.by.length === 0 ? {} : { count_by: spec.by.join(',') }),
        ...(spec.distinct === null ? {} : { distinct: spec.distinct }),
      };
      const asked = { action: 'decisions.query', filters: counted, by: options.by } as const;
      await recordQuestion(at, asked, counts.rows.length, io);
      printCounts(counts, spec, form, limit, io);
      if (counts.decisions === 0) await warnOfUnheardNames(wanted, log, io);
      return;
    }
    const { decisions, cursor } = await log.query({
      ...wanted,
      limit: limit ?? 50,
      ...(options.cursor === undefined ? {} : { cursor: options.cursor }),
    });
    const asked = { action: 'decisions.query', filters: wanted, by: options.by } as const;
    await recordQuestion(at, asked, decisions.length, io);
    if (form === 'json') for (const decision of decisions) io.stdout.write(`${JSON.stringify(decision)}\n`);
    else if (form === 'csv')
      for (const cells of [
        DECISION_COLUMNS.map(([name]) => name),
        ...decisions.map((d) => DECISION_COLUMNS.map(([, of]) => of(d))),
      ])
        io.stdout.write(csvLine(cells));
    else if (decisions.length === 0) io.stdout.write('No decision answers that.\n');
    else io.stdout.write(decisionTable(decisions, width(io)));
    if (decisions.length === 0 && options.cursor === undefined) await warnOfUnheardNames(wanted, log, io);
    if (cursor !== null) io.stderr.write(`There are more: --cursor ${cursor}\n`);
  } finally {
    await log.close();
  }
}

async function show(id: string, options: Options, io: Io): Promise<void> {
  const at = await place(options, io);
  const log = await source(at, io);
  try {
    const decision = await log.get(id);
    const asked = { action: 'decisions.view', filters: { decision_id: id }, by: options.by } as const;
    await recordQuestion(at, asked, decision === null ? 0 : 1, io);
    if (decision === null) {
      io.stderr.write(removedBefore(await removalsIn(at.dir)));
      io.stderr.write('sluice: no decision has this id in this log [record_not_found]\n');
      io.exitCode = 1;
      return;
    }
    const proofs = await prove(at.dir, decision.chain);
    io.stdout.write(
      options.json
        ? `${JSON.stringify({ ...decision, proofs: proofs.map(({ intact, detail }) => ({ intact, detail })) })}\n`
        : describeDecision(decision, proofs, width(io), colourful(io)),
    );
    if (proofs.some((p) => !p.intact)) io.exitCode = 1;
  } finally {
    await log.close();
  }
}

/** most removals that are named; a daily retention makes many */
const NAMED = 5;

/** What may have become of a decision that is not there. */
function removedBefore(removals: readonly RemovalReport[]): string {
  const lines = removals
    .slice(-NAMED)
    .map(
      ({ at, by: who, basis, records, filter }) =>
        `sluice: it may be among the ${counted(records, 'record')} whose content ${plain(who)} removed on ${plain(at)} (${plain(filter)}; basis: ${plain(basis)})\n`,
    );
  const earlier = removals.length - lines.length;
  if (earlier > 0)
    lines.push(`sluice: or of ${counted(earlier, 'earlier removal')}: query --action decisions.remove\n`);
  return lines.join('');
}

async function tail(options: Options & { lines: string; follow?: boolean }, io: Io): Promise<void> {
  const at = await place(options, io);
  const wanted = inLogWords(filters(options, new Date()), options, at, io);
  const log = await source(at, io);
  let decisions: readonly Decision[];
  try {
    ({ decisions } = await log.query({ ...wanted, limit: count(options.lines, '--lines', 1000) }));
    if (decisions.length === 0) await warnOfUnheardNames(wanted, log, io);
  } finally {
    await log.close();
  }
  const labels: Record<string, string> = options.follow ? { follow: 'true' } : {};
  const asked = { action: 'decisions.query', filters: wanted, labels, by: options.by } as const;
  await recordQuestion(at, asked, decisions.length, io);
  for (const decision of [...decisions].reverse())
    io.stdout.write(options.json ? `${JSON.stringify(decision)}\n` : line(decision));
  if (!options.follow) return;
  const stop = new AbortController();
  const end = () => stop.abort();
  process.once('SIGINT', end).once('SIGTERM', end);
  try {
    await follow(at.dir, wanted, options.json === true, io, stop.signal);
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end);
  }
}
