/** `sluice check`: everything that is wrong with a policy directory and a configuration, each with its place. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { resolveOpa } from '../policy/opa.ts';
import type { Io } from './io.ts';
import { arranged, tell } from './policy/findings.ts';
import { type Inspection, inspectPolicy } from './policy/inspect.ts';
import { fileFindings } from './policy/inspect-files.ts';
import { type InspectedConfig, inspectConfig, routeFindings } from './policy/inspect-config.ts';
import { watching } from './policy/watch.ts';

interface Options {
  readonly config?: string;
  readonly strict?: boolean;
  readonly watch?: boolean;
  readonly json?: boolean;
}

export function command(io: Io): Command {
  return new Command('check')
    .description(
      'Rules, data, catalogs and scenarios: everything that is wrong with them, each with its place.',
    )
    .argument('[dir]', 'policy directory (default: policy.dir of --config, else policies)')
    .option(
      '-c, --config <file>',
      'sluice.yaml: look at it, too, at its routes against the catalogs and at its consents and revocations',
    )
    .option('--strict', 'warnings count as faults')
    .option('--watch', 'again whenever a file has changed')
    .option('--json', 'print what is found as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  sluice check policies\n  sluice check policies --strict --json\n  sluice check --config sluice.yaml\n\nExit code 1 if there is a fault. Warnings are told and do not count.',
    )
    .action(async (dir: string | undefined, options: Options) => {
      if (!options.watch) return check(io, dir, options);
      const { policies, config } = await placesOf(io, dir, options);
      return watching(io, [policies ?? resolve(io.cwd, 'policies'), ...(config ? [config.file] : [])], () =>
        check(io, dir, options),
      );
    });
}

interface Places {
  /** null where only the configuration could say, and has faults */
  readonly policies: string | null;
  readonly config: (InspectedConfig & { readonly file: string }) | null;
}

async function placesOf(io: Io, dir: string | undefined, options: Options): Promise<Places> {
  const here = (path: string): string => resolve(io.cwd, path);
  if (options.config === undefined) return { policies: here(dir ?? 'policies'), config: null };
  const file = here(options.config);
  const config = { file, ...(await inspectConfig(file, io.env)) };
  if (dir !== undefined) return { policies: here(dir), config };
  const { loaded } = config;
  if (loaded === null) return { policies: null, config };
  const named = loaded.config.policy.dir;
  return { policies: named === undefined ? here('policies') : resolve(loaded.directory, named), config };
}

async function check(io: Io, dir: string | undefined, options: Options): Promise<void> {
  const { policies, config } = await placesOf(io, dir, options);
  const policy = policies === null ? null : await inspectPolicy(policies, await resolveOpa({ env: io.env }));
  const found = [...(config?.findings ?? []), ...(policy?.findings ?? [])];
  if (config?.loaded && policy) found.push(...routeFindings(config.loaded, policy.catalogs, policy.broken));
  if (config?.loaded) found.push(...fileFindings(config.loaded, policy?.data ?? null));
  const list = arranged(found, io.cwd);
  const faults = list.filter((f) => f.severity === 'fault').length;
  const warnings = list.length - faults;
  const ok = faults === 0 && (!options.strict || warnings === 0);
  const routes = config?.loaded?.config.routes.length;
  const counts = { ...policy?.counts, ...(routes === undefined ? {} : { routes }) };
  if (options.json)
    io.stdout.write(
      `${JSON.stringify({ ok, faults, warnings, findings: list, counts, writes: policy?.writes ?? {} }, null, 2)}\n`,
    );
  else {
    tell(list, io);
    io.stdout.write(
      `${counted(faults, 'fault')}, ${counted(warnings, 'warning')} in ${policy === null ? 'the configuration; the policy was not looked at' : inPolicy(policy.counts)}${routes === undefined ? '' : `, ${counted(routes, 'route')}`}\n`,
    );
  }
  if (!options.json)
    for (const [resource, { never, as_read, always }] of Object.entries(policy?.writes ?? {}))
      io.stdout.write(
        `${resource}: ${counted(never, 'field')} never written, ${as_read} by whoever may read them, ${always} always\n`,
      );
  io.exitCode = ok ? 0 : 1;
}

const inPolicy = ({ rules, tests, data, catalogs, fields, scenarios }: Inspection['counts']): string =>
  `${counted(rules, 'file')} of rules, ${tests} of tests, ${data} of data, ${counted(catalogs, 'catalog')} with ${fields} fields, ${counted(scenarios, 'scenario')}`;

const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
