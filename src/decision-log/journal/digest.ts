/** SHA-256 of files, read as a stream. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { PassThrough, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** SHA-256 of the bytes of a file, after `through`. */
export async function digestOf(path: string, through: Transform = new PassThrough()): Promise<string> {
  const digest = createHash('sha256');
  await pipeline(createReadStream(path), through, digest);
  return digest.digest('hex');
}
