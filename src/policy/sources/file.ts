/** A bundle in a file. */
import { open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SluiceError } from '../../errors.ts';
import type { ArchiveLimits } from '../archive.ts';
import { readBundle } from '../bundle.ts';
import type { SigningConfig } from '../signatures.ts';
import { nothingToAccept, type PolicySource } from './source.ts';
import { watchPath } from './watching.ts';

export interface FileOptions {
  readonly file: string;
  readonly limits: ArchiveLimits;
  readonly signing?: SigningConfig | undefined;
}

export const createFileSource = ({ file, limits, signing }: FileOptions): PolicySource => {
  let seen = '';
  const fingerprint = async (): Promise<string> => {
    const s = await stat(file);
    return `${s.dev}:${s.ino}:${s.size}:${s.mtimeMs}:${s.ctimeMs}`;
  };
  return {
    name: file,
    async load() {
      const now = await fingerprint().catch((cause: unknown) => {
        throw unreadable(file, cause);
      });
      if (now === seen) return null;
      seen = now;
      const bytes = await readBounded(file, limits.compressed);
      const bundle = await readBundle(bytes, {
        name: file,
        limits,
        ...(signing === undefined ? {} : { signing }),
      });
      return { bundle, accepted: nothingToAccept };
    },
    // The directory, because a bundle is replaced by renaming another over it.
    watch: (changed) => watchPath({ path: dirname(file), recursive: false, fingerprint }, changed),
  };
};

const unreadable = (file: string, cause: unknown): SluiceError =>
  new SluiceError('bundle_unavailable', {
    message: `The policy bundle ${file} cannot be read.`,
    cause,
    at: { file },
  });

/** @throws SluiceError `bundle_unavailable`, `bundle_too_large` */
export const readBounded = async (file: string, limit: number): Promise<Uint8Array> => {
  try {
    await using handle = await open(file, 'r');
    const { size } = await handle.stat();
    if (size > limit)
      throw new SluiceError(
        'bundle_too_large',
        `${file}: the archive has more than ${limit} bytes. Raise policy.limits if it is meant to be.`,
      );
    return await handle.readFile();
  } catch (cause) {
    if (cause instanceof SluiceError) throw cause;
    throw unreadable(file, cause);
  }
};
