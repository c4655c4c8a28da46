/** The evaluator of one revision: metered, its memory bounded, its host functions held to the same budget. */
import { SluiceError } from '../errors.ts';
import { type PolicyBundle, pause } from './bundle/bundle.ts';
import type { PolicyLimits } from './settings.ts';
import { type Builtin, createEvaluator, type Evaluation, type Evaluator } from '../rego/engine.ts';
import { createMeter, loadingFuel, meter } from '../rego/wasm/metering.ts';
import { withHostedBuiltins } from '../rego/wasm/hosted.ts';
import { numbersKept } from '../rego/exact-json.ts';

export interface Runtime {
  readonly entrypoints: readonly string[];
  /** @throws SluiceError `policy_*` */
  evaluate(
    entrypoint: string,
    /** undefined: there is no input */
    inputJson: string | undefined,
    outside: { readonly nowNs: bigint; readonly seed: () => string },
  ): Evaluation;
  memoryBytes(): number;
}

const PAGES_PER_MB = 16;
/** built-ins that want a seed, which takes longer to make than a small evaluation may */
const RANDOM: ReadonlySet<string> = new Set([
  'rand.intn',
  'uuid.rfc4122',
  'io.jwt.encode_sign',
  'io.jwt.encode_sign_raw',
]);

export interface RuntimeExtras {
  readonly print?: (line: string) => void;
  /** host functions besides OPA's own, of tests */
  readonly builtins?: { readonly [name: string]: Builtin };
}

/** An evaluator that is metered, its time and memory bounded. */
export interface Metered extends Omit<Evaluator, 'snapshot' | 'exports'> {}

/** OPA 1.19 compiles some rules to functions that are not valid, and the engine names the first of them. */
const invalid = (cause: unknown): SluiceError => {
  const rule = /"g\d+\.(data\.[^"]+)"/.exec(cause instanceof Error ? cause.message : '')?.[1];
  return new SluiceError('bundle_malformed', {
    message:
      rule === undefined
        ? "The policy's WebAssembly is not valid."
        : `OPA compiles ${rule} to WebAssembly that is not valid, as it does where a rule goes through a package that has functions by a variable (data.lib[name]). Move these functions into a package of their own.`,
    cause,
  });
};

/** @throws SluiceError `bundle_malformed`, `bundle_abi_unsupported`, `policy_builtin_refused`, `policy_memory_exceeded` */
export const createMetered = async (
  wasm: Uint8Array<ArrayBuffer>,
  data: Uint8Array,
  limits: Pick<PolicyLimits, 'evaluation_ms' | 'memory_mb'>,
  extras: RuntimeExtras = {},
): Promise<Metered> => {
  const rewritten = meter(withHostedBuiltins(wasm), loadingFuel(wasm.length, data.length));
  // Off the main thread: a large policy does not hold up requests while it is compiled.
  const module = await WebAssembly.compile(rewritten).catch((cause: unknown) => {
    throw invalid(cause);
  });
  await pause();
  const time = createMeter(
    limits.evaluation_ms,
    () =>
      new SluiceError(
        'policy_deadline_exceeded',
        `The policy did not answer within its budget (policy.limits.evaluation_ms: ${limits.evaluation_ms}).`,
      ),
  );
  const evaluator = createEvaluator(module, {
    data,
    maxPages: limits.memory_mb * PAGES_PER_MB,
    // before every host built-in, and within those that may take long
    check: () => time.check(),
    ...extras,
  });
  return {
    entrypoints: evaluator.entrypoints,
    builtins: evaluator.builtins,
    memoryBytes: () => evaluator.memoryBytes(),
    evaluate(entrypoint, inputJson, context) {
      time.start(evaluator.exports);
      return evaluator.evaluate(entrypoint, inputJson, context);
    },
  };
};

/** @throws SluiceError `bundle_malformed`, `bundle_abi_unsupported`, `policy_builtin_refused`, `policy_memory_exceeded` */
export const createRuntime = async (
  bundle: PolicyBundle,
  limits: PolicyLimits,
  extras?: RuntimeExtras,
): Promise<Runtime> => {
  // as bytes: a string would be a JSON string
  const data = Buffer.from(neededData(bundle), 'utf8');
  await pause();
  let evaluator: Metered;
  try {
    evaluator = await createMetered(bundle.wasm, data, limits, extras);
  } catch (cause) {
    if (cause instanceof SluiceError) throw cause;
    throw new SluiceError('bundle_malformed', {
      message: `${bundle.name}: not a WebAssembly module that can be metered.`,
      cause,
    });
  }
  const random = evaluator.builtins.some((name) => RANDOM.has(name));
  return {
    entrypoints: evaluator.entrypoints,
    memoryBytes: () => evaluator.memoryBytes(),
    evaluate(entrypoint, inputJson, { nowNs, seed }) {
      if (inputJson !== undefined && Buffer.byteLength(inputJson) > limits.input_bytes)
        throw new SluiceError(
          'policy_input_too_large',
          `The policy's input has more than ${limits.input_bytes} bytes (policy.limits.input_bytes).`,
        );
      return evaluator.evaluate(entrypoint, inputJson, { nowNs, seed: random ? seed() : '' });
    },
  };
};

/** Only what some entrypoint can look at is loaded: a catalog of ten thousand fields serves others, not the rules. */
const neededData = (bundle: PolicyBundle): string => {
  const { reads } = bundle;
  if (reads === null || reads.size < bundle.manifest.wasm.length) return bundle.dataJson;
  const roots = new Set<string>();
  for (const { data } of reads.values())
    for (const [root] of data) {
      if (root === undefined) return bundle.dataJson;
      roots.add(root);
    }
  const all = numbersKept.needed(bundle.dataJson)
    ? (numbersKept.parse(bundle.dataJson) as typeof bundle.data)
    : bundle.data;
  return numbersKept.stringify(Object.fromEntries(Object.entries(all).filter(([name]) => roots.has(name))));
};
