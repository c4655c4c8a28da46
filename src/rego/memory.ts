/**
 * Reads values from the memory of a module. Layout of `opa_value` in OPA's `value.h`: byte 0 is the type; the rest depends on
 * it. Numbers in this table are byte offsets; all pointers and lengths are 32-bit, little endian.
 *
 *   boolean              1: value
 *   number               1: representation; 8: 64-bit integer, or pointer to text, whose length is at 12
 *   string, interned     4: length; 8: pointer to the bytes
 *   array                4: pointer to elements (pointer to index, pointer to value); 8: length
 *   object, set          4: pointer to buckets; 8: number of buckets; 12: length
 *   entry of an object   0: key; 4: value; 8: next entry of the bucket
 *   entry of a set       0: element; 4: next entry of the bucket
 */
import { numberOf, type RegoValue, stringOf } from './values.ts';

export const TYPE = {
  null: 1,
  boolean: 2,
  number: 3,
  string: 4,
  array: 5,
  object: 6,
  set: 7,
  interned: 8,
} as const;
/** representations of a number */
export const INTEGER = 1;
const TEXT = 2;

export const isText = (type: number | undefined): boolean => type === TYPE.string || type === TYPE.interned;

/** the string of some bytes; `values.ts` says how bytes that are not UTF-8 are represented */
export const textAt = (bytes: Buffer, start: number, end: number): string => {
  const text = bytes.toString('utf8', start, end);
  return text.includes('\ufffd') ? stringOf(bytes.subarray(start, end)) : text;
};

/** addresses of the elements of an array */
export const elementsOf = (bytes: Buffer, array: number): number[] => {
  const elements = bytes.readUInt32LE(array + 4);
  return Array.from({ length: bytes.readUInt32LE(array + 8) }, (_, i) =>
    bytes.readUInt32LE(elements + 8 * i + 4),
  );
};

/** addresses of the keys of an object or the elements of a set, in the order of their hashes */
export const keysOf = (bytes: Buffer, node: number): number[] => {
  const next = bytes[node] === TYPE.object ? 8 : 4;
  const buckets = bytes.readUInt32LE(node + 4);
  const keys: number[] = [];
  for (let n = bytes.readUInt32LE(node + 8), i = 0; i < n; i++)
    for (let e = bytes.readUInt32LE(buckets + 4 * i); e !== 0; e = bytes.readUInt32LE(e + next))
      keys.push(bytes.readUInt32LE(e));
  return keys;
};

/** Reads a value. @returns undefined if it contains an object or a set, which is dumped as text by the module instead */
export const plainAt = (bytes: Buffer, addr: number): RegoValue | undefined => {
  switch (bytes[addr]) {
    case TYPE.null:
      return null;
    case TYPE.boolean:
      return bytes[addr + 1] !== 0;
    case TYPE.number: {
      const held = bytes[addr + 1];
      if (held === INTEGER) {
        const high = bytes.readInt32LE(addr + 12);
        const low = bytes.readUInt32LE(addr + 8);
        const n = high * 2 ** 32 + low;
        return Number.isSafeInteger(n) ? n : numberOf(String(bytes.readBigInt64LE(addr + 8)));
      }
      if (held !== TEXT) return undefined;
      const start = bytes.readUInt32LE(addr + 8);
      return numberOf(bytes.toString('latin1', start, start + bytes.readUInt32LE(addr + 12)));
    }
    case TYPE.string:
    case TYPE.interned: {
      const start = bytes.readUInt32LE(addr + 8);
      return textAt(bytes, start, start + bytes.readUInt32LE(addr + 4));
    }
    case TYPE.array: {
      const out: RegoValue[] = [];
      for (const element of elementsOf(bytes, addr)) {
        const value = plainAt(bytes, element);
        if (value === undefined) return undefined;
        out.push(value);
      }
      return out;
    }
    default:
      return undefined;
  }
};
