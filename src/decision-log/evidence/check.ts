/** Checks an evidence bundle (bundle.ts), as its own `verify.py` does. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../../errors.ts';
import type { DecisionRecord } from '../../model/record.ts';
import { readLines } from '../journal/lines.ts';
import { SegmentReader } from '../journal/reader.ts';
import { type Checkpoint, readCheckpoint } from '../tree/checkpoint.ts';
import { HASH_BYTES, isIncluded, leafHash } from '../tree/merkle.ts';
import {
  type NoteKey,
  type NoteSignature,
  openNote,
  readKey,
  SIGNS,
  spellKey,
  splitNote,
} from '../tree/note.ts';
import { requireConsecutive } from '../tree/proof-file.ts';
import {
  BUNDLE_FORMAT,
  CHECKPOINTS,
  isBundlePath,
  KEYS,
  type Manifest,
  MANIFEST,
  MANIFEST_NOTE,
  manifestText,
  PROOFS,
  type ProofLine,
  RECORDS,
  referencesIn,
} from './bundle.ts';
import { sha256 } from './write.ts';

export interface CheckedBundle {
  readonly manifest: Manifest;
  /** with which everything is signed, NAME+ID+BASE64 */
  readonly key: string;
  readonly checkpoints: readonly {
    readonly log: string;
    readonly size: number;
    readonly signatures: readonly NoteSignature[];
  }[];
  /** decisions whose last part is not there: the answer was broken off, or the bundle was made before */
  readonly unfinished: number;
}

const invalid = (why: string, cause?: unknown): SluiceError =>
  new SluiceError('signature_invalid', { message: `The bundle is refused: ${why}.`, cause });

/**
 * @param dir the bundle, as a directory
 * @param given keys of the log, whatever their names; null: the key in the bundle is taken, whoever it belongs to
 * @throws SluiceError `signature_invalid` that says what is wrong
 */
export async function checkBundle(dir: string, given: readonly NoteKey[] | null): Promise<CheckedBundle> {
  const keys = read(dir, KEYS).toString().trimEnd().split('\n').map(keyIn);
  const { manifest, key } = await checkFiles(dir, given ?? keys.slice(0, 1));
  const logs = new Map<string, Checkpoint>();
  const checkpoints = manifest.files
    .filter(({ path }) => path.startsWith(CHECKPOINTS))
    .map(({ path }) => {
      const note = read(dir, path).toString();
      const checkpoint = readCheckpoint(note);
      const { log, size } = checkpoint;
      const witnesses = keys.filter(({ type }) => type !== SIGNS);
      const { signatures } = openNote(note, [{ ...key, name: log }, ...witnesses]);
      if (!signatures.some(({ name, type }) => type === SIGNS && name === log))
        throw invalid(`the checkpoint of ${log} is not signed with the key`);
      logs.set(log, checkpoint);
      return { log, size, signatures };
    });
  const unfinished = await checkRecords(dir, manifest, logs);
  return { manifest, key: spellKey(key), checkpoints, unfinished };
}

function read(dir: string, path: string): Buffer {
  try {
    return readFileSync(join(dir, path));
  } catch (cause) {
    throw invalid(`${path} is missing`, cause);
  }
}

function keyIn(line: string): NoteKey {
  try {
    return readKey(line);
  } catch (cause) {
    throw invalid(`${KEYS} cannot be read`, cause);
  }
}

function parsed<T>(text: string | Buffer, path: string): T {
  try {
    return JSON.parse(text.toString()) as T;
  } catch (cause) {
    throw invalid(`${path} is not JSON`, cause);
  }
}

async function checkFiles(
  dir: string,
  keys: readonly NoteKey[],
): Promise<{ readonly manifest: Manifest; readonly key: NoteKey }> {
  const bytes = read(dir, MANIFEST);
  const manifest = parsed<Manifest>(bytes, MANIFEST);
  if (
    manifest?.format !== BUNDLE_FORMAT ||
    typeof manifest.name !== 'string' ||
    !Array.isArray(manifest.files)
  )
    throw invalid(`its format is not ${BUNDLE_FORMAT}`);
  const note = read(dir, MANIFEST_NOTE).toString();
  const named = keys.map((key): NoteKey => ({ ...key, name: manifest.name, type: SIGNS }));
  const key = named.find((candidate) => openNote(note, [candidate]).signatures.length > 0);
  if (key === undefined) throw invalid('its manifest is not signed with the key');
  const { text, lines } = splitNote(note);
  if (text !== manifestText(bytes)) throw invalid('its manifest was changed after it was signed');
  // A text in base64 has several spellings of its last bits.
  if (lines.some((line) => !isExact(line.slice(line.lastIndexOf(' ') + 1))))
    throw invalid('the signature of its manifest was changed');
  const there = new Set(
    (readdirSync(dir, { recursive: true }) as string[])
      .map((path) => path.replaceAll('\\', '/'))
      .filter((path) => !statSync(join(dir, path)).isDirectory()),
  );
  const listed = new Set([MANIFEST, MANIFEST_NOTE, ...manifest.files.map(({ path }) => path)]);
  const strange = [...listed, ...there].filter((path) => !(listed.has(path) && there.has(path)));
  if (strange.length > 0) throw invalid(`files are missing or were added: ${strange.join(', ')}`);
  for (const { path, sha256: digest } of manifest.files)
    if (!isBundlePath(path) || (await sha256(join(dir, path))) !== digest)
      throw invalid(`${path} was changed`);
  return { manifest, key };
}

const isExact = (base64: string): boolean => Buffer.from(base64, 'base64').toString('base64') === base64;

/** @returns the number of decisions without their last part */
async function checkRecords(
  dir: string,
  manifest: Manifest,
  logs: ReadonlyMap<string, Checkpoint>,
): Promise<number> {
  const parts = new Map<string, DecisionRecord['part'][]>();
  const seen = new Set<string>();
  const proofs = read(dir, PROOFS).toString().split('\n').slice(0, -1);
  const reader = new SegmentReader({ takesShort: false });
  /** shared documents that no record has referred to yet */
  const unused = new Set<string>();
  let number = 0;
  for await (const lines of readLines(join(dir, RECORDS)))
    for (const { bytes, complete } of lines) {
      number++;
      const refuse = (why: string): SluiceError => invalid(`${RECORDS}, line ${number}: ${why}`);
      const line = complete ? reader.read(bytes) : null;
      if (line === null || line.what === 'fault')
        throw refuse(`it was altered [${line?.fault ?? 'cut off'}]`);
      if (line.what === 'document') {
        if (!line.isNew) throw refuse('the shared document is there twice');
        unused.add(line.ref);
        continue;
      }
      if (line.what !== 'record') throw refuse('it cannot be read: a document is missing or was removed');
      const { origin, seq, hash } = line.link;
      const place = `${origin} ${seq}`;
      if (seen.has(place)) throw refuse('the record is there twice');
      const proof = parsed<ProofLine | null>(proofs[seen.size] ?? 'null', PROOFS);
      seen.add(place);
      const log = logs.get(`${manifest.name}/${origin}`);
      if (log === undefined) throw refuse('there is no checkpoint of its log');
      if (proof === null || proof.origin !== origin || proof.seq !== seq || !Array.isArray(proof.path))
        throw refuse('its proof is missing');
      const path = proof.path.map((h) => Buffer.from(String(h), 'base64'));
      if (
        path.some((h) => h.length !== HASH_BYTES) ||
        !isIncluded(leafHash(Buffer.from(hash, 'hex')), seq - 1, log.size, path, log.root)
      )
        throw refuse('the tree of the checkpoint does not have it');
      for (const ref of referencesIn(bytes.toString())) unused.delete(ref);
      const { decision_id, part } = line.record;
      const known = parts.get(decision_id);
      if (known === undefined) parts.set(decision_id, [part]);
      else known.push(part);
    }
  if (proofs.length !== seen.size) throw invalid('it has more proofs than records');
  if (manifest.records !== seen.size || manifest.decisions !== parts.size)
    throw invalid('its manifest counts other records');
  for (const of of parts.values()) requireConsecutive(of);
  if (unused.size > 0) throw invalid('it has a shared document that no record refers to');
  return [...parts.values()].filter((of) => !of.some(({ last }) => last)).length;
}
