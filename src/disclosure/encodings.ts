/**
 * Content codings (RFC 9110 §8.4): decodes bodies of the upstream, and encodes released bodies as the client accepts. Both directions are
 * streams over node:zlib with bounded memory.
 */
import type { Transform } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  constants,
  createBrotliCompress,
  createBrotliDecompress,
  createDeflate,
  createGunzip,
  createGzip,
  createInflate,
  createInflateRaw,
  createZstdCompress,
  createZstdDecompress,
} from 'node:zlib';
import { SluiceError } from '../errors.ts';

export type Coding = 'gzip' | 'deflate' | 'br' | 'zstd';
type Bytes = AsyncIterable<Uint8Array>;
/** a stream of node:zlib; `bytesWritten` counts the input that the codec has consumed, not what was written to it */
type Codec = Transform & { readonly bytesWritten: number; flush(kind: number, done: () => void): void };

export interface DecodeLimits {
  /** bytes after decoding, for each coding of a chain */
  readonly maxBytes: number;
  /** decoded bytes for each encoded byte; deflate cannot exceed 1032, zstd and brotli have no bound of their own */
  readonly maxRatio: number;
  /** the ratio is checked only beyond this many decoded bytes: a short, repetitive answer is no decompression bomb */
  readonly ratioFloor: number;
}

export const DECODE_LIMITS: DecodeLimits = { maxBytes: 16 * 1024 ** 3, maxRatio: 250, ratioFloor: 1024 ** 2 };

/** Two codings occur in practice (a compressed export behind a compressing server). */
const MAX_CHAIN = 3;
const CHUNK = 64 * 1024;

/**
 * Codings of a `Content-Encoding` field in the order they were applied, `identity` left out.
 * @throws SluiceError `response_encoding_unsupported`
 */
export function parseContentEncoding(header: string | null | undefined): Coding[] {
  const codings: Coding[] = [];
  for (const item of (header ?? '').split(',')) {
    const name = item.trim().toLowerCase();
    if (name === '' || name === 'identity') continue;
    const coding = name === 'x-gzip' ? 'gzip' : name;
    if (coding !== 'gzip' && coding !== 'deflate' && coding !== 'br' && coding !== 'zstd')
      throw new SluiceError('response_encoding_unsupported', {
        message:
          'The response body has an unknown Content-Encoding; gzip, deflate, br and zstd are supported.',
      });
    codings.push(coding);
  }
  if (codings.length > MAX_CHAIN)
    throw new SluiceError('response_encoding_unsupported', {
      message: `The response body is encoded ${codings.length} times over; at most ${MAX_CHAIN} codings are decoded.`,
    });
  return codings;
}

/**
 * Decodes a chain of codings.
 * @throws SluiceError, from the stream: `response_encoding_malformed` for bytes that are not of the coding, end early or
 *   go on after its end; `response_too_large` past a limit
 */
export function decodeStream(
  codings: readonly Coding[],
  limits: DecodeLimits = DECODE_LIMITS,
): (source: Bytes) => Bytes {
  // the coding that was applied last is undone first
  return (source) => codings.reduceRight((body, coding) => undo(body, coding, limits), source);
}

async function* undo(source: Bytes, coding: Coding, limits: DecodeLimits): AsyncGenerator<Uint8Array> {
  const input = source[Symbol.asyncIterator]();
  const counted = { in: 0, out: 0 };
  let codec: Codec | undefined;
  try {
    // a body without bytes is empty whatever the header says (answers to HEAD, 304, many to PUT)
    let head: Uint8Array | null = await peek(input, 2);
    while (head !== null && head.length > 0) {
      codec = decoder(coding, head);
      const feeding = feed(codec, head, input, counted);
      feeding.catch((e: unknown) => codec?.destroy(e as Error));
      for await (const chunk of codec as AsyncIterable<Uint8Array>) {
        counted.out += chunk.length;
        guard(counted, coding, limits);
        yield chunk;
      }
      head = await feeding;
      // node:zlib joins gzip members, but zstd frames (RFC 8878 §3: they "can be concatenated") only if a chunk ends between them; after
      // the end of other codings nothing may follow
      if (head !== null && coding !== 'zstd') throw new TrailingBytes();
    }
  } catch (e) {
    // errors of node:zlib have a code; an error of the source (an aborted upstream) is rethrown unchanged
    if (!isCodecFault(e)) throw e;
    throw new SluiceError('response_encoding_malformed', {
      message: `The response body is not valid ${coding}: it is damaged, truncated or followed by other bytes.`,
      cause: e,
    });
  } finally {
    codec?.destroy();
    void input.return?.()?.catch(() => {});
  }
}

function guard(counted: { in: number; out: number }, coding: Coding, limits: DecodeLimits): void {
  if (counted.out > limits.maxBytes)
    throw new SluiceError('response_too_large', {
      message: `The response body exceeds ${limits.maxBytes} bytes after ${coding} decoding.`,
    });
  if (counted.out > limits.ratioFloor && counted.out > counted.in * limits.maxRatio)
    throw new SluiceError('response_too_large', {
      message: `The response body decodes to more than ${limits.maxRatio} times its ${coding}-coded size.`,
    });
}

/** Writes the source into the codec. If the codec ends before the source does, returns the rest of the chunk; else null. */
async function feed(
  codec: Codec,
  head: Uint8Array,
  input: AsyncIterator<Uint8Array>,
  counted: { in: number },
): Promise<Uint8Array | null> {
  let given = 0;
  for (let chunk: Uint8Array | undefined = head; chunk !== undefined; ) {
    if (chunk.length > 0) {
      counted.in += chunk.length;
      given += chunk.length;
      await write(codec, chunk);
      const left = given - codec.bytesWritten;
      if (left >= chunk.length) throw new TrailingBytes();
      if (left > 0) {
        counted.in -= left;
        return chunk.subarray(chunk.length - left);
      }
    }
    const next = await input.next();
    chunk = next.done === true ? undefined : next.value;
  }
  codec.end();
  return null;
}

class TrailingBytes extends Error {
  readonly code = 'TRAILING_BYTES';
}

const isCodecFault = (e: unknown): boolean => {
  const code = (e as { code?: unknown } | null)?.code;
  return (
    typeof code === 'string' &&
    /^(Z_|ERR__|ERR_BROTLI|ERR_ZLIB|ZSTD_|ERR_TRAILING|TRAILING_BYTES$)/.test(code)
  );
};

const write = (codec: Codec, chunk: Uint8Array): Promise<void> =>
  new Promise((done, fail) => {
    codec.write(chunk, (e) => (e ? fail(e) : done()));
  });

/** The first bytes of the source: at least `n`, if there are as many. */
async function peek(input: AsyncIterator<Uint8Array>, n: number): Promise<Uint8Array> {
  let head: Uint8Array = new Uint8Array(0);
  while (head.length < n) {
    const next = await input.next();
    if (next.done === true) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  return head;
}

/** The iteration reports errors; one after its end would terminate the process without this listener. */
const heard = (codec: Transform): Codec => codec.on('error', () => undefined) as Codec;

function decoder(coding: Coding, head: Uint8Array): Codec {
  switch (coding) {
    case 'gzip':
      return heard(createGunzip({ chunkSize: CHUNK }));
    case 'deflate': {
      // RFC 9110 §8.4.1.2 means zlib (RFC 1950), but some servers send raw deflate; the two-byte header distinguishes them
      const [cmf = 0, flg = 0] = head;
      const wrapped = (cmf & 0x0f) === 8 && cmf >> 4 <= 7 && ((cmf << 8) | flg) % 31 === 0;
      return heard((wrapped ? createInflate : createInflateRaw)({ chunkSize: CHUNK }));
    }
    case 'br':
      return heard(createBrotliDecompress({ chunkSize: CHUNK }));
    case 'zstd':
      // RFC 9659: a content coding has a window of at most 8 MiB, which bounds the memory
      return heard(
        createZstdDecompress({
          chunkSize: CHUNK,
          params: { [constants.ZSTD_d_windowLogMax]: 23 },
        }),
      );
  }
}

/** our preference among codings with equal weight: the cheapest for its size first */
const PREFERENCE: readonly Coding[] = ['zstd', 'br', 'gzip', 'deflate'];

/**
 * The coding of an answer (RFC 9110 §12.5.3): the client's highest weight, then our preference. `identity` if the field is absent, empty or
 * malformed; null if the client accepts none that can be sent.
 */
export function negotiate(acceptEncoding: string | null | undefined): Coding | 'identity' | null {
  if (acceptEncoding === null || acceptEncoding === undefined || acceptEncoding.trim() === '')
    return 'identity';
  const weights = new Map<string, number>();
  for (const item of acceptEncoding.split(',')) {
    if (item.trim() === '') continue;
    const m = /^\s*([!#$%&'*+.^_`|~\w-]+)\s*(?:;\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?$/i.exec(
      item,
    );
    if (m === null) return 'identity';
    const name = m[1]!.toLowerCase();
    weights.set(name === 'x-gzip' ? 'gzip' : name, m[2] === undefined ? 1 : Number(m[2]));
  }
  const star = weights.get('*');
  let best: Coding | null = null;
  let bestWeight = 0;
  for (const coding of PREFERENCE) {
    const weight = weights.get(coding) ?? star ?? 0;
    if (weight > bestWeight) {
      best = coding;
      bestWeight = weight;
    }
  }
  // identity is acceptable unless it is refused by name, or by `*;q=0`; if it is not named, it comes last
  const identity = weights.get('identity') ?? (star === 0 ? 0 : null);
  if (identity !== null && identity > bestWeight) return 'identity';
  return best ?? (identity === 0 ? null : 'identity');
}

/** Encodes a stream. The output is flushed whenever the source pauses, so that a slow source arrives in time. */
export function encodeStream(coding: Coding | 'identity'): (source: Bytes) => Bytes {
  return (source) => (coding === 'identity' ? source : apply(source, coding));
}

async function* apply(source: Bytes, coding: Coding): AsyncGenerator<Uint8Array> {
  const { codec, flush } = encoder(coding);
  const input = source[Symbol.asyncIterator]();
  const feeding = (async () => {
    for (;;) {
      const next = input.next();
      const prompt = await Promise.race([next.then(() => true), nextTurn(false)]);
      if (!prompt && codec.bytesWritten > 0) await new Promise<void>((done) => codec.flush(flush, done));
      const { done, value } = await next;
      if (done === true) break;
      if (value.length > 0) await write(codec, value);
    }
    codec.end();
  })();
  feeding.catch((e: unknown) => codec.destroy(e as Error));
  try {
    yield* codec as AsyncIterable<Uint8Array>;
    await feeding;
  } finally {
    codec.destroy();
    void input.return?.()?.catch(() => {});
  }
}

function encoder(coding: Coding): { codec: Codec; flush: number } {
  const c = constants;
  switch (coding) {
    case 'gzip':
      return { codec: heard(createGzip({ level: 5, chunkSize: CHUNK })), flush: c.Z_SYNC_FLUSH };
    case 'deflate':
      return {
        codec: heard(createDeflate({ level: 5, chunkSize: CHUNK })),
        flush: c.Z_SYNC_FLUSH,
      };
    case 'br':
      return {
        // quality 4 costs about as much as gzip; a 512 KiB window bounds the memory of a thousand concurrent answers
        codec: heard(
          createBrotliCompress({
            chunkSize: CHUNK,
            params: { [c.BROTLI_PARAM_QUALITY]: 4, [c.BROTLI_PARAM_LGWIN]: 19 },
          }),
        ),
        flush: c.BROTLI_OPERATION_FLUSH,
      };
    case 'zstd':
      return {
        codec: heard(
          createZstdCompress({
            chunkSize: CHUNK,
            params: { [c.ZSTD_c_compressionLevel]: 3, [c.ZSTD_c_windowLog]: 19 },
          }),
        ),
        flush: c.ZSTD_e_flush,
      };
  }
}
