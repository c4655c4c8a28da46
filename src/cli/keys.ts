/** `sluice keys`: API keys in the store. */
import { Command } from 'commander';
import { milliseconds } from '../documents/units.ts';
import { SluiceError } from '../errors.ts';
import type { ApiKeyChanges } from '../changes/api-keys.ts';
import { keyJson } from '../changes/spelled.ts';
import type { ApiKeyRow, NewApiKey } from '../identity/index.ts';
import { momentOf } from '../identity/revoked.ts';
import type { SubjectConfig } from '../identity/section.ts';
import { table, width } from './decisions/table.ts';
import type { Io } from './io.ts';
import { type Opened, withStore } from './opened.ts';
import { by, clearance, names, whole } from './options.ts';

interface Common {
  readonly config: string;
  readonly json?: boolean;
}

interface CreateOptions extends Common {
  readonly subject: string;
  readonly organization: string;
  readonly role?: readonly string[];
  readonly type: string;
  readonly department?: string;
  readonly clearance?: number | null;
  readonly purpose?: string;
  readonly expires: string;
  readonly by: string;
}

interface RotateOptions extends Common {
  readonly expires: string;
  readonly overlap: string;
  readonly by: string;
}

export function command(io: Io): Command {
  const keys = new Command('keys').description(
    'API keys in the store: made here, shown once, and kept as digests.',
  );
  const add = (name: string, description: string): Command =>
    keys
      .command(name)
      .description(description)
      .option('-c, --config <file>', 'configuration', 'sluice.yaml')
      .option('--json', 'print as JSON');
  by(add('create <id>', 'make a key, and print it: it cannot be shown again'))
    .requiredOption(
      '--subject <id>',
      'whose it is; `local:<id>` in decision records and grants where issuers have realms',
    )
    .requiredOption('--organization <name>', '`internal`, or the partner it belongs to')
    .option('--role <names>', 'roles; repeatable, or separated by commas', names)
    .option('--type <type>', '`service`, `partner`, `user`', 'service')
    .option('--department <name>', 'department')
    .option('--clearance <n>', '1 to 5', clearance)
    .option('--purpose <name>', 'purpose if the request names none')
    .option('--expires <time>', 'when it ends: 90d from now, or RFC 3339', '90d')
    .action((id: string, options: CreateOptions) => create(id, options, io));
  by(
    add(
      'rotate <id>',
      'make another key for the same subject, and print it; those before end after the overlap',
    ),
  )
    .option('--overlap <time>', 'how long those before stay valid', '7d')
    .option('--expires <time>', 'when the new one ends: 90d from now, or RFC 3339', '90d')
    .action((id: string, options: RotateOptions) => rotate(id, options, io));
  by(add('revoke <id>', 'end every key of this name at once'))
    .requiredOption('--reason <text>', 'why')
    .action((id: string, options: Common & { reason: string; by: string }) => revoke(id, options, io));
  add('list', 'the newest first')
    .option('--limit <n>', 'how many', whole(1, 100_000), 100)
    .action((options: Common & { limit: number }) => list(options, io));
  keys.addHelpText(
    'after',
    '\nExamples:\n  sluice keys create erp-1 --subject erp --organization internal --role sync --by u-admin\n  sluice keys rotate erp-1 --overlap 24h --by u-admin\n  sluice keys revoke erp-1 --reason "found in a repository" --by u-admin\n\nNeeds identity.api_keys_in_store: true.',
  );
  return keys;
}

async function create(id: string, options: CreateOptions, io: Io): Promise<void> {
  const { subject, organization, role = [], type, department, clearance: grade, purpose } = options;
  if (grade !== undefined && grade !== null && (grade < 1 || grade > 5))
    throw new SluiceError('usage_invalid', '--clearance is 1 to 5.');
  const whose: SubjectConfig = {
    type,
    id: subject,
    roles: [...role],
    organization,
    ...(department === undefined ? {} : { department }),
    ...(grade === undefined || grade === null ? {} : { clearance: grade }),
    ...(purpose === undefined ? {} : { purpose }),
  };
  await withKeys(options, io, async (keys, recorder) => {
    const made = await keys.create(id, whose, end(options.expires, '--expires'), recorder(options.by));
    show(made, options, io);
  });
}

async function rotate(id: string, options: RotateOptions, io: Io): Promise<void> {
  const overlap = milliseconds(options.overlap);
  if (overlap === null) throw new SluiceError('usage_invalid', '--overlap: write 0s, 24h or 7d.');
  await withKeys(options, io, async (keys, recorder) => {
    const expires = end(options.expires, '--expires');
    show(await keys.rotate(id, expires, overlap, recorder(options.by)), options, io);
  });
}

function show({ key, row }: NewApiKey, { json }: Common, io: Io): void {
  if (json) io.stdout.write(`${JSON.stringify({ key, ...keyJson(row) }, null, 2)}\n`);
  else {
    io.stdout.write(`${key}\n`);
    io.stderr.write(
      `The key "${row.id}" is valid until ${said(row.expires_at)} UTC. It is not stored: it cannot be shown again.\n`,
    );
  }
}

async function revoke(
  id: string,
  options: Common & { readonly reason: string; readonly by: string },
  io: Io,
): Promise<void> {
  await withKeys(options, io, async (keys, recorder) => {
    const revoked = await keys.revoke(id, options.reason, recorder(options.by));
    io.stdout.write(
      options.json
        ? `${JSON.stringify({ keys: revoked.map(keyJson) }, null, 2)}\n`
        : `The key "${id}" is revoked.\n`,
    );
  });
}

async function list({ limit, ...options }: Common & { readonly limit: number }, io: Io): Promise<void> {
  await withKeys(options, io, async (keys) => {
    const found = await keys.list(limit);
    if (options.json) io.stdout.write(`${JSON.stringify({ keys: found.map(keyJson) }, null, 2)}\n`);
    else if (found.length === 0) io.stdout.write('No keys in the store.\n');
    else
      io.stdout.write(
        table(
          ['key', 'subject', 'digest', 'made (UTC)', 'by', 'state'],
          found.map((row) => [
            row.id,
            (JSON.parse(row.subject) as SubjectConfig).id,
            `${row.sha256.slice(0, 12)}…`,
            said(row.created_at),
            row.created_by,
            stateOf(row),
          ]),
          width(io),
          0,
        ),
      );
  });
}

const stateOf = ({ revoked_at, revoked_by, reason, expires_at }: ApiKeyRow): string =>
  revoked_at !== null
    ? `revoked ${said(revoked_at)} by ${revoked_by}: ${reason}`
    : `${expires_at > Date.now() ? 'until' : 'expired'} ${said(expires_at)}`;

/** A duration from now, or a moment. */
function end(text: string, option: string): number {
  const after = milliseconds(text);
  const at = after === null ? momentOf(text) : Date.now() + after;
  if (Number.isNaN(at))
    throw new SluiceError('usage_invalid', `${option}: write 90d, or a time such as 2027-01-31T08:00:00Z.`);
  return at;
}

const said = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
async function withKeys(
  options: Common,
  io: Io,
  work: (keys: ApiKeyChanges, recorder: Opened['recorder']) => Promise<void>,
): Promise<void> {
  await withStore(options, io, async ({ apiKeys, recorder, loaded }) => {
    if (!loaded.config.identity.api_keys_in_store)
      throw new SluiceError(
        'config_invalid',
        `${options.config}: identity.api_keys_in_store is not on, so that keys in the store would have no effect: set it to true and restart the sidecars.`,
      );
    await work(apiKeys, recorder);
  });
}
