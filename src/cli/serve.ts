/** `sluice serve`: the sidecar itself. */
import { Command } from 'commander';
import { compose, type Sluice } from '../compose.ts';
import { loadConfig } from '../config/index.ts';
import { createLogger, type Logger } from '../observability/logger.ts';
import type { Io } from './io.ts';
import { scenarioGate } from './policy/gate.ts';

export function command(io: Io): Command {
  return new Command('serve')
    .description('Run the sidecar: proxy listener and admin listener.')
    .option('-c, --config <file>', 'configuration', 'sluice.yaml')
    .addHelpText(
      'after',
      '\nExample:\n  sluice serve --config /etc/sluice/sluice.yaml\n\nSIGTERM and SIGINT end it after the requests under way; SIGHUP reads policy and consents again.',
    )
    .action(async ({ config: file }: { config: string }) => {
      const loaded = await loadConfig(file, io.env);
      const logger = createLogger({ level: loaded.config.observability.log_level });
      for (const warning of loaded.warnings) logger.warn({ file: loaded.file }, warning);
      const sluice = await compose(loaded, { logger, env: io.env, gate: scenarioGate });
      io.stdout.write(
        `${JSON.stringify({ ready: true, proxy: sluice.proxy, admin: sluice.admin, policy: sluice.revision() })}\n`,
      );
      const hup = (): void => void reread(sluice, logger);
      process.on('SIGHUP', hup);
      await untilSignalled();
      process.off('SIGHUP', hup);
      logger.info({}, 'stopping');
      await sluice.close();
    });
}

/** What cannot be used is told by whoever tried, and by `/readyz`: the last good policy stays, consents are refused. */
async function reread(sluice: Sluice, logger: Logger): Promise<void> {
  sluice.consents.refresh?.();
  await sluice.policy.reload();
  const { error, unavailable } = sluice.policy.status();
  const policy = (error ?? unavailable)?.code ?? null;
  const consents = await sluice.consents.ready();
  logger.info(
    { revision: sluice.revision(), policy_error: policy, consents: consents.ok },
    'policy and consents read again',
  );
}

const untilSignalled = (): Promise<void> =>
  new Promise((resolve) => {
    const stop = (): void => {
      process.off('SIGTERM', stop).off('SIGINT', stop);
      resolve();
    };
    process.on('SIGTERM', stop).on('SIGINT', stop);
  });
