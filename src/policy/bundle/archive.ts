/**
 * Reads a tar.gz into memory, with limits for its size, its compression ratio and its paths. Writes one with fixed times and
 * owners, so that the same content gives the same bytes.
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, gzipSync } from 'node:zlib';
import { extract, pack } from 'tar-stream';
import { SluiceError } from '../../errors.ts';

export interface ArchiveLimits {
  /** size of the archive in bytes */
  readonly compressed: number;
  /** size of all files together in bytes */
  readonly expanded: number;
  readonly files: number;
  /** expanded ÷ compressed; checked above 1 MiB, against decompression bombs */
  readonly ratio: number;
}

export const DEFAULT_LIMITS: ArchiveLimits = {
  compressed: 64 * 1024 * 1024,
  expanded: 256 * 1024 * 1024,
  files: 10_000,
  ratio: 200,
};

/** path without the leading slash → content */
export type Files = ReadonlyMap<string, Uint8Array>;

/** @throws SluiceError `bundle_too_large`, `bundle_truncated`, `bundle_malformed`, `bundle_path_refused` */
export const readArchive = async (
  bytes: Uint8Array,
  name: string,
  limits: ArchiveLimits = DEFAULT_LIMITS,
): Promise<Files> => {
  if (bytes.byteLength > limits.compressed)
    throw tooLarge(name, `the archive has more than ${limits.compressed} bytes`);
  const files = new Map<string, Uint8Array>();
  const allowed = Math.min(limits.expanded, Math.max(1024 * 1024, bytes.byteLength * limits.ratio));
  const tar = extract();
  const read = (async () => {
    let total = 0;
    let entries = 0;
    for await (const entry of tar) {
      const { name: path, type } = entry.header;
      entries += 1;
      if (entries > limits.files) throw tooLarge(name, `it has more than ${limits.files} entries`);
      if (type === 'directory') {
        entry.resume();
        continue;
      }
      if (type !== 'file' && type !== 'contiguous-file')
        throw new SluiceError(
          'bundle_path_refused',
          `${name}: ${printable(path)} is a ${type}; a bundle holds plain files only.`,
        );
      const clean = canonical(path, name);
      if (files.has(clean))
        throw new SluiceError(
          'bundle_malformed',
          `${name}: ${printable(clean)} is there twice; which one counts is not defined.`,
        );
      const chunks: Uint8Array[] = [];
      for await (const chunk of entry as AsyncIterable<Uint8Array>) {
        total += chunk.byteLength;
        if (total > allowed) throw tooLarge(name, `it expands to more than ${allowed} bytes`);
        chunks.push(chunk);
      }
      files.set(clean, Buffer.concat(chunks));
    }
  })();
  try {
    // Counted before tar, too, since headers and padding are not in the files.
    await Promise.all([
      pipeline(Readable.from([bytes]), createGunzip(), counted(allowed * 2, name), tar),
      read,
    ]);
  } catch (e) {
    read.catch(() => undefined);
    throw classify(e, name);
  }
  return files;
};

const counted = (limit: number, name: string) =>
  async function* (source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let seen = 0;
    for await (const chunk of source) {
      seen += chunk.byteLength;
      if (seen > limit) throw tooLarge(name, `it expands to more than ${limit} bytes`);
      yield chunk;
    }
  };

const tooLarge = (name: string, why: string): SluiceError =>
  new SluiceError('bundle_too_large', `${name}: ${why}. Raise policy.limits if it is meant to be.`);

const classify = (e: unknown, name: string): SluiceError => {
  if (e instanceof SluiceError) return e;
  const { code, message } = e as { code?: string; message?: string };
  if (code === 'Z_BUF_ERROR' || /unexpected end/i.test(message ?? ''))
    return new SluiceError('bundle_truncated', {
      message: `${name}: the archive ends too early. Fetch or build it again.`,
      cause: e,
    });
  return new SluiceError('bundle_malformed', { message: `${name}: not a tar.gz archive.`, cause: e });
};

/** Removes the leading slash that OPA writes. Any other path that could leave the root is refused. */
const canonical = (path: string, name: string): string => {
  const relative = path.replace(/^(?:\.\/|\/)/, '');
  const steps = relative.split('/');
  if (
    relative === '' ||
    /[\\\0-\x1f\x7f]/.test(relative) ||
    steps.some((s) => s === '' || s === '.' || s === '..') ||
    /^[A-Za-z]:/.test(relative)
  )
    throw new SluiceError(
      'bundle_path_refused',
      `${name}: the path ${printable(path)} leads out of the bundle or is not canonical.`,
    );
  return relative;
};

const printable = (path: string): string => JSON.stringify(path.slice(0, 200));

export const writeArchive = async (files: Files): Promise<Buffer> => {
  const tar = pack();
  const chunks: Buffer[] = [];
  const done = (async () => {
    for await (const chunk of tar as AsyncIterable<Buffer>) chunks.push(chunk);
  })();
  for (const [path, content] of files)
    tar.entry({ name: `/${path}`, mode: 0o644, mtime: new Date(0), uid: 0, gid: 0 }, Buffer.from(content));
  tar.finalize();
  await done;
  return gzipSync(Buffer.concat(chunks), { level: 9 });
};
