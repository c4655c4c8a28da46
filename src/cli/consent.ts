/** `sluice consent`: what a data subject has agreed to, in the store. Each change is an event there, and a decision record in the journal. */
import { Command } from 'commander';
import type { Said } from '../changes/consents.ts';
import type { ConsentEvent } from '../consent/index.ts';
import { SluiceError } from '../errors.ts';
import { charset, importConsents, type ImportOptions, mapping } from './consent/import.ts';
import { FORMATS } from './consent/read.ts';
import { addLinks } from './consent/links.ts';
import { addReceipts } from './consent/receipts.ts';
import { toDpv } from './consent/dpv.ts';
import type { Io } from './io.ts';
import { withStore } from './opened.ts';
import { by, names, oneOf } from './options.ts';

interface StoreOptions {
  readonly config: string;
  readonly json?: boolean;
  readonly by?: string;
}

interface EvidenceOptions extends StoreOptions {
  readonly notice?: string;
  readonly evidence?: string;
  readonly method?: string;
}

interface SetOptions extends EvidenceOptions {
  readonly purpose?: string;
  readonly categories?: readonly string[];
  readonly recipient: string;
  readonly status: 'given' | 'withdrawn';
  readonly explicit?: boolean;
  readonly from?: string;
  readonly until?: string;
  readonly flag?: readonly string[];
  readonly unflag?: readonly string[];
  readonly alias?: readonly string[];
}

interface WithdrawOptions extends EvidenceOptions {
  readonly purpose?: string;
  readonly recipient?: string;
  readonly all?: boolean;
}

export function command(io: Io): Command {
  const consent = new Command('consent').description(
    'What data subjects have agreed to, in the store ("consent: { store: true }" in sluice.yaml).',
  );
  const add = (name: string, description: string): Command =>
    consent
      .command(name)
      .description(description)
      .option('-c, --config <file>', 'configuration', 'sluice.yaml')
      .option('--json', 'print as JSON');
  const changing = (name: string, description: string): Command =>
    by(add(name, description), 'the user of this process');
  const withEvidence = (command: Command): Command =>
    command
      .option('--notice <version>', 'notice that the data subject was shown')
      .option('--evidence <where>', 'where the proof is kept')
      .option('--method <how>', 'how it was said: web form, phone, paper');

  add('get <data-subject>', 'what somebody has agreed to (exit 1: nobody is known by this id)').action(
    (id: string, options: StoreOptions) => get(id, options, io),
  );
  withEvidence(changing('set <data-subject>', 'record what somebody has said; also flags and aliases'))
    .option('--purpose <name>', 'a purpose of the policy; "*" only to refuse')
    .option('--categories <names>', 'categories, separated by commas, or "*"', names)
    .option('--recipient <name>', 'internal, or a partner; "*" only to refuse', 'internal')
    .option('--status <status>', 'given or withdrawn', oneOf(['given', 'withdrawn']), 'given')
    .option('--explicit', 'asked for and agreed to, not merely not refused')
    .option('--from <moment>', 'pending before: a date or a date and time (RFC 3339)')
    .option('--until <moment>', 'expired after')
    .option('--flag <names>', 'flags to add', names)
    .option('--unflag <names>', 'flags to remove', names)
    .option('--alias <type=value>', 'another identifier of this person', mapping)
    .addHelpText(
      'after',
      '\nExamples:\n  sluice consent set C100234 --purpose marketing --categories contact,preference --explicit --until 2027-12-31 --notice v7 --method "web form"\n  sluice consent set C100234 --flag opt_out',
    )
    .action((id: string, options: SetOptions) => set(id, options, io));
  withEvidence(changing('withdraw <data-subject>', 'withdraw what somebody has given'))
    .option('--purpose <name>', 'for this purpose')
    .option('--recipient <name>', 'for this recipient alone')
    .option('--all', 'for every purpose')
    .action((id: string, options: WithdrawOptions) => withdraw(id, options, io));
  add('history <data-subject>', 'every change, oldest first: who, when, on which evidence')
    .option('--dpv', 'consent records as JSON-LD in terms of the W3C Data Privacy Vocabulary, one a line')
    .action((id: string, options: StoreOptions & { dpv?: boolean }) => history(id, options, io));
  addReceipts(add, io);
  addLinks(changing, io);
  changing('import <file>', 'record the consents of a file (exit 1: some lines were rejected)')
    .option('--format <format>', FORMATS.join(', '), oneOf(FORMATS))
    .option('--rejects <file>', 'write each rejected line here, with its number and the reason (NDJSON)')
    .option('--charset <name>', 'of the file: gb18030, big5, utf-16le; default: utf-8', charset)
    .option('--at <moment>', 'when it was said, for lines that do not tell')
    .option('--map <from=to>', 'a word of the file and its name in the policy; may be repeated', mapping)
    .addHelpText(
      'after',
      '\nExamples:\n  sluice consent import consents.csv --rejects rejected.ndjson\n  sluice consent import bundle.json --format fhir --map TREAT=after_sales\n  sluice consent import crm.csv --charset gb18030\n\nCSV needs a header: data_subject, purpose, categories (separated by ";"), recipient, status, at; optional: id, explicit, from, until, notice, evidence, method. A file with another column is refused.\nOf several statements about the same, the newest counts, so a file may be imported twice.',
    )
    .action((file: string, options: ImportOptions) => importConsents(file, options, io));
  return consent;
}

async function get(id: string, options: StoreOptions, io: Io): Promise<void> {
  await withStore(options, io, async (opened) => {
    const records = opened.consents();
    const entry = await records.entry(id);
    if (entry === undefined) return unknown(id, io);
    if (entry === null)
      throw new SluiceError(
        'consent_invalid',
        `The entry of ${id} in consent_subjects cannot be read: all records of this person are withheld. Correct it.`,
      );
    const aliases = await records.aliases(id);
    if (options.json) {
      io.stdout.write(`${JSON.stringify({ data_subject: id, ...entry, aliases }, null, 2)}\n`);
      return;
    }
    const { consents = [], flags = [] } = entry;
    io.stdout.write(`${id}${flags.length > 0 ? `   flags: ${flags.join(', ')}` : ''}\n`);
    for (const { type, alias } of aliases) io.stdout.write(`  ${type} ${alias}\n`);
    if (consents.length === 0) io.stdout.write('  has agreed to nothing and refused nothing\n');
    for (const c of consents) {
      const dates = [c.at && `since ${c.at}`, c.from && `from ${c.from}`, c.until && `until ${c.until}`];
      io.stdout.write(
        `  ${[c.status, c.purpose, `for ${c.recipient}:`, c.categories.join(', '), c.explicit && '(explicit)', ...dates, c.id && `[${c.id}]`].filter(Boolean).join(' ')}\n`,
      );
    }
  });
}

async function set(id: string, options: SetOptions, io: Io): Promise<void> {
  const { purpose, categories, flag = [], unflag = [], alias = [] } = options;
  if ((purpose === undefined) !== (categories === undefined))
    throw new SluiceError(
      'usage_invalid',
      'A consent has a purpose and categories: give both --purpose and --categories.',
    );
  if (purpose === undefined && flag.length + unflag.length + alias.length === 0)
    throw new SluiceError(
      'usage_invalid',
      'Say what to record: --purpose and --categories, --flag, --unflag or --alias.',
    );
  await withStore(options, io, async ({ consents, recorder }) => {
    const records = consents();
    const { recipient, status, explicit, from, until } = options;
    const said: Said = {
      ...(purpose === undefined || categories === undefined
        ? {}
        : { consent: { purpose, categories, recipient, status, explicit, from, until } }),
      evidence: evidenceOf(options),
      addFlags: flag,
      removeFlags: unflag,
      aliases: alias.map((text) => ({
        type: text.slice(0, text.indexOf('=')),
        alias: text.slice(text.indexOf('=') + 1),
      })),
    };
    const events = await records.say(id, said, recorder(options.by));
    report(events, options, io);
    const refusals = (await records.entry(id))?.consents?.filter(
      (c) => c.status === 'withdrawn' && (c.purpose === '*' || c.recipient === '*'),
    );
    if (options.status === 'given' && purpose !== undefined && refusals !== undefined && refusals.length > 0)
      io.stderr.write(
        `${id} has refused "*" as well, and a refusal wins: withdraw --all does not lift it.\n`,
      );
  });
}

async function withdraw(id: string, options: WithdrawOptions, io: Io): Promise<void> {
  const { purpose, recipient, all = false } = options;
  if (all === (purpose !== undefined))
    throw new SluiceError('usage_invalid', 'Say what is withdrawn: --purpose NAME, or --all.');
  await withStore(options, io, async ({ consents, recorder }) => {
    const wanted = {
      ...(purpose === undefined ? {} : { purpose }),
      ...(recipient === undefined ? {} : { recipient }),
    };
    const done = await consents().withdraw(id, wanted, evidenceOf(options), recorder(options.by));
    if (done === null) return unknown(id, io);
    if (done.events.length === 0 && done.already === 0) {
      io.exitCode = 1;
      io.stderr.write(
        `sluice: ${id} has given no such consent, and nothing was changed. To record a refusal: sluice consent set ${id} --status withdrawn --purpose … --categories …\n`,
      );
      return;
    }
    report(done.events, options, io);
  });
}

async function history(id: string, options: StoreOptions & { dpv?: boolean }, io: Io): Promise<void> {
  await withStore(options, io, async ({ consents }) => {
    const events = await consents().history(id);
    if (events.length === 0) return unknown(id, io);
    if (options.dpv)
      for (const { consent } of events)
        consent !== null && io.stdout.write(`${JSON.stringify(toDpv(id, consent))}\n`);
    else report(events, options, io);
  });
}

function unknown(id: string, io: Io): void {
  io.exitCode = 1;
  io.stderr.write(`sluice: nobody is known by the id ${id} in the store of consents\n`);
}

function report(events: readonly ConsentEvent[], { json = false }: StoreOptions, io: Io): void {
  if (json) io.stdout.write(`${JSON.stringify(events, null, 2)}\n`);
  else if (events.length === 0) io.stdout.write('Nothing has changed: this is known already.\n');
  else
    for (const { version, at, actor, what, consent: c, entry } of events)
      io.stdout.write(
        `${version}  ${at}  ${actor}  ${what}${c === null ? ` ${what === 'flags' ? (entry?.flags ?? []).join(', ') : ''}` : ` ${c.purpose} for ${c.recipient}: ${c.categories.join(', ')} [${c.record_id}]${c.notice === undefined ? '' : ` notice ${c.notice}`}`}\n`,
      );
}

const evidenceOf = ({ notice, evidence, method }: EvidenceOptions) => ({
  ...(notice === undefined ? {} : { notice }),
  ...(evidence === undefined ? {} : { evidence }),
  ...(method === undefined ? {} : { method }),
});
