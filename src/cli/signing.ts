/** `sluice signing`: the key that signs receipts, certificates and links. */
import { Command } from 'commander';
import { loadConfig } from '../config/index.ts';
import { silentLogger } from '../observability/logger.ts';
import { createSigning } from '../signing/index.ts';
import type { Io } from './io.ts';

export function command(io: Io): Command {
  const signing = new Command('signing').description(
    'The key that signs consent receipts, certificates of erasure, and links for data subjects.',
  );
  signing
    .command('keys')
    .description('print the public keys as a JWK Set (RFC 7517): the first one signs, all of them verify')
    .option('-c, --config <file>', 'configuration', 'sluice.yaml')
    .addHelpText('after', '\nExample:\n  sluice signing keys > jwks.json')
    .action(async ({ config: file }: { readonly config: string }) => {
      const { config } = await loadConfig(file, io.env);
      const keys = createSigning(config.signing, { logger: silentLogger }).publicKeys();
      io.stdout.write(`${JSON.stringify(keys, null, 2)}\n`);
    });
  return signing;
}
