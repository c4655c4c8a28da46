/** `sluice explain`: explains one request: all reasons, and for every field its class, treatment, rule and line of data. */
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import colours from 'picocolors';
import { SluiceError } from '../errors.ts';
import { resolveOpa } from '../policy/opa/opa.ts';
import { createSnapshot } from '../policy/snapshot/index.ts';
import { colourful, type Io } from './io.ts';
import { clearance, names, refuse, tier } from './options.ts';
import {
  type ExplainedReason,
  type ExplainedState,
  Explainer,
  type Explanation,
  explain,
} from './policy/explain/account.ts';
import {
  type Asked,
  askedByFlags,
  askedInJournal,
  askedInScenario,
  type RequestFlags,
} from './policy/explain/asked.ts';
import type { Blame } from './policy/explain/blame.ts';
import { shown } from './policy/check/findings.ts';
import { openPolicy } from './policy/source.ts';
import { watching } from './policy/watch.ts';

interface Options extends RequestFlags {
  readonly policies: string;
  readonly decision?: string;
  readonly journal: string;
  readonly scenario?: string;
  readonly scenarios?: string;
  readonly watch?: boolean;
  readonly json?: boolean;
}

/** flags that `askedByFlags` uses */
const OF_FLAGS: readonly (keyof RequestFlags)[] = [
  ...(['role', 'purpose', 'recipient', 'tier', 'action', 'resource', 'department', 'organization'] as const),
  ...(['clearance', 'amr', 'justification', 'at', 'state', 'record', 'consents'] as const),
];

export function command(io: Io): Command {
  return new Command('explain')
    .description(
      'Explain a decision: all reasons, and for every field the rule and the line of data that decided.',
    )
    .option('--policies <path>', 'directory or bundle', 'policies')
    .option('--decision <id>', 'a decision on record')
    .option('--journal <dir>', 'where it is on record', './data/journal')
    .option('--scenario <text>', 'a scenario of the policy, by (a part of) its name')
    .option('--scenarios <path>', 'a file or directory of scenarios, instead of those of the policy')
    .option('--role <names>', 'roles of the caller', names)
    .option('--purpose <name>', 'what for')
    .option('--recipient <name>', 'for whom', 'internal')
    .option('--tier <n>', 'tier that the request names', tier)
    .option('--action <name>', 'read, search, export, create, update, delete', 'read')
    .option('--resource <name>', 'default: the first that has a catalog')
    .option('--department <name>', "of the caller; default: the first of the role's")
    .option('--organization <name>', 'of the caller', 'internal')
    .option('--clearance <n>', 'of the caller, or none', clearance, 3)
    .option('--amr <methods>', 'how the caller authenticated', 'pwd')
    .option('--justification <text>', 'justification of the caller')
    .option('--at <time>', 'time of the request (RFC 3339); default: now')
    .option(
      '--state <names>',
      'state of the data subject: none, agreed, withdrew, opt_out, … (see sluice matrix)',
      names,
    )
    .option('--record <file>', 'a record of the upstream (JSON): only its fields, with its own data subjects')
    .option('--consents <file>', 'with --record: consents.yaml')
    .option('--watch', 'run again whenever a policy file changes')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  sluice explain --decision 01a1f2c3-… --journal ./data/journal\n  sluice explain --scenario "opted out"\n  sluice explain --role support --purpose after_sales --state opt_out\n  sluice explain --role adjuster --purpose claims --amr pwd,otp --clearance 4 --record customer.json --consents consents.yaml',
    )
    .action((options: Options, command: Command) => {
      if (options.decision !== undefined || options.scenario !== undefined)
        refuse(
          command,
          OF_FLAGS,
          'is of a request made up of options, and not for --decision or --scenario.',
        );
      if (options.decision === undefined) refuse(command, ['journal'], 'is for --decision: give it, too.');
      if (options.scenario === undefined) refuse(command, ['scenarios'], 'is for --scenario: give it, too.');
      if (options.record === undefined) refuse(command, ['consents'], 'is for --record: give it, too.');
      return options.watch
        ? watching(io, [resolve(io.cwd, options.policies)], () => run(io, options))
        : run(io, options);
    });
}

async function run(io: Io, options: Options): Promise<void> {
  if (options.decision !== undefined && options.scenario !== undefined)
    throw new SluiceError('usage_invalid', 'Give --decision or --scenario, not both.');
  const named = await openPolicy(options.policies, io);
  const policy = await createSnapshot(named.bundle);
  const asked =
    options.decision !== undefined
      ? await askedInJournal(options.decision, resolve(io.cwd, options.journal))
      : options.scenario !== undefined
        ? await askedInScenario(
            options.scenario,
            named,
            policy,
            options.scenarios === undefined ? null : resolve(io.cwd, options.scenarios),
          )
        : await askedByFlags(policy, options, io);
  const explainer =
    named.files.rego.length === 0
      ? null
      : await Explainer.open(named, policy, await resolveOpa({ env: io.env }));
  try {
    const explanation = await explain(policy, explainer, asked.input, asked.states, asked.seen);
    const place = (file: string): string => shown(join(named.files.dir, file), io.cwd);
    if (options.json) printJson(io, explanation, asked, policy.revision, place);
    else print(io, explanation, asked, policy.revision, place);
  } finally {
    await explainer?.close();
  }
}

type Place = (file: string) => string;

const placed = ({ rule, data }: Blame, place: Place) => ({
  rule: rule === null ? null : { ...rule, file: place(rule.file) },
  data: data.map((d) => ({ ...d, file: place(d.file) })),
});

function printJson(io: Io, e: Explanation, asked: Asked, revision: string, place: Place): void {
  const reasons = (list: readonly ExplainedReason[]) =>
    list.map(({ blame, ...r }) => ({ ...r, ...placed(blame, place) }));
  io.stdout.write(
    `${JSON.stringify(
      {
        asked: asked.what,
        revision,
        recorded_revision: asked.revision,
        input: e.input,
        decision: { ...e.decision, reasons: reasons(e.decision.reasons) },
        states: e.states.map((s) => ({
          resource: s.resource,
          data_subject: s.data_subject,
          count: s.count,
          disclose: s.disclose,
          reasons: reasons(s.reasons),
          fields: s.classes.flatMap(({ blame, fields, name, ...c }) =>
            fields.map((field) => ({ field, class: name, ...c, ...placed(blame, place) })),
          ),
        })),
        uncatalogued: asked.uncatalogued,
        not_whole: asked.not_whole,
        untraced: e.untraced,
      },
      null,
      2,
    )}\n`,
  );
}

function print(io: Io, e: Explanation, asked: Asked, revision: string, place: Place): void {
  const { bold, dim, green, red, yellow } = colours.createColors(colourful(io));
  const say = (line: string): void => void io.stdout.write(`${line}\n`);
  const { subject, action, resource, context } = e.input;
  const { roles, department, clearance: cleared, assurance } = subject.properties;
  say(bold(asked.what));
  say(
    `  ${subject.type}${department === null ? '' : ` of ${department}`} with ${roles.length === 0 ? 'no role' : roles.join(', ')}, clearance ${cleared ?? 'not stated'}, authenticated by ${assurance.amr.join(' and ') || 'nothing stated'}`,
  );
  say(
    `  ${action.name} ${resource.type} for ${context.purpose}${context.tier === null ? '' : `, tier ${context.tier}`}, to ${context.recipient}, ${context.time}`,
  );
  if (asked.revision !== null && asked.revision !== revision)
    say(yellow(`  recorded under policy ${asked.revision}; explained by ${revision}`));
  const where = (blame: Blame, indent: string): void => {
    const { rule, data } = placed(blame, place);
    if (rule !== null) say(dim(`${indent}rule  ${rule.file}:${rule.line}  ${rule.rule}`));
    for (const d of data)
      say(
        dim(
          `${indent}data  ${d.file}:${d.line}  ${d.path}${d.value === undefined ? ' is not there' : `: ${JSON.stringify(d.value)}`}`,
        ),
      );
  };
  const reasons = (list: readonly ExplainedReason[], indent: string): void => {
    for (const r of list) {
      say(`${indent}${r.code}${r.message === undefined ? '' : `: ${r.message}`}`);
      where(r.blame, `${indent}  `);
    }
  };
  const { decision } = e;
  say(
    `\n${decision.allow ? green('allowed') : red('denied')}${decision.tier === null ? '' : `, tier ${decision.tier}`}`,
  );
  reasons(decision.reasons, '  ');
  const obligations = Object.entries(decision.obligations).filter(([, v]) => v !== null && v !== false);
  if (obligations.length > 0)
    say(`  besides: ${obligations.map(([k, v]) => `${k} ${JSON.stringify(v)}`).join(', ')}`);
  for (const state of e.states) {
    say(
      `\n${bold(state.resource)} of a data subject who ${spellState(state)}${state.count === null ? '' : dim(`  (${state.count})`)}`,
    );
    if (!state.disclose) say(`  ${red('withheld')}`);
    reasons(state.reasons, '  ');
    for (const c of state.classes) {
      const paint = c.do === 'disclose' ? green : c.do === 'drop' ? red : yellow;
      say(`  ${bold(c.name)}: ${paint(c.do)} (${c.because})  ${c.fields.join(' ')}`);
      where(c.blame, '      ');
    }
  }
  if (asked.uncatalogued.length > 0)
    say(`\n${bold('In no catalog, therefore dropped')}\n  ${asked.uncatalogued.join('\n  ')}`);
  if (asked.not_whole.length > 0) {
    say(`\n${bold('An object, which its line in the catalog does not cover: dropped')}`);
    say(`  ${asked.not_whole.join('\n  ')}`);
    say(dim('  Name what stands in it by lines of its own, or let the line say whole: true.'));
  }
  if (e.untraced !== null) say(`\nRules and data are not named: ${e.untraced}.`);
}

function spellState({ data_subject: { consents, flags } }: ExplainedState): string {
  const parts = consents.map(
    (c) =>
      `${c.status === 'given' ? `agreed${c.explicit === true ? ' explicitly' : ''} to` : `has ${c.status}`} ${c.categories.join(', ')} for ${c.purpose}${c.recipient === 'internal' ? '' : ` to ${c.recipient}`}`,
  );
  if (flags.length > 0) parts.push(`is marked ${flags.join(', ')}`);
  return parts.length === 0 ? 'has said nothing' : parts.join('; ');
}
