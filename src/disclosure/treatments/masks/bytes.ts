/** Masks for values with the usual spelling, from bytes to bytes (`TreatBytes`). Each gives the same result as the mask of its kind. */
import type { TreatBytes } from '../treatment.ts';
import { COMPOUND_SURNAMES } from './surnames.ts';

const STAR = 0x2a;

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;

function areDigits(source: Uint8Array, start: number, end: number): boolean {
  for (let n = start; n < end; n++) if (!isDigit(source[n]!)) return false;
  return true;
}

/** Stars for all but the first `head` and the last `tail` bytes. */
function starredBytes(
  source: Uint8Array,
  start: number,
  end: number,
  into: Uint8Array,
  at: number,
  head: number,
  tail: number,
): number {
  let to = at;
  const hidden = start + head;
  const shown = end - tail;
  for (let n = start; n < end; n++) into[to++] = n >= hidden && n < shown ? STAR : source[n]!;
  return to;
}

/** a mobile number of mainland China */
export const mobileBytes: TreatBytes = (source, start, end, into, at) =>
  end - start === 11 && source[start] === 0x31 && source[start + 1]! >= 0x33 && areDigits(source, start, end)
    ? starredBytes(source, start, end, into, at, 3, 4)
    : -1;

/** an identity number of the mainland, of 18 characters */
export const nationalIdBytes: TreatBytes = (source, start, end, into, at) => {
  if (end - start !== 18 || !areDigits(source, start, end - 1)) return -1;
  const last = source[end - 1]!;
  if (!isDigit(last) && last !== 0x58 && last !== 0x78) return -1;
  return starredBytes(source, start, end, into, at, 6, 4);
};

/** a card number; the first `shown(digits)` and the last four digits are kept */
export const cardBytes =
  (shown: (digits: number) => number): TreatBytes =>
  (source, start, end, into, at) => {
    const digits = end - start;
    if (digits < 12 || digits > 19 || !areDigits(source, start, end)) return -1;
    return starredBytes(source, start, end, into, at, shown(digits), 4);
  };

/** four stars for any value */
export const hiddenBytes: TreatBytes = (_source, start, end, into, at) => {
  if (start === end) return at;
  for (let n = 0; n < 4; n++) into[at + n] = STAR;
  return at + 4;
};

/** the first CJK ideograph (U+4E00 to U+9FFF, three bytes each) */
const IDEOGRAPHS = 0x4e00;
const MOST_IDEOGRAPHS = 0x9fff - IDEOGRAPHS + 1;

/** The index of the ideograph at `at` in valid UTF-8; -1: another character. */
function ideographAt(source: Uint8Array, at: number): number {
  const lead = source[at]!;
  if (lead < 0xe4 || lead > 0xe9) return -1;
  const number =
    (((lead & 0x0f) << 12) | ((source[at + 1]! & 0x3f) << 6) | (source[at + 2]! & 0x3f)) - IDEOGRAPHS;
  return number >= 0 ? number : -1;
}

const COMPOUND: ReadonlySet<number> = new Set(
  [...COMPOUND_SURNAMES].map(
    (name) => (name.charCodeAt(0) - IDEOGRAPHS) * MOST_IDEOGRAPHS + name.charCodeAt(1) - IDEOGRAPHS,
  ),
);

/** a Chinese name of two or three characters */
export const nameBytes: TreatBytes = (source, start, end, into, at) => {
  const length = end - start;
  if (length !== 6 && length !== 9) return -1;
  const first = ideographAt(source, start);
  const second = ideographAt(source, start + 3);
  if (first < 0 || second < 0) return -1;
  let kept = 3;
  if (length === 9) {
    if (ideographAt(source, start + 6) < 0) return -1;
    if (COMPOUND.has(first * MOST_IDEOGRAPHS + second)) kept = 6;
  }
  let to = at;
  for (let n = 0; n < kept; n++) into[to++] = source[start + n]!;
  for (let n = kept; n < length; n += 3) into[to++] = STAR;
  return to;
};
