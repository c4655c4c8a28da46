/**
 * Bounds the time of an evaluation without a second thread, by metering.
 *
 * The module is rewritten: every function and every iteration of a loop subtracts the number of its instructions from a
 * global, the fuel. Code can only run again through a call or a loop (WebAssembly has no other backward jump), so metering
 * these two bounds every evaluation. The price of a piece of code is the number of its instructions, those of inner loops
 * not counted. A loop adds up its price in a local first, and a function without loops and calls is paid for by its caller.
 * A metered evaluation of the default policy takes 20 to 40 % longer than an unmetered one.
 *
 * When the fuel is used up, the module calls the host through a table that the rewrite adds (an import would renumber the
 * functions). The host reads the clock and either refills the fuel or throws. Instructions alone do not measure time well
 * where a policy waits for memory; reading the clock at every step would cost too much.
 */
import { RegoError } from '../errors.ts';
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
import { OP, skipOperands, WASM_TYPE } from './instructions.ts';

/** name of the exported global that holds the remaining fuel */
export const FUEL = 'rego_fuel';
/** name of the exported table whose only function is called when the fuel is used up; while it is empty, the module traps */
const HOST_TABLE = 'rego_out_of_fuel';

/** The largest functions are one switch, of which a call executes a small part: no price is higher than this. */
const MAX_PRICE = 512;

/** practically unlimited, for modules that are trusted */
const UNLIMITED = 4_000_000_000_000_000n;
/** Fuel for loading: ten times what OPA's parser uses for a byte of data and what constants use for a byte of the module. The minimum lasts half a second. */
const LOADING = { dataByte: 10_000, moduleByte: 1000, min: 500_000_000 } as const;
const MAX_TABLE_ELEMENTS = 1_000_000;

/** Fuel for loading a module, which runs its start function and parses the data. */
export const loadingFuel = (moduleBytes: number, dataBytes: number): bigint =>
  BigInt(LOADING.min + LOADING.moduleByte * moduleBytes + LOADING.dataByte * dataBytes);

/**
 * Rewrites a module so that it is metered.
 * @param fuel the initial fuel, which lasts until a meter is started
 * @throws RegoError `module_malformed`
 */
export const meter = (wasm: Uint8Array, fuel = UNLIMITED): Uint8Array<ArrayBuffer> => {
  const sections = sectionsOf(wasm);
  const find = (id: number): Section | undefined => sections.find((s) => s.id === id);
  // Only a memory that the host creates is bounded.
  if (find(SECTION.memory) !== undefined) throw malformed('it has a memory of its own');
  if (tableElements(wasm, find(SECTION.table)) > MAX_TABLE_ELEMENTS)
    throw malformed('its tables are too large');
  const imported = importsOf(wasm, find(SECTION.import));
  const globals = find(SECTION.global);
  const index = imported.globals + count(wasm, globals);

  // mutable i64
  const global = [WASM_TYPE.i64, 1, OP.constLong, ...signedLeb(fuel), OP.end];
  const tables = find(SECTION.table);
  const table = imported.tables + count(wasm, tables);
  const types = find(SECTION.type);
  const host: Host = { global: index, table, type: count(wasm, types) };
  const made = new Map<number, Uint8Array>([
    [SECTION.type, appended(wasm, types, [[WASM_TYPE.function, 0, 0]])],
    // one function reference
    [SECTION.table, appended(wasm, tables, [[WASM_TYPE.functionReference, 1, 1, 1]])],
    [SECTION.global, appended(wasm, globals, [global])],
    [
      SECTION.export,
      appended(wasm, find(SECTION.export), [exported(FUEL, 3, index), exported(HOST_TABLE, 1, table)]),
    ],
  ]);
  const code = find(SECTION.code);
  if (code !== undefined)
    made.set(SECTION.code, meterCode(wasm, code, signaturesOf(wasm, types, find(SECTION.function)), host));

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

/** indices of what the rewrite added: the global with the fuel, the table, the type of its function */
interface Host {
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
  host: Host,
): Uint8Array => {
  const reader = new Reader(wasm, section.start);
  const bodies = reader.leb();
  if (bodies !== functions.length) throw malformed('it does not have a body for each function');
  const out: Uint8Array[] = [Uint8Array.from(leb(bodies))];
  for (const { parameters } of functions) {
    const size = reader.leb();
    const body = meterBody(wasm, reader.at, reader.at + size, parameters.length, host);
    out.push(Uint8Array.from(leb(body.reduce((n, p) => n + p.length, 0))), ...body);
    reader.skip(size);
  }
  return concat(out);
};

/** `if (fuel < 0) table[0]()` */
const checkFuel = ({ global, table, type }: Host): number[] => [
  ...[OP.getGlobal, ...leb(global), OP.constLong, 0, OP.signedBelowLong, OP.if, WASM_TYPE.none],
  ...[OP.const, 0, OP.indirect, ...leb(type), ...leb(table), OP.end],
];

/** `fuel -= price; checkFuel` */
const pay = (host: Host, price: number): Uint8Array =>
  Uint8Array.from([
    ...[
      OP.getGlobal,
      ...leb(host.global),
      OP.constLong,
      ...signedLeb(BigInt(price)),
      OP.subtractLong,
      OP.setGlobal,
      ...leb(host.global),
    ],
    ...checkFuel(host),
  ]);

/** A loop adds up its price in a local and subtracts it from the global when it exceeds this: a local is cheaper to update. */
const MAX_DUE = 256;

/** at the head of a loop: `if ((due += price) > MAX_DUE) { fuel -= due; due = 0; checkFuel }` */
const payInLoop = (host: Host, due: number, price: number): Uint8Array =>
  Uint8Array.from([
    ...[OP.get, ...leb(due), OP.const, ...signedLeb(BigInt(price)), OP.add, OP.tee, ...leb(due)],
    ...[OP.const, ...signedLeb(BigInt(MAX_DUE)), OP.above, OP.if, WASM_TYPE.none],
    ...[
      OP.getGlobal,
      ...leb(host.global),
      OP.get,
      ...leb(due),
      OP.extend,
      OP.subtractLong,
      OP.setGlobal,
      ...leb(host.global),
    ],
    ...[OP.const, 0, OP.set, ...leb(due)],
    ...checkFuel(host),
    OP.end,
  ]);

/** Price of a call. It includes that of a function without loops and calls, and what a loop's local holds when the function returns. */
const CALL_PRICE = 64;

/** the price of a function's code or of a loop's body, counted while the instructions are read */
interface Counter {
  price: number;
}
const priceOf = (counter: Counter): number => Math.min(counter.price, MAX_PRICE);

/** Rewrites one function: one more local, and code that pays. */
const meterBody = (
  wasm: Uint8Array,
  start: number,
  end: number,
  parameters: number,
  host: Host,
): Uint8Array[] => {
  const reader = new Reader(wasm, start);
  const groups = reader.leb();
  const declared = reader.at;
  let due = parameters;
  for (let n = groups; n > 0; n--) {
    due += reader.leb();
    reader.byte();
  }
  const code = reader.at;
  const entry: Counter = { price: 1 };
  // the open blocks, innermost last, with the counter around each
  const nesting: { readonly outer: Counter; readonly isLoop: boolean }[] = [];
  let current = entry;
  let calls = false;
  const inserted: { readonly at: number; readonly code: () => Uint8Array }[] = [];
  while (reader.at < end) {
    const { at } = reader;
    const op = reader.byte();
    current.price += 1;
    const more = skipOperands(reader, op);
    if (more > 0) inserted.push({ at, code: () => pay(host, more) });
    if (op === OP.block || op === OP.if || op === OP.loop) {
      nesting.push({ outer: current, isLoop: op === OP.loop });
      if (op === OP.loop) {
        const loop: Counter = { price: 1 };
        current = loop;
        inserted.push({ at: reader.at, code: () => payInLoop(host, due, priceOf(loop)) });
      }
    } else if (op === OP.end) {
      const left = nesting.pop();
      if (left === undefined) break;
      if (left.isLoop) current = left.outer;
    } else if (op === OP.call || op === OP.indirect) {
      calls = true;
      current.price += CALL_PRICE;
    }
  }
  if (reader.at !== end) throw malformed('a function does not end where its length says');
  // A function without loops and calls is covered by the price of the call.
  if (!calls && inserted.length === 0) return [wasm.subarray(start, end)];
  // one more local: the price that is due
  const out: Uint8Array[] = [
    Uint8Array.from(leb(groups + 1)),
    wasm.subarray(declared, code),
    Uint8Array.from([1, WASM_TYPE.i32]),
  ];
  if (calls) out.push(pay(host, priceOf(entry)));
  let from = code;
  for (const { at, code: payment } of inserted) {
    out.push(wasm.subarray(from, at), payment());
    from = at;
  }
  out.push(wasm.subarray(from, end));
  return out;
};

/** A table only accepts WebAssembly functions. This module imports the function `e.t` and exports it as one. */
const WRAPPER = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, 4, 1, 0x60, 0, 0],
  ...[2, 7, 1, 1, 0x65, 1, 0x74, 0, 0],
  ...[7, 5, 1, 1, 0x74, 0, 0],
]);

export interface Meter {
  /** Starts the time of one evaluation. @param exports of the instance that runs it */
  start(exports: WebAssembly.Exports): void;
  /** For host functions, whose time the fuel does not measure. @throws RegoError `deadline_exceeded` */
  check(): void;
}

/** Fuel between two readings of the clock. */
const REFILL = 10_000_000n;
/** More refills than any known machine uses in a millisecond: the limit where the clock does not advance. */
const MAX_REFILLS_PER_MS = 20;

/** @param budget processor time of one evaluation, in milliseconds */
export const createMeter = (budget: number): Meter => {
  let exports: WebAssembly.Exports | undefined;
  let started = 0;
  /** processor time of this thread when it was first read */
  let base: number | null = null;
  let refills = 0;
  const exceeded = (): RegoError =>
    new RegoError('deadline_exceeded', `The policy did not answer within its budget of ${budget} ms.`, {
      limit: 'evaluationMs',
    });
  // Only the processor time of this thread counts, since other processes may use the core. It is read when the first fuel is
  // used up or the wall clock is over the budget; most evaluations end before either.
  const used = (): number => {
    const { user, system } = process.threadCpuUsage();
    const now = (user + system) / 1000;
    base ??= now;
    return now - base;
  };
  const check = (): void => {
    if (performance.now() - started > budget && used() > budget) throw exceeded();
  };
  const refill = (): void => {
    refills -= 1;
    if (refills < 0) throw exceeded();
    if (base === null) used();
    else check();
    (exports?.[FUEL] as WebAssembly.Global).value = REFILL;
  };
  const refillFunction = new WebAssembly.Instance(new WebAssembly.Module(WRAPPER), { e: { t: refill } })
    .exports['t'];
  return {
    check,
    start(of) {
      if (exports !== of) {
        exports = of;
        (of[HOST_TABLE] as unknown as { set(index: number, value: unknown): void }).set(0, refillFunction);
      }
      (of[FUEL] as WebAssembly.Global).value = REFILL;
      refills = budget * MAX_REFILLS_PER_MS;
      started = performance.now();
      base = null;
    },
  };
};
