/**
 * A copy of a journal while processes append to it: each chain up to the head that was read first. The head is durable before it is read, so what it covers is
 * in the segments. Checkpoints and positions of sinks are copied before the heads, so none is ahead of its chain.
 */
import {
  constants,
  copyFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError } from '../../errors.ts';
import { TREES } from '../tree/log.ts';
import { lockArchive } from './archive.ts';
import { inspect } from './chain.ts';
import {
  ARCHIVED,
  headPath,
  listOrigins,
  makeDirectory,
  type OriginFiles,
  QUARANTINE,
  type Segment,
} from './directory.ts';
import { readHead } from './head.ts';
import { isVersion2, parseHead } from './line.ts';
import { readLines } from './lines.ts';

export interface CopiedChain {
  readonly origin: string;
  readonly seq: number;
}

/**
 * @param to a new directory
 * @throws SluiceError `journal_unwritable` while another process archives or removes; `chain_broken` if a segment does not hold what the head names
 */
export async function copyJournal(dir: string, to: string): Promise<readonly CopiedChain[]> {
  const lock = lockArchive(dir);
  try {
    makeDirectory(to);
    copyTrees(dir, to);
    copyFolder(dir, to, 'sinks', (name) => name.endsWith('.json'));
    const heads: { readonly files: OriginFiles; readonly seq: number }[] = [];
    for (const files of await listOrigins(dir)) {
      const head = await headOf(dir, files.origin);
      if (head !== null) {
        writeFileSync(headPath(to, files.origin), head.bytes, { mode: 0o640 });
        heads.push({ files, seq: head.seq });
      }
    }
    copyFolder(dir, to, QUARANTINE, () => true);
    if (existsSync(join(dir, ARCHIVED))) copyFileSync(join(dir, ARCHIVED), join(to, ARCHIVED));
    for (const { files, seq } of heads) {
      // Listed again: a segment may have been begun before the head was read.
      const { segments } = (await listOrigins(dir)).find(({ origin }) => origin === files.origin) ?? files;
      await copyChain(segments, seq, to);
    }
    return heads.map(({ files, seq }) => ({ origin: files.origin, seq }));
  } finally {
    lock.release();
  }
}

async function copyChain(segments: readonly Segment[], seq: number, to: string): Promise<void> {
  for (const [i, segment] of segments.entries()) {
    if (segment.first > seq) return;
    const next = segments[i + 1];
    const place = join(to, segment.file);
    if (next !== undefined && next.first <= seq)
      copyFileSync(segment.path, place, constants.COPYFILE_FICLONE);
    else await copyUntil(segment, seq, place);
  }
}

/** The lines up to the record with this seq. */
async function copyUntil(segment: Segment, seq: number, place: string): Promise<void> {
  const file = await open(place, 'w', 0o640);
  try {
    for await (const lines of readLines(segment.path)) {
      const end = lines.findIndex(({ bytes, complete }) => complete && seqOf(bytes) === seq);
      const some = end === -1 ? lines : lines.slice(0, end + 1);
      if (some.some(({ complete }) => !complete)) break;
      await file.write(Buffer.concat(some.flatMap(({ bytes }) => [bytes, NEWLINE])));
      if (end === -1) continue;
      await file.sync();
      return;
    }
  } finally {
    await file.close();
  }
  throw new SluiceError(
    'chain_broken',
    `${segment.file} does not hold record ${seq}, which the head names. Run \`sluice decisions verify\`.`,
  );
}

const NEWLINE = Buffer.from('\n');

/** null: the line is no record */
function seqOf(bytes: Buffer): number | null {
  if (isVersion2(bytes)) {
    const head = parseHead(bytes);
    return head === null || typeof head === 'string' || head.document !== null ? null : head.seq;
  }
  const inspected = inspect(bytes);
  return inspected.ok ? inspected.link.seq : null;
}

/** A slot may be read while it is written. null: there is no head, so no record was acknowledged */
async function headOf(
  dir: string,
  origin: string,
): Promise<{ readonly bytes: Buffer; readonly seq: number } | null> {
  const path = headPath(dir, origin);
  for (let tries = 0; tries < 10; tries++) {
    if (!existsSync(path)) return null;
    const bytes = readFileSync(path);
    const state = readHead(path, null);
    // Read twice: what was decoded is what is copied.
    if (state?.latest && !state.damaged && readFileSync(path).equals(bytes))
      return { bytes, seq: state.latest.head.seq };
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new SluiceError('chain_broken', `The head of ${origin} is damaged. Run \`sluice decisions verify\`.`);
}

function copyFolder(dir: string, to: string, folder: string, wanted: (name: string) => boolean): void {
  if (!existsSync(join(dir, folder))) return;
  makeDirectory(join(to, folder));
  for (const name of readdirSync(join(dir, folder)))
    if (wanted(name)) copyFileSync(join(dir, folder, name), join(to, folder, name));
}

/** A checkpoint with its tiles. A tile that is missing because another checkpoint was signed meanwhile is made again from the chain. */
function copyTrees(dir: string, to: string): void {
  const trees = join(dir, TREES);
  if (!existsSync(trees)) return;
  makeDirectory(join(to, TREES));
  for (const origin of readdirSync(trees)) {
    const checkpoint = join(trees, origin, 'checkpoint');
    if (!existsSync(checkpoint)) continue;
    const copy = join(to, TREES, origin);
    makeDirectory(copy);
    copyFileSync(checkpoint, join(copy, 'checkpoint'));
    if (existsSync(join(trees, origin, 'tile')))
      cpSync(join(trees, origin, 'tile'), join(copy, 'tile'), {
        recursive: true,
        filter: (path) => !path.endsWith('.new'),
      });
  }
}
