/**
 * An anchor is a seq and hash of a chain that is stored outside the journal. Whoever can write the files can replace a
 * journal, including its heads, by an older copy; an anchor stored elsewhere reveals this.
 * Format: one JSON object a line, `{"origin","seq","hash","at"}`, with `mac` if a key is used, and `"archived":true` if
 * records up to this seq were moved to an archive.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../../errors.ts';
import { canonical } from '../journal/canonical.ts';
import { isHash } from '../journal/chain.ts';
import { ARCHIVED, errno } from '../journal/directory.ts';

export interface Anchor {
  readonly origin: string;
  readonly seq: number;
  readonly hash: string;
  readonly at?: string;
  readonly archived?: boolean;
}

const macOf = (anchor: object, key: Buffer): string =>
  createHmac('sha256', key)
    .update(`sluice anchor\n${canonical(anchor)}`)
    .digest('hex');

export function formatAnchor(anchor: Anchor, key: Buffer | null): string {
  return `${canonical(key === null ? anchor : { ...anchor, mac: macOf(anchor, key) })}\n`;
}

/**
 * @param signed reject a line without `mac`
 * @param torn ignore a last line without a newline: its write was interrupted
 * @throws SluiceError `input_invalid` with file and line; `chain_broken` for a `mac` that does not match the key
 */
export function readAnchors(
  file: string,
  key: Buffer | null,
  { signed = false, torn = false }: { readonly signed?: boolean; readonly torn?: boolean } = {},
): Anchor[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SluiceError('input_invalid', {
      message: `The anchor file cannot be read (${errno(cause)}).`,
      at: { file },
      cause,
    });
  }
  const anchors: Anchor[] = [];
  if (torn) text = text.slice(0, text.lastIndexOf('\n') + 1);
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() !== '') anchors.push(parseAnchor(line, { file, line: i + 1 }, key, signed));
  }
  return anchors;
}

/** The anchors of segments that were archived. @throws SluiceError `input_invalid`, `chain_broken` */
export function archivedAnchors(dir: string, key: Buffer | null): readonly Anchor[] {
  const file = join(dir, ARCHIVED);
  return existsSync(file) ? readAnchors(file, key, { signed: key !== null, torn: true }) : [];
}

function parseAnchor(
  line: string,
  at: { readonly file: string; readonly line: number },
  key: Buffer | null,
  signed: boolean,
): Anchor {
  let value: { [member: string]: unknown };
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new SluiceError('input_invalid', {
      message: 'An anchor must be one JSON object on one line.',
      at,
      cause,
    });
  }
  if (typeof value !== 'object' || value === null || !isAnchor(value))
    throw new SluiceError('input_invalid', { message: 'An anchor must have origin, seq and hash.', at });
  const { mac, ...anchor } = value;
  if (mac === undefined && signed)
    throw new SluiceError('chain_broken', {
      message: 'This anchor is not signed, although a key was given.',
      at,
    });
  if (key !== null && mac !== undefined) {
    const [given, wanted] = [Buffer.from(String(mac)), Buffer.from(macOf(anchor, key))];
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted))
      throw new SluiceError('chain_broken', {
        message: 'This anchor is not signed with the given key.',
        at,
      });
  }
  return anchor as unknown as Anchor;
}

/** `ORIGIN:SEQ:HASH`. @throws SluiceError `usage_invalid` */
export function parseHead(text: string): Anchor {
  const [, origin, seq, digest] = /^([a-z0-9-]+):(\d+):([0-9a-f]{64})$/.exec(text) ?? [];
  if (origin === undefined || digest === undefined)
    throw new SluiceError(
      'usage_invalid',
      'A head is written ORIGIN:SEQ:HASH, as `decisions verify` prints it.',
    );
  return { origin, seq: Number(seq), hash: digest };
}

const isAnchor = (v: { readonly [member: string]: unknown }): boolean =>
  typeof v['origin'] === 'string' && Number.isSafeInteger(v['seq']) && isHash(v['hash']);
