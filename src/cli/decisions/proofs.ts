/** `sluice decisions checkpoint`, `prove` and `verify-proof`: signed statements about the log that others can check without it. */
import { existsSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { listOrigins } from '../../decision-log/journal/directory.ts';
import { createLogKeeper } from '../../decision-log/tree/keep.ts';
import { type Grown, grow, publishedCheckpoint } from '../../decision-log/tree/log.ts';
import { type NoteKey, openNote, readKey, SIGNS, spellKey } from '../../decision-log/tree/note.ts';
import { checkProof, proofOf } from '../../decision-log/tree/proof-file.ts';
import { merge } from '../../decision-log/index/decision.ts';
import { SluiceError } from '../../errors.ts';
import { createLogger } from '../../observability/logger.ts';
import { createSigning, keySetOf } from '../../signing/index.ts';
import { colourful, type Io, printJson } from '../io.ts';
import { contentOf, holding } from '../signed.ts';
import { counted, moment } from '../text.ts';
import { progressBar } from './check.ts';
import { describeDecision } from './show.ts';
import { recordQuestion } from './recorded.ts';
import { type Place, place, source, type SourceOptions } from './source.ts';
import { table, width } from './table.ts';

export const logSettings = (at: Place, io: Io) => ({
  dir: at.dir,
  name: at.config.checkpoints?.name ?? 'sluice',
  signer: createSigning(at.signing, { logger: createLogger({ level: 'warn' }, io.stderr) }).notes,
  progress: progressBar(io, 'hashing', 'records').update,
});

/**
 * For commands that read. Without a configuration a key would be made here that nobody else has, and what it signs would prove nothing.
 * @throws SluiceError `usage_invalid` if there is no key
 */
export function existingLogSettings(at: Place, io: Io): ReturnType<typeof logSettings> {
  const { isConfigured, signing } = at;
  if (!isConfigured && !existsSync(signing.file))
    throw new SluiceError(
      'usage_invalid',
      `The key that signs this log is not known: there is no configuration, and no ${signing.file}. Name the configuration of the sidecar with -c FILE (no --journal is needed then), or run \`sluice decisions checkpoint\` first, which makes a key.`,
    );
  return logSettings(at, io);
}

/**
 * Without a configuration the key may be another than the sidecar's, and its checkpoint must not be signed anew with it.
 * @throws SluiceError `usage_invalid`
 */
function checkKey(
  origin: string,
  { dir, isConfigured }: Place,
  { signer }: ReturnType<typeof logSettings>,
): void {
  const published = isConfigured ? null : publishedCheckpoint(dir, origin);
  if (published === null) return;
  const key = { name: published.checkpoint.log, type: SIGNS, key: signer.publicKey() } as const;
  if (openNote(published.note, [key]).signatures.length > 0) return;
  throw new SluiceError(
    'usage_invalid',
    `The checkpoint of ${published.checkpoint.log} was signed with another key. Name the configuration that has this key (--config FILE).`,
  );
}

export async function checkpoint(options: SourceOptions, io: Io): Promise<void> {
  const at = await place(options, io);
  const settings = logSettings(at, io);
  const pass = createLogKeeper(settings, at.config.checkpoints?.witnesses ?? [], () => new Date());
  const rows: { log: string; size: number; root: string; key: string; witnesses: object[] }[] = [];
  for (const { origin } of await listOrigins(at.dir)) {
    checkKey(origin, at, settings);
    const kept = await pass(origin);
    const published = publishedCheckpoint(at.dir, origin);
    if (published === null) continue;
    const { log, size, root } = published.checkpoint;
    const key = spellKey({ name: log, type: SIGNS, key: settings.signer.publicKey() });
    rows.push({ log, size, root: root.toString('base64'), key, witnesses: [...(kept?.witnesses ?? [])] });
    for (const { problem } of kept?.witnesses ?? [])
      if (problem !== null) {
        io.exitCode = 1;
        io.stderr.write(`sluice: ${problem}\n`);
      }
  }
  if (options.json) for (const row of rows) io.stdout.write(`${JSON.stringify(row)}\n`);
  else if (rows.length === 0) io.stdout.write('There are no decision records here.\n');
  else
    io.stdout.write(
      table(
        ['log', 'records', 'root'],
        rows.map((r) => [r.log, String(r.size), r.root]),
        width(io),
      ) + rows.map((r) => `key of ${r.log}: ${r.key}\n`).join(''),
    );
}

export interface ProveOptions extends SourceOptions {
  readonly out?: string;
  readonly by?: string;
}

export async function proveDecision(id: string, options: ProveOptions, io: Io): Promise<void> {
  const at = await place(options, io);
  const log = await source(at, io);
  const decision = await log.get(id).finally(() => log.close());
  const asked = {
    action: 'decisions.export',
    filters: { decision_id: id },
    labels: { format: 'proof' },
    by: options.by,
  } as const;
  await recordQuestion(at, asked, decision?.chain.length ?? 0, io);
  if (decision === null) {
    io.stderr.write('sluice: no decision has this id in this log [record_not_found]\n');
    io.exitCode = 1;
    return;
  }
  const settings = existingLogSettings(at, io);
  for (const { origin, seq } of decision.chain) await covered(origin, seq, at, settings);
  const file = `${JSON.stringify(await proofOf(at.dir, id, decision.chain), null, 2)}\n`;
  if (options.out === undefined) {
    io.stdout.write(file);
    return;
  }
  const path = resolve(io.cwd, options.out);
  try {
    writeFileSync(path, file, { flag: 'wx' });
  } catch (cause) {
    throw new SluiceError('usage_invalid', {
      message: `${options.out} cannot be written (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'}). Name a new file.`,
      cause,
    });
  }
  const { log: name } = publishedCheckpoint(at.dir, decision.chain[0]!.origin)!.checkpoint;
  io.stderr.write(
    `${options.out}: ${counted(decision.chain.length, 'record')}, with the checkpoint of ${name}\n`,
  );
}

/** Signs a checkpoint if none covers the record. */
export async function covered(
  origin: string,
  seq: number,
  at: Place,
  settings: ReturnType<typeof logSettings>,
): Promise<void> {
  const until = performance.now() + 30_000;
  for (;;) {
    if ((publishedCheckpoint(settings.dir, origin)?.checkpoint.size ?? 0) >= seq) return;
    checkKey(origin, at, settings);
    const grown: Grown | null = await grow(origin, settings);
    if (grown !== null || performance.now() > until) return;
    // The sidecar is signing one.
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export interface VerifyProofOptions {
  readonly key?: readonly string[];
  readonly witness?: readonly string[];
  readonly json?: boolean;
}

/** A key as NAME+ID+BASE64, or a file with such lines or with a JWK Set. A key of a JWK Set has the name ''. */
export async function keysNamed(
  text: string,
  content: (file: string) => Promise<string>,
): Promise<readonly NoteKey[]> {
  if (/^\S+\+[0-9a-f]{8}\+\S+$/.test(text)) return [readKey(text)];
  const lines = (await content(text)).trim();
  if (lines.startsWith('{')) return keySetOf(lines, text).map(({ key }) => ({ name: '', type: SIGNS, key }));
  return lines
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
    .map(readKey);
}

/** The keys that may sign for a log: those of its name, and those without a name. */
async function keysIn(text: string, io: Io): Promise<(log: string) => readonly NoteKey[]> {
  const keys = await keysNamed(text, (file) => contentOf(file, io));
  return (log) => keys.flatMap((key) => (key.name === log || key.name === '' ? [{ ...key, name: log }] : []));
}

export async function verifyProof(file: string, options: VerifyProofOptions, io: Io): Promise<void> {
  if (options.key === undefined)
    throw new SluiceError(
      'usage_invalid',
      'Name the key that must have signed: --key KEY or --key FILE (NAME+ID+BASE64 as `decisions checkpoint` prints it, or a JWK Set). Take it from its owner, never from the proof.',
    );
  const sources = await Promise.all(options.key.map((text) => keysIn(text, io)));
  const witnesses = (options.witness ?? []).map(readKey);
  const text = await contentOf(file, io);
  await holding('proof', options, io, async () => {
    const checked = checkProof(text, (log) => sources.flatMap((of) => of(log)), witnesses);
    const decision = merge(checked.records.map(({ record }) => record));
    const statements = checked.records.map(({ checkpoint, signatures }) => ({
      log: checkpoint.log,
      size: checkpoint.size,
      root: checkpoint.root.toString('base64'),
      signatures,
    }));
    if (options.json) return printJson({ holds: true, decision, checkpoints: statements }, io);
    io.stdout.write(describeDecision(decision, [], width(io), colourful(io)));
    for (const [i, { log, size, signatures }] of statements.entries()) {
      const cosigned = signatures
        .filter(({ time }) => time !== null)
        .map(({ name, time }) => `, cosigned by ${name} at ${moment(time! * 1000)}`);
      const { seq } = checked.records[i]!.record;
      io.stdout.write(`The proof holds: record ${seq} of ${size} in ${log}${cosigned.join('')}.\n`);
    }
    if (!decision.complete)
      io.stdout.write('It has no last part: the answer was broken off, or the file leaves records out.\n');
  });
}
