/**
 * Bounds what a compressed file unpacks to. A file of a few megabytes can unpack to a thousand times as much, and archives and bundles come from elsewhere. Each record
 * has hashes and a salt, which do not compress, so what Sluice has written stays far below the bound.
 */
import { stat } from 'node:fs/promises';
import { SluiceError } from '../errors.ts';

/** gzip reaches 1032 for one repeated byte; records reach about 30 */
const MOST_RATIO = 200;
/** A small file may be anything. */
const FREE = 64 << 20;

/** Passes the unpacked bytes of a file on. @throws SluiceError `input_invalid` after more than Sluice's own files unpack to */
export const bounded = (path: string) =>
  async function* (plain: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
    const most = Math.max(FREE, MOST_RATIO * (await stat(path)).size);
    let bytes = 0;
    for await (const chunk of plain) {
      bytes += chunk.length;
      if (bytes > most)
        throw new SluiceError(
          'input_invalid',
          `${path} unpacks to more than ${most} bytes, as nothing that Sluice has written does. It was not read further. Get the file again from whoever made it.`,
        );
      yield chunk;
    }
  };
