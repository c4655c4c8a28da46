/**
 * One instance of a compiled policy: loaded, given its data once, asked many times. Longer than most, being the only file that knows
 * `@open-policy-agent/opa-wasm`, whose `LoadedPolicy` loads the data and reads the entrypoints; values then cross the
 * boundary through `values.ts` instead of its JSON, which would round numbers, flatten sets and skip an input of `0`.
 *
 * A trap leaves the heap half written, and WebAssembly memory never shrinks: an instance that trapped or grew is thrown
 * away, and the next evaluation starts on a fresh one with the memory as it was right after loading.
 */
import { createRequire } from 'node:module';
import { SluiceError } from '../errors.ts';
import { builtins as hostBuiltins } from './builtins/index.ts';
import { type Builtin, BuiltinFailure, EvaluationContext, type Nondeterminism } from './builtins/types.ts';
import { ARRANGE, hostedAt, NEXT } from './wasm/hosted.ts';
import { Iteration } from './iteration.ts';
import { plainAt, textAt } from './memory.ts';
import { jsonOf } from './order.ts';
import { bytesOf, decode, encode, isRaw, type RegoValue, stringOf, wellFormed } from './values.ts';

export type { Builtin, Nondeterminism } from './builtins/types.ts';

export interface EvaluatorOptions {
  /** base document: JSON text as bytes, or a value that JSON can hold; not read when `snapshot` is given */
  readonly data?: unknown;
  /** memory right after loading, from another evaluator of the same module (also of another thread) */
  readonly snapshot?: EngineSnapshot;
  /** bound of the instance's memory, in pages of 64 KiB */
  readonly maxPages: number;
  /** an instance that grew by more than this above its loaded size is replaced; default 256 (16 MiB) */
  readonly retainPages?: number;
  readonly print?: (line: string) => void;
  /** called before each host built-in and in its long loops; throws once the evaluation has used up its time */
  readonly check?: () => void;
  /** host functions besides OPA's own, e.g. a test runner's */
  readonly builtins?: { readonly [name: string]: Builtin };
  /** further imports of the module, e.g. of a rewriter that meters it */
  readonly imports?: WebAssembly.Imports;
  /** may explain a trap (the fuel is used up) before it is reported as a failed evaluation */
  readonly explainTrap?: (exports: WebAssembly.Exports, cause: unknown) => SluiceError | undefined;
}

/** An instance's linear memory right after loading. May be posted to another thread, as the module itself. */
export interface EngineSnapshot {
  readonly memory: Uint8Array<ArrayBuffer>;
  readonly dataAddr: number;
  readonly heapPtr: number;
}

export interface EvaluationInput {
  /** nanoseconds since the epoch: what `time.now_ns()` answers */
  readonly nowNs: bigint;
  /** what `rand.intn` and `uuid.rfc4122` are derived from */
  readonly seed: string;
}

export interface Evaluation {
  /** undefined if the rule is undefined; numbers are doubles here */
  readonly result: unknown;
  /** the same as JSON text, every number as spelled; empty if undefined */
  readonly raw: string;
  readonly nondeterminism: Nondeterminism;
}

export interface Evaluator {
  readonly entrypoints: readonly string[];
  /** host built-ins that the module calls */
  readonly builtins: readonly string[];
  /** of the live instance (made now if the last one was thrown away) */
  readonly exports: WebAssembly.Exports;
  /**
   * @param inputJson JSON text; undefined: there is no input
   * @throws SluiceError `bundle_entrypoint_missing`, `policy_input_too_large`, `policy_evaluation_failed`,
   *   `policy_memory_exceeded`, or what `explainTrap` answers
   */
  evaluate(
    entrypoint: string,
    inputJson: string | Uint8Array | undefined,
    context: EvaluationInput,
  ): Evaluation;
  /** of the live instance; 0 if there is none */
  memoryBytes(): number;
  snapshot(): EngineSnapshot;
}

// Its ES module exports less than its types say; what it exports to `require` is complete.
const { LoadedPolicy } = createRequire(import.meta.url)(
  '@open-policy-agent/opa-wasm',
) as typeof import('@open-policy-agent/opa-wasm');

const PAGE = 65536;
const DEFAULT_RETAIN = 256;
const FEWEST_PAGES = 5;
/** around the one answer in a result set */
const RESULT = '[{"result":';
const RESULT_END = '}]';

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

/** `opa_abort`: the policy itself gave up (a conflict), or its allocator did. The text names file, line and column. */
class Abort extends Error {}

const memoryExceeded = (maxPages: number, cause?: unknown): SluiceError =>
  new SluiceError('policy_memory_exceeded', {
    message: `The policy needs more than its ${(maxPages * PAGE) / 2 ** 20} MiB of memory. Make the rule cheaper, or raise the bound.`,
    cause,
  });

const jsonText = (json: string | Uint8Array): string | Uint8Array =>
  typeof json === 'string'
    ? wellFormed(json)
    : Buffer.from(json.buffer, json.byteOffset, json.byteLength).includes('\\u')
      ? wellFormed(new TextDecoder().decode(json))
      : json;

const dataBuffer = (data: unknown): ArrayBuffer => {
  const text = jsonText(data instanceof Uint8Array ? data : (JSON.stringify(data) ?? 'null'));
  return Uint8Array.from(typeof text === 'string' ? Buffer.from(text) : text).buffer;
};

/** V8's words for a call through a table of nothing: what a metered module does whose fuel is used up before it is asked. */
const neverEnds = (cause: unknown): boolean =>
  cause instanceof WebAssembly.RuntimeError && /null function|table index/.test(cause.message);

const endless = (cause: unknown): SluiceError =>
  new SluiceError('bundle_malformed', {
    message:
      "The policy's WebAssembly computes without end while it is loaded. Build it with OPA 1.19, target wasm.",
    cause,
  });

const unlisted = (what: string, cause: unknown): SluiceError =>
  new SluiceError('bundle_abi_unsupported', {
    message: `The policy's WebAssembly does not list its ${what}. Build it with OPA 1.19, target wasm.`,
    cause,
  });

/** what is called of every module, whatever its ABI */
const CALLED = [
  ...['opa_malloc', 'opa_free', 'opa_json_dump', 'opa_json_parse', 'opa_value_dump', 'opa_value_parse'],
  ...['opa_heap_ptr_get', 'opa_heap_ptr_set', 'eval', 'builtins', 'entrypoints'],
] as const;

const align = (addr: number): number => (addr + 7) & ~7;

const hostedFunction = (id: number): Builtin | undefined => {
  const name = hostedAt(id);
  return name === undefined ? undefined : hostBuiltins.get(name);
};

type Dispatch = (live: Live, id: number, args: readonly number[]) => number;

/** A WebAssembly instance with its memory, and how values go in and come out. */
class Live {
  readonly wasm: WebAssembly.Exports;
  readonly exports: OpaExports;
  readonly memory: WebAssembly.Memory;
  readonly dataAddr: number;
  /** the heap of every evaluation starts here */
  readonly heapPtr: number;
  readonly loadedBytes: number;
  readonly order = new Iteration(
    () => this.bytes(),
    (addr) => this.read(addr),
    () => this.heapPtr,
  );
  readonly #maxPages: number;
  readonly #minor: number;
  #buffer: Buffer;

  constructor(
    module: WebAssembly.Module,
    options: EvaluatorOptions,
    dispatch: Dispatch,
    snapshot?: EngineSnapshot,
  ) {
    this.#maxPages = options.maxPages;
    const { memory, instance } = this.#instantiate(
      module,
      options,
      dispatch,
      snapshot?.memory.byteLength ?? 0,
    );
    this.memory = memory;
    this.#buffer = Buffer.from(memory.buffer);
    this.wasm = instance.exports;
    this.exports = instance.exports as unknown as OpaExports;
    const major = this.exports.opa_wasm_abi_version?.value;
    const minor = this.exports.opa_wasm_abi_minor_version?.value;
    if (major !== 1 || minor === undefined || minor < 1 || minor > 3) {
      throw new SluiceError(
        'bundle_abi_unsupported',
        `The policy was compiled for OPA's WebAssembly ABI ${major ?? '?'}.${minor ?? '?'}; 1.1 to 1.3 are supported. Build it with OPA 1.19.`,
      );
    }
    const missing = CALLED.filter((name) => typeof this.wasm[name] !== 'function');
    if (missing.length > 0)
      throw new SluiceError(
        'bundle_abi_unsupported',
        `The policy's WebAssembly does not export ${missing.join(', ')}. Build it with OPA 1.19, target wasm.`,
      );
    this.#minor = minor;
    if (snapshot === undefined) {
      const policy = this.#loaded({ instance, module }, minor);
      if (options.data !== undefined) policy.setData(dataBuffer(options.data));
      this.dataAddr = policy.dataAddr;
      this.heapPtr = align(this.exports.opa_heap_ptr_get());
      this.exports.opa_heap_ptr_set(this.heapPtr);
    } else {
      this.bytes().set(snapshot.memory);
      this.dataAddr = snapshot.dataAddr;
      this.heapPtr = snapshot.heapPtr;
    }
    this.loadedBytes = memory.buffer.byteLength;
  }

  #loaded(
    instantiated: WebAssembly.WebAssemblyInstantiatedSource,
    minor: number,
  ): InstanceType<typeof LoadedPolicy> {
    try {
      return new LoadedPolicy(instantiated, this.memory, minor);
    } catch (cause) {
      throw neverEnds(cause) ? endless(cause) : unlisted('entrypoints', cause);
    }
  }

  #instantiate(module: WebAssembly.Module, options: EvaluatorOptions, dispatch: Dispatch, bytes: number) {
    const call = (id: number, _context: number, ...args: number[]): number => dispatch(this, id, args);
    const call1 = (id: number, _context: number, a: number): number =>
      id === ARRANGE ? this.order.arrange(a) : dispatch(this, id, [a]);
    const call2 = (id: number, _context: number, a: number, b: number): number =>
      id === NEXT ? this.order.next(a, b) : dispatch(this, id, [a, b]);
    const env = {
      ...options.imports?.['env'],
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
    // The constants of a large policy may need more memory than the module asks for; nothing but trying tells how much.
    for (let pages = Math.max(FEWEST_PAGES, Math.ceil(bytes / PAGE)); pages <= options.maxPages; pages *= 2) {
      const memory = new WebAssembly.Memory({ initial: pages, maximum: options.maxPages });
      try {
        return {
          memory,
          instance: new WebAssembly.Instance(module, { ...options.imports, env: { ...env, memory } }),
        };
      } catch (cause) {
        if (neverEnds(cause)) throw endless(cause);
        if (cause instanceof WebAssembly.RuntimeError || /memory import/.test(String(cause))) continue;
        throw new SluiceError('bundle_abi_unsupported', {
          message:
            'The policy asks its host for functions that OPA does not have. Build it with OPA 1.19, target wasm.',
          cause,
        });
      }
    }
    throw memoryExceeded(options.maxPages);
  }

  /** the memory as it is now: growing replaces its buffer */
  bytes(): Buffer {
    if (this.#buffer.length !== this.memory.buffer.byteLength) this.#buffer = Buffer.from(this.memory.buffer);
    return this.#buffer;
  }

  /** null-terminated text */
  text(addr: number): string {
    const bytes = this.bytes();
    const end = bytes.indexOf(0, addr);
    return textAt(bytes, addr, end);
  }

  /** @throws SluiceError `bundle_abi_unsupported` */
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
   * OPA's parser takes UTF-8 only, so a string of other bytes is parsed as a placeholder of the same length whose bytes
   * are then overwritten, where the placeholder is found (`opa_string_t`: header, length at 4, bytes at 8).
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
    this.order.forget();
    const length = input === undefined ? 0 : this.#place(input);
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

  /** puts the input at the start of the heap */
  #place(input: string | Uint8Array): number {
    let bytes = this.bytes();
    const most = typeof input === 'string' ? input.length * 3 : input.length;
    if (this.heapPtr + most > bytes.length) {
      const length = typeof input === 'string' ? Buffer.byteLength(input) : input.length;
      if (this.heapPtr + length > this.#maxPages * PAGE) {
        throw new SluiceError(
          'policy_input_too_large',
          `The policy's input (${length} bytes) does not fit its memory of ${this.#maxPages} pages. Send less, or raise the bound.`,
        );
      }
      // Growing through OPA's allocator keeps its idea of the memory's end right.
      this.exports.opa_heap_ptr_set(this.heapPtr);
      this.exports.opa_malloc(length);
      bytes = this.bytes();
    }
    if (typeof input === 'string') return bytes.write(input, this.heapPtr);
    bytes.set(input, this.heapPtr);
    return input.length;
  }

  snapshot(): EngineSnapshot {
    return {
      memory: Uint8Array.from(this.bytes().subarray(0, this.heapPtr)),
      dataAddr: this.dataAddr,
      heapPtr: this.heapPtr,
    };
  }
}

/**
 * @throws SluiceError `bundle_abi_unsupported`, `policy_builtin_refused` (the module calls a built-in that Sluice does not
 *   answer), `policy_data_invalid`, `policy_memory_exceeded` (the data does not fit)
 */
export function createEvaluator(module: WebAssembly.Module, options: EvaluatorOptions): Evaluator {
  const retained = (options.retainPages ?? DEFAULT_RETAIN) * PAGE;
  let functions: readonly (Builtin | undefined)[] = [];
  let context = new EvaluationContext(0n, '');

  const dispatch: Dispatch = (live, id, args) => {
    const builtin = functions[id] ?? hostedFunction(id);
    if (builtin === undefined) throw new Abort(`built-in ${id} is not known`);
    options.check?.();
    let answer: RegoValue | undefined;
    try {
      answer = builtin(
        args.map((addr) => live.read(addr)),
        context,
      );
      // What a built-in took is the evaluation's time, too.
      options.check?.();
    } catch (e) {
      if (e instanceof BuiltinFailure) return 0;
      throw e;
    }
    return answer === undefined ? 0 : live.write(answer);
  };

  const load = (): Live => {
    try {
      return new Live(module, options, dispatch, options.snapshot);
    } catch (cause) {
      if (cause instanceof SluiceError) throw cause;
      if (cause instanceof Abort && cause.message.includes('opa_malloc'))
        throw memoryExceeded(options.maxPages, cause);
      if (neverEnds(cause)) throw endless(cause);
      throw new SluiceError('policy_data_invalid', {
        message: "The policy's data is not a JSON document that OPA can load. Check data.json.",
        cause,
      });
    }
  };

  let live: Live | undefined = load();
  const loaded = options.snapshot ?? live.snapshot();
  const entrypoints = live.ids('entrypoints');
  const builtins = live.ids('builtins');
  const missing = [...builtins.keys()].filter(
    (name) => options.builtins?.[name] === undefined && !hostBuiltins.has(name),
  );
  if (missing.length > 0) {
    throw new SluiceError(
      'policy_builtin_refused',
      `The policy calls ${missing.sort().join(', ')}, which Sluice does not answer. Pass what they would fetch in the input or the data.`,
    );
  }
  const withSets = new Set<number>();
  const byId: (Builtin | undefined)[] = [];
  for (const [name, id] of builtins) byId[id] = options.builtins?.[name] ?? hostBuiltins.get(name);
  functions = byId;

  const current = (): Live => {
    live ??= new Live(module, options, dispatch, loaded);
    return live;
  };

  const explain = (failed: Live, cause: unknown): SluiceError => {
    const explained = options.explainTrap?.(failed.wasm, cause);
    if (explained !== undefined) return explained;
    if (cause instanceof SluiceError) return cause;
    const full = failed.memory.buffer.byteLength >= options.maxPages * PAGE;
    if (
      (cause instanceof Abort && cause.message.includes('opa_malloc')) ||
      (full && cause instanceof WebAssembly.RuntimeError) ||
      (cause instanceof RangeError && /length|allocation/.test(cause.message))
    ) {
      return memoryExceeded(options.maxPages, cause);
    }
    const why =
      cause instanceof Abort
        ? cause.message
        : cause instanceof RangeError
          ? 'it is nested too deep'
          : 'it trapped';
    return new SluiceError('policy_evaluation_failed', {
      message: `The policy could not be evaluated: ${why}.`,
      cause,
    });
  };

  return {
    entrypoints: [...entrypoints.keys()],
    builtins: [...builtins.keys()],
    get exports() {
      return current().wasm;
    },
    evaluate(entrypoint, inputJson, { nowNs, seed }) {
      const id = entrypoints.get(entrypoint);
      if (id === undefined) {
        throw new SluiceError(
          'bundle_entrypoint_missing',
          `The policy has no entrypoint ${entrypoint}. Name it when building: opa build -t wasm -e ${entrypoint}.`,
        );
      }
      const instance = current();
      context = new EvaluationContext(nowNs, seed, options.print, options.check);
      let text: string;
      try {
        text = instance.evaluate(id, inputJson === undefined ? undefined : jsonText(inputJson));
      } catch (cause) {
        live = undefined;
        throw explain(instance, cause);
      }
      if (instance.memory.buffer.byteLength > instance.loadedBytes + retained) live = undefined;
      const { nondeterminism } = context;
      // Bytes that are not UTF-8 leave as Go writes them: U+FFFD each.
      const raw = text.toWellFormed().slice(RESULT.length, -RESULT_END.length).trimStart();
      if (raw === '') return { result: undefined, raw, nondeterminism };
      if (!withSets.has(id)) {
        try {
          return { result: JSON.parse(raw), raw, nondeterminism };
        } catch {
          // Value text without a set is JSON; an entrypoint that answered one set will answer others.
          withSets.add(id);
        }
      }
      const json = jsonOf(decode(raw));
      return { result: JSON.parse(json), raw: json, nondeterminism };
    },
    memoryBytes: () => live?.memory.buffer.byteLength ?? 0,
    snapshot: () => loaded,
  };
}
