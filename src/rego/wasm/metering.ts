/**
 * Bounded evaluation without threads. The module is rewritten so that every function and every turn of a loop pays for
 * the instructions in it. Functions and loops are the only ways for code to run again (WebAssembly has no other jump
 * backwards), so paying there bounds everything. The price of a piece is the number of its instructions without those of
 * loops inside it. What a loop owes is run up in a local first, and a function without loops and calls is paid for by its
 * caller: together that leaves 20 to 40 % on top of an unmetered evaluation of the default policy.
 *
 * Who has nothing left calls out, through a table that the module gets (an import would renumber its functions): the host
 * looks at the clock, and either gives the next ration or throws. Instructions alone are a poor clock where a policy
 * waits for memory; the clock alone would have to be asked all the time. (Over 330 lines: it is one format, read once.)
 */
import {
  appended,
  concat,
  count,
  importsOf,
  leb,
  malformed,
  ORDER,
  Reader,
  SECTION,
  type Section,
  type Signature,
  sectionsOf,
  signaturesOf,
  signedLeb,
  tableElements,
} from './format.ts';

/** the exported global that holds what is left */
export const FUEL = 'sluice_fuel';
/** the exported table whose one function is called when nothing is left; without one, the module traps */
const TICKS = 'sluice_ticks';

/** Of the largest functions, one big switch, a pass executes little. */
const DEAREST = 512;

const I64_CONST = 0x42;
/** without a bound, for modules that are trusted */
const FULL = 4_000_000_000_000_000n;
/** Ten times what OPA's parser takes for a byte of data, and what it takes to set up a policy's constants; half a second. */
const LOADING = { byte: 10_000, moduleByte: 1000, least: 500_000_000 } as const;
const MOST_TABLE_ELEMENTS = 1_000_000;

/** What a module may burn before it is asked anything: it has a start function, and reads its data by itself. */
export const loadingFuel = (moduleBytes: number, dataBytes: number): bigint =>
  BigInt(LOADING.least + LOADING.moduleByte * moduleBytes + LOADING.byte * dataBytes);

/**
 * @param fuel what there is until a meter starts
 * @throws SluiceError `bundle_malformed`
 */
export const meter = (wasm: Uint8Array, fuel = FULL): Uint8Array<ArrayBuffer> => {
  const sections = sectionsOf(wasm);
  const find = (id: number): Section | undefined => sections.find((s) => s.id === id);
  // Only memory that the host makes is bounded.
  if (find(SECTION.memory) !== undefined) throw malformed('it has a memory of its own');
  if (tableElements(wasm, find(SECTION.table)) > MOST_TABLE_ELEMENTS)
    throw malformed('its tables are too large');
  const imported = importsOf(wasm, find(SECTION.import));
  const globals = find(SECTION.global);
  const index = imported.globals + count(wasm, globals);

  // mutable i64
  const global = [0x7e, 0x01, I64_CONST, ...signedLeb(fuel), 0x0b];
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
  if (code !== undefined)
    made.set(SECTION.code, meterCode(wasm, code, signaturesOf(wasm, types, find(SECTION.function)), ticks));

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

const meterCode = (
  wasm: Uint8Array,
  section: Section,
  functions: readonly Signature[],
  ticks: Ticks,
): Uint8Array => {
  const reader = new Reader(wasm, section.start);
  const bodies = reader.leb();
  if (bodies !== functions.length) throw malformed('it does not have a body for each function');
  const out: Uint8Array[] = [Uint8Array.from(leb(bodies))];
  for (const { parameters } of functions) {
    const size = reader.leb();
    const body = meterBody(wasm, reader.at, reader.at + size, parameters.length, ticks);
    out.push(Uint8Array.from(leb(body.reduce((n, p) => n + p.length, 0))), ...body);
    reader.skip(size);
  }
  return concat(out);
};

/** `if (fuel < 0) ticks[0]()` */
const look = ({ global, table, type }: Ticks): number[] => [
  ...[0x23, ...leb(global), I64_CONST, 0, 0x53, 0x04, 0x40],
  ...[0x41, 0, 0x11, ...leb(type), ...leb(table), 0x0b],
];

/** at the start of a function that calls others: `fuel -= price`, and a look */
const atEntry = (ticks: Ticks, price: number): Uint8Array =>
  Uint8Array.from([
    ...[0x23, ...leb(ticks.global), I64_CONST, ...signedLeb(BigInt(price)), 0x7d, 0x24, ...leb(ticks.global)],
    ...look(ticks),
  ]);

/** What a loop runs up in a local of its function before it is taken off the global: a register is cheaper. */
const TAB = 256;

/** at the head of a loop: `if ((tab += price) > TAB) { fuel -= tab; tab = 0; look }` */
const atLoop = (ticks: Ticks, tab: number, price: number): Uint8Array =>
  Uint8Array.from([
    ...[0x20, ...leb(tab), 0x41, ...signedLeb(BigInt(price)), 0x6a, 0x22, ...leb(tab)],
    ...[0x41, ...signedLeb(BigInt(TAB)), 0x4b, 0x04, 0x40],
    ...[0x23, ...leb(ticks.global), 0x20, ...leb(tab), 0xad, 0x7d, 0x24, ...leb(ticks.global)],
    ...[0x41, 0, 0x21, ...leb(tab)],
    ...look(ticks),
    0x0b,
  ]);

const OP = { block: 0x02, loop: 0x03, if: 0x04, else: 0x05, end: 0x0b, call: 0x10, indirect: 0x11 } as const;

/** A call costs more than itself: a small function does not pay for being entered, nor for its last unpaid tab. */
const CALL = 64;

interface Toll {
  price: number;
}
const priceOf = (toll: Toll): number => Math.min(toll.price, DEAREST);

/** One function: its locals and one more, then its code with the payments. */
const meterBody = (
  wasm: Uint8Array,
  start: number,
  end: number,
  parameters: number,
  ticks: Ticks,
): Uint8Array[] => {
  const reader = new Reader(wasm, start);
  const groups = reader.leb();
  const declared = reader.at;
  let tab = parameters;
  for (let n = groups; n > 0; n--) {
    tab += reader.leb();
    reader.byte();
  }
  const code = reader.at;
  const entry: Toll = { price: 1 };
  // innermost last: which toll an instruction counts for
  const nesting: { readonly toll: Toll; readonly isLoop: boolean }[] = [];
  let current = entry;
  let calls = false;
  const inserted: { readonly at: number; readonly code: () => Uint8Array }[] = [];
  while (reader.at < end) {
    const { at } = reader;
    const op = reader.byte();
    current.price += 1;
    if (op === OP.block || op === OP.if || op === OP.loop) {
      blockType(reader);
      nesting.push({ toll: current, isLoop: op === OP.loop });
      if (op === OP.loop) {
        const loop: Toll = { price: 1 };
        current = loop;
        inserted.push({ at: reader.at, code: () => atLoop(ticks, tab, priceOf(loop)) });
      }
    } else if (op === OP.end) {
      const left = nesting.pop();
      if (left === undefined) break;
      if (left.isLoop) current = left.toll;
    } else {
      const more = immediates(reader, op);
      if (more > 0) inserted.push({ at, code: () => atEntry(ticks, more) });
      if (op === OP.call || op === OP.indirect) {
        calls = true;
        current.price += CALL;
      }
    }
  }
  if (reader.at !== end) throw malformed('a function does not end where it should');
  // A function without loops and calls runs once through for the call that was paid for.
  if (!calls && inserted.length === 0) return [wasm.subarray(start, end)];
  // one more local: the tab
  const out: Uint8Array[] = [
    Uint8Array.from(leb(groups + 1)),
    wasm.subarray(declared, code),
    Uint8Array.from([1, 0x7f]),
  ];
  if (calls) out.push(atEntry(ticks, priceOf(entry)));
  let from = code;
  for (const { at, code: payment } of inserted) {
    out.push(wasm.subarray(from, at), payment());
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

/** Price of one instruction that moves memory in bulk, or grows it: paid where it stands, since most calls do not reach it. */
const BULK = 64 * 1024;
const GROWTH = 512 * 1024;

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
    case 0x3f: // memory.size
    case 0x41: // i32.const, i64.const
    case 0x42:
    case 0xd0: // ref.null
    case 0xd2: // ref.func
      reader.leb();
      return 0;
    case 0x40: // memory.grow: the system has to find the memory
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
const RATION = 10_000_000n;
/** Rations a millisecond can hold at most on any machine we know: the bound if the clock stands still. */
const RATIONS_PER_MS = 20;

/** @param budget processor time of one evaluation, in milliseconds */
export const createMeter = (budget: number, exceeded: () => Error): Meter => {
  let exports: WebAssembly.Exports | undefined;
  let started = 0;
  let busy: number | null = null;
  let rations = 0;
  // Another process may have the core: only time that this thread had counts. It is asked for when the first ration is
  // burnt, or the wall clock is over, because most evaluations end before either.
  const spent = (): number => {
    const { user, system } = process.threadCpuUsage();
    const now = (user + system) / 1000;
    busy ??= now;
    return now - busy;
  };
  const check = (): void => {
    if (performance.now() - started > budget && spent() > budget) throw exceeded();
  };
  const tick = (): void => {
    rations -= 1;
    if (rations < 0) throw exceeded();
    if (busy === null) spent();
    else check();
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
      busy = null;
    },
  };
};
