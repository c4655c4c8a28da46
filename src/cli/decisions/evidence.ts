/** Evidence bundles: `sluice decisions export --format bundle`, and `sluice decisions verify` of one, as a directory or a tar.gz. */
import { createReadStream, createWriteStream, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, open, rename, rm } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { constants, createGunzip, createGzip, gunzipSync } from 'node:zlib';
import { extract, pack } from 'tar-stream';
import { isBundlePath, type Manifest, POLICIES } from '../../decision-log/evidence/bundle.ts';
import { type CheckedBundle, checkBundle } from '../../decision-log/evidence/check.ts';
import { type Selection, writeBundle } from '../../decision-log/evidence/write.ts';
import type { DecisionQuery } from '../../decision-log/index/query.ts';
import { type NoteKey, readKey } from '../../decision-log/tree/note.ts';
import { bounded } from '../../decision-log/unpack.ts';
import { SluiceError } from '../../errors.ts';
import { readBundle } from '../../policy/bundle/bundle.ts';
import { version } from '../../version.ts';
import type { Io } from '../io.ts';
import { contentOf, holding } from '../signed.ts';
import { counted, moment } from '../text.ts';
import { progressBar } from './check.ts';
import { covered, existingLogSettings, keysNamed } from './proofs.ts';
import { type Place, removalsIn, source } from './source.ts';
import { plain } from './table.ts';
import { warnOfUnheardNames } from './unheard.ts';

export interface BundleOptions {
  readonly out?: string;
  /** bundles of policies */
  readonly policyBundle?: readonly string[];
  /** who exports; default: the user of the process */
  readonly by?: string;
}

const PAGE = 1000;
const isArchive = (path: string): boolean => /\.(?:tar\.gz|tgz)$/.test(path);

/** @returns the number of records */
export async function exportBundle(
  at: Place,
  query: DecisionQuery,
  options: BundleOptions,
  io: Io,
): Promise<number> {
  if (options.out === undefined)
    throw new SluiceError('usage_invalid', '--format bundle: name a new directory or tar.gz with -o.');
  const out = resolve(io.cwd, options.out);
  if (existsSync(out))
    throw new SluiceError('usage_invalid', `${options.out} is there already. Name a new file or directory.`);
  const policies = await policiesNamed(options.policyBundle ?? [], io);
  const selection = await select(at, query, policies, io);
  if (selection === null) {
    io.stderr.write('sluice: no decision fits the filter, so no bundle was written [record_not_found]\n');
    io.exitCode = 1;
    return 0;
  }
  const settings = existingLogSettings(at, io);
  for (const [origin, seqs] of selection.places)
    await covered(
      origin,
      [...seqs].reduce((a, b) => Math.max(a, b)),
      at,
      settings,
    );
  const bar = progressBar(io, 'proving', 'records');
  const parent = dirname(out);
  let work: string;
  try {
    mkdirSync(parent, { recursive: true });
    work = await mkdtemp(join(parent, `.${basename(out)}-`));
  } catch (cause) {
    throw unwritable(options.out, cause);
  }
  try {
    const manifest = await writeBundle(work, selection, {
      journal: at.dir,
      name: settings.name,
      signer: settings.signer,
      witnesses: (at.config.checkpoints?.witnesses ?? []).flatMap((w) =>
        'key' in w ? [readKey(w.key)] : [],
      ),
      at: new Date().toISOString(),
      by: options.by ?? userInfo().username,
      sluice: version(),
      filter: query,
      removals: await removalsIn(at.dir),
      policies: new Map(
        [...policies].flatMap(([revision, { path, content }]) =>
          selection.policies.some((p) => p.revision === revision) ? [[path, content] as const] : [],
        ),
      ),
      progress: bar.update,
    }).finally(bar.stop);
    if (isArchive(out)) await packed(work, manifest, out);
    else await rename(work, out);
    const left = selection.policies.filter(({ file }) => file === null).length;
    io.stderr.write(
      `${options.out}: ${counted(manifest.records, 'record')} of ${counted(manifest.decisions, 'decision')}, proven by the key of ${settings.name}${left === 0 ? '' : `; ${counted(left, 'policy revision')} named by digest only (--policy-bundle)`}\n`,
    );
    return manifest.records;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const unwritable = (out: string, cause: unknown): SluiceError =>
  new SluiceError('usage_invalid', {
    message: `${out} cannot be written (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'}).`,
    cause,
  });

/** Bundles of policies, by revision. @throws SluiceError `usage_invalid`, and those of bundles */
async function policiesNamed(
  files: readonly string[],
  io: Io,
): Promise<ReadonlyMap<string, { readonly path: string; readonly content: Uint8Array }>> {
  const found = new Map<string, { path: string; content: Uint8Array }>();
  for (const file of files) {
    const path = resolve(io.cwd, file);
    if (!existsSync(path) || statSync(path).isDirectory())
      throw new SluiceError(
        'usage_invalid',
        `--policy-bundle ${file}: name a bundle made by \`sluice build\`.`,
      );
    const content = readFileSync(path);
    const { revision } = await readBundle(content, { name: file });
    const name = revision.replace(/[^A-Za-z0-9-]/g, '_').slice(0, 64);
    found.set(revision, { path: `${POLICIES}${name}.tar.gz`, content });
  }
  return found;
}

/** The places of all records of the decisions that fit. null: there are none */
async function select(
  at: Place,
  query: DecisionQuery,
  policies: ReadonlyMap<string, { readonly path: string }>,
  io: Io,
): Promise<Selection | null> {
  const places = new Map<string, Set<number>>();
  const revisions = new Map<string, Manifest['policies'][number]>();
  let decisions = 0;
  const log = await source(at, io);
  try {
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof log.query>> = await log.query({
        ...query,
        limit: PAGE,
        ...(cursor === null ? {} : { cursor }),
      });
      for (const { chain, policy } of page.decisions) {
        decisions++;
        for (const { origin, seq } of chain) {
          const seqs = places.get(origin);
          if (seqs === undefined) places.set(origin, new Set([seq]));
          else seqs.add(seq);
        }
        if (policy === null) continue;
        const { revision, bundle } = policy;
        const before = revisions.get(revision)?.decisions ?? 0;
        const file = policies.get(revision)?.path ?? null;
        revisions.set(revision, { revision, bundle, decisions: before + 1, file });
      }
      cursor = page.cursor;
    } while (cursor !== null);
    if (decisions === 0) await warnOfUnheardNames(query, log, io);
  } finally {
    await log.close();
  }
  return decisions === 0 ? null : { decisions, places, policies: [...revisions.values()] };
}

/** One directory in the archive, with the name of the file. */
async function packed(dir: string, manifest: Manifest, out: string): Promise<void> {
  const tar = pack();
  const top = basename(out).replace(/\.(?:tar\.gz|tgz)$/, '');
  const paths = ['manifest.json', 'manifest.note', ...manifest.files.map(({ path }) => path)];
  const mtime = new Date(manifest.at);
  const filled = (async () => {
    for (const path of paths) {
      const file = join(dir, path);
      const entry = tar.entry({ name: `${top}/${path}`, mode: 0o644, mtime, size: statSync(file).size });
      await pipeline(createReadStream(file), entry);
    }
    tar.finalize();
  })();
  const partial = `${dir}.tar.gz`;
  try {
    await Promise.all([
      pipeline(tar, createGzip(), createWriteStream(partial, { flags: 'wx', mode: 0o640 })),
      filled,
    ]);
    await rename(partial, out);
  } catch (cause) {
    throw unwritable(out, cause);
  } finally {
    await rm(partial, { force: true });
  }
}

/** bytes that hold the header of a tar when they are decompressed */
const HEAD = 4096;

/** True for a directory with a manifest, and for a tar.gz: what `verify` does not read as a file of records. */
export async function isBundle(path: string): Promise<boolean> {
  if (!existsSync(path)) return false;
  if (statSync(path).isDirectory()) return existsSync(join(path, 'manifest.json'));
  if (isArchive(path)) return true;
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD), 0, HEAD, 0);
    const plain = gunzipSync(buffer.subarray(0, bytesRead), { finishFlush: constants.Z_SYNC_FLUSH });
    return plain.subarray(257, 262).toString('latin1') === 'ustar';
  } catch {
    return false;
  } finally {
    await file.close();
  }
}

/** Writes the files of an archive into a directory. @throws SluiceError `signature_invalid` for anything that is no bundle */
async function unpacked(archive: string, dir: string): Promise<void> {
  const tar = extract();
  let top: string | null = null;
  const written = (async () => {
    for await (const entry of tar) {
      const { name, type } = entry.header;
      const [first, ...rest] = name.split('/');
      const path = rest.join('/');
      top ??= first!;
      if (first !== top || type !== 'file' || !isBundlePath(path))
        throw refused(`the archive has ${JSON.stringify(name.slice(0, 200))}, which is no file of a bundle`);
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      await pipeline(entry, createWriteStream(join(dir, path), { flags: 'wx', mode: 0o600 }));
    }
  })();
  try {
    await Promise.all([pipeline(createReadStream(archive), createGunzip(), bounded(archive), tar), written]);
  } catch (cause) {
    throw cause instanceof SluiceError ? cause : refused('the archive cannot be read', cause);
  }
}

const refused = (why: string, cause?: unknown): SluiceError =>
  new SluiceError('signature_invalid', { message: `The bundle is refused: ${why}.`, cause });

export interface CheckBundleOptions {
  readonly publicKey?: readonly string[];
  readonly json?: boolean;
}

export async function checkBundleAt(name: string, options: CheckBundleOptions, io: Io): Promise<void> {
  const path = resolve(io.cwd, name);
  const given = options.publicKey === undefined ? null : await keysGiven(options.publicKey, io);
  await holding('bundle', options, io, async () => {
    const work = statSync(path).isDirectory() ? null : await mkdtemp(`${path}-`);
    try {
      if (work !== null) await unpacked(path, work);
      const checked = await checkBundle(work ?? path, given);
      io.stdout.write(
        options.json
          ? `${JSON.stringify({ holds: true, key_compared: given !== null, ...checked }, null, 2)}\n`
          : described(basename(path), checked, given !== null),
      );
    } finally {
      if (work !== null) await rm(work, { recursive: true, force: true });
    }
  });
}

async function keysGiven(texts: readonly string[], io: Io): Promise<readonly NoteKey[]> {
  const keys: NoteKey[] = [];
  for (const text of texts) keys.push(...(await keysNamed(text, (file) => contentOf(file, io))));
  return keys;
}

function described(name: string, checked: CheckedBundle, isCompared: boolean): string {
  const { manifest, checkpoints, unfinished } = checked;
  const logs = checkpoints.map(({ log, size, signatures }) => {
    const cosigned = signatures
      .filter(({ time }) => time !== null)
      .map((s) => `, cosigned by ${s.name} at ${moment(s.time! * 1000)}`);
    return `  ${log}: ${counted(size, 'record')}${cosigned.join('')}\n`;
  });
  return [
    `${name}: ${counted(manifest.records, 'record')} of ${counted(manifest.decisions, 'decision')}, exported ${manifest.at} by ${manifest.by}, filter ${JSON.stringify(manifest.filter)}\n`,
    ...logs,
    'The bundle holds: these records are in the log that the key has signed, and none was changed.\n',
    unfinished === 0
      ? ''
      : `${counted(unfinished, 'decision')} without a last part: the answer was broken off.\n`,
    // Bundles of earlier versions do not say it.
    ...(manifest.removals ?? []).map(
      ({ at, by, basis, records }) =>
        `Before, on ${plain(at)}, ${plain(by)} removed the content of ${counted(records, 'record')} of the log. Basis: ${plain(basis)}. The bundle is without it.\n`,
    ),
    isCompared
      ? ''
      : `Not checked: whose key it is. Compare it with the one that the owner of the log publishes (--public-key):\n  ${checked.key}\n`,
    'Not shown: that no other decision fits the filter. Only the whole journal shows that.\n',
  ].join('');
}
