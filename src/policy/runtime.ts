/** The evaluator of one revision: its limits come from the configuration, its errors are Sluice's, and it loads only the data that is read. */
import { type ErrorCode, SluiceError } from '../errors.ts';
import {
  type Evaluation,
  type Evaluator,
  type Limits,
  load,
  type LoadOptions,
  exactJson,
  RegoError,
  type RegoErrorCode,
} from '../rego/index.ts';
import { type PolicyBundle, pause } from './bundle/bundle.ts';
import type { PolicyLimits } from './settings.ts';

const CODES: { readonly [code in RegoErrorCode]: ErrorCode } = {
  module_malformed: 'bundle_malformed',
  module_unsupported: 'bundle_abi_unsupported',
  builtin_unknown: 'policy_builtin_refused',
  data_invalid: 'policy_data_invalid',
  entrypoint_missing: 'bundle_entrypoint_missing',
  input_too_large: 'policy_input_too_large',
  memory_exceeded: 'policy_memory_exceeded',
  deadline_exceeded: 'policy_deadline_exceeded',
  evaluation_failed: 'policy_evaluation_failed',
};

/** the setting that each limit comes from, named where the limit is reached */
const SETTINGS: { readonly [limit in keyof Limits]: string } = {
  evaluationMs: 'policy.limits.evaluation_ms',
  memoryMb: 'policy.limits.memory_mb',
};

const sluiceError = (e: unknown): unknown => {
  if (!(e instanceof RegoError)) return e;
  const { limit } = e;
  const message = limit === undefined ? e.message : e.message.replace(/\.$/, ` (${SETTINGS[limit]}).`);
  return new SluiceError(CODES[e.code], { message, cause: e.cause });
};

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

/** built-ins that use the seed, which takes longer to make than a small evaluation may take */
const RANDOM: ReadonlySet<string> = new Set([
  'rand.intn',
  'uuid.rfc4122',
  'io.jwt.encode_sign',
  'io.jwt.encode_sign_raw',
]);

export type RuntimeExtras = Pick<LoadOptions, 'print' | 'builtins'>;

/**
 * An evaluator whose time and memory are bounded, and which throws errors of Sluice.
 * @throws SluiceError `bundle_malformed`, `bundle_abi_unsupported`, `policy_builtin_refused`, `policy_memory_exceeded`
 */
export const createMetered = async (
  wasm: Uint8Array<ArrayBuffer>,
  data: Uint8Array,
  limits: Pick<PolicyLimits, 'evaluation_ms' | 'memory_mb'>,
  extras: RuntimeExtras = {},
): Promise<Evaluator> => {
  const evaluator = await load(wasm, {
    ...extras,
    data,
    limits: { evaluationMs: limits.evaluation_ms, memoryMb: limits.memory_mb },
  }).catch((e: unknown) => {
    throw sluiceError(e);
  });
  return {
    ...evaluator,
    evaluate(entrypoint, inputJson, context) {
      try {
        return evaluator.evaluate(entrypoint, inputJson, context);
      } catch (e) {
        throw sluiceError(e);
      }
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
  const data = Buffer.from(neededData(bundle, [...(bundle.reads?.keys() ?? [])]), 'utf8');
  await pause();
  let evaluator: Evaluator;
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

/** The data without the top-level members that none of the entrypoints reads, e.g. a catalog of ten thousand fields. */
export const neededData = (bundle: PolicyBundle, entrypoints: readonly string[]): string => {
  const { reads } = bundle;
  if (reads === null || reads.size < bundle.manifest.wasm.length) return bundle.dataJson;
  const roots = new Set<string>();
  for (const entrypoint of entrypoints)
    for (const [root] of reads.get(entrypoint)?.data ?? [[]]) {
      if (root === undefined) return bundle.dataJson;
      roots.add(root);
    }
  const all = exactJson.needed(bundle.dataJson)
    ? (exactJson.parse(bundle.dataJson) as typeof bundle.data)
    : bundle.data;
  return exactJson.stringify(Object.fromEntries(Object.entries(all).filter(([name]) => roots.has(name))));
};
