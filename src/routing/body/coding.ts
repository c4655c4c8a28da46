/**
 * Content codings of request bodies. The upstream gets the decoded bytes that were checked, so that it cannot decode the
 * body differently.
 */
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { SluiceError } from '../../errors.ts';
import { unreadable } from './text.ts';

const CODINGS = ['gzip', 'deflate', 'br'] as const;
export type Coding = (typeof CODINGS)[number];

export interface CodingLimits {
  /** bytes of the decoded body */
  readonly request_body: number;
  /** maximum ratio of decoded to encoded bytes, after the first MiB */
  readonly decoded_ratio: number;
}

const DECODE = { gzip: gunzipSync, deflate: inflateSync, br: brotliDecompressSync };
/** A smaller decoded body may have any ratio: a MiB of white space is harmless. */
const FREE = 1024 * 1024;

/** Null: the bytes are not encoded. @throws SluiceError `body_encoding_unsupported` */
export function codingOf(header: string | null, known: readonly Coding[]): Coding | null {
  const named = (header ?? '').trim().toLowerCase();
  if (named === '' || named === 'identity') return null;
  const coding = CODINGS.find((c) => c === named || `x-${c}` === named);
  if (coding === undefined || !known.includes(coding))
    throw new SluiceError(
      'body_encoding_unsupported',
      "The request's body has a Content-Encoding that its route does not take (request.content_encoding). Send it without.",
    );
  return coding;
}

/** @throws SluiceError `body_too_large`, `body_unreadable` */
export function decoded(
  bytes: Uint8Array,
  coding: Coding,
  { request_body, decoded_ratio }: CodingLimits,
): Uint8Array {
  const most = Math.min(request_body, Math.max(FREE, bytes.byteLength * decoded_ratio));
  try {
    const { buffer, engine } = DECODE[coding](bytes, {
      maxOutputLength: Math.max(1, most),
      info: true,
    }) as unknown as {
      buffer: Uint8Array;
      engine: { bytesWritten: number };
    };
    if (engine.bytesWritten !== bytes.byteLength) throw unreadable('has data after its compressed data');
    return buffer;
  } catch (e) {
    if (e instanceof SluiceError) throw e;
    if ((e as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new SluiceError(
        'body_too_large',
        `The request's body unpacks to more than ${most} bytes (limits.request_body, limits.decoded_ratio).`,
      );
    throw unreadable('is not compressed as its Content-Encoding says');
  }
}
