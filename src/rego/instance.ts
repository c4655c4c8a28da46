/**
 * One WebAssembly instance of a compiled policy with its memory, and how values are read from it and written to it.
 *
 * `LoadedPolicy` of `@open-policy-agent/opa-wasm` loads the data and reads the entrypoints. Values then cross the boundary
 * through `values.ts` instead of that package's JSON, which would round numbers, turn sets into arrays and skip an input of `0`.
 * (Longer than most: the exports of OPA's module and every use of them are in this one file.)
 */
import { createRequire } from 'node:module';
import { RegoError } from './errors.ts';
import { Iteration } from './iteration.ts';
import { plainAt, textAt } from './memory.ts';
import { bytesOf, decode, encode, isRaw, type RegoValue, stringOf, wellFormed } from './values.ts';
import { ARRANGE, NEXT, NO_INDEX } from './wasm/hosted.ts';

// The package's ES module exports less than its types declare; its CommonJS module exports everything.
const { LoadedPolicy } = createRequire(import.meta.url)(
  '@open-policy-agent/opa-wasm',
) as typeof import('@open-policy-agent/opa-wasm');

export const PAGE_BYTES = 65536;
const MIN_PAGES = 5;

export interface InstanceOptions {
  /** base document: JSON text as bytes, or a value that JSON can hold */
  readonly data?: unknown;
  /** upper bound of the memory, in pages of 64 KiB */
  readonly maxPages: number;
}

/** The memory of an instance right after loading. A new instance that starts from it need not load the data again. */
export interface LoadedState {
  readonly memory: Uint8Array<ArrayBuffer>;
  readonly dataAddr: number;
  readonly heapPtr: number;
}

interface OpaExports {
  opa_malloc(size: number): number;
  opa_free(addr: number): void;
  opa_json_dump(addr: number): number;
  opa_json_parse(addr: number, length: number): number;
  opa_value_dump(addr: number): number;
  opa_value_parse(addr: number, length: number): number;
  opa_heap_ptr_get(): number;
  opa_heap_ptr_set(addr: number): void;
  /** ABI 1.2: parse the input, evaluate, dump the result, all in one call on a fresh heap */
  opa_eval(
    ...args: [
      zero: 0,
      entrypoint: number,
      data: number,
      input: number,
      length: number,
      heap: number,
      valueText: 1,
    ]
  ): number;
  /** ABI 1.1: the same in steps */
  opa_eval_ctx_new(): number;
  opa_eval_ctx_set_input(context: number, addr: number): void;
  opa_eval_ctx_set_data(context: number, addr: number): void;
  opa_eval_ctx_set_entrypoint(context: number, id: number): void;
  opa_eval_ctx_get_result(context: number): number;
  eval(context: number): number;
  builtins(): number;
  entrypoints(): number;
  readonly opa_wasm_abi_version?: { readonly value: number };
  readonly opa_wasm_abi_minor_version?: { readonly value: number };
}

/** Thrown by `opa_abort`: the policy stopped itself (e.g. a rule conflict), or its allocator did. The text names file, line and column. */
export class Abort extends Error {}

export const memoryExceeded = (maxPages: number, cause?: unknown): RegoError =>
  new RegoError(
    'memory_exceeded',
    `The policy needs more than its ${(maxPages * PAGE_BYTES) / 2 ** 20} MiB of memory. Make the rule cheaper, or raise the limit.`,
    { cause, limit: 'memoryMb' },
  );

/** JSON text that OPA's parser accepts: without surrogate escapes that have no other half */
export const jsonText = (json: string | Uint8Array): string | Uint8Array =>
  typeof json === 'string'
    ? wellFormed(json)
    : Buffer.from(json.buffer, json.byteOffset, json.byteLength).includes('\\u')
      ? wellFormed(new TextDecoder().decode(json))
      : json;

const dataBuffer = (data: unknown): ArrayBuffer => {
  const text = jsonText(data instanceof Uint8Array ? data : (JSON.stringify(data) ?? 'null'));
  return Uint8Array.from(typeof text === 'string' ? Buffer.from(text) : text).buffer;
};

/**
 * V8's message for a call through an empty table entry. A metered module makes such a call when its fuel is used up while it
 * is loaded, before a meter has filled the table.
 */
const outOfFuel = (cause: unknown): boolean =>
  cause instanceof WebAssembly.RuntimeError && /null function|table index/.test(cause.message);

const endlessLoad = (cause: unknown): RegoError =>
  new RegoError(
    'module_malformed',
    "The policy's WebAssembly does not finish loading. Build it with OPA 1.19, target wasm.",
    { cause },
  );

const unlisted = (what: string, cause: unknown): RegoError =>
  new RegoError(
    'module_unsupported',
    `The policy's WebAssembly does not list its ${what}. Build it with OPA 1.19, target wasm.`,
    { cause },
  );

/** exports that are called in every version of the ABI */
const REQUIRED_EXPORTS = [
  ...['opa_malloc', 'opa_free', 'opa_json_dump', 'opa_json_parse', 'opa_value_dump', 'opa_value_parse'],
  ...['opa_heap_ptr_get', 'opa_heap_ptr_set', 'eval', 'builtins', 'entrypoints'],
] as const;

const align = (addr: number): number => (addr + 7) & ~7;

/** Answers the module's call of host function `id`; addresses in, address out (0: undefined). */
export type Dispatch = (instance: Instance, id: number, args: readonly number[]) => number;

export class Instance {
  readonly wasm: WebAssembly.Exports;
  readonly exports: OpaExports;
  readonly memory: WebAssembly.Memory;
  readonly dataAddr: number;
  /** the heap of every evaluation starts here */
  readonly heapPtr: number;
  readonly loadedBytes: number;
  readonly #iteration = new Iteration(
    () => this.bytes(),
    (addr) => this.read(addr),
    () => this.heapPtr,
  );
  readonly #maxPages: number;
  readonly #minor: number;
  #buffer: Buffer;

  /**
   * @param loaded memory to start from, instead of loading the data
   * @throws RegoError `module_unsupported`, `module_malformed`, `memory_exceeded`, and what loading the data throws
   */
  constructor(
    module: WebAssembly.Module,
    options: InstanceOptions,
    dispatch: Dispatch,
    loaded?: LoadedState,
  ) {
    this.#maxPages = options.maxPages;
    const { memory, instance } = this.#instantiate(module, dispatch, loaded?.memory.byteLength ?? 0);
    this.memory = memory;
    this.#buffer = Buffer.from(memory.buffer);
    this.wasm = instance.exports;
    this.exports = instance.exports as unknown as OpaExports;
    const major = this.exports.opa_wasm_abi_version?.value;
    const minor = this.exports.opa_wasm_abi_minor_version?.value;
    if (major !== 1 || minor === undefined || minor < 1 || minor > 3) {
      throw new RegoError(
        'module_unsupported',
        `The policy was compiled for OPA's WebAssembly ABI ${major ?? '?'}.${minor ?? '?'}; 1.1 to 1.3 are supported. Build it with OPA 1.19.`,
      );
    }
    const missing = REQUIRED_EXPORTS.filter((name) => typeof this.wasm[name] !== 'function');
    if (missing.length > 0)
      throw new RegoError(
        'module_unsupported',
        `The policy's WebAssembly does not export ${missing.join(', ')}. Build it with OPA 1.19, target wasm.`,
      );
    this.#minor = minor;
    if (loaded === undefined) {
      const policy = this.#loadedPolicy({ instance, module }, minor);
      if (options.data !== undefined) policy.setData(dataBuffer(options.data));
      this.dataAddr = policy.dataAddr;
      this.heapPtr = align(this.exports.opa_heap_ptr_get());
      this.exports.opa_heap_ptr_set(this.heapPtr);
    } else {
      this.bytes().set(loaded.memory);
      this.dataAddr = loaded.dataAddr;
      this.heapPtr = loaded.heapPtr;
    }
    this.loadedBytes = memory.buffer.byteLength;
  }

  #loadedPolicy(
    instantiated: WebAssembly.WebAssemblyInstantiatedSource,
    minor: number,
  ): InstanceType<typeof LoadedPolicy> {
    try {
      return new LoadedPolicy(instantiated, this.memory, minor);
    } catch (cause) {
      throw outOfFuel(cause) ? endlessLoad(cause) : unlisted('entrypoints', cause);
    }
  }

  #instantiate(module: WebAssembly.Module, dispatch: Dispatch, minBytes: number) {
    const call = (id: number, _context: number, ...args: number[]): number => dispatch(this, id, args);
    const call1 = (id: number, _context: number, a: number): number =>
      id === ARRANGE ? this.#iteration.arrange(a) : dispatch(this, id, [a]);
    const call2 = (id: number, _context: number, a: number, b: number): number =>
      id === NEXT
        ? this.#iteration.next(a, b)
        : id === NO_INDEX
          ? Number(this.#iteration.noIndex(a, b))
          : dispatch(this, id, [a, b]);
    const env = {
      opa_abort: (addr: number) => {
        throw new Abort(this.text(addr));
      },
      opa_println: () => {},
      opa_builtin0: call,
      opa_builtin1: call1,
      opa_builtin2: call2,
      opa_builtin3: call,
      opa_builtin4: call,
    };
    // A module does not declare how much memory its constants need: double the memory until it can be instantiated.
    const first = Math.max(MIN_PAGES, Math.ceil(minBytes / PAGE_BYTES));
    for (let pages = first; pages <= this.#maxPages; pages *= 2) {
      const memory = new WebAssembly.Memory({ initial: pages, maximum: this.#maxPages });
      try {
        return { memory, instance: new WebAssembly.Instance(module, { env: { ...env, memory } }) };
      } catch (cause) {
        if (outOfFuel(cause)) throw endlessLoad(cause);
        if (cause instanceof WebAssembly.RuntimeError || /memory import/.test(String(cause))) continue;
        throw new RegoError(
          'module_unsupported',
          'The policy imports host functions that OPA does not have. Build it with OPA 1.19, target wasm.',
          { cause },
        );
      }
    }
    throw memoryExceeded(this.#maxPages);
  }

  /** whether loading failed because the module used up its fuel; the error to report then */
  static endless(cause: unknown): RegoError | undefined {
    return outOfFuel(cause) ? endlessLoad(cause) : undefined;
  }

  /** the current memory; growing replaces its buffer */
  bytes(): Buffer {
    if (this.#buffer.length !== this.memory.buffer.byteLength) this.#buffer = Buffer.from(this.memory.buffer);
    return this.#buffer;
  }

  /** the text at an address, ended by NUL */
  text(addr: number): string {
    const bytes = this.bytes();
    const end = bytes.indexOf(0, addr);
    return textAt(bytes, addr, end);
  }

  /** @throws RegoError `module_unsupported` */
  ids(name: 'entrypoints' | 'builtins'): ReadonlyMap<string, number> {
    try {
      const addr = this.exports[name]();
      const ids = new Map(
        Object.entries(JSON.parse(this.text(this.exports.opa_json_dump(addr))) as Record<string, number>),
      );
      this.exports.opa_heap_ptr_set(this.heapPtr);
      return ids;
    } catch (cause) {
      throw unlisted(name, cause);
    }
  }

  read(addr: number): RegoValue {
    const plain = plainAt(this.bytes(), addr);
    if (plain !== undefined) return plain;
    const dump = this.exports.opa_value_dump(addr);
    const text = this.text(dump);
    this.exports.opa_free(dump);
    return decode(text);
  }

  write(value: RegoValue): number {
    if (typeof value === 'string' && isRaw(value)) return this.#writeRaw(bytesOf(value));
    const text = encode(value);
    const length = Buffer.byteLength(text);
    const addr = this.exports.opa_malloc(length);
    this.bytes().write(text, addr);
    const parsed = this.exports.opa_value_parse(addr, length);
    this.exports.opa_free(addr);
    return parsed;
  }

  /**
   * OPA's parser accepts UTF-8 only. A string of other bytes is parsed as a placeholder of the same length, whose bytes are
   * then overwritten in memory (`opa_string_t`: header, length at 4, bytes at 8).
   */
  #writeRaw(raw: Uint8Array): number {
    const placeholder = 'x'.repeat(raw.length);
    const addr = this.write(placeholder);
    const bytes = this.bytes();
    const at = bytes.readUInt32LE(addr + 8);
    if (
      bytes.readUInt32LE(addr + 4) === raw.length &&
      bytes.toString('latin1', at, at + raw.length) === placeholder
    ) {
      bytes.set(raw, at);
      return addr;
    }
    return this.write(stringOf(raw).toWellFormed());
  }

  /** @returns the result set as value text */
  evaluate(entrypoint: number, input: string | Uint8Array | undefined): string {
    this.#iteration.forget();
    const length = input === undefined ? 0 : this.#writeInput(input);
    const { exports, heapPtr } = this;
    if (this.#minor >= 2) {
      const at = input === undefined ? 0 : heapPtr;
      const result = exports.opa_eval(0, entrypoint, this.dataAddr, at, length, align(heapPtr + length), 1);
      return this.text(result);
    }
    exports.opa_heap_ptr_set(align(heapPtr + length));
    const context = exports.opa_eval_ctx_new();
    if (input !== undefined) exports.opa_eval_ctx_set_input(context, exports.opa_json_parse(heapPtr, length));
    exports.opa_eval_ctx_set_data(context, this.dataAddr);
    exports.opa_eval_ctx_set_entrypoint(context, entrypoint);
    exports.eval(context);
    return this.text(exports.opa_value_dump(exports.opa_eval_ctx_get_result(context)));
  }

  /** Writes the input to the start of the heap. @returns its length in bytes */
  #writeInput(input: string | Uint8Array): number {
    let bytes = this.bytes();
    const maxLength = typeof input === 'string' ? input.length * 3 : input.length;
    if (this.heapPtr + maxLength > bytes.length) {
      const length = typeof input === 'string' ? Buffer.byteLength(input) : input.length;
      if (this.heapPtr + length > this.#maxPages * PAGE_BYTES) {
        throw new RegoError(
          'input_too_large',
          `The policy's input (${length} bytes) does not fit its memory of ${this.#maxPages} pages. Send less, or raise the limit.`,
        );
      }
      // OPA's allocator grows the memory, so that it knows where the memory ends.
      this.exports.opa_heap_ptr_set(this.heapPtr);
      this.exports.opa_malloc(length);
      bytes = this.bytes();
    }
    if (typeof input === 'string') return bytes.write(input, this.heapPtr);
    bytes.set(input, this.heapPtr);
    return input.length;
  }

  loadedState(): LoadedState {
    return {
      memory: Uint8Array.from(this.bytes().subarray(0, this.heapPtr)),
      dataAddr: this.dataAddr,
      heapPtr: this.heapPtr,
    };
  }
}
