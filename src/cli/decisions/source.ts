/** Options that name the source of decisions, common to all `sluice decisions` commands. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { type LoadedConfig, loadConfig } from '../../config/index.ts';
import { type DecisionLogInput, indexOf, settings } from '../../decision-log/settings.ts';
import { type DataSubjectHasher, dataSubjectHasher, isHashed } from '../../decision-log/data-subject.ts';
import { feed } from '../../decision-log/index/feeder.ts';
import { type IndexSettings, openIndex } from '../../decision-log/index/open.ts';
import type { IndexStore } from '../../decision-log/index/store.ts';
import { DEFAULT_MASK } from '../../decision-log/mask.ts';
import { type DecisionQuery, pseudonymous, type QueryInterface } from '../../decision-log/index/query.ts';
import { scanQuery } from '../../decision-log/index/scan.ts';
import { listOrigins } from '../../decision-log/journal/directory.ts';
import { isOfRemovals } from '../../decision-log/removal/statement.ts';
import { generatedKey, keyBytes, readSecret } from '../../decision-log/secret.ts';
import { readRemovals, type RemovalReport } from '../../decision-log/verify/removals.ts';
import { isSluiceError, SluiceError } from '../../errors.ts';
import type { SigningConfig } from '../../signing/section.ts';
import type { Io } from '../io.ts';

export interface SourceOptions {
  readonly journal?: string;
  readonly config?: string;
  readonly dataSubjectKey?: string;
  readonly key?: string;
  readonly json?: boolean;
}

export const withSource = (command: Command): Command =>
  command
    .option(
      '-c, --config <file>',
      'configuration that names the journal (default: sluice.yaml, if it is here)',
    )
    .option('--journal <dir>', 'directory of the journal (default: the configuration’s, else ./data/journal)')
    .option('--data-subject-key <ref>', 'key to search for a data subject with, env:NAME or file:PATH')
    .option('--json', 'one JSON object a line, instead of a table');

export interface Place {
  readonly dir: string;
  readonly config: DecisionLogInput;
  readonly signing: SigningConfig;
  /** false: defaults, since there is no configuration file */
  readonly isConfigured: boolean;
  /** the journal is the configuration's own, and not one that --journal names */
  readonly isLive: boolean;
  /** the whole configuration; null: there is none */
  readonly loaded: LoadedConfig | null;
  /** its file */
  readonly file: string | null;
  readonly baseDir: string;
}

/** @throws SluiceError as `loadConfig` does */
export async function place(options: SourceOptions, io: Io): Promise<Place> {
  const standard = resolve(io.cwd, 'sluice.yaml');
  const file =
    options.config !== undefined
      ? resolve(io.cwd, options.config)
      : options.journal === undefined && existsSync(standard)
        ? standard
        : null;
  const loaded = file === null ? null : await loadConfig(file, io.env);
  const config = (loaded?.config.decision_log ?? {}) as DecisionLogInput;
  const baseDir = loaded?.directory ?? io.cwd;
  const dir =
    options.journal !== undefined ? resolve(io.cwd, options.journal) : settings(config, baseDir).dir;
  const signing = loaded?.config.signing ?? { file: resolve(baseDir, 'data/signing.jwk'), retired: [] };
  return {
    dir,
    config,
    signing,
    isConfigured: loaded !== null,
    isLive: loaded !== null && options.journal === undefined,
    loaded,
    file,
    baseDir,
  };
}

/** The key of the heads, from the command line or the configuration. */
export function chainKey(options: SourceOptions, { config }: Place, io: Io): Buffer | null {
  if (options.key !== undefined) return readSecret(options.key, '--key', { env: io.env, baseDir: io.cwd });
  const named = config.journal?.key;
  return named === undefined ? null : keyBytes(named, 'decision_log.journal.key');
}

export function hasher(options: SourceOptions, { config, dir }: Place, io: Io): DataSubjectHasher | null {
  if (options.dataSubjectKey !== undefined)
    return dataSubjectHasher(
      readSecret(options.dataSubjectKey, '--data-subject-key', { env: io.env, baseDir: io.cwd }),
    );
  if (config.data_subject_key !== undefined)
    return dataSubjectHasher(keyBytes(config.data_subject_key, 'decision_log.data_subject_key'));
  const key = generatedKey(dir);
  return key === null ? null : dataSubjectHasher(key);
}

/** The query with ids as the log stores them. @throws SluiceError `usage_invalid` for a plain id without a key */
export function inLogWords(query: DecisionQuery, options: SourceOptions, at: Place, io: Io): DecisionQuery {
  const plain = [query.data_subject, query.resource_id].filter((id) => id !== undefined && !isHashed(id));
  if (plain.length === 0) return query;
  const key = hasher(options, at, io);
  if (key !== null) return pseudonymous(query, key, { ...DEFAULT_MASK, ...at.config.mask });
  if (query.data_subject !== undefined && !isHashed(query.data_subject))
    throw new SluiceError(
      'usage_invalid',
      'Data subjects stand in the log as keyed HMACs: give the key with --data-subject-key (env:NAME or file:PATH), or the HMAC itself.',
    );
  return query;
}

export const openIndexOf = (index: IndexSettings, io: Io): IndexStore =>
  openIndex(index, () =>
    io.stderr.write(
      'sluice: the index was made by an earlier version of Sluice; it is built again from the journal\n',
    ),
  );

/** The index, updated first, if the configuration has one; otherwise the journal. */
export async function source(at: Place, io: Io): Promise<QueryInterface & { close(): Promise<void> }> {
  await tellOfRemovals(at, io);
  const index = indexOf(at.config.index, at.baseDir);
  if (index === null) return { ...scanQuery(at.dir), close: async () => undefined };
  let store: IndexStore;
  try {
    store = openIndexOf(index, io);
  } catch (e) {
    if (!isSluiceError(e)) throw e;
    io.stderr.write(`sluice: the journal is read instead of the index: ${e.message}\n`);
    return { ...scanQuery(at.dir), close: async () => undefined };
  }
  try {
    await feed(at.dir, store);
  } catch (e) {
    if (!isSluiceError(e)) throw e;
    io.stderr.write(`sluice: the index may be behind the journal: ${e.message}\n`);
  }
  return store;
}

/** What was removed from the log, as far as statements that are durable say it: answers are without it. */
export const removalsIn = async (dir: string): Promise<readonly RemovalReport[]> =>
  existsSync(dir) ? (await readRemovals(dir)).report() : [];

/** No answer holds what was removed, and a count must not be taken for a count of everything. */
export async function tellOfRemovals({ dir }: Pick<Place, 'dir'>, io: Io): Promise<void> {
  if (existsSync(dir) && (await listOrigins(dir)).some(({ origin }) => isOfRemovals(origin)))
    io.stderr.write(
      'sluice: the content of records was removed from this log, and answers are without it: `sluice decisions verify` says what, when and by whom\n',
    );
}
