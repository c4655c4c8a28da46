/** The instructions of WebAssembly: how many operands follow each of them, and what it costs. */
import { malformed, type Reader } from './format.ts';

/** opcodes; those of 64 bits have `Long` in their names, and comparisons and shifts are unsigned unless `signed` */
export const OP = {
  unreachable: 0x00,
  nop: 0x01,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  branch: 0x0c,
  branchIf: 0x0d,
  branchTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  indirect: 0x11,
  drop: 0x1a,
  select: 0x1b,
  selectTyped: 0x1c,
  get: 0x20,
  set: 0x21,
  tee: 0x22,
  getGlobal: 0x23,
  setGlobal: 0x24,
  getTable: 0x25,
  setTable: 0x26,
  load: 0x28,
  loadLong: 0x29,
  loadByte: 0x2d,
  store: 0x36,
  lastStore: 0x3e,
  memorySize: 0x3f,
  memoryGrow: 0x40,
  const: 0x41,
  constLong: 0x42,
  constFloat: 0x43,
  constDouble: 0x44,
  isZero: 0x45,
  equal: 0x46,
  differ: 0x47,
  below: 0x49,
  above: 0x4b,
  equalLong: 0x51,
  signedBelowLong: 0x53,
  add: 0x6a,
  subtract: 0x6b,
  multiply: 0x6c,
  and: 0x71,
  or: 0x72,
  shiftLeft: 0x74,
  shiftRight: 0x76,
  subtractLong: 0x7d,
  extend: 0xad,
  lastNumeric: 0xc4,
  nullReference: 0xd0,
  isNullReference: 0xd1,
  functionReference: 0xd2,
  /** followed by the number of a further instruction */
  further: 0xfc,
} as const;

/** types of values and blocks, and the mark of a function type */
export const WASM_TYPE = {
  i32: 0x7f,
  i64: 0x7e,
  function: 0x60,
  functionReference: 0x70,
  none: 0x40,
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
  if (op >= OP.isZero && op <= OP.lastNumeric) return 0; // comparisons, arithmetic, conversions, sign extension
  if (op >= OP.load && op <= OP.lastStore) {
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
    case OP.unreachable:
    case OP.nop:
    case OP.else:
    case OP.return:
    case OP.drop:
    case OP.select:
    case OP.isNullReference:
      return 0;
    case OP.branch:
    case OP.branchIf:
    case OP.call:
    case OP.get:
    case OP.set:
    case OP.tee:
    case OP.getGlobal:
    case OP.setGlobal:
    case OP.getTable:
    case OP.setTable:
    case OP.memorySize:
    case OP.const:
    case OP.constLong:
    case OP.nullReference:
    case OP.functionReference:
      reader.leb();
      return 0;
    case OP.memoryGrow:
      reader.leb();
      return GROWTH;
    case OP.branchTable:
      for (let n = reader.leb(); n >= 0; n--) reader.leb();
      return 0;
    case OP.indirect:
      reader.leb();
      reader.leb();
      return 0;
    case OP.selectTyped:
      reader.skip(reader.leb());
      return 0;
    case OP.constFloat:
      reader.skip(4);
      return 0;
    case OP.constDouble:
      reader.skip(8);
      return 0;
    case OP.further: {
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
