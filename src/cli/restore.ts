/** `sluice restore`: puts a backup where the configuration wants its parts. */
import { appendFileSync, copyFileSync, existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { loadConfig } from '../config/index.ts';
import { openFile, readIdentities } from '../decision-log/age.ts';
import { ENDED, listOrigins, makeDirectory, syncDirectory } from '../decision-log/journal/directory.ts';
import { settings } from '../decision-log/settings.ts';
import type { OriginReport } from '../decision-log/verify/problems.ts';
import { verify } from '../decision-log/verify/verify.ts';
import { writeOnce } from '../documents/once.ts';
import { SluiceError } from '../errors.ts';
import {
  chainKeyOf,
  digestsIn,
  FORMAT,
  JOURNAL,
  KEYS,
  keyFiles,
  MANIFEST,
  type Manifest,
  STORE,
} from './backup.ts';
import type { Io } from './io.ts';
import { counted } from './text.ts';

export function command(io: Io): Command {
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

interface RestoreOptions {
  readonly config: string;
  readonly identity?: readonly string[];
  readonly json?: boolean;
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
  const ended = (await listOrigins(join(backedUp, JOURNAL))).map(({ origin }) => `${origin}\n`);
  appendFileSync(join(journal, ENDED), ended.join(''), { mode: 0o640, flush: true });
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
  if (manifest?.format !== FORMAT || !(manifest.files instanceof Object) || !Array.isArray(manifest.chains))
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

async function textOf(path: string, identities: readonly string[]): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of await openFile(path, identities)) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString();
}
