/** `sluice schemas`: writes or compares the JSON Schemas of all documents of Sluice's interfaces. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { SluiceError } from '../errors.ts';
import type { Io } from './io.ts';
import { everySchema, schemaText } from './policy/emitted.ts';

interface Options {
  readonly write?: string;
  readonly check?: string | true;
  readonly json?: boolean;
}

export function command(io: Io): Command {
  return new Command('schemas')
    .description('JSON Schemas of configuration, policy data, scenarios, questions, answers and records.')
    .option('--write <dir>', 'write them there')
    .option('--check [dir]', 'say whether those in the directory are those of the code (exit 1 if not)')
    .option('--json', 'print them, or what --check finds, as JSON')
    .addHelpText('after', '\nExamples:\n  sluice schemas --write schemas\n  sluice schemas --check schemas')
    .action((options: Options) => schemas(io, options));
}

async function schemas(io: Io, { write, check, json }: Options): Promise<void> {
  const all = everySchema();
  if (check !== undefined) return drift(io, typeof check === 'string' ? check : (write ?? 'schemas'), json);
  if (write === undefined) {
    if (json) io.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
    else for (const name of Object.keys(all)) io.stdout.write(`${name}\n`);
    return;
  }
  const dir = resolve(io.cwd, write);
  try {
    await mkdir(dir, { recursive: true });
    for (const [name, schema] of Object.entries(all)) await writeFile(join(dir, name), schemaText(schema));
  } catch (cause) {
    throw new SluiceError('input_invalid', { message: `The directory ${write} cannot be written.`, cause });
  }
  io.stdout.write(
    json
      ? `${JSON.stringify({ dir: write, written: Object.keys(all) })}\n`
      : `${Object.keys(all).length} schemas written to ${write}\n`,
  );
}

async function drift(io: Io, named: string, json: boolean | undefined): Promise<void> {
  const dir = resolve(io.cwd, named);
  const there = new Set((await readdir(dir).catch(() => [] as string[])).filter((f) => f.endsWith('.json')));
  const all = everySchema();
  const found: { readonly file: string; readonly fault: 'missing' | 'differs' | 'unknown' }[] = [];
  for (const [name, schema] of Object.entries(all)) {
    if (!there.has(name)) found.push({ file: name, fault: 'missing' });
    else if ((await readFile(join(dir, name), 'utf8')) !== schemaText(schema))
      found.push({ file: name, fault: 'differs' });
    there.delete(name);
  }
  for (const name of there) found.push({ file: name, fault: 'unknown' });
  if (json) io.stdout.write(`${JSON.stringify({ ok: found.length === 0, found }, null, 2)}\n`);
  else if (found.length === 0)
    io.stdout.write(`${Object.keys(all).length} schemas in ${named} are those of the code\n`);
  else {
    for (const { file, fault } of found) io.stdout.write(`${join(named, file)}: ${WORDS[fault]}\n`);
    io.stdout.write(`Write them anew with: sluice schemas --write ${named}\n`);
  }
  if (found.length > 0) io.exitCode = 1;
}

const WORDS = {
  missing: 'is missing',
  differs: 'is not what the code defines',
  unknown: 'is of no document that the code knows',
} as const;
