/** `sluice backup` and `sluice restore`: journal, store and generated keys, consistent while the sidecar runs. The index is rebuilt. */
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  copyFileSync,
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
import { encryption, openFile, readIdentities } from '../decision-log/age.ts';
import { type CopiedChain, copyJournal } from '../decision-log/journal/copy-journal.ts';
import { ENDED, listOrigins, makeDirectory, syncDirectory } from '../decision-log/journal/directory.ts';
import { GENERATED, keyBytes, noteSaved } from '../decision-log/secret.ts';
import { settings } from '../decision-log/settings.ts';
import type { OriginReport } from '../decision-log/verify/problems.ts';
import { verify } from '../decision-log/verify/verify.ts';
import { writeOnce } from '../documents/once.ts';
import { SluiceError } from '../errors.ts';
import { copySqlite } from '../store/index.ts';
import { version } from '../version.ts';
import type { Io } from './io.ts';
import { counted } from './text.ts';

export function backupCommand(io: Io): Command {
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

export function restoreCommand(io: Io): Command {
  return new Command('restore')
    .description('Put a backup where the configuration wants its parts; nothing is overwritten.')
    .argument('<dir>', 'directory of the backup')
    .option('-c, --config <file>', 'configuration', 'sluice.yaml')
    .option('--identity <ref...>', 'keys of age that decrypt the keys: env:NAME or file:PATH')
    .option('--json', 'what was restored, as JSON')
    .addHelpText(
      'after',
      '\nThe sidecar begins a chain of its own: the machine that was backed up may have gone on with the others.',
    )
    .action((dir: string, options: RestoreOptions) => restore(dir, options, io));
}

interface BackupOptions {
  readonly config: string;
  readonly recipient?: readonly string[];
  readonly json?: boolean;
}

interface RestoreOptions {
  readonly config: string;
  readonly identity?: readonly string[];
  readonly json?: boolean;
}

const FORMAT = 'sluice-backup/1';
const MANIFEST = 'manifest.json';
const JOURNAL = 'journal';
const STORE = 'store.db';
const KEYS = 'keys';

interface Manifest {
  readonly format: typeof FORMAT;
  readonly at: string;
  readonly sluice: string;
  readonly chains: readonly CopiedChain[];
  /** path → SHA-256 */
  readonly files: Readonly<Record<string, string>>;
}

/** Generated keys: name in the backup → file. A key of the configuration is backed up by whoever keeps it. */
function keyFiles({ config, directory }: LoadedConfig): ReadonlyMap<string, string> {
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

async function restore(from: string, options: RestoreOptions, io: Io): Promise<void> {
  const loaded = await loadConfig(resolve(io.cwd, options.config), io.env);
  const { config, directory } = loaded;
  const backedUp = resolve(io.cwd, from);
  const manifest = await checked(backedUp);
  const journal = settings(config.decision_log, directory).dir;
  const store = config.store !== undefined && 'sqlite' in config.store ? config.store.sqlite : null;
  const hasStore = STORE in manifest.files;
  if (hasStore && store === null)
    throw new SluiceError(
      'config_invalid',
      'The backup has a store of SQLite, and the configuration names none (store.sqlite).',
    );
  const keys = new Map([...keyFiles(loaded)].filter(([name]) => `${KEYS}/${name}.age` in manifest.files));
  requireNothingAt([
    ...(existsSync(journal) && (await listOrigins(journal)).length > 0 ? [journal] : []),
    ...[...(hasStore ? [store!, `${store}-wal`] : []), ...keys.values()].filter((path) => existsSync(path)),
  ]);
  // Decrypted first: without the right key nothing is written.
  const identities = readIdentities(options.identity ?? [], { env: io.env, baseDir: io.cwd });
  const plain = new Map<string, string>();
  for (const [name, path] of keys)
    plain.set(path, await textOf(join(backedUp, KEYS, `${name}.age`), identities));
  makeDirectory(journal);
  // First of all, so that no process that starts meanwhile goes on with a chain of the other machine.
  appendFileSync(join(journal, ENDED), manifest.chains.map(({ origin }) => `${origin}\n`).join(''), {
    mode: 0o640,
    flush: true,
  });
  for (const path of Object.keys(manifest.files).filter((name) => name.startsWith(`${JOURNAL}/`))) {
    const place = join(journal, path.slice(JOURNAL.length + 1));
    makeDirectory(dirname(place));
    copyFileSync(join(backedUp, path), place);
  }
  syncDirectory(journal);
  for (const [path, text] of plain) {
    makeDirectory(dirname(path));
    writeOnce(path, text);
  }
  if (hasStore) {
    makeDirectory(dirname(store!));
    copyFileSync(join(backedUp, STORE), store!);
  }
  const report = await verify({ dir: journal, key: chainKeyOf(loaded) });
  if (options.json)
    io.stdout.write(
      `${JSON.stringify({ at: manifest.at, ok: report.ok, chains: report.origins.map(chainOf), store: hasStore, keys: [...keys.keys()] })}\n`,
    );
  else
    io.stdout.write(
      `Restored the backup of ${manifest.at}: ${counted(report.records, 'record')} in ${counted(report.origins.length, 'chain')}: ${report.ok ? 'intact' : 'BROKEN'}${hasStore ? '; the store' : ''}${keys.size > 0 ? `; ${[...keys.keys()].join(', ')}` : ''}.\nThe sidecar begins a chain of its own. The index is built again when it starts: delete an older one.\n`,
    );
  if (!report.ok) io.exitCode = 1;
}

const chainOf = ({ origin, last }: OriginReport) => ({ origin, last });

function chainKeyOf({ config }: LoadedConfig): Buffer | null {
  const named = config.decision_log.journal.key;
  return named === undefined ? null : keyBytes(named, 'decision_log.journal.key');
}

function requireEmpty(dir: string): void {
  if (existsSync(dir) && readdirSync(dir).length > 0)
    throw new SluiceError('usage_invalid', `${dir} exists. Name a new directory.`);
}

function requireNothingAt(paths: readonly string[]): void {
  if (paths.length > 0)
    throw new SluiceError(
      'input_invalid',
      `Nothing is overwritten, and there is something at ${paths.join(', ')}. Move it away, and restore again.`,
    );
}

/** @throws SluiceError `input_invalid` for a backup that is not as it was written */
async function checked(dir: string): Promise<Manifest> {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(readFileSync(join(dir, MANIFEST), 'utf8')) as Manifest;
  } catch (cause) {
    throw new SluiceError('input_invalid', {
      message: `${join(dir, MANIFEST)} cannot be read: this is no backup, or it was interrupted.`,
      cause,
    });
  }
  if (manifest.format !== FORMAT)
    throw new SluiceError('input_invalid', `${dir} is no backup that this version of Sluice reads.`);
  const found = await digestsIn(dir);
  const bad = [...new Set([...Object.keys(manifest.files), ...Object.keys(found)])].filter(
    (path) => manifest.files[path] !== found[path],
  );
  if (bad.length > 0)
    throw new SluiceError(
      'input_invalid',
      `The backup is not as it was written: ${bad.slice(0, 5).join(', ')}${bad.length > 5 ? ` and ${bad.length - 5} more` : ''}. Nothing was restored.`,
    );
  return manifest;
}

/** Of all files but the manifest. */
async function digestsIn(dir: string): Promise<Readonly<Record<string, string>>> {
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

async function textOf(path: string, identities: readonly string[]): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of await openFile(path, identities)) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString();
}
