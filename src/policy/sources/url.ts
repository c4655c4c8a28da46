/**
 * Policy source: a bundle served over HTTP, polled with ETag and jitter (so that many sidecars do not poll at once), and stored on
 * disk for a start during which the server is down.
 */
import { createHash } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError } from '../../errors.ts';
import type { ArchiveLimits } from '../bundle/archive.ts';
import { readBundle } from '../bundle/bundle.ts';
import type { SigningConfig } from '../bundle/signatures.ts';
import { readBounded } from './file.ts';
import type { Loaded, PolicySource } from './source.ts';

export interface UrlOptions {
  readonly url: string;
  /** milliseconds between two requests */
  readonly poll: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly cacheDir?: string | undefined;
  readonly limits: ArchiveLimits;
  readonly signing?: SigningConfig | undefined;
  readonly random?: (() => number) | undefined;
}

const TIMEOUT_MS = 30_000;
/** a request comes up to this part of the poll interval earlier or later */
const JITTER = 0.2;

export const createUrlSource = (options: UrlOptions): PolicySource => {
  const { url, poll, headers, cacheDir, limits, signing, random = Math.random } = options;
  const name = withoutSecrets(url);
  let etag: string | null = null;
  let digest = '';

  const read = async (bytes: Uint8Array): Promise<Loaded['bundle']> =>
    readBundle(bytes, { name, limits, ...(signing === undefined ? {} : { signing }) });
  const cached = cacheDir === undefined ? null : join(cacheDir, `${sha256(url).slice(0, 16)}.tar.gz`);

  return {
    name,
    async load(anew = false) {
      const response = await request(
        name,
        url,
        etag === null || anew ? headers : { ...headers, 'if-none-match': etag },
      );
      if (response.status === 304) {
        await response.body?.cancel();
        return null;
      }
      if (!response.ok) {
        await response.body?.cancel();
        throw unavailable(name, `the server answers with status ${response.status}`);
      }
      const bytes = await bounded(response, name, limits.compressed);
      // Set after a refusal, too, so that the same bytes are not tried twice.
      etag = response.headers.get('etag');
      const now = sha256(bytes);
      if (now === digest && !anew) return null;
      digest = now;
      const bundle = await read(bytes);
      return {
        bundle,
        accepted: async () => {
          if (cached !== null && cacheDir !== undefined) await keep(cacheDir, cached, bytes);
        },
      };
    },
    async fallback() {
      if (cached === null) return null;
      // The stored bundle is verified like one from the network, since others may be able to write to the directory.
      const bytes = readKept(cached, limits.compressed);
      return bytes === null ? null : { bundle: await read(bytes), accepted: async () => undefined };
    },
    watch(changed) {
      let timer: NodeJS.Timeout;
      const next = (): void => {
        timer = setTimeout(
          () => {
            changed();
            next();
          },
          poll * (1 + JITTER * (2 * random() - 1)),
        );
        timer.unref();
      };
      next();
      return () => clearTimeout(timer);
    },
  };
};

const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

/** the URL for logs and records, without user, password and query, which may be credentials */
const withoutSecrets = (url: string): string => {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
};

const unavailable = (name: string, why: string, cause?: unknown): SluiceError =>
  new SluiceError('bundle_unavailable', {
    message: `The policy bundle at ${name} cannot be fetched: ${why}.`,
    ...(cause === undefined ? {} : { cause }),
  });

const request = async (
  name: string,
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<Response> => {
  try {
    // A redirect would send our headers to another server.
    return await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (cause) {
    const timeout = (cause as Error).name === 'TimeoutError';
    throw unavailable(
      name,
      timeout ? `no answer within ${TIMEOUT_MS / 1000} s` : 'the server cannot be reached',
      cause,
    );
  }
};

const bounded = async (response: Response, name: string, limit: number): Promise<Uint8Array> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body ?? []) {
      size += chunk.byteLength;
      if (size > limit)
        throw new SluiceError(
          'bundle_too_large',
          `${name}: the archive has more than ${limit} bytes. Raise policy.limits if it is meant to be.`,
        );
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof SluiceError) throw cause;
    throw unavailable(name, 'the answer broke off', cause);
  }
  return Buffer.concat(chunks);
};

/** @returns null if there is no stored bundle that can be read */
const readKept = (file: string, limit: number): Uint8Array | null => {
  try {
    return readBounded(file, limit);
  } catch {
    return null;
  }
};

const keep = async (dir: string, file: string, bytes: Uint8Array): Promise<void> => {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const partial = `${file}.${process.pid}.partial`;
  try {
    await writeFile(partial, bytes, { mode: 0o600 });
    await rename(partial, file);
  } finally {
    await rm(partial, { force: true });
  }
};
