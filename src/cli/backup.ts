/** `sluice backup`: journal, store and generated keys, consistent while the sidecar runs. The index is rebuilt. */
import { createHash } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Command } from 'commander';
import { loadConfig, type LoadedConfig } from '../config/index.ts';
import { encryption } from '../decision-log/age.ts';
import { type CopiedChain, copyJournal } from '../decision-log/journal/copy-journal.ts';
import { makeDirectory, syncDirectory } from '../decision-log/journal/directory.ts';
import { GENERATED, keyBytes, noteSaved } from '../decision-log/secret.ts';
import { settings } from '../decision-log/settings.ts';
import { verify } from '../decision-log/verify/verify.ts';
import { SluiceError } from '../errors.ts';
import { copySqlite } from '../store/index.ts';
import { version } from '../version.ts';
import type { Io } from './io.ts';
import { counted } from './text.ts';

export function command(io: Io): Command {
  return new Command('backup')
    .description('Copy journal, store and generated keys to a new directory, while sidecars run.')
    .argument('<dir>', 'a new directory')
    .option('-c, --config <file>', 'configuration', 'sluice.yaml')
    .option(
      '--recipient <key...>',
      'encrypt the keys for these public keys (age1…); default: decision_log.encryption.recipients',
    )
    .option('--json', 'the manifest, as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  sluice backup /mnt/backup/2026-12-01 && tar -C /mnt/backup -cz 2026-12-01 | age -r age1… > 2026-12-01.tar.gz.age',
    )
    .action((dir: string, options: BackupOptions) => backup(dir, options, io));
}

interface BackupOptions {
  readonly config: string;
  readonly recipient?: readonly string[];
  readonly json?: boolean;
}

export const FORMAT = 'sluice-backup/1';
export const MANIFEST = 'manifest.json';
export const JOURNAL = 'journal';
export const STORE = 'store.db';
export const KEYS = 'keys';

export interface Manifest {
  readonly format: typeof FORMAT;
  readonly at: string;
  readonly sluice: string;
  readonly chains: readonly CopiedChain[];
  /** path → SHA-256 */
  readonly files: Readonly<Record<string, string>>;
}

/** Generated keys: name in the backup → file. A key of the configuration is backed up by whoever keeps it. */
export function keyFiles({ config, directory }: LoadedConfig): ReadonlyMap<string, string> {
  const { dir } = settings(config.decision_log, directory);
  return new Map([
    ...(config.decision_log.data_subject_key === undefined
      ? [[GENERATED, join(dir, GENERATED)] as const]
      : []),
    ...(config.signing.key === undefined ? [['signing.jwk', config.signing.file] as const] : []),
  ]);
}

async function backup(to: string, options: BackupOptions, io: Io): Promise<void> {
  const loaded = await loadConfig(resolve(io.cwd, options.config), io.env);
  const { config, directory } = loaded;
  const out = resolve(io.cwd, to);
  requireEmpty(out);
  const at = new Date().toISOString();
  const journal = settings(config.decision_log, directory).dir;
  const key = chainKeyOf(loaded);
  makeDirectory(out);
  const notes: string[] = [];
  // Before the journal, so that every change in it is on record.
  if (config.store !== undefined && 'sqlite' in config.store) {
    if (existsSync(config.store.sqlite)) copySqlite(config.store.sqlite, join(out, STORE));
  } else if (config.store !== undefined)
    notes.push('The store is in PostgreSQL: back it up with pg_dump (tables sluice_*), right before this.');
  const chains = await copyJournal(journal, join(out, JOURNAL));
  const { ok } = await verify({ dir: join(out, JOURNAL), key });
  if (!ok)
    throw new SluiceError(
      'chain_broken',
      `The copy of the journal does not verify. Run \`sluice decisions verify --journal ${join(out, JOURNAL)}\`, and of the journal itself.`,
    );
  await saveKeys(
    loaded,
    options.recipient ?? config.decision_log.encryption?.recipients ?? [],
    out,
    at,
    notes,
  );
  const manifest: Manifest = { format: FORMAT, at, sluice: version(), chains, files: await digestsIn(out) };
  writeFileSync(join(out, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`, { flush: true });
  syncDirectory(out);
  if (options.json) io.stdout.write(`${JSON.stringify(manifest)}\n`);
  else {
    const records = chains.reduce((n, { seq }) => n + seq, 0);
    io.stdout.write(
      `${counted(Object.keys(manifest.files).length, 'file')} in ${to}: ${counted(chains.length, 'chain')} up to ${counted(records, 'record')}${existsSync(join(out, STORE)) ? ', the store' : ''}${existsSync(join(out, KEYS)) ? ', and encrypted keys' : ''}.\n`,
    );
  }
  for (const note of notes) io.stderr.write(`sluice: ${note}\n`);
}

async function saveKeys(
  loaded: LoadedConfig,
  recipients: readonly string[],
  out: string,
  at: string,
  notes: string[],
): Promise<void> {
  const files = [...keyFiles(loaded)].filter(([, path]) => existsSync(path));
  if (files.length === 0) return;
  if (recipients.length === 0) {
    notes.push(
      `Not in the backup, since nothing says whom to encrypt for (decision_log.encryption.recipients): ${files.map(([name]) => name).join(', ')}. Without ${GENERATED} nobody finds a data subject in the log again.`,
    );
    return;
  }
  const encrypt = await encryption(recipients);
  makeDirectory(join(out, KEYS));
  for (const [name, path] of files) {
    const sealed = await encrypt(Readable.from([readFileSync(path)]));
    await pipeline(sealed, createWriteStream(join(out, KEYS, `${name}.age`), { mode: 0o600, flush: true }));
    if (name === GENERATED) noteSaved(dirname(path), `${at} backup`);
  }
}

export function chainKeyOf({ config }: LoadedConfig): Buffer | null {
  const named = config.decision_log.journal.key;
  return named === undefined ? null : keyBytes(named, 'decision_log.journal.key');
}

function requireEmpty(dir: string): void {
  if (existsSync(dir) && readdirSync(dir).length > 0)
    throw new SluiceError('usage_invalid', `${dir} exists. Name a new directory.`);
}

/** Of all files but the manifest. */
export async function digestsIn(dir: string): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort();
  for (const name of names) {
    const path = join(dir, name);
    if (name === MANIFEST || !statSync(path).isFile()) continue;
    const digest = createHash('sha256');
    await pipeline(createReadStream(path), digest);
    found[name] = digest.digest('hex');
  }
  return found;
}
