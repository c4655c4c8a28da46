/** `sluice serve`: the sidecar, in one process or in several workers. */
import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { Command } from 'commander';
import { type Config, type LoadedConfig, loadConfig } from '../config/index.ts';
import { spellFault } from '../documents/faults.ts';
import { createLogger, type Logger } from '../observability/logger.ts';
import type { Io } from './io.ts';
import { readyLine, WORKER } from './serve/messages.ts';
import { servePrimary } from './serve/primary.ts';
import { hangups, untilSignalled } from './serve/signals.ts';
import { V8_FLAGS } from './serve/v8-flags.ts';

export function command(io: Io): Command {
  return new Command('serve')
    .description('Run the sidecar: proxy listener and admin listener.')
    .option('-c, --config <file>', 'configuration', 'sluice.yaml')
    .addHelpText(
      'after',
      '\nExample:\n  sluice serve --config /etc/sluice/sluice.yaml\n\nSIGTERM and SIGINT end it after the requests under way; SIGHUP reads policy and consents again.',
    )
    .action(async ({ config: file }: { config: string }) => {
      for (const flag of V8_FLAGS) setFlagsFromString(flag);
      // Loaded on demand: the primary of several workers does not need the sidecar's modules, and saves their memory.
      if (cluster.isWorker && io.env[WORKER] !== undefined)
        return (await import('./serve/worker.ts')).serveWorker(file, io);
      const loaded = await loadConfig(file, io.env);
      const logger = createLogger({ level: loaded.config.observability.log_level });
      for (const warning of loaded.warnings) logger.warn({}, spellFault(warning));
      const workers = workersOf(loaded.config);
      if (workers === 1) await serveAlone(loaded, logger, io);
      else await servePrimary(loaded, workers, logger, io);
    });
}

/** The maximum is the schema's: a machine may have more cores. */
const workersOf = ({ workers }: Config): number =>
  workers === 'auto' ? Math.min(availableParallelism(), 64) : workers;

async function serveAlone(loaded: LoadedConfig, logger: Logger, io: Io): Promise<void> {
  const rereads = hangups();
  const signalled = untilSignalled();
  let starts = true;
  void signalled.then(() => {
    if (!starts) return;
    // Nobody is served yet, and what is on disk survives any end: there is nothing to wait for.
    logger.info({}, 'stopped while it started');
    process.exit(0);
  });
  const { reread, start } = await import('./serve/sidecar.ts');
  const sluice = await start(loaded, { logger });
  starts = false;
  io.stdout.write(readyLine({ proxy: sluice.proxy, admin: sluice.admin, policy: sluice.revision() }));
  rereads.to(() => void reread(sluice, logger));
  await signalled;
  logger.info({}, 'stopping');
  await sluice.close();
}
