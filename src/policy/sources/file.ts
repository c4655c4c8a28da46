/** Policy source: a bundle in a file. */
import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { SluiceError } from '../../errors.ts';
import { readStable, stampOf } from '../../observability/stable.ts';
import type { ArchiveLimits } from '../bundle/archive.ts';
import { readBundle } from '../bundle/bundle.ts';
import type { SigningConfig } from '../bundle/signatures.ts';
import { nothingToAccept, type PolicySource } from './source.ts';
import { watchPath } from './watching.ts';

export interface FileOptions {
  readonly file: string;
  readonly limits: ArchiveLimits;
  readonly signing?: SigningConfig | undefined;
}

export const createFileSource = ({ file, limits, signing }: FileOptions): PolicySource => {
  /** digest of the content */
  let seen = '';
  return {
    name: file,
    async load(anew = false) {
      const bytes = readBounded(file, limits.compressed);
      const now = createHash('sha256').update(bytes).digest('hex');
      if (now === seen && !anew) return null;
      seen = now;
      const bundle = await readBundle(bytes, {
        name: file,
        limits,
        ...(signing === undefined ? {} : { signing }),
      });
      return { bundle, accepted: nothingToAccept };
    },
    // Watch the directory, because a bundle is replaced by renaming another file to its name.
    watch: (changed) =>
      watchPath({ path: dirname(file), recursive: false, fingerprint: async () => stampOf(file) }, changed),
  };
};

const unreadable = (file: string, cause: unknown): SluiceError =>
  new SluiceError('bundle_unavailable', {
    message: `The policy bundle ${file} cannot be read.`,
    cause,
    at: { file },
  });

/** @throws SluiceError `bundle_unavailable`, `bundle_too_large` */
export const readBounded = (file: string, limit: number): Uint8Array => {
  try {
    return readStable(file, limit).bytes;
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw unreadable(file, cause);
    throw new SluiceError(
      'bundle_too_large',
      `${file}: the archive has more than ${limit} bytes. Raise policy.limits if it is meant to be.`,
    );
  }
};
