/** `sluice subject`: access of one caller: taken away, given back, and what was done with it. */
import { Command } from 'commander';
import { SluiceError } from '../errors.ts';
import type { RevocationChanges } from '../changes/revocations.ts';
import { revocationJson } from '../changes/spelled.ts';
import type { Revocation, RevocationTarget, Terms } from '../identity/index.ts';
import { momentOf } from '../identity/revoked.ts';
import type { Review } from '../reviews/index.ts';
import { place, source } from './decisions/source.ts';
import { decisionTable, table, width } from './decisions/table.ts';
import type { Io } from './io.ts';
import { type Opened, withStore } from './opened.ts';
import { by, oneOf, whole } from './options.ts';
import { counted } from './text.ts';

interface Common {
  readonly config: string;
  readonly json?: boolean;
}

interface TargetOptions extends Common {
  readonly jti?: string;
  readonly sha256?: string;
  readonly reason: string;
  readonly by: string;
}

interface RevokeOptions extends TargetOptions {
  readonly issuer?: string;
  readonly issuedBefore?: string;
  readonly from?: string;
  readonly until?: string;
}

const STATES = ['current', 'all'] as const;

interface ListOptions extends Common {
  readonly state: (typeof STATES)[number];
  readonly limit: number;
}

export function command(io: Io): Command {
  const subject = new Command('subject').description(
    'Access of one caller: taken away at once and everywhere, given back, and what was done with it.',
  );
  const add = (name: string, description: string): Command =>
    subject
      .command(name)
      .description(description)
      .option('-c, --config <file>', 'configuration', 'sluice.yaml')
      .option('--json', 'print as JSON');
  const withTarget = (cmd: Command): Command =>
    by(cmd)
      .option('--jti <id>', 'instead of a subject: one token, by its id')
      .option('--sha256 <digest>', 'instead of a subject: one token, API key or certificate, by its digest')
      .requiredOption('--reason <text>', 'why');
  withTarget(add('revoke [id]', 'refuse every credential of a subject from now on'))
    .option('--issuer <issuer>', 'only credentials of this issuer (for an API key: api-key:<id>)')
    .option('--issued-before <time>', 'only credentials issued before then: who signs in again gets in')
    .option('--from <time>', 'not yet: from then on')
    .option('--until <time>', 'ends by itself')
    .action((id: string | undefined, options: RevokeOptions) => revoke(id, options, io));
  withTarget(add('restore [id]', 'end every revocation of it in the store')).action(
    (id: string | undefined, options: TargetOptions) => restore(id, options, io),
  );
  add('list', 'what is revoked in the store, the newest first')
    .option('--state <state>', STATES.join(', '), oneOf(STATES), 'current')
    .option('--limit <n>', 'how many', whole(1, 100_000), 100)
    .action((options: ListOptions) => list(options, io));
  add('history <id>', 'revocations, reviews and decisions of a subject, the newest first')
    .option('--limit <n>', 'how many decisions', whole(1, 1000), 50)
    .option('--journal <dir>', 'directory of the journal (default: the configuration’s)')
    .action((id: string, options: HistoryOptions) => history(id, options, io));
  subject.addHelpText(
    'after',
    '\nExamples:\n  sluice subject revoke u-17 --reason "left the company" --by hr-sync\n  sluice subject revoke --jti 3f1c9c52 --reason "laptop stolen, ticket 8812" --by u-admin\n  sluice subject restore u-17 --reason "back from leave" --by u-admin\n  sluice subject history u-17\n\nTimes are RFC 3339. Needs identity.revocations_in_store: true.',
  );
  return subject;
}

async function revoke(id: string | undefined, options: RevokeOptions, io: Io): Promise<void> {
  const target = targetOf(id, options);
  const { issuer, issuedBefore, from, until } = options;
  const terms: Terms = {
    ...(issuer === undefined ? {} : { issuer }),
    ...(issuedBefore === undefined ? {} : { issued_before: moment(issuedBefore, '--issued-before') }),
    ...(from === undefined ? {} : { starts_at: moment(from, '--from') }),
    ...(until === undefined ? {} : { ends_at: moment(until, '--until') }),
  };
  await withRevocations(options, io, async (revocations, recorder) => {
    const revoked = await revocations.revoke(target, terms, options.reason, recorder(options.by));
    io.stdout.write(
      options.json
        ? `${JSON.stringify(revocationJson(revoked), null, 2)}\n`
        : `${described(revoked)} is revoked ${termsOf(revoked, 'from now on')}.\n`,
    );
  });
}

async function restore(id: string | undefined, options: TargetOptions, io: Io): Promise<void> {
  const target = targetOf(id, options);
  await withRevocations(options, io, async (revocations, recorder) => {
    const restored = await revocations.restore(target, options.reason, recorder(options.by));
    io.stdout.write(
      options.json
        ? `${JSON.stringify({ revocations: restored.map(revocationJson) }, null, 2)}\n`
        : `${described(restored[0]!)} is restored: ${counted(restored.length, 'revocation')} ended.\n`,
    );
  });
}

async function list({ state, limit, ...options }: ListOptions, io: Io): Promise<void> {
  await withRevocations(options, io, async (records) => {
    const found = await records.list({ state, limit });
    if (options.json)
      io.stdout.write(`${JSON.stringify({ revocations: found.map(revocationJson) }, null, 2)}\n`);
    else if (found.length === 0) io.stdout.write('Nothing is revoked in the store.\n');
    else io.stdout.write(revocationTable(found, io));
  });
}

interface HistoryOptions extends Common {
  readonly journal?: string;
  readonly limit: number;
}

const MOST_REVIEWS = 1_000;

async function history(id: string, { limit, ...options }: HistoryOptions, io: Io): Promise<void> {
  const at = await place(options, io);
  const log = await source(at, io);
  try {
    const { decisions, cursor } = await log.query({ subject: id, limit });
    const { revocations, reviews } = await withStore(options, io, async (store) => ({
      revocations: await store.revocations.ofSubject(id),
      reviews: await store.reviews.list({ subject: id, limit: MOST_REVIEWS }),
    }));
    if (options.json) {
      const told = { subject: id, revocations: revocations.map(revocationJson), reviews, decisions };
      io.stdout.write(`${JSON.stringify(told, null, 2)}\n`);
      return;
    }
    const part = (title: string, shown: string): void => {
      io.stdout.write(`${title}\n${shown === '' ? 'none\n' : shown}\n`);
    };
    part('Revocations', revocations.length === 0 ? '' : revocationTable(revocations, io));
    part('Reviews', reviews.length === 0 ? '' : reviewTable(reviews, io));
    part('Decisions', decisions.length === 0 ? '' : decisionTable(decisions, width(io)));
    if (cursor !== null)
      io.stderr.write(
        `There are more decisions: sluice decisions query --subject ${id} --cursor ${cursor}\n`,
      );
  } finally {
    await log.close();
  }
}

function targetOf(id: string | undefined, { jti, sha256 }: TargetOptions): RevocationTarget {
  const given = (
    [
      ['subject', id],
      ['jti', jti],
      ['sha256', sha256],
    ] as const
  ).flatMap(([kind, name]) => (name === undefined ? [] : [{ kind, name }]));
  const [target] = given;
  if (target === undefined || given.length > 1)
    throw new SluiceError('usage_invalid', 'Name one of: the id of a subject, --jti, --sha256.');
  return target;
}

function moment(text: string, option: string): number {
  const at = momentOf(text);
  if (Number.isNaN(at))
    throw new SluiceError('usage_invalid', `${option}: write a date or a time such as 2026-11-22T08:00:00Z.`);
  return at;
}

const said = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');

const described = ({ kind, name }: Revocation): string =>
  kind === 'subject' ? name : `The credential with the ${kind} ${name}`;

function termsOf({ starts_at, ends_at, issued_before, issuer }: Revocation, begin: string): string {
  const terms = [starts_at === null ? begin : `from ${said(starts_at)} UTC on`];
  if (ends_at !== null) terms.push(`until ${said(ends_at)} UTC`);
  if (issued_before !== null) terms.push(`for credentials issued before ${said(issued_before)} UTC`);
  if (issuer !== null) terms.push(`for credentials of ${issuer}`);
  return terms.join(', ');
}

function revocationTable(revocations: readonly Revocation[], io: Io): string {
  const rows = revocations.map((r) => [
    r.kind,
    r.name,
    said(r.revoked_at),
    r.revoked_by,
    r.reason,
    r.restored_at !== null
      ? `restored ${said(r.restored_at)} by ${r.restored_by}: ${r.restored_reason}`
      : r.ends_at !== null && r.ends_at <= Date.now()
        ? `ended ${said(r.ends_at)}`
        : termsOf(r, 'in force'),
  ]);
  return table(['what', 'name', 'revoked (UTC)', 'by', 'why', 'state'], rows, width(io), 1);
}

function reviewTable(reviews: readonly Review[], io: Io): string {
  const rows = reviews.map((r) => [
    r.decision_id,
    `${r.action} ${r.resource}`,
    r.purpose,
    said(r.opened_at),
    r.closed_at === null
      ? `due ${said(r.due_at)}`
      : `${r.verdict}, ${r.closed_by}, ${said(r.closed_at)}: ${r.note}`,
  ]);
  return table(['decision', 'what', 'purpose', 'opened (UTC)', 'review'], rows, width(io), 0);
}

/** Nothing is said to be revoked where no sidecar would look. */
async function withRevocations(
  options: Common,
  io: Io,
  work: (revocations: RevocationChanges, recorder: Opened['recorder']) => Promise<void>,
): Promise<void> {
  await withStore(options, io, async ({ revocations, recorder, loaded }) => {
    if (!loaded.config.identity.revocations_in_store)
      throw new SluiceError(
        'config_invalid',
        `${options.config}: identity.revocations_in_store is not on, so that a revocation in the store would have no effect: set it to true and restart the sidecars.`,
      );
    await work(revocations, recorder);
  });
}
