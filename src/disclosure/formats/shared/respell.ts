/** Replaces parts of an escaped text and keeps the spelling of the rest, escapes included. */
import type { Segment } from '../format.ts';

export interface Spelling {
  /** matches one escape */
  readonly escaped: RegExp;
  /** UTF-16 code units that an escape stands for */
  units(spelled: string): number;
  encode(text: string): string;
}

/**
 * @param spelled the escaped spelling of the text
 * @param segments in ascending order
 * @returns null: the spelling does not match the text unit for unit
 */
export function respelled(
  spelled: string,
  text: string,
  segments: readonly Segment[],
  { escaped, units, encode }: Spelling,
): string | null {
  const escapes = [...spelled.matchAll(escaped)].map((m) => ({
    from: m.index,
    longer: m[0].length - units(m[0]),
  }));
  if (spelled.length - escapes.reduce((sum, { longer }) => sum + longer, 0) !== text.length) return null;
  let next = 0;
  /** by how much the spelling is longer than the text so far */
  let longer = 0;
  const at = (wanted: number): number => {
    for (let e = escapes[next]; e !== undefined && e.from - longer < wanted; e = escapes[next]) {
      longer += e.longer;
      next++;
    }
    return wanted + longer;
  };
  let out = '';
  for (const segment of segments) {
    if ('text' in segment) out += encode(segment.text);
    else out += spelled.slice(at(segment.from), at(segment.to));
  }
  return out;
}

export const JSON_SPELLING: Spelling = {
  escaped: /\\(?:u[0-9a-fA-F]{4}|.)/g,
  units: () => 1,
  encode: (text) => JSON.stringify(text).slice(1, -1),
};

/** for text between tags and for attribute values */
export const XML_SPELLING = {
  escaped: /&[^&;]*;/g,
  units: (reference: string): number => {
    const hex = /^&#x([0-9a-fA-F]+);$/.exec(reference)?.[1];
    const decimal = /^&#(\d+);$/.exec(reference)?.[1];
    const code = hex !== undefined ? Number.parseInt(hex, 16) : Number(decimal ?? 0);
    return code > 0xffff ? 2 : 1;
  },
} as const;
