/** `sluice store`: the database in which Sluice keeps consents, grants and revocations. */
import { Command } from 'commander';
import { MIGRATIONS } from '../compose/store.ts';
import { loadConfig } from '../config/index.ts';
import type { Database } from '../model/database.ts';
import { migrate, openDatabase, stateOf } from '../store/index.ts';
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
  store.addHelpText(
    'after',
    '\nExamples:\n  sluice store migrate --config sluice.yaml\n  sluice store status --config sluice.yaml\n\nEach step is applied once, in a transaction. Sidecars of the version before go on with the new tables unless a step says otherwise.',
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
