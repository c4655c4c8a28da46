/** `sluice check`: reports all faults of a policy directory and a configuration, each with its place. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import type { LoadedConfig } from '../config/index.ts';
import { type Opa, resolveOpa } from '../policy/opa/opa.ts';
import type { SigningConfig } from '../policy/bundle/signatures.ts';
import { signingOf } from '../policy/store.ts';
import type { Io } from './io.ts';
import { oneOf, refuse, whole } from './options.ts';
import {
  FORMATS,
  type Format,
  githubCommands,
  repositoryOf,
  sarifOf,
  tell,
} from './policy/check/finding-formats.ts';
import { arranged, type Finding } from './policy/check/findings.ts';
import { type Inspection, inspectBundle, inspectPolicy } from './policy/check/inspect.ts';
import { fileFindings } from './policy/check/inspect-files.ts';
import {
  approvalFindings,
  clientsOf,
  type InspectedConfig,
  inspectConfig,
  nameFindings,
  proofFindings,
  quotaFindings,
  keyFindings,
  retentionFindings,
  sinkFindings,
  routeFindings,
} from './policy/check/inspect-config.ts';
import { journalProgress } from './policy/progress.ts';
import { usageFindings } from './policy/check/usage.ts';
import { watching } from './policy/watch.ts';
import { counted } from './text.ts';

interface Options {
  readonly config?: string;
  readonly strict?: boolean;
  readonly watch?: boolean;
  readonly journal: readonly string[];
  readonly days: number;
  readonly format: Format;
  readonly json?: boolean;
}

export function command(io: Io): Command {
  return new Command('check')
    .description('Report all faults of rules, data, catalogs and scenarios, each with its place.')
    .argument('[policy]', 'directory or bundle (default: that of --config, else policies)')
    .option(
      '-c, --config <file>',
      'sluice.yaml: check it, too, with its routes and names against the policy, and the files that it names',
    )
    .option('--strict', 'warnings count as faults')
    .option(
      '--journal <dir>',
      'warn of permissions that the decisions in this journal did not use; repeat for each sidecar',
      (dir: string, before: readonly string[]) => [...before, dir],
      [] as readonly string[],
    )
    .option('--days <n>', 'number of days that --journal covers', whole(1, 36_500), 90)
    .option('--watch', 'run again whenever a file changes')
    .option(
      '--format <name>',
      'text, json, github (annotations of a workflow), sarif (code scanning)',
      oneOf(FORMATS),
      'text',
    )
    .option('--json', 'the same as --format json')
    .addHelpText(
      'after',
      '\nExamples:\n  sluice check policies\n  sluice check policies --strict --json\n  sluice check --config sluice.yaml\n  sluice check --config sluice.yaml --journal ./data/journal --days 30\n  sluice check policies --strict --format sarif > sluice.sarif\n\nExit code 0: no fault (with --strict: no warning either); 1: there is one; 2: wrong use; 3: could not look, e.g. because there is\nno such directory or no OPA. A note is true and may be meant: it never counts.',
    )
    .action(async (dir: string | undefined, options: Options, command: Command) => {
      if (options.journal.length === 0) refuse(command, ['days'], 'is about --journal: give it, too.');
      if (!options.watch) return check(io, dir, options);
      const { policies, config } = await placesOf(io, dir, options);
      return watching(io, [policies ?? resolve(io.cwd, 'policies'), ...(config ? [config.file] : [])], () =>
        check(io, dir, options),
      );
    });
}

interface Places {
  /** directory or bundle; null if the configuration names none, or has faults */
  readonly policies: string | null;
  /** the key that must have signed a bundle of the configuration */
  readonly signing?: SigningConfig | undefined;
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
  const { policy } = loaded.config;
  const named = policy.dir ?? policy.bundle;
  return {
    policies: named === undefined ? null : resolve(loaded.directory, named),
    signing: policy.bundle === undefined ? undefined : signingOf(policy.signing, loaded.directory),
    config,
  };
}

async function check(io: Io, dir: string | undefined, options: Options): Promise<void> {
  const { policies, signing, config } = await placesOf(io, dir, options);
  const policy =
    policies === null ? null : await inspected(policies, signing, await resolveOpa({ env: io.env }));
  const found = [
    ...(config?.findings ?? []),
    ...(config?.loaded ? keyFindings(config.loaded) : []),
    ...(policy?.findings ?? []),
  ];
  // A bundle that cannot be loaded has no names to compare with.
  const isRead = policy?.findings.every((f) => f.rule !== 'bundle' || f.severity !== 'fault');
  if (config?.loaded && policy && isRead) {
    found.push(...routeFindings(config.loaded, policy.catalogs, policy.broken));
    found.push(...retentionFindings(config.loaded, policy.catalogs));
    found.push(...nameFindings(config.loaded, policy.names, new Date()));
    if (policy.data !== null)
      found.push(
        ...sinkFindings(config.loaded, policy.data),
        ...quotaFindings(config.loaded, policy.data),
        ...proofFindings(config.loaded, policy.data),
      );
  }
  if (config?.loaded)
    found.push(...(await approvalFindings(config.loaded, policy?.bundle ?? null, new Date())));
  if (config?.loaded) found.push(...fileFindings(config.loaded, policy?.data ?? null));
  if (options.journal.length > 0) found.push(...(await usage(io, options, policy, config?.loaded ?? null)));
  const list = arranged(found, io.cwd);
  const of = (severity: Finding['severity']): number => list.filter((f) => f.severity === severity).length;
  const [faults, warnings, notes] = [of('fault'), of('warning'), of('note')];
  const ok = faults === 0 && (!options.strict || warnings === 0);
  io.exitCode = ok ? 0 : 1;
  const routes = config?.loaded?.config.routes.length;
  const format = options.json ? 'json' : options.format;
  if (format === 'json') {
    const counts = { ...policy?.counts, ...(routes === undefined ? {} : { routes }) };
    const content = { ok, faults, warnings, notes, findings: list, counts, writes: policy?.writes ?? {} };
    io.stdout.write(`${JSON.stringify(content, null, 2)}\n`);
    return;
  }
  if (format === 'sarif') {
    const about = config?.file ?? policies ?? io.cwd;
    const sarif = sarifOf(list, { cwd: io.cwd, root: repositoryOf(io), about });
    io.stdout.write(`${JSON.stringify(sarif, null, 2)}\n`);
    return;
  }
  if (format === 'github') io.stdout.write(githubCommands(list, io.cwd, repositoryOf(io)));
  else tell(list, io);
  const where = policy === null ? 'the configuration; the policy was not looked at' : inPolicy(policy.counts);
  io.stdout.write(
    `${counted(faults, 'fault')}, ${counted(warnings, 'warning')}${notes === 0 ? '' : `, ${counted(notes, 'note')}`} in ${where}${routes === undefined ? '' : `, ${counted(routes, 'route')}`}\n`,
  );
  for (const [resource, { never, as_read, always }] of Object.entries(policy?.writes ?? {}))
    io.stdout.write(
      `${resource}: ${counted(never, 'field')} never written, ${as_read} by whoever may read them, ${always} always\n`,
    );
}

/** A policy that does not compile cannot be queried. @throws SluiceError `input_invalid` */
async function usage(
  io: Io,
  options: Options,
  inspection: Inspection | null,
  loaded: LoadedConfig | null,
): Promise<readonly Finding[]> {
  if (!inspection?.policy) return [];
  const journals = options.journal.map((dir) => resolve(io.cwd, dir));
  const bar = await journalProgress(io, journals);
  try {
    return await usageFindings(inspection.policy, inspection.documents, clientsOf(loaded), {
      journals,
      days: options.days,
      now: new Date(),
      progress: (n) => bar.add(n),
    });
  } finally {
    bar.done();
  }
}

/** @throws SluiceError `policy_unavailable` if there is no policy, `opa_*` */
async function inspected(path: string, signing: SigningConfig | undefined, opa: Opa): Promise<Inspection> {
  const isFile = await stat(path).then(
    (s) => s.isFile(),
    () => false,
  );
  return isFile ? inspectBundle(path, signing, opa) : inspectPolicy(path, opa);
}

const inPolicy = ({ rules, tests, data, catalogs, fields, scenarios }: Inspection['counts']): string =>
  `${counted(rules, 'file')} of rules, ${tests} of tests, ${data} of data, ${counted(catalogs, 'catalog')} with ${fields} fields, ${counted(scenarios, 'scenario')}`;
