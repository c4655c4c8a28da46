/** Loads a compiled policy: rewrites its module, compiles it, and loads its data. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Builtin } from './builtins/types.ts';
import { type Limits, RegoError } from './errors.ts';
import { createEvaluator, type Evaluator } from './evaluator.ts';
import { asOpaInterpreter } from './wasm/hosted.ts';
import { createMeter, loadingFuel, meter } from './wasm/metering.ts';

export interface LoadOptions {
  readonly limits: Limits;
  /** base document (`data`): JSON text as bytes, or a value that JSON can hold; default `{}` */
  readonly data?: unknown;
  /** receives what the policy prints; the module must be built with `--wasm-include-print` */
  readonly print?: (line: string) => void;
  /** host functions besides OPA's own, or instead of them, by name */
  readonly builtins?: { readonly [name: string]: Builtin };
}

const PAGES_PER_MB = 16;

/** OPA 1.19 compiles some rules to functions that are not valid; V8's message names the first of them. */
const invalidModule = (cause: unknown): RegoError => {
  const rule = /"g\d+\.(data\.[^"]+)"/.exec(cause instanceof Error ? cause.message : '')?.[1];
  return new RegoError(
    'module_malformed',
    rule === undefined
      ? "The policy's WebAssembly is not valid."
      : `OPA compiles ${rule} to WebAssembly that is not valid, as it does where a rule reads a package that has functions by a variable (data.lib[name]). Move these functions into a package of their own.`,
    { cause },
  );
};

/**
 * @param wasm a module that OPA 1.19 built (`opa build -t wasm`), with its section "name"
 * @throws RegoError `module_malformed`, `module_unsupported`, `builtin_unknown`, `data_invalid`, `memory_exceeded`
 */
export const load = async (wasm: Uint8Array<ArrayBuffer>, options: LoadOptions): Promise<Evaluator> => {
  const { limits, data, ...rest } = options;
  const json = data instanceof Uint8Array ? data : Buffer.from(JSON.stringify(data ?? {}));
  const rewritten = meter(asOpaInterpreter(wasm), loadingFuel(wasm.length, json.length));
  // Compiled on another thread, so that a large policy does not hold up the event loop.
  const module = await WebAssembly.compile(rewritten).catch((cause: unknown) => {
    throw invalidModule(cause);
  });
  await nextTurn();
  return createEvaluator(module, {
    ...rest,
    data: json,
    maxPages: limits.memoryMb * PAGES_PER_MB,
    meter: createMeter(limits.evaluationMs),
  });
};
