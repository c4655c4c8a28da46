/**
 * Bounded evaluation without threads. The module is rewritten so that every function and every turn of a loop pays for
 * the instructions in it. Functions and loops are the only ways for code to run again (WebAssembly has no other jump
 * backwards), so paying there bounds everything. The price of a piece is the number of its instructions without those of
 * loops inside it, up to a bound: OPA's largest functions are one big switch, of which a pass executes little.
 *
 * Who has nothing left calls out, through a table that the module gets (an import would renumber its functions): the host
 * looks at the clock, and either gives the next ration or throws. Instructions alone are a poor clock where a policy
 * waits for memory; the clock alone would have to be asked all the time. (Over 330 lines: it is one format, read once.)
 */
import { SluiceError } from '../errors.ts';

/** the exported global that holds what is left */
export const FUEL = 'sluice_fuel';
/** the exported table whose one function is called when nothing is left; without one, the module traps */
export const TICKS = 'sluice_ticks';

/**
 * Measured over fourteen kinds of runaway (products of lists, strings, sets, big numbers, sorting, JSON): with this bound
 * of the price, 16 to 67 million are burnt in a millisecond of a 2020s core where memory is near, 2 million where it is
 * not; without the bound the spread is five times as wide. The payments themselves cost 3 to 10 % of the time.
 */
const DEAREST = 128;

const I64_CONST = 0x42;
/** more than loading any data takes */
const FULL = 4_000_000_000_000_000n;

class Reader {
  at: number;
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }
  byte(): number {
    const b = this.bytes[this.at];
    if (b === undefined) throw malformed('it ends too early');
    this.at += 1;
    return b;
  }
  /** LEB128; also used to skip signed ones, whose length follows the same rule */
  leb(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const b = this.byte();
      if (shift < 32) value += (b & 0x7f) * 2 ** shift;
      if (b < 0x80) return value;
    }
    throw malformed('a number is too long');
  }
  skip(count: number): void {
    this.at += count;
    if (this.at > this.bytes.length) throw malformed('it ends too early');
  }
}

const malformed = (why: string): SluiceError =>
  new SluiceError(
    'bundle_malformed',
    `The policy's WebAssembly cannot be metered: ${why}. Build it with OPA 1.19.`,
  );

const leb = (value: number | bigint): number[] => {
  const out: number[] = [];
  let v = BigInt(value);
  do {
    const b = Number(v & 0x7fn);
    v >>= 7n;
    out.push(v === 0n ? b : b | 0x80);
  } while (v !== 0n);
  return out;
};

const signedLeb = (value: bigint): number[] => {
  const out: number[] = [];
  let v = value;
  for (;;) {
    const b = Number(v & 0x7fn);
    v >>= 7n;
    const done = (v === 0n && (b & 0x40) === 0) || (v === -1n && (b & 0x40) !== 0);
    out.push(done ? b : b | 0x80);
    if (done) return out;
  }
};

interface Section {
  readonly id: number;
  readonly start: number;
  readonly end: number;
}

const SECTION = { type: 1, import: 2, table: 4, global: 6, export: 7, code: 10 } as const;
/** the order the format asks for; a section we add goes to its place */
const ORDER = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];

const sectionsOf = (wasm: Uint8Array): Section[] => {
  if (
    wasm.length < 8 ||
    wasm[0] !== 0 ||
    wasm[1] !== 0x61 ||
    wasm[2] !== 0x73 ||
    wasm[3] !== 0x6d ||
    wasm[4] !== 1
  )
    throw malformed('it is not a module of version 1');
  const reader = new Reader(wasm, 8);
  const sections: Section[] = [];
  while (reader.at < wasm.length) {
    const id = reader.byte();
    const size = reader.leb();
    sections.push({ id, start: reader.at, end: reader.at + size });
    reader.skip(size);
  }
  return sections;
};

const importedOf = (wasm: Uint8Array, section: Section | undefined): { globals: number; tables: number } => {
  if (section === undefined) return { globals: 0, tables: 0 };
  const reader = new Reader(wasm, section.start);
  let [globals, tables] = [0, 0];
  for (let n = reader.leb(); n > 0; n--) {
    reader.skip(reader.leb());
    reader.skip(reader.leb());
    const kind = reader.byte();
    if (kind === 0) reader.leb();
    else if (kind === 1) {
      reader.byte();
      limits(reader);
      tables += 1;
    } else if (kind === 2) limits(reader);
    else if (kind === 3) {
      reader.byte();
      reader.byte();
      globals += 1;
    } else throw malformed('it imports something unknown');
  }
  return { globals, tables };
};

const limits = (reader: Reader): void => {
  const flags = reader.byte();
  reader.leb();
  if ((flags & 1) !== 0) reader.leb();
};

/** @throws SluiceError `bundle_malformed` */
export const meter = (wasm: Uint8Array): Uint8Array<ArrayBuffer> => {
  const sections = sectionsOf(wasm);
  const find = (id: number): Section | undefined => sections.find((s) => s.id === id);
  const imported = importedOf(wasm, find(SECTION.import));
  const globals = find(SECTION.global);
  const index = imported.globals + count(wasm, globals);

  // mutable i64
  const global = [0x7e, 0x01, I64_CONST, ...signedLeb(FULL), 0x0b];
  const tables = find(SECTION.table);
  const table = imported.tables + count(wasm, tables);
  const types = find(SECTION.type);
  const ticks: Ticks = { global: index, table, type: count(wasm, types) };
  const made = new Map<number, Uint8Array>([
    [SECTION.type, appended(wasm, types, [[0x60, 0, 0]])],
    // one function reference
    [SECTION.table, appended(wasm, tables, [[0x70, 1, 1, 1]])],
    [SECTION.global, appended(wasm, globals, [global])],
    [
      SECTION.export,
      appended(wasm, find(SECTION.export), [exported(FUEL, 3, index), exported(TICKS, 1, table)]),
    ],
  ]);
  const code = find(SECTION.code);
  if (code !== undefined) made.set(SECTION.code, meterCode(wasm, code, ticks));

  const out: Uint8Array[] = [wasm.subarray(0, 8)];
  const emit = (id: number, content: Uint8Array): void => {
    out.push(Uint8Array.from([id, ...leb(content.length)]), content);
  };
  for (const s of sections) {
    if (s.id !== 0)
      for (const [id, content] of made)
        if (id !== s.id && find(id) === undefined && ORDER.indexOf(id) < ORDER.indexOf(s.id)) {
          emit(id, content);
          made.delete(id);
        }
    emit(s.id, made.get(s.id) ?? wasm.subarray(s.start, s.end));
    made.delete(s.id);
  }
  for (const [id, content] of made) emit(id, content);
  return concat(out);
};

interface Ticks {
  readonly global: number;
  readonly table: number;
  readonly type: number;
}

const exported = (text: string, kind: number, index: number): number[] => {
  const name = [...new TextEncoder().encode(text)];
  return [...leb(name.length), ...name, kind, ...leb(index)];
};

const count = (wasm: Uint8Array, section: Section | undefined): number =>
  section === undefined ? 0 : new Reader(wasm, section.start).leb();

/** a vector section with more entries */
const appended = (
  wasm: Uint8Array,
  section: Section | undefined,
  entries: readonly (readonly number[])[],
): Uint8Array => {
  const added = Uint8Array.from(entries.flat());
  if (section === undefined) return concat([Uint8Array.from(leb(entries.length)), added]);
  const reader = new Reader(wasm, section.start);
  const present = reader.leb();
  return concat([
    Uint8Array.from(leb(present + entries.length)),
    wasm.subarray(reader.at, section.end),
    added,
  ]);
};

const concat = (parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
};

const meterCode = (wasm: Uint8Array, section: Section, ticks: Ticks): Uint8Array => {
  const reader = new Reader(wasm, section.start);
  const count = reader.leb();
  const out: Uint8Array[] = [Uint8Array.from(leb(count))];
  for (let i = 0; i < count; i++) {
    const size = reader.leb();
    const body = meterBody(wasm, reader.at, reader.at + size, ticks);
    out.push(Uint8Array.from(leb(body.reduce((n, p) => n + p.length, 0))), ...body);
    reader.skip(size);
  }
  return concat(out);
};

/** `fuel -= price; if (fuel < 0) ticks[0]()` */
const payment = ({ global, table, type }: Ticks, price: number): Uint8Array =>
  Uint8Array.from([
    ...[0x23, ...leb(global), I64_CONST, ...signedLeb(BigInt(price)), 0x7d, 0x24, ...leb(global)],
    ...[0x23, ...leb(global), I64_CONST, 0, 0x53, 0x04, 0x40],
    ...[0x41, 0, 0x11, ...leb(type), ...leb(table), 0x0b],
  ]);

const OP = { block: 0x02, loop: 0x03, if: 0x04, else: 0x05, end: 0x0b } as const;

/** One function: its locals, then its code with a payment at the start and at the head of every loop. */
const meterBody = (wasm: Uint8Array, start: number, end: number, ticks: Ticks): Uint8Array[] => {
  const reader = new Reader(wasm, start);
  for (let n = reader.leb(); n > 0; n--) {
    reader.leb();
    reader.byte();
  }
  const toll = (at: number): { at: number; price: number } => ({ at, price: 1 });
  const tolls = [toll(reader.at)];
  // innermost last: which toll an instruction counts for, and whether a block of code ends it
  const nesting: { toll: { price: number }; opensLoop: boolean }[] = [];
  let current = tolls[0]!;
  while (reader.at < end) {
    const op = reader.byte();
    current.price += 1;
    if (op === OP.block || op === OP.if || op === OP.loop) {
      blockType(reader);
      nesting.push({ toll: current, opensLoop: op === OP.loop });
      if (op === OP.loop) {
        current = toll(reader.at);
        tolls.push(current);
      }
    } else if (op === OP.end) {
      const left = nesting.pop();
      if (left === undefined) break;
      if (left.opensLoop) current = left.toll as typeof current;
    } else current.price += immediates(reader, op);
  }
  if (reader.at !== end) throw malformed('a function does not end where it should');
  const out: Uint8Array[] = [];
  let from = start;
  for (const { at, price } of tolls.sort((a, b) => a.at - b.at)) {
    out.push(wasm.subarray(from, at), payment(ticks, Math.min(price, DEAREST)));
    from = at;
  }
  out.push(wasm.subarray(from, end));
  return out;
};

const blockType = (reader: Reader): void => {
  const b = reader.bytes[reader.at];
  // a value type or "none" is one byte with bit 6 set; otherwise the index of a type
  if (b !== undefined && (b & 0xc0) === 0x40) reader.byte();
  else reader.leb();
};

/** Price of one instruction that moves memory in bulk, beyond an ordinary one. Its length is bounded by the memory. */
const BULK = 64 * 1024;

/** Passes what follows an opcode. @returns what the instruction costs beyond one */
const immediates = (reader: Reader, op: number): number => {
  if (op >= 0x45 && op <= 0xc4) return 0; // comparisons, arithmetic, conversions, sign extension
  if (op >= 0x28 && op <= 0x3e) {
    reader.leb();
    reader.leb();
    return 0; // loads and stores: alignment, offset
  }
  switch (op) {
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
    case 0x3f: // memory.size, .grow
    case 0x40:
    case 0x41: // i32.const, i64.const
    case 0x42:
    case 0xd0: // ref.null
    case 0xd2: // ref.func
      reader.leb();
      return 0;
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
      // SIMD, threads, tail calls and exceptions: OPA emits none, and a jump we do not know could go back.
      throw malformed(`unknown instruction 0x${op.toString(16)}`);
  }
};

/** A function as a table takes it: a module that imports `e.t` and exports it again. */
const GATE = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, 4, 1, 0x60, 0, 0],
  ...[2, 7, 1, 1, 0x65, 1, 0x74, 0, 0],
  ...[7, 5, 1, 1, 0x74, 0, 0],
]);

export interface Meter {
  /** to be called before each evaluation, with the exports of the instance that will run it */
  start(exports: WebAssembly.Exports): void;
  /** @throws what `exceeded` makes, if the time is used up; for calls that leave the module */
  check(): void;
}

/** Burnt between two looks at the clock. */
const RATION = 20_000_000n;
/** Rations a millisecond can hold at most on any machine we know: the bound if the clock stands still. */
const RATIONS_PER_MS = 10;

/** @param budget processor time of one evaluation, in milliseconds */
export const createMeter = (budget: number, exceeded: () => Error): Meter => {
  let exports: WebAssembly.Exports | undefined;
  let started = 0;
  let busy = 0;
  let rations = 0;
  // Another process may have the core: only time that this thread had counts, looked at once the wall clock is over.
  const spent = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  const check = (): void => {
    if (performance.now() - started > budget && spent() - busy > budget) throw exceeded();
  };
  const tick = (): void => {
    rations -= 1;
    if (rations < 0) throw exceeded();
    check();
    (exports?.[FUEL] as WebAssembly.Global).value = RATION;
  };
  const gate = new WebAssembly.Instance(new WebAssembly.Module(GATE), { e: { t: tick } }).exports['t'];
  return {
    check,
    start(of) {
      if (exports !== of) {
        exports = of;
        (of[TICKS] as unknown as { set(index: number, value: unknown): void }).set(0, gate);
      }
      (of[FUEL] as WebAssembly.Global).value = RATION;
      rations = budget * RATIONS_PER_MS;
      started = performance.now();
      busy = spent();
    },
  };
};
