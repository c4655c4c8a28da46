/**
 * Evaluates the entrypoints of a compiled policy: the instance is loaded once, with its data, and asked many times.
 *
 * A trap leaves the heap inconsistent, and WebAssembly memory never shrinks. An instance that trapped, or grew by more than
 * `RETAINED_PAGES`, is discarded; the next evaluation starts a new one with the memory as it was right after loading.
 */
import { builtins as hostBuiltins } from './builtins/index.ts';
import { type Builtin, BuiltinFailure, EvaluationContext, type Nondeterminism } from './builtins/types.ts';
import { RegoError } from './errors.ts';
import {
  Abort,
  type Dispatch,
  Instance,
  type InstanceOptions,
  jsonText,
  memoryExceeded,
  PAGE_BYTES,
} from './instance.ts';
import { jsonOf } from './order.ts';
import { decode, type RegoValue } from './values.ts';
import { hostedAt } from './wasm/hosted.ts';
import type { Meter } from './wasm/metering.ts';

export interface EvaluatorOptions extends InstanceOptions {
  /** receives what the policy prints; the module must be built with `--wasm-include-print` */
  readonly print?: (line: string) => void;
  /** host functions besides OPA's own, or instead of them, by name */
  readonly builtins?: { readonly [name: string]: Builtin };
  /** bounds each evaluation of a metered module */
  readonly meter?: Meter;
}

/** The values of time and chance for one evaluation. With the same ones, it returns the same result. */
export interface EvaluationInput {
  /** nanoseconds since the epoch: the result of `time.now_ns()` */
  readonly nowNs: bigint;
  /** what `rand.intn` and `uuid.rfc4122` are derived from */
  readonly seed: string;
}

export interface Evaluation {
  /** undefined if the rule is undefined; numbers are doubles here, sets are arrays in order */
  readonly result: unknown;
  /** the same as JSON text, in which every number is spelled as the policy computed it; empty if undefined */
  readonly raw: string;
  readonly nondeterminism: Nondeterminism;
}

export interface Evaluator {
  readonly entrypoints: readonly string[];
  /** names of the host built-ins that the module calls */
  readonly builtins: readonly string[];
  /**
   * @param inputJson JSON text; undefined: there is no input
   * @throws RegoError `entrypoint_missing`, `input_too_large`, `evaluation_failed`, `memory_exceeded`, `deadline_exceeded`
   */
  evaluate(
    entrypoint: string,
    inputJson: string | Uint8Array | undefined,
    input: EvaluationInput,
  ): Evaluation;
  /** of the current instance; 0 if there is none */
  memoryBytes(): number;
}

/** 16 MiB; replacing an instance costs more than keeping that much */
const RETAINED_PAGES = 256;
/** around the only answer in a result set */
const RESULT = '[{"result":';
const RESULT_END = '}]';

/** the built-in that replaces a function of the module */
const hostedBuiltin = (id: number): Builtin | undefined => {
  const name = hostedAt(id);
  return name === undefined ? undefined : hostBuiltins.get(name);
};

/**
 * @throws RegoError `module_unsupported`, `module_malformed`, `builtin_unknown`, `data_invalid`, `memory_exceeded` (the data
 *   does not fit)
 */
export function createEvaluator(module: WebAssembly.Module, options: EvaluatorOptions): Evaluator {
  const { meter } = options;
  let functions: readonly (Builtin | undefined)[] = [];
  let context = new EvaluationContext(0n, '');

  const dispatch: Dispatch = (instance, id, args) => {
    const builtin = functions[id] ?? hostedBuiltin(id);
    if (builtin === undefined) throw new Abort(`built-in ${id} is not known`);
    meter?.check();
    let answer: RegoValue | undefined;
    try {
      answer = builtin(
        args.map((addr) => instance.read(addr)),
        context,
      );
      // The time that a built-in takes counts as the evaluation's.
      meter?.check();
    } catch (e) {
      if (e instanceof BuiltinFailure) return 0;
      throw e;
    }
    return answer === undefined ? 0 : instance.write(answer);
  };

  const load = (): Instance => {
    try {
      return new Instance(module, options, dispatch);
    } catch (cause) {
      if (cause instanceof RegoError) throw cause;
      if (cause instanceof Abort && cause.message.includes('opa_malloc'))
        throw memoryExceeded(options.maxPages, cause);
      throw (
        Instance.endless(cause) ??
        new RegoError(
          'data_invalid',
          "The policy's data is not a JSON document that OPA can load. Check data.json.",
          { cause },
        )
      );
    }
  };

  const first = load();
  const loaded = first.loadedState();
  const entrypoints = first.ids('entrypoints');
  const builtins = first.ids('builtins');
  const implementation = (name: string): Builtin | undefined =>
    options.builtins?.[name] ?? hostBuiltins.get(name);
  const missing = [...builtins.keys()].filter((name) => implementation(name) === undefined);
  if (missing.length > 0) {
    throw new RegoError(
      'builtin_unknown',
      `The policy calls ${missing.sort().join(', ')}, which is not implemented here. Pass what it would fetch in the input or the data.`,
    );
  }
  const byId: (Builtin | undefined)[] = [];
  for (const [name, id] of builtins) byId[id] = implementation(name);
  functions = byId;

  let current: Instance | undefined = first;
  /** entrypoints whose answers hold sets, by id */
  const withSets = new Set<number>();

  return {
    entrypoints: [...entrypoints.keys()],
    builtins: [...builtins.keys()],
    evaluate(entrypoint, inputJson, { nowNs, seed }) {
      const id = entrypoints.get(entrypoint);
      if (id === undefined) {
        throw new RegoError(
          'entrypoint_missing',
          `The policy has no entrypoint ${entrypoint}. Name it when building: opa build -t wasm -e ${entrypoint}.`,
        );
      }
      current ??= new Instance(module, options, dispatch, loaded);
      const instance = current;
      meter?.start(instance.wasm);
      context = new EvaluationContext(nowNs, seed, options.print, meter?.check);
      let text: string;
      try {
        text = instance.evaluate(id, inputJson === undefined ? undefined : jsonText(inputJson));
      } catch (cause) {
        current = undefined;
        throw failure(cause, instance, options.maxPages);
      }
      const grown = instance.memory.buffer.byteLength - instance.loadedBytes;
      if (grown > RETAINED_PAGES * PAGE_BYTES) current = undefined;
      const { nondeterminism } = context;
      // Bytes that are not UTF-8 are written as Go writes them: U+FFFD each.
      const raw = text.toWellFormed().slice(RESULT.length, -RESULT_END.length).trimStart();
      if (raw === '') return { result: undefined, raw, nondeterminism };
      if (!withSets.has(id)) {
        try {
          return { result: JSON.parse(raw), raw, nondeterminism };
        } catch {
          // Value text without a set is JSON. An entrypoint that answered a set is expected to answer sets again.
          withSets.add(id);
        }
      }
      const json = jsonOf(decode(raw));
      return { result: JSON.parse(json), raw: json, nondeterminism };
    },
    memoryBytes: () => current?.memory.buffer.byteLength ?? 0,
  };
}

/** what an exception thrown during an evaluation means */
const failure = (cause: unknown, instance: Instance, maxPages: number): RegoError => {
  if (cause instanceof RegoError) return cause;
  const full = instance.memory.buffer.byteLength >= maxPages * PAGE_BYTES;
  if (
    (cause instanceof Abort && cause.message.includes('opa_malloc')) ||
    (full && cause instanceof WebAssembly.RuntimeError) ||
    (cause instanceof RangeError && /length|allocation/.test(cause.message))
  ) {
    return memoryExceeded(maxPages, cause);
  }
  const reason =
    cause instanceof Abort
      ? cause.message
      : cause instanceof RangeError
        ? 'it is nested too deep'
        : 'it trapped';
  return new RegoError('evaluation_failed', `The policy could not be evaluated: ${reason}.`, { cause });
};
