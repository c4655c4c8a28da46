/** `sluice decisions verify`: verifies every chain and prints the result. */
import { appendFileSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SingleBar } from 'cli-progress';
import { type Anchor, formatAnchor, parseHead, readAnchors } from '../../decision-log/verify/anchor.ts';
import type { OriginReport, Problem, VerifyReport } from '../../decision-log/verify/problems.ts';
import { readSecret } from '../../decision-log/secret.ts';
import { type FileReport, verifyFile } from '../../decision-log/verify/file.ts';
import { type Checkpoint, readCheckpoint } from '../../decision-log/tree/checkpoint.ts';
import { readIdentities } from '../../decision-log/age.ts';
import { readRemovals } from '../../decision-log/verify/removals.ts';
import { verify } from '../../decision-log/verify/verify.ts';
import { SluiceError } from '../../errors.ts';
import type { Io } from '../io.ts';
import { chainKey, place, type SourceOptions } from './source.ts';
import { counted } from '../text.ts';
import { plain, table, width } from './table.ts';

export interface CheckOptions extends SourceOptions {
  readonly anchor?: readonly string[];
  readonly expectHead?: readonly string[];
  readonly writeAnchor?: string;
  readonly checkpoint?: readonly string[];
  readonly identity?: readonly string[];
}

export async function check(options: CheckOptions, io: Io): Promise<void> {
  const at = await place(options, io);
  const key = chainKey(options, at, io);
  const anchors = anchorsOf(options, key, io);
  const bar = progressBar(io, 'verifying');
  const checkpoints = (options.checkpoint ?? []).flatMap((file) => checkpointsIn(resolve(io.cwd, file)));
  const report = await verify({ dir: at.dir, key, anchors, checkpoints, progress: bar.update }).finally(
    bar.stop,
  );
  io.stdout.write(options.json ? `${JSON.stringify(report)}\n` : describe(report, key !== null, width(io)));
  // Anchors are written only if the journal verifies.
  if (report.ok && options.writeAnchor !== undefined) {
    const now = new Date().toISOString();
    const lines = report.origins
      .filter((o) => o.last > 0)
      .map((o) => formatAnchor({ origin: o.origin, seq: o.last, hash: o.hash, at: now }, key));
    appendFileSync(resolve(io.cwd, options.writeAnchor), lines.join(''));
  }
  if (!report.ok) io.exitCode = 1;
}

/** Verifies records outside a journal. */
export async function checkFiles(files: readonly string[], options: CheckOptions, io: Io): Promise<void> {
  if (options.writeAnchor !== undefined)
    throw new SluiceError('usage_invalid', '--write-anchor goes with a journal, not with files.');
  const key =
    options.key === undefined ? null : readSecret(options.key, '--key', { env: io.env, baseDir: io.cwd });
  const anchors = anchorsOf(options, key, io);
  const identities = readIdentities(options.identity ?? [], { env: io.env, baseDir: io.cwd });
  // The journal from which the file was archived.
  const removals =
    options.journal === undefined ? null : await readRemovals(resolve(io.cwd, options.journal));
  for (const file of files) {
    const report = await verifyFile(resolve(io.cwd, file), anchors, {
      identities,
      ...(removals === null ? {} : { isStated: removals.isStated.bind(removals) }),
    });
    io.stdout.write(options.json ? `${JSON.stringify(report)}\n` : describeFile(report, width(io)));
    if (!report.ok) io.exitCode = 1;
  }
}

/** Of a file, or of every file below a directory, as a witness of the kind `dir` has them. */
function checkpointsIn(path: string): readonly Checkpoint[] {
  try {
    if (!statSync(path).isDirectory()) return [readCheckpoint(readFileSync(path, 'utf8'))];
    return readdirSync(path, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.checkpoint'))
      .map((name) => readCheckpoint(readFileSync(join(path, name), 'utf8')));
  } catch (cause) {
    throw new SluiceError('input_invalid', {
      message: `${path} holds no checkpoint that can be read (${(cause as NodeJS.ErrnoException).code ?? (cause as Error).message}).`,
      at: { file: path },
      cause,
    });
  }
}

const anchorsOf = (options: CheckOptions, key: Buffer | null, io: Io): Anchor[] => [
  ...(options.anchor ?? []).flatMap((file) => readAnchors(resolve(io.cwd, file), key)),
  ...(options.expectHead ?? []).map(parseHead),
];

function describeFile(report: FileReport, columns: number): string {
  const chains = report.chains.map((c) => [
    c.origin,
    String(c.records),
    `${c.first}–${c.last}`,
    c.gaps === 0 ? 'without a gap' : `${c.gaps} gap${c.gaps > 1 ? 's' : ''}`,
  ]);
  const verdict = `${report.file}: ${counted(report.records, 'record')}: ${report.ok ? 'intact' : 'BROKEN'}${report.removed > 0 ? `, ${unreadable(report.removed)}` : ''}.\n`;
  const gaps = report.chains.some((c) => c.gaps > 0)
    ? 'Records between the gaps are not in this file; whether they were left out or removed, only the journal tells.\n'
    : '';
  return [
    ...(chains.length > 0 ? [table(['chain', 'records', 'seq', 'note'], chains, columns)] : []),
    verdict,
    report.ok ? gaps : problemLines(report),
  ].join('');
}

function problemLines({
  problems,
  problems_total,
}: Pick<VerifyReport, 'problems' | 'problems_total'>): string {
  const out = problems
    .slice(0, 20)
    .map((problem, i) => `${i === 0 ? 'first: ' : '       '}${describeProblem(problem)}\n`);
  const more = problems_total - Math.min(20, problems.length);
  return [...out, more > 0 ? `       and ${more} more\n` : ''].join('');
}

function describe(report: VerifyReport, keyed: boolean, columns: number): string {
  const out: string[] = [];
  if (report.origins.length > 0)
    out.push(
      table(
        ['chain', 'records', 'from', 'until', 'head', 'note'],
        report.origins.map((o) => [o.origin, String(o.records), day(o.from), day(o.until), head(o), note(o)]),
        columns,
      ),
      ...report.origins.filter((o) => o.last > 0).map((o) => `  ${o.origin}:${o.last}:${o.hash}\n`),
    );
  const chains =
    report.origins.length === 1
      ? `1 chain (${report.origins[0]!.origin})`
      : `${report.origins.length} chains`;
  const records = counted(report.records, 'record');
  if (report.ok) {
    const what =
      report.origins.length === 0
        ? 'There are no decision records here.'
        : `${records} in ${chains}: intact.`;
    out.push(`${what}\n`, ...removals(report));
    if (!keyed && report.origins.some((o) => o.head === 'unchecked'))
      out.push('The heads are signed, but no key was given to check them with (--key).\n');
    if (report.anchors + report.checkpoints === 0 && report.origins.length > 0)
      out.push(
        'No anchor was given: a journal that was put back to an earlier state would look the same (--anchor, --checkpoint, --expect-head).\n',
      );
    return out.join('');
  }
  out.push(`${records} in ${chains}: BROKEN.\n`, ...removals(report));
  out.push(problemLines(report));
  return out.join('');
}

/** What was removed, when, by whom, and on which basis. */
const removals = (report: VerifyReport): readonly string[] => [
  ...report.removals.map(
    (r) =>
      `Removed on ${day(r.at)} by ${plain(r.by)}: content of ${counted(r.records, 'record')} of ${r.chains.map(plain).join(', ')}, ${plain(r.filter)}. Basis: ${plain(r.basis)} (decision ${r.decision_id}).\n`,
  ),
  ...report.origins
    .filter((o) => o.unremoved > 0)
    .map(
      (o) =>
        `${o.origin}: ${counted(o.unremoved, 'record')} stated as removed still ${o.unremoved === 1 ? 'has its' : 'have their'} content: the removal was interrupted. Run it again.\n`,
    ),
];

function describeProblem(p: Problem): string {
  const where = p.file === null ? p.origin : `${p.file}${p.line === null ? '' : `:${p.line}`}`;
  const which = [
    p.seq === null ? null : `record ${p.seq}`,
    p.decision_id === null ? null : `decision ${plain(p.decision_id).slice(0, 60)}`,
  ].filter((x) => x !== null);
  return `${where}: ${which.length ? `${which.join(', ')}: ` : ''}${p.message} [${p.what}]`;
}

const day = (time: string | null): string =>
  time === null
    ? '–'
    : plain(time)
        .replace('T', ' ')
        .replace(/\.\d+Z$/, '');

const head = (o: OriginReport): string =>
  ({ signed: 'signed', unsigned: 'unsigned', unchecked: 'signed, not checked', none: 'none' })[o.head];

/** @param removed records whose payload, or a shared document of them, was removed */
const unreadable = (removed: number): string => `${counted(removed, 'record')} without content`;

const note = (o: OriginReport): string =>
  [
    o.live ? 'being written' : null,
    o.archived > 0 ? `1 to ${o.archived} archived` : o.first > 1 ? `begins at ${o.first}` : null,
    o.beyond_head > 0 ? `${o.beyond_head} beyond its head` : null,
    o.removed > 0 ? unreadable(o.removed) : null,
    o.torn_tails > 0 ? `${o.torn_tails} torn tail${o.torn_tails > 1 ? 's' : ''} set aside` : null,
  ]
    .filter((x) => x !== null)
    .join(', ');

/** Shown only on a terminal, never in piped output. */
export function progressBar(
  io: Io,
  what: string,
  of: 'bytes' | 'records' = 'bytes',
): { update(done: number, total: number): void; stop(): void } {
  if (!io.stderr.isTTY) return { update: () => undefined, stop: () => undefined };
  const bar = new SingleBar({
    format: `${what} {bar} {percentage}% of {size}, {eta_formatted}`,
    stream: io.stderr,
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: true,
  });
  let begun = false;
  return {
    update(done, total) {
      if (!begun)
        bar.start(total, 0, {
          size: of === 'bytes' ? `${Math.round(total / (1 << 20))} MiB` : `${total} records`,
        });
      // At its end it stops: another chain begins another one.
      begun = done < total;
      bar.update(done);
    },
    stop: () => bar.stop(),
  };
}
