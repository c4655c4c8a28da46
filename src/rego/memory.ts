/**
 * How values lie in the memory of a module (`opa_value` in OPA's `value.h`): the type in the first byte, then
 *
 *   boolean                the value at 1
 *   number                 at 1 how it is held: an integer of 64 bits at 8, or text at 8 with its length at 12
 *   string (two types)     length at 4, bytes at 8
 *   array                  elements at 4, length at 8; an element is its index and its value
 *   object, set            buckets at 4, how many at 8, length at 12; an element is its key (, its value) and the next one
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
export const INTEGER = 1;
const TEXT = 2;

export const isText = (type: number | undefined): boolean => type === TYPE.string || type === TYPE.interned;

/** bytes that are not UTF-8 stand as `values.ts` says */
export const textAt = (bytes: Buffer, start: number, end: number): string => {
  const text = bytes.toString('utf8', start, end);
  return text.includes('\ufffd') ? stringOf(bytes.subarray(start, end)) : text;
};

export const elementsOf = (bytes: Buffer, array: number): number[] => {
  const elements = bytes.readUInt32LE(array + 4);
  return Array.from({ length: bytes.readUInt32LE(array + 8) }, (_, i) =>
    bytes.readUInt32LE(elements + 8 * i + 4),
  );
};

export const keysOf = (bytes: Buffer, node: number): number[] => {
  // an element of an object has a value between its key and the next element
  const next = bytes[node] === TYPE.object ? 8 : 4;
  const buckets = bytes.readUInt32LE(node + 4);
  const keys: number[] = [];
  for (let n = bytes.readUInt32LE(node + 8), i = 0; i < n; i++)
    for (let e = bytes.readUInt32LE(buckets + 4 * i); e !== 0; e = bytes.readUInt32LE(e + next))
      keys.push(bytes.readUInt32LE(e));
  return keys;
};

/** @returns undefined where an object or a set is in it: their order is the module's to tell */
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
