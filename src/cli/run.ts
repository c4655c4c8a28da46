/** Finds and runs a command, and turns its errors into an exit code (design §6) and one line on stderr. */
import { Command, CommanderError } from 'commander';
import { isSluiceError } from '../errors.ts';
import { COMMANDS } from './commands.ts';
import { type Io, processIo } from './io.ts';
import { version } from '../version.ts';

export async function run(argv: readonly string[], io: Io = processIo()): Promise<number> {
  const program = new Command('sluice')
    .description('Policy-as-code authorization sidecar: decides, discloses, records.')
    .version(version(), '-V, --version')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: (s) => io.stdout.write(s), writeErr: (s) => io.stderr.write(s) });
  const wanted = argv.find((a) => !a.startsWith('-'));
  for (const entry of COMMANDS) {
    if (entry.name === wanted) program.addCommand(inherit((await entry.load()).command(io), program));
    else program.command(entry.name).description(entry.summary);
  }
  try {
    if (argv.length === 0) {
      program.outputHelp();
      return 2;
    }
    await program.parseAsync([...argv], { from: 'user' });
    return io.exitCode;
  } catch (e) {
    if (e instanceof CommanderError) return e.exitCode === 0 ? 0 : 2;
    if (!isSluiceError(e)) throw e;
    // A message about several faults has the place of each, behind a heading.
    const at =
      e.at && !e.message.includes(`${e.at.file}:`)
        ? `${[e.at.file, e.at.line, e.at.column].filter((x) => x !== undefined).join(':')}: `
        : '';
    io.stderr.write(`sluice: ${at}${e.message} [${e.code}]\n`);
    return e.code === 'usage_invalid' ? 2 : 3;
  }
}

function inherit(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inherit(child, command);
  return command;
}
