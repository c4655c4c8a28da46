/** `sluice fmt`: formats policy YAML in one canonical way, so that a review shows only real changes. */
import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { SluiceError } from '../errors.ts';
import { listPolicyFiles } from '../policy/directory.ts';
import type { Io } from './io.ts';
import { shown } from './policy/check/findings.ts';
import { formatYaml } from '../documents/format.ts';
import { replaceFile } from './replace.ts';

interface Options {
  readonly check?: boolean;
  readonly json?: boolean;
}

export function command(io: Io): Command {
  return new Command('fmt')
    .description(
      'Format policy YAML. The meaning of a file, its comments and its order do not change. Rego: `opa fmt`.',
    )
    .argument('[path...]', 'directories and files (default: policies)')
    .option('--check', 'write nothing; exit 1 if a file is not formatted')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  sluice fmt policies\n  sluice fmt --check policies\n\nExit code 1 also where a file cannot be formatted, which is then left as it is.',
    )
    .action((paths: readonly string[], options: Options) =>
      fmt(io, paths.length === 0 ? ['policies'] : paths, options),
    );
}

async function fmt(
  io: Io,
  paths: readonly string[],
  { check = false, json = false }: Options,
): Promise<void> {
  const found = await Promise.all(paths.map((path) => filesAt(resolve(io.cwd, path))));
  const files = new Set(found.flat());
  const changed: string[] = [];
  const refused: { file: string; why: string }[] = [];
  for (const file of files) {
    const text = await readFile(file, 'utf8');
    const formatted = formatYaml(text);
    const name = shown(file, io.cwd);
    if ('refused' in formatted) refused.push({ file: name, why: formatted.refused });
    else if (formatted.text !== text) {
      changed.push(name);
      if (!check) await replaceFile(file, formatted.text);
    }
  }
  if (refused.length > 0 || (check && changed.length > 0)) io.exitCode = 1;
  if (json) {
    io.stdout.write(`${JSON.stringify({ files: files.size, changed, refused, written: !check }, null, 2)}\n`);
    return;
  }
  for (const file of changed) io.stdout.write(`${file}${check ? ': not formatted' : ''}\n`);
  for (const { file, why } of refused) io.stderr.write(`sluice: ${file} is left as it is: ${why}\n`);
}

/** @throws SluiceError `input_invalid` */
async function filesAt(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => null);
  if (found === null) throw new SluiceError('input_invalid', `There is nothing at ${path}.`);
  if (found.isFile()) return [path];
  return (await listPolicyFiles(path)).filter((f) => /\.ya?ml$/.test(f.path)).map((f) => join(path, f.path));
}
