/** The instructions of WebAssembly: how many operands follow each of them, and what it costs. */
import { malformed, type Reader } from './format.ts';

export const OP = {
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  branch: 0x0c,
  branchIf: 0x0d,
  call: 0x10,
  indirect: 0x11,
  get: 0x20,
  set: 0x21,
  tee: 0x22,
  const: 0x41,
  isZero: 0x45,
} as const;

/** Skips the declarations of locals at the start of a function. */
export const skipLocals = (reader: Reader): void => {
  for (let groups = reader.leb(); groups > 0; groups--) {
    reader.leb();
    reader.byte();
  }
};

/** Skips the type of a block. */
const blockType = (reader: Reader): void => {
  const b = reader.bytes[reader.at];
  // a value type or "none" is one byte with bit 6 set; otherwise the index of a type
  if (b !== undefined && (b & 0xc0) === 0x40) reader.byte();
  else reader.leb();
};

/** Prices of instructions that copy memory in bulk or grow it. They are paid where they stand, since most calls do not reach them. */
const BULK = 64 * 1024;
const GROWTH = 512 * 1024;

/** Skips the operands that follow an opcode. @returns the price of the instruction beyond one */
export const skipOperands = (reader: Reader, op: number): number => {
  if (op >= 0x45 && op <= 0xc4) return 0; // comparisons, arithmetic, conversions, sign extension
  if (op >= 0x28 && op <= 0x3e) {
    reader.leb();
    reader.leb();
    return 0; // loads and stores: alignment, offset
  }
  switch (op) {
    case OP.block:
    case OP.loop:
    case OP.if:
      blockType(reader);
      return 0;
    case OP.end:
    case 0x00: // unreachable
    case 0x01: // nop
    case OP.else:
    case 0x0f: // return
    case 0x1a: // drop
    case 0x1b: // select
    case 0xd1: // ref.is_null
      return 0;
    case 0x0c: // br
    case 0x0d: // br_if
    case 0x10: // call
    case 0x20: // local.get, .set, .tee
    case 0x21:
    case 0x22:
    case 0x23: // global.get, .set
    case 0x24:
    case 0x25: // table.get, .set
    case 0x26:
    case 0x3f: // memory.size
    case 0x41: // i32.const, i64.const
    case 0x42:
    case 0xd0: // ref.null
    case 0xd2: // ref.func
      reader.leb();
      return 0;
    case 0x40: // memory.grow
      reader.leb();
      return GROWTH;
    case 0x0e: // br_table
      for (let n = reader.leb(); n >= 0; n--) reader.leb();
      return 0;
    case 0x11: // call_indirect
      reader.leb();
      reader.leb();
      return 0;
    case 0x1c: // select with types
      reader.skip(reader.leb());
      return 0;
    case 0x43:
      reader.skip(4);
      return 0;
    case 0x44:
      reader.skip(8);
      return 0;
    case 0xfc: {
      const sub = reader.leb();
      if (sub <= 7) return 0; // saturating conversions
      if (sub === 8 || sub === 10 || sub === 12 || sub === 14) {
        reader.leb();
        reader.leb();
        return BULK;
      }
      if (sub === 9 || sub === 13) reader.leb();
      else if (sub === 11 || (sub >= 15 && sub <= 17)) reader.leb();
      else throw malformed(`unknown instruction 0xfc ${sub}`);
      return BULK;
    }
    default:
      // SIMD, threads, tail calls and exceptions: OPA emits none, and an unknown jump could go backward.
      throw malformed(`unknown instruction 0x${op.toString(16)}`);
  }
};
