/** `sluice signing`: the key that signs receipts, certificates, links and checkpoints. */
import { Command } from 'commander';
import { loadConfig } from '../config/index.ts';
import { witnessKey } from '../decision-log/tree/witness.ts';
import { SluiceError } from '../errors.ts';
import { silentLogger } from '../observability/logger.ts';
import { createSigning } from '../signing/index.ts';
import type { Io } from './io.ts';

export function command(io: Io): Command {
  const signing = new Command('signing').description(
    'The key that signs consent receipts, certificates of erasure, links for data subjects, and checkpoints of the decision log.',
  );
  signing
    .command('keys')
    .description('print the public keys as a JWK Set (RFC 7517): the first one signs, all of them verify')
    .option('-c, --config <file>', 'configuration', 'sluice.yaml')
    .option('--witness', 'print the key of decision_log.witness instead, as other sidecars need it')
    .addHelpText('after', '\nExample:\n  sluice signing keys > jwks.json')
    .action(async ({ config: file, witness }: { readonly config: string; readonly witness?: true }) => {
      const { config } = await loadConfig(file, io.env);
      const all = createSigning(config.signing, { logger: silentLogger });
      if (witness) {
        const named = config.decision_log.witness;
        if (named === undefined)
          throw new SluiceError('usage_invalid', `${file} configures no witness (decision_log.witness).`);
        io.stdout.write(`${witnessKey(named.name, all.notes)}\n`);
        return;
      }
      const keys = all.publicKeys();
      io.stdout.write(`${JSON.stringify(keys, null, 2)}\n`);
    });
  return signing;
}
