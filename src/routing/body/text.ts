/** Decodes a body to text only if every reader would decode it to the same text. */
import { isUtf8 } from 'node:buffer';
import { SluiceError } from '../../errors.ts';

/** A charset of requests: the route's, or UTF-8. */
export interface TextCodec {
  /** canonical, lower case */
  readonly name: string;
  /** null if a byte sequence is invalid */
  decode(bytes: Uint8Array): string | null;
  encode(text: string): Uint8Array;
}

/** @throws SluiceError for an unknown label */
export type CodecOf = (label: string) => TextCodec;

export const UTF8: TextCodec = {
  name: 'utf-8',
  decode: (bytes) => (isUtf8(bytes) ? Buffer.from(bytes).toString('utf8') : null),
  encode: (text) => Buffer.from(text.toWellFormed(), 'utf8'),
};

export const unreadable = (why: string): SluiceError =>
  new SluiceError('body_unreadable', `The request's body ${why}. It is not passed on.`);

/**
 * A byte order mark stays in the text, and every format rejects it, because some readers drop it.
 * @throws SluiceError `body_unreadable`
 */
export function textOf(bytes: Uint8Array, codec: TextCodec): string {
  const text = exactly(bytes, codec);
  if (text === null) throw unreadable(codec === UTF8 ? 'is not UTF-8' : `is not ${codec.name}`);
  return text;
}

/** The text, if encoding it gives the same bytes. Another reader may not know an alternative encoding. */
export function exactly(bytes: Uint8Array, codec: TextCodec): string | null {
  const text = codec.decode(bytes);
  if (text === null || codec === UTF8) return text;
  return Buffer.from(codec.encode(text)).equals(bytes) ? text : null;
}
