/** `sluice new`: adds a role, purpose, partner or field to the right file, with a scenario that shows its effect. */
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { SluiceError } from '../errors.ts';
import { compileFiles } from '../policy/compile.ts';
import { type PolicyDirectory, type PolicyFile, readPolicyDirectory } from '../policy/directory.ts';
import { resolveOpa } from '../policy/opa/opa.ts';
import { createSnapshot } from '../policy/snapshot/index.ts';
import type { Io } from './io.ts';
import { names } from './options.ts';
import {
  type Addition,
  type Copied,
  type Field,
  newField,
  newPartner,
  newPurpose,
  newRole,
  Sources,
} from './policy/new/additions.ts';
import { unifiedDiff } from './policy/new/diff.ts';
import { tell } from './policy/check/finding-formats.ts';
import { arranged } from './policy/check/findings.ts';
import { inspectFiles } from './policy/check/inspect.ts';
import { expecting, scenarioOf, writtenScenario } from './policy/new/new-scenario.ts';
import { playAll, playOne } from './policy/testing/play.ts';
import { readScenarios } from './policy/testing/scenario-files.ts';
import { replaceFile } from './replace.ts';

interface Common {
  readonly policies: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const NAME = /^[a-z][a-z0-9_]*$/;
const name = (text: string): string => {
  if (!NAME.test(text))
    throw new InvalidArgumentError('A name is lower-case letters, digits and "_", a letter first.');
  return text;
};

export function command(io: Io): Command {
  const root = new Command('new').description(
    'Add a role, purpose, partner or field to a policy: the lines where they belong, and a scenario.',
  );
  const kind = (words: string, description: string, example: string): Command =>
    root
      .command(words)
      .description(description)
      .option('--policies <dir>', 'policy directory', 'policies')
      .option('--dry-run', 'print the difference, write nothing')
      .option('--json', 'print what is written as JSON')
      .addHelpText(
        'after',
        `\nExample:\n  sluice new ${example}\n\nNothing is written unless \`sluice check\` and the new scenario hold. Exit code 1: they do not.`,
      );
  kind('role', 'a role like another', 'role claims_clerk --like adjuster --title "Claims clerk"')
    .argument('<name>', 'of the role', name)
    .requiredOption('--like <role>', 'whose lines are copied')
    .option('--title <text>', 'for people')
    .action((of: string, options: Like) => add(io, options, (p) => newRole(p, of, options)));
  kind(
    'purpose',
    'a purpose like another',
    'purpose warranty --like after_sales --role support --title "Warranty"',
  )
    .argument('<name>', 'of the purpose', name)
    .requiredOption('--like <purpose>', 'whose lines are copied')
    .requiredOption('--role <name>', 'who acts for it; may be given again', names)
    .option('--title <text>', 'for people')
    .action((of: string, options: Like & { readonly role: readonly string[] }) =>
      add(io, options, (p) => newPurpose(p, of, options)),
    );
  kind(
    'partner',
    'a partner like another',
    'partner north_couriers --like swift_logistics --title "North Couriers"',
  )
    .argument('<name>', 'of the partner', name)
    .requiredOption('--like <partner>', 'whose agreements are copied')
    .option('--title <text>', 'for people')
    .action((of: string, options: Like) => add(io, options, (p) => newPartner(p, of, options)));
  kind('field', 'a field of a resource', 'field customer /loyalty --category preference --grade 2')
    .argument('<resource>', 'whose catalog')
    .argument('<pointer>', 'as in the catalog, e.g. /orders/*/note')
    .requiredOption('--category <name>', 'what it is about')
    .requiredOption('--grade <n>', 'how sensitive, 1 to 5', Number)
    .option('--mask <kind>', 'how it is masked')
    .action((resource: string, pointer: string, options: Common & Field) =>
      add(io, options, (p) => newField(p, resource, pointer, options)),
    );
  return root;
}

type Like = Common & Copied;

async function add(io: Io, options: Common, plan: (policy: Sources) => Addition): Promise<void> {
  const dir = resolve(io.cwd, options.policies);
  const files = await readPolicyDirectory(dir);
  const { changed, scenario, asked } = plan(new Sources(files));
  const path = `scenarios/${scenario}.yaml`;
  if (files.scenarios.some((f) => f.path === path))
    throw new SluiceError('usage_invalid', `${join(options.policies, path)} is there already.`);
  const opa = await resolveOpa({ env: io.env });
  const candidate = withTexts(files, changed);
  const policy = await createSnapshot(await compileFiles(candidate, { opa }));
  const wanted = scenarioOf(asked([...policy.catalogs.values()]));
  const read = (text: string) => readScenarios(dir, [{ path, text }]).documents;
  const came = await playOne(policy, read(JSON.stringify(wanted))[0]!, 0);
  const header = headerOf(files.scenarios);
  const text = writtenScenario(expecting(wanted, came), header);
  const outcomes = await playAll(policy, read(text), () => true);
  const after = withTexts(candidate, new Map([[path, text]]));
  const { findings } = await inspectFiles(after, opa);
  const found = arranged(
    findings.filter((f) => f.severity !== 'note'),
    io.cwd,
  );
  const problems = outcomes.flatMap((o) => o.problems);
  if (found.some((f) => f.severity === 'fault') || problems.length > 0 || outcomes.length !== 1) {
    tell(found, io);
    for (const problem of problems) io.stderr.write(`${path}: ${problem}\n`);
    io.stderr.write('sluice: nothing was written, because this would not hold.\n');
    io.exitCode = 1;
    return;
  }
  if (!options.json) tell(found, { ...io, stdout: io.stderr });
  const texts = new Map([...changed, [path, text]]);
  if (!options.dryRun) for (const [file, content] of texts) await replaceFile(join(dir, file), content);
  if (options.json)
    io.stdout.write(
      `${JSON.stringify({ written: options.dryRun !== true, files: [...texts.keys()], scenario: outcomes[0]!.name }, null, 2)}\n`,
    );
  else
    for (const [file, content] of texts)
      io.stdout.write(unifiedDiff(join(options.policies, file), textOf(files, file), content));
}

const textOf = (files: PolicyDirectory, path: string): string =>
  [...files.data, ...files.catalogs].find((f) => f.path === path)?.text ?? '';

function withTexts(files: PolicyDirectory, texts: ReadonlyMap<string, string>): PolicyDirectory {
  const put = (list: readonly PolicyFile[]): PolicyFile[] =>
    list.map((f) => ({ path: f.path, text: texts.get(f.path) ?? f.text }));
  const added = [...texts]
    .filter(([path]) => path.startsWith('scenarios/'))
    .map(([path, text]) => ({ path, text }));
  return {
    ...files,
    data: put(files.data),
    catalogs: put(files.catalogs),
    scenarios: [...files.scenarios, ...added],
  };
}

const headerOf = (scenarios: readonly PolicyFile[]): string =>
  /^#( yaml-language-server:.*)$/m.exec(scenarios[0]?.text ?? '')?.[1] ??
  ' yaml-language-server: $schema=../../schemas/scenario.schema.json';
