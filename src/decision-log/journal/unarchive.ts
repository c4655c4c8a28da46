/** Reads archived segments back: decrypts and decompresses them into a directory of their own, and verifies each. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { SluiceError } from '../../errors.ts';
import { type Identities, openFile } from '../age.ts';
import { bounded } from '../unpack.ts';
import { verifyFile } from '../verify/file.ts';
import { makeDirectory, syncDirectory } from './directory.ts';
import { splitLines } from './lines.ts';

/** Name of a segment in an archive: that of the segment, and how it was written. */
export const ARCHIVED_SEGMENT = /^([a-z0-9-]+\.\d{16}\.jsonl)(?:\.gz)?(?:\.age)?$/;

export interface Unarchived {
  readonly file: string;
  readonly records: number;
  readonly first: number;
  readonly last: number;
}

/**
 * Writes the segments of an archive into a directory of their own, where the query commands read them. Each is verified.
 * @throws SluiceError `input_invalid` if the directory has a segment, or if a file of the archive is altered, cut off or cannot be decrypted; what was
 *   written before stays
 */
export async function unarchive(options: {
  readonly from: readonly string[];
  readonly to: string;
  readonly identities: Identities;
}): Promise<readonly Unarchived[]> {
  const { from, to, identities } = options;
  makeDirectory(to);
  const found: Unarchived[] = [];
  for (const path of from) {
    const name = ARCHIVED_SEGMENT.exec(basename(path))?.[1];
    if (name === undefined)
      throw new SluiceError('input_invalid', `${path} is not named like a segment of an archive.`);
    const place = join(to, name);
    if (existsSync(place))
      throw new SluiceError('input_invalid', `${place} exists. Name an empty directory.`);
    const draft = `${place}.new`;
    try {
      const packed = await openFile(path, identities);
      const plain = /\.gz(\.age)?$/.test(path) ? createGunzip() : new PassThrough();
      // Opened here: a stream that fails before it has opened its file may create it after it was removed.
      const file = await open(draft, 'w', 0o640);
      await pipeline(packed, plain, bounded(path), lined(path), file.createWriteStream());
    } catch (cause) {
      rmSync(draft, { force: true });
      if (cause instanceof SluiceError) throw cause;
      throw new SluiceError('input_invalid', {
        message: `${path} cannot be read to its end: it was altered or cut off.`,
        cause,
      });
    }
    const { ok, chains } = await verifyFile(draft, [], { isStated: () => true });
    if (!ok || chains.length !== 1) {
      rmSync(draft);
      throw new SluiceError(
        'chain_broken',
        `${path} does not verify: run \`sluice decisions verify ${path}\`.`,
      );
    }
    renameSync(draft, place);
    const { records, first, last } = chains[0]!;
    found.push({ file: name, records, first, last });
  }
  syncDirectory(to);
  return found;
}

/** Passes lines on, until one is longer than any record. */
const lined = (path: string) =>
  async function* (plain: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
    for await (const lines of splitLines(plain)) {
      if (!lines.at(-1)!.complete)
        throw new SluiceError(
          'input_invalid',
          `${path} has a line that does not end, or is longer than any record: it was altered or cut off, or is no segment.`,
        );
      yield Buffer.concat(lines.flatMap(({ bytes }) => [bytes, NEWLINE]));
    }
  };
const NEWLINE = Buffer.from('\n');
