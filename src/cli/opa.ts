/** `sluice opa`: manages the OPA binary that compiles policies. */
import { Command } from 'commander';
import { SluiceError } from '../errors.ts';
import { OPA_VERSION, resolveOpa } from '../policy/opa/opa.ts';
import type { Io } from './io.ts';

interface Options {
  readonly path?: boolean;
  readonly version?: boolean;
  readonly json?: boolean;
}

export function command(io: Io): Command {
  return new Command('opa')
    .description('The OPA binary that compiles policies: where it is and which one.')
    .option('--path', 'print its path and nothing else')
    .option('--version', 'print its version and nothing else')
    .option('--json', 'print all that is known of it as JSON')
    .addHelpText(
      'after',
      `\nExample:\n  $(sluice opa --path) fmt --write policies\n\nLooked for in this order: OPA_BIN; opa on PATH; the npm package opa-linux-x64; a download of ${OPA_VERSION}.\nWhat OPA_BIN did not name is used only if its SHA-256 is the one that the OPA project published.`,
    )
    .action(async (options: Options) => {
      const opa = await resolveOpa({ env: io.env });
      const run = await opa.run(['version']);
      const version = /^Version: (\S+)/m.exec(run.stdout)?.[1];
      if (run.code !== 0 || version === undefined)
        throw new SluiceError('opa_failed', `${opa.path} does not say which OPA it is.`);
      if (options.json)
        io.stdout.write(`${JSON.stringify({ path: opa.path, version, origin: opa.origin })}\n`);
      else if (options.path) io.stdout.write(`${opa.path}\n`);
      else if (options.version) io.stdout.write(`${version}\n`);
      else io.stdout.write(`OPA ${version} at ${opa.path} (${opa.origin})\n`);
    });
}
