/** Writes an evidence bundle (bundle.ts) as a directory. */
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError } from '../../errors.ts';
import type { NoteSigner } from '../../model/signing.ts';
import { listOrigins, type Segment } from '../journal/directory.ts';
import { isShared } from '../journal/line.ts';
import { linesLeft } from '../journal/lines.ts';
import { SegmentReader } from '../journal/reader.ts';
import { logDirectory, logName, publishedCheckpoint } from '../tree/log.ts';
import { inclusionProof, isIncluded, leafHash } from '../tree/merkle.ts';
import { type NoteKey, openNote, SIGNS, signatureOf, spellKey } from '../tree/note.ts';
import { readTree, TileMissing } from '../tree/tiles.ts';
import {
  BUNDLE_FORMAT,
  CHECKPOINTS,
  KEYS,
  type Manifest,
  MANIFEST,
  MANIFEST_NOTE,
  manifestText,
  POLICIES,
  PROOFS,
  type ProofLine,
  RECORDS,
  referencesIn,
} from './bundle.ts';
import { readme } from './readme.ts';
import { SCRIPT } from './script.ts';

/** The decisions of a bundle, by the places of their records. */
export interface Selection {
  readonly decisions: number;
  /** origin → seqs */
  readonly places: ReadonlyMap<string, ReadonlySet<number>>;
  readonly policies: Manifest['policies'];
}

export interface BundleSettings
  extends Pick<Manifest, 'name' | 'at' | 'by' | 'sluice' | 'filter' | 'removals'> {
  /** of the journal */
  readonly journal: string;
  /** has signed the checkpoints; signs the manifest */
  readonly signer: NoteSigner;
  readonly witnesses: readonly NoteKey[];
  /** path in the bundle → content */
  readonly policies: ReadonlyMap<string, Uint8Array>;
  progress?(records: number, total: number): void;
}

/**
 * @param dir an empty directory
 * @throws SluiceError `record_not_found`: the journal, or a checkpoint, does not have a record; `chain_broken`: it is damaged
 */
export async function writeBundle(
  dir: string,
  selection: Selection,
  settings: BundleSettings,
): Promise<Manifest> {
  const { name, signer } = settings;
  const put = (path: string, content: string | Uint8Array): void =>
    writeFileSync(join(dir, path), content, { flag: 'wx', mode: 0o640 });
  mkdirSync(join(dir, CHECKPOINTS));
  const records = await writeRecords(dir, selection, settings, put);
  const keyOf = (of: string): NoteKey => ({ name: of, type: SIGNS, key: signer.publicKey() });
  const keys = [
    ...[name, ...[...selection.places.keys()].map((origin) => logName(name, origin))].map(keyOf),
    ...settings.witnesses,
  ];
  put(KEYS, keys.map((key) => `${spellKey(key)}\n`).join(''));
  if (settings.policies.size > 0) mkdirSync(join(dir, POLICIES));
  for (const [path, content] of settings.policies) put(path, content);
  put('verify.py', SCRIPT);
  put('README.md', readme(spellKey(keys[0]!)));
  const { at, by, sluice, filter, removals } = settings;
  const manifest: Manifest = {
    format: BUNDLE_FORMAT,
    name,
    at,
    by,
    sluice,
    filter,
    decisions: selection.decisions,
    records,
    policies: selection.policies,
    removals: removals.map(({ decision_id, at: when, by: who, basis, filter: what, records: count }) => ({
      decision_id,
      at: when,
      by: who,
      basis,
      filter: what,
      records: count,
    })),
    files: await filesIn(dir),
  };
  const bytes = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
  put(MANIFEST, bytes);
  const text = manifestText(bytes);
  put(MANIFEST_NOTE, `${text}\n${await signatureOf(text, name, signer)}`);
  return manifest;
}

async function filesIn(dir: string): Promise<Manifest['files']> {
  const paths = (readdirSync(dir, { recursive: true }) as string[])
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => statSync(join(dir, path)).isFile())
    .sort();
  const files: Manifest['files'][number][] = [];
  for (const path of paths)
    files.push({ path, bytes: statSync(join(dir, path)).size, sha256: await sha256(join(dir, path)) });
  return files;
}

export async function sha256(path: string): Promise<string> {
  const hasher = createHash('sha256');
  for await (const chunk of createReadStream(path)) hasher.update(chunk as Buffer);
  return hasher.digest('hex');
}

/** @returns the number of records */
async function writeRecords(
  dir: string,
  { places }: Selection,
  { journal, name, signer, progress }: BundleSettings,
  put: (path: string, content: string) => void,
): Promise<number> {
  const total = [...places.values()].reduce((n, seqs) => n + seqs.size, 0);
  const records = await open(join(dir, RECORDS), 'wx', 0o640);
  const proofs = await open(join(dir, PROOFS), 'wx', 0o640);
  /** commitments of the shared documents that are in the bundle */
  const written = new Set<string>();
  let done = 0;
  try {
    for (const { origin, segments } of await listOrigins(journal)) {
      const wanted = places.get(origin);
      if (wanted === undefined) continue;
      const published = publishedCheckpoint(journal, origin);
      if (published === null) throw uncovered(origin, Math.max(...wanted));
      const key: NoteKey = { name: logName(name, origin), type: SIGNS, key: signer.publicKey() };
      if (openNote(published.note, [key]).signatures.length === 0)
        throw new SluiceError(
          'signature_invalid',
          `The checkpoint of ${key.name} was signed with another key, or under another name. Run \`sluice decisions checkpoint\`.`,
        );
      put(`${CHECKPOINTS}${origin}`, published.note);
      const prove = prover(journal, origin, published.checkpoint);
      let found = 0;
      for await (const { line, documents, seq, hash: digest } of linesWanted(segments, wanted)) {
        const path = prove(seq, digest).map((h) => h.toString('base64'));
        const fresh = [...documents].filter(([commitment]) => !written.has(commitment));
        for (const [commitment] of fresh) written.add(commitment);
        await records.write([...fresh.map(([, text]) => text), line].map((text) => `${text}\n`).join(''));
        const proof: ProofLine = { origin, seq, path };
        await proofs.write(`${JSON.stringify(proof)}\n`);
        found++;
        progress?.(++done, total);
      }
      if (found < wanted.size) throw gone(origin, wanted.size - found);
    }
  } finally {
    await records.close();
    await proofs.close();
  }
  if (done < total) throw gone([...places.keys()].join(', '), total - done);
  return done;
}

const uncovered = (origin: string, seq: number): SluiceError =>
  new SluiceError(
    'record_not_found',
    `No checkpoint covers record ${seq} of ${origin} yet. Run \`sluice decisions checkpoint\`.`,
  );

const gone = (origin: string, count: number): SluiceError =>
  new SluiceError(
    'record_not_found',
    `The journal does not hold ${count} of the records of ${origin} any more. If they were archived, name a directory with the decompressed segments (--journal).`,
  );

/** The path from a record to the root of the checkpoint, checked. */
function prover(
  journal: string,
  origin: string,
  { size, root }: { readonly size: number; readonly root: Buffer },
): (seq: number, digest: string) => readonly Buffer[] {
  const tree = readTree(logDirectory(journal, origin), size);
  return (seq, digest) => {
    if (seq > size) throw uncovered(origin, seq);
    try {
      const proof = inclusionProof(tree, seq - 1, size);
      if (isIncluded(leafHash(Buffer.from(digest, 'hex')), seq - 1, size, proof, root)) return proof;
    } catch (e) {
      if (!(e instanceof TileMissing)) throw e;
    }
    throw new SluiceError(
      'chain_broken',
      `Record ${seq} of ${origin} is not the one that the checkpoint covers, or the tiles of its log are damaged. Run \`sluice decisions verify\`.`,
    );
  };
}

interface WantedLine {
  readonly seq: number;
  readonly hash: string;
  readonly line: string;
  /** those that it refers to, by commitment */
  readonly documents: ReadonlyMap<string, string>;
}

async function* linesWanted(
  segments: readonly Segment[],
  wanted: ReadonlySet<number>,
): AsyncGenerator<WantedLine, void, void> {
  const seqs = [...wanted].sort((a, b) => a - b);
  for (const [i, segment] of segments.entries()) {
    const next = segments[i + 1]?.first ?? Number.POSITIVE_INFINITY;
    if (!seqs.some((seq) => seq >= segment.first && seq < next)) continue;
    const reader = new SegmentReader({ takesShort: false });
    const documents = new Map<string, string>();
    for await (const lines of linesLeft(segment.path))
      for (const { bytes, complete } of lines) {
        if (!complete) continue;
        const read = reader.read(bytes);
        if (read.what === 'document') documents.set(read.ref, bytes.toString());
        else if (read.what !== 'fault' && wanted.has(read.link.seq) && !isShared(bytes)) {
          const { seq, hash: digest, origin } = read.link;
          if (read.what !== 'record')
            throw new SluiceError(
              'record_not_found',
              `Record ${seq} of ${origin} cannot be proven: ${read.what === 'removed' ? 'its content was removed' : 'it is of a version whose references to shared documents are short, or a shared document is missing'}. Choose others (--since).`,
            );
          const line = bytes.toString();
          const referred = referencesIn(line).flatMap((ref) => {
            const document = documents.get(ref);
            return document === undefined ? [] : [[ref, document] as const];
          });
          yield { seq, hash: digest, line, documents: new Map(referred) };
        }
      }
  }
}
