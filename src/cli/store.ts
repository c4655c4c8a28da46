/** `sluice store`: the database in which Sluice keeps consents, grants and revocations. */
import { setTimeout } from 'node:timers/promises';
import { Command } from 'commander';
import { compareChanges } from '../changes/made.ts';
import { MIGRATIONS } from '../compose/store.ts';
import { loadConfig } from '../config/index.ts';
import type { Database } from '../model/database.ts';
import { migrate, openDatabase, requireCurrent, stateOf } from '../store/index.ts';
import type { Decision } from '../decision-log/index/query.ts';
import { place, source } from './decisions/source.ts';
import { table, width } from './decisions/table.ts';
import type { Io } from './io.ts';

interface Options {
  readonly config: string;
  readonly json?: boolean;
}

export function command(io: Io): Command {
  const store = new Command('store').description(
    'The database in which Sluice keeps consents, grants and revocations (`store` in sluice.yaml).',
  );
  const add = (name: string, description: string, run: (options: Options, io: Io) => Promise<void>): void => {
    store
      .command(name)
      .description(description)
      .option('-c, --config <file>', 'configuration', 'sluice.yaml')
      .option('--json', 'print as JSON')
      .action((options: Options) => run(options, io));
  };
  add('migrate', 'make its tables, or bring them up to date', migrateStore);
  add('status', 'which steps have been applied, and which are missing (exit 1)', status);
  add(
    'verify',
    'find changes that the decision log has and the store does not (exit 1): the process was killed, or the database lost them',
    verify,
  );
  store.addHelpText(
    'after',
    '\nExamples:\n  sluice store migrate --config sluice.yaml\n  sluice store status --config sluice.yaml\n  sluice store verify --config sluice.yaml\n\nEach step is applied once, in a transaction. Sidecars of the version before go on with the new tables unless a step says otherwise.',
  );
  return store;
}

async function migrateStore(options: Options, io: Io): Promise<void> {
  await withDatabase(options, io, async (database) => {
    const applied = await migrate(database, MIGRATIONS, () => new Date());
    if (options.json) io.stdout.write(`${JSON.stringify({ applied }, null, 2)}\n`);
    else if (applied.length === 0) io.stdout.write('The store is up to date.\n');
    else for (const name of applied) io.stdout.write(`applied ${name}\n`);
  });
}

async function status(options: Options, io: Io): Promise<void> {
  await withDatabase(options, io, async (database) => {
    const state = await stateOf(database, MIGRATIONS);
    if (state.missing.length > 0) io.exitCode = 1;
    if (options.json) {
      io.stdout.write(`${JSON.stringify(state, null, 2)}\n`);
      return;
    }
    for (const { name, at } of state.applied)
      io.stdout.write(`${name}  applied ${at}${state.newer.includes(name) ? ', by a newer version' : ''}\n`);
    for (const name of state.missing) io.stdout.write(`${name}  missing: run "sluice store migrate"\n`);
  });
}

/** kinds of records of changes */
const KINDS = ['consent', 'grant', 'admin', 'erasure', 'share'] as const;
const PAGE = 1_000;
/** more than a change takes between its record and its commit */
const UNDER_WAY_MS = 5_000;

async function verify(options: Options, io: Io): Promise<void> {
  const at = await place({ config: options.config }, io);
  await withDatabase(options, io, async (database) => {
    await requireCurrent(database, MIGRATIONS);
    const log = await source(at, io);
    const missing: Decision[] = [];
    const confirmed: Decision[] = [];
    let compared = 0;
    try {
      for (const kind of KINDS)
        for (let cursor: string | null | undefined; cursor !== null; ) {
          const page = await log.query({ kind, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) });
          const found = await compareChanges(page.decisions, database);
          missing.push(...found.missing);
          confirmed.push(...found.confirmed);
          compared += found.compared;
          ({ cursor } = page);
        }
    } finally {
      await log.close();
    }
    if (missing.length > 0) {
      // A change that is under way is on record already, and is in the store when it is done.
      await setTimeout(UNDER_WAY_MS);
      const again = await compareChanges(missing, database);
      missing.splice(0, missing.length, ...again.missing);
    }
    if (missing.length > 0) io.exitCode = 1;
    const shown = [
      ...missing.map((d) => comparedJson(d, 'not_in_store')),
      ...confirmed.map((d) => comparedJson(d, 'in_store')),
    ].sort((a, b) => (a.decision_id < b.decision_id ? -1 : 1));
    if (options.json) {
      io.stdout.write(`${JSON.stringify({ compared, changes: shown }, null, 2)}\n`);
      return;
    }
    if (shown.length > 0)
      io.stdout.write(
        table(
          ['decision', 'when', 'by', 'operation', 'state'],
          shown.map((c) => [c.decision_id, c.timestamp, c.by ?? '', c.operation ?? '', WORDS[c.state]]),
          width(io),
          0,
        ),
      );
    io.stdout.write(
      `${compared} changes compared: ${missing.length} not in the store.${
        missing.length === 0 ? '' : ' What is on record and not in force has to be made again.'
      }\n`,
    );
  });
}

const WORDS = {
  not_in_store: 'not in force',
  in_store: 'in force (recorded as unconfirmed)',
} as const;

const comparedJson = (
  { decision_id, timestamp, subject, action, kind, grant_id }: Decision,
  state: keyof typeof WORDS,
) => ({ decision_id, timestamp, by: subject?.id ?? null, kind, operation: action, grant_id, state });

async function withDatabase(
  { config: file }: Options,
  io: Io,
  work: (database: Database) => Promise<void>,
): Promise<void> {
  const { config } = await loadConfig(file, io.env);
  const database = openDatabase(config.store);
  try {
    await work(database);
  } finally {
    await database.close();
  }
}
