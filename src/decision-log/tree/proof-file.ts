/**
 * The proof of a decision, in one file that is checked without Sluice and without its journal: the lines of its records as they stand in the
 * journal, and for each a proof that the tree of a signed checkpoint has it (C2SP tlog-proof). https://c2sp.org/tlog-proof
 *
 * A line is checked in three steps. `c` is the SHA-256 of `{"payload":…,"salt":…}`; `hash` is the SHA-256 of what stands before it and a
 * closing brace; the leaf of the tree is the SHA-256 of a zero byte and the 32 bytes of `hash`. A shared document is checked by its `c`, which
 * the payload of the record names.
 */
import { SluiceError } from '../../errors.ts';
import type { DecisionRecord } from '../../model/record.ts';
import type { ChainPosition } from '../index/decision.ts';
import { listOrigins } from '../journal/directory.ts';
import { readLines } from '../journal/lines.ts';
import { isShared, parseHead } from '../journal/line.ts';
import { SegmentReader } from '../journal/reader.ts';
import { type Checkpoint, readCheckpoint } from './checkpoint.ts';
import { logDirectory, publishedCheckpoint } from './log.ts';
import { HASH_BYTES, inclusionProof, isIncluded, leafHash, rootOf } from './merkle.ts';
import { COSIGNS, type NoteKey, type NoteSignature, openNote, SIGNS } from './note.ts';
import { readTree, TileMissing } from './tiles.ts';

export const PROOF_FORMAT = 'sluice-decision-proof/1';
const TLOG_PROOF = 'c2sp.org/tlog-proof@v1';

export interface ProofFile {
  readonly format: typeof PROOF_FORMAT;
  readonly decision_id: string;
  readonly records: readonly ProvenRecord[];
}

export interface ProvenRecord {
  /** of the journal: the record, after the shared documents that it refers to */
  readonly lines: readonly string[];
  /** the index in the tree, the hashes beside its path, and the checkpoint */
  readonly tlog_proof: string;
}

/**
 * @param chain the records of the decision, as `Decision.chain` names them
 * @throws SluiceError `record_not_found`: the journal does not hold a record, or its checkpoint does not cover it yet
 */
export async function proofOf(
  dir: string,
  decisionId: string,
  chain: readonly ChainPosition[],
): Promise<ProofFile> {
  const records: ProvenRecord[] = [];
  for (const position of chain)
    records.push({ lines: await linesOf(dir, position), tlog_proof: tlogProof(dir, position) });
  return { format: PROOF_FORMAT, decision_id: decisionId, records };
}

function tlogProof(dir: string, { origin, seq }: ChainPosition): string {
  const published = publishedCheckpoint(dir, origin);
  if (published === null || published.checkpoint.size < seq)
    throw new SluiceError(
      'record_not_found',
      `No checkpoint covers record ${seq} of ${origin} yet. Run \`sluice decisions checkpoint\`.`,
    );
  const { size, root } = published.checkpoint;
  const proof = inclusionOf(readTree(logDirectory(dir, origin), size), seq - 1, { size, root });
  if (proof === null)
    throw new SluiceError(
      'chain_broken',
      `The tiles of ${origin} are damaged. Remove ${logDirectory(dir, origin)}/tile: \`sluice decisions checkpoint\` makes them again.`,
    );
  const hashes = proof.map((h) => `${h.toString('base64')}\n`).join('');
  return `${TLOG_PROOF}\nindex ${seq - 1}\n${hashes}\n${published.note}`;
}

/** null: the tiles are not those of the checkpoint */
function inclusionOf(
  tree: ReturnType<typeof readTree>,
  index: number,
  { size, root }: Pick<Checkpoint, 'size' | 'root'>,
): readonly Buffer[] | null {
  try {
    const proof = inclusionProof(tree, index, size);
    const leaf = leafHash(tree.entry(index));
    return rootOf(tree, size).equals(root) && isIncluded(leaf, index, size, proof, root) ? proof : null;
  } catch (e) {
    if (e instanceof TileMissing) return null;
    throw e;
  }
}

/** The line of the record, after those of the shared documents that it refers to. */
async function linesOf(dir: string, { origin, seq }: ChainPosition): Promise<readonly string[]> {
  const segments = (await listOrigins(dir)).find((o) => o.origin === origin)?.segments ?? [];
  const segment = segments.findLast((s) => s.first <= seq);
  const documents = new Map<string, string>();
  if (segment !== undefined)
    for await (const lines of readLines(segment.path))
      for (const { bytes, complete } of lines) {
        if (!complete) continue;
        const head = parseHead(bytes);
        if (head !== null && typeof head !== 'string') {
          if (isShared(bytes)) documents.set(head.commitment, bytes.toString());
          else if (head.seq === seq) return [...referred(bytes.toString(), documents), bytes.toString()];
        } else if (head === null && bytes.includes(`,"seq":${seq},`)) {
          const read = new SegmentReader().read(bytes);
          if (read.what === 'record' && read.link.seq === seq) return [bytes.toString()];
        }
      }
  throw new SluiceError(
    'record_not_found',
    `The journal does not hold record ${seq} of ${origin} any more. If it was archived, name a directory with the decompressed segment (--journal).`,
  );
}

/** The documents whose reference stands in the record. Where two begin with the same short reference, the first counts, as for readers. */
function* referred(line: string, documents: ReadonlyMap<string, string>): Generator<string> {
  for (const [commitment, document] of documents)
    if (line.includes(`"${commitment}"`) || line.includes(`"${commitment.slice(0, 16)}"`)) yield document;
}

export interface CheckedProof {
  readonly decision_id: string;
  readonly records: readonly {
    readonly record: DecisionRecord;
    readonly checkpoint: Checkpoint;
    readonly signatures: readonly NoteSignature[];
  }[];
}

const invalid = (why: string): SluiceError =>
  new SluiceError('signature_invalid', `The proof is refused: ${why}.`);

/**
 * Checks a proof without a journal.
 * @param keysOf the keys that may sign checkpoints of this log; names of keys in it must be the log's
 * @param witnesses each must have cosigned each checkpoint
 * @throws SluiceError `signature_invalid` that says what is wrong
 */
export function checkProof(
  text: string,
  keysOf: (log: string) => readonly NoteKey[],
  witnesses: readonly NoteKey[] = [],
): CheckedProof {
  const { decision_id, records } = parsed(text);
  const checked: CheckedProof = {
    decision_id,
    records: records.map(({ lines, tlog_proof }, i) => {
      const where = records.length > 1 ? ` (record ${i + 1} of the file)` : '';
      const { record, hash: digest } = recordOf(lines, where);
      if (record.decision_id !== decision_id) throw invalid(`a record belongs to another decision${where}`);
      const { index, proof, note } = readTlogProof(tlog_proof, where);
      const checkpoint = readCheckpoint(note);
      const { signatures } = openNote(note, [...keysOf(checkpoint.log), ...witnesses]);
      if (!signatures.some(({ name, type }) => type === SIGNS && name === checkpoint.log))
        throw invalid(`the checkpoint of ${checkpoint.log} is not signed with a key that was given${where}`);
      for (const witness of witnesses)
        if (!openNote(note, [witness]).signatures.some(({ type }) => type === COSIGNS))
          throw invalid(`the witness ${witness.name} has not cosigned the checkpoint${where}`);
      if (record.seq !== index + 1 || !checkpoint.log.endsWith(`/${record.origin}`))
        throw invalid(`the record belongs to another place or log${where}`);
      if (!isIncluded(leafHash(Buffer.from(digest, 'hex')), index, checkpoint.size, proof, checkpoint.root))
        throw invalid(`the tree of the checkpoint does not have this record${where}`);
      return { record, checkpoint, signatures };
    }),
  };
  requireConsecutive(checked.records.map(({ record }) => record.part));
  return checked;
}

/**
 * Each record is proven alone, so whoever passes a proof on could leave out the part that matters, or count one twice. The last part alone may be
 * missing: a decision can end without one.
 */
export function requireConsecutive(parts: readonly DecisionRecord['part'][]): void {
  const sorted = parts.toSorted((a, b) => a.number - b.number || (a.piece ?? 1) - (b.piece ?? 1));
  let [number, piece] = [1, 1];
  for (const part of sorted) {
    if (part.number !== number || (part.piece ?? 1) !== piece)
      throw invalid(
        `its records are not the parts of one decision, each once: part ${number}${piece > 1 ? `, piece ${piece}` : ''} is expected and not part ${part.number}`,
      );
    [number, piece] = piece < (part.pieces ?? 1) ? [number, piece + 1] : [number + 1, 1];
  }
  if (piece > 1) throw invalid(`it leaves out piece ${piece} of part ${number}`);
}

function parsed(text: string): ProofFile {
  let value: ProofFile;
  try {
    value = JSON.parse(text) as ProofFile;
  } catch {
    throw invalid('it is not JSON');
  }
  const isText = (t: unknown): boolean => typeof t === 'string';
  if (
    value?.format !== PROOF_FORMAT ||
    !isText(value.decision_id) ||
    !Array.isArray(value.records) ||
    value.records.length === 0 ||
    !value.records.every((r) => isText(r?.tlog_proof) && Array.isArray(r.lines) && r.lines.every(isText))
  )
    throw invalid(`it is not a file of the format ${PROOF_FORMAT}`);
  return value;
}

/** `"access":"0123456789abcdef"` */
const SHORT = /"(?:access|subject)":"[0-9a-f]{16}"/;

function recordOf(
  lines: readonly string[],
  where: string,
): { readonly record: DecisionRecord; readonly hash: string } {
  const reader = new SegmentReader({ takesShort: false });
  for (const [i, line] of lines.entries()) {
    const read = reader.read(Buffer.from(line));
    const isLast = i === lines.length - 1;
    if (read.what === 'fault') throw invalid(`a line was altered${where} [${read.fault}]`);
    if (isLast && read.what === 'unreadable' && SHORT.test(line))
      throw invalid(
        `it is of a record from a version whose references to shared documents are short, and another document could have been put in its place${where}. Only the journal itself can show it`,
      );
    if (isLast && read.what === 'record') return { record: read.record, hash: read.link.hash };
    if (isLast || read.what !== 'document')
      throw invalid(`its last line must be a record that can be read, the others shared documents${where}`);
  }
  throw invalid(`it has no lines${where}`);
}

function readTlogProof(
  text: string,
  where: string,
): { readonly index: number; readonly proof: readonly Buffer[]; readonly note: string } {
  const end = text.indexOf('\n\n');
  const [first, ...rest] = text.slice(0, Math.max(0, end)).split('\n');
  if (rest[0]?.startsWith('extra ')) rest.shift();
  const index = /^index (0|[1-9][0-9]{0,15})$/.exec(rest.shift() ?? '')?.[1];
  const proof = rest.map((line) => Buffer.from(line, 'base64'));
  if (
    first !== TLOG_PROOF ||
    index === undefined ||
    proof.length > 63 ||
    proof.some((h) => h.length !== HASH_BYTES)
  )
    throw invalid(`its tlog_proof cannot be read${where}`);
  return { index: Number(index), proof, note: text.slice(end + 2) };
}
