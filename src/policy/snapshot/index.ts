/**
 * One revision of the policy, ready to be asked. `decide` and `disclose` never throw: a failure is a denial whose reason names it.
 *
 * Answers are cached by exactly the parts of the input that the entrypoint reads. Equal answers are one object, so that callers can
 * memoize by identity what they derive from an answer. An answer that depends on the clock is valid within its time step; one
 * that depends on random numbers is not cached.
 */
import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { isSluiceError, SluiceError } from '../../errors.ts';
import { type DecisionAnswer, type DisclosureAnswer, WITHHOLD_ALL } from '../../model/answers.ts';
import type { AdminAnswer, AdminInput } from '../../model/administration.ts';
import type { DisclosureInput, PolicyInput } from '../../model/input.ts';
import { type CopyRules, LOG, type PolicySnapshot } from '../../model/policy.ts';
import { adminOf, decisionOf, disclosureOf, Malformed } from './read-answers.ts';
import type { EntrypointReads, PolicyBundle } from '../bundle/bundle.ts';
import { ADMIN, type CacheLimits, DEFAULT_CACHE, DEFAULT_LIMITS, type PolicyLimits } from '../settings.ts';
import { createSteps, type Instant } from './time-steps.ts';
import { createConsentNames, NAME_UNKNOWN } from './consent-names.ts';
import { mentions } from './constants.ts';
import { createProjection, type KeyOf, withTime } from './projection.ts';
import { createRuntime, neededData, type Runtime } from '../runtime.ts';

export interface SnapshotOptions {
  readonly limits?: PolicyLimits;
  readonly cache?: CacheLimits;
}

export interface CacheStats {
  readonly hits: number;
  readonly misses: number;
  readonly entries: number;
}

/** The model's snapshot, with what commands and metrics need in addition. */
export interface LivePolicy extends PolicySnapshot {
  readonly source: PolicyBundle;
  /** of the thread that copies records; null: the policy has no `sluice/log` */
  readonly copyRules: () => CopyRules | null;
  stats(): CacheStats;
  /** bytes of WebAssembly memory in use */
  memoryBytes(): number;
}

const DECISION = 'sluice/decision';
const DISCLOSURE = 'sluice/disclosure';
/** A call of the admin API writes to a store and to the journal: 10 of its microseconds (29 to 19, measured) are not worth 20,000 answers. */
const UNCACHED = (cache: CacheLimits): CacheLimits => ({ ...cache, entries: 0 });

/** @throws SluiceError `bundle_abi_unsupported`, `bundle_entrypoint_missing`, `bundle_malformed`, `policy_builtin_refused`, `policy_memory_exceeded` */
export const createSnapshot = async (
  bundle: PolicyBundle,
  options: SnapshotOptions = {},
): Promise<LivePolicy> => {
  const cache = options.cache ?? DEFAULT_CACHE;
  const limits = options.limits ?? DEFAULT_LIMITS;
  const runtime = await createRuntime(bundle, limits);
  const missing = [DECISION, DISCLOSURE].filter((e) => !runtime.entrypoints.includes(e));
  if (missing.length > 0)
    throw new SluiceError(
      'bundle_entrypoint_missing',
      `${bundle.name}: no entrypoint ${missing.join(', ')}; build with -e sluice/decision -e sluice/disclosure.`,
    );
  const steps = createSteps(cache.time_step_ms);
  const entrypoint = <A extends object>(
    name: string,
    parse: (v: unknown) => A,
    failed: (e: SluiceError) => A,
    limits: CacheLimits = cache,
  ) =>
    new Entrypoint(name, bundle.reads?.get(name) ?? null, {
      runtime,
      cache: limits,
      steps,
      parse,
      failed,
    });
  const decision = entrypoint<DecisionAnswer>(DECISION, decisionOf, (e) => denial(e));
  const names = createConsentNames(bundle.data);
  const disclosure = entrypoint<DisclosureAnswer>(DISCLOSURE, disclosureOf, (e) =>
    Object.freeze(WITHHOLD_ALL(e.code, e.message)),
  );
  const admin = runtime.entrypoints.includes(ADMIN)
    ? entrypoint<AdminAnswer>(ADMIN, adminOf, (e) => adminDenial(e.code, e.message), UNCACHED(cache))
    : null;
  return {
    names,
    revision: bundle.revision,
    bundle: bundle.name,
    source: bundle,
    copyRules: () => (runtime.entrypoints.includes(LOG) ? copyRules(bundle, limits) : null),
    catalogs: bundle.catalogs,
    data: bundle.data,
    reads_consent_dates:
      bundle.reads?.get(DISCLOSURE)?.consent_dates ??
      (mentions(bundle.wasm, 'from') || mentions(bundle.wasm, 'until')),
    reads_attributes: attributesOf(bundle.reads?.get(DISCLOSURE)?.input ?? null),
    decide: (input: PolicyInput) => decision.ask(input),
    disclose: (input: DisclosureInput) =>
      names.knowsAll(input.data_subject) ? disclosure.ask(input) : NAME_UNKNOWN,
    administer: (input: AdminInput) => admin?.ask(input) ?? NO_ADMIN,
    stats: () => ({
      hits: decision.hits + disclosure.hits,
      misses: decision.misses + disclosure.misses,
      entries: decision.entries + disclosure.entries,
    }),
    memoryBytes: () => runtime.memoryBytes(),
  };
};

function copyRules(bundle: PolicyBundle, limits: PolicyLimits): CopyRules {
  const { evaluation_ms, memory_mb, input_bytes } = limits;
  const paths = bundle.reads?.get(LOG)?.input ?? [[]];
  const read = paths.filter(([first]) => first !== 'sink');
  const isWhole = read.some(([first, member]) => first !== 'decision_record' || member === undefined);
  return {
    wasm: bundle.wasm,
    data: Buffer.from(neededData(bundle, [LOG])),
    reads: isWhole ? null : read.map(([, ...path]) => path).sort((a, b) => a.length - b.length),
    evaluation_ms,
    memory_mb,
    input_bytes,
  };
}

const ATTRIBUTES = ['record', 'attributes'];

const attributesOf = (paths: EntrypointReads['input'] | null): readonly string[] | null => {
  const names = new Set<string>();
  for (const path of paths ?? [[]]) {
    if (!ATTRIBUTES.every((step, i) => i >= path.length || path[i] === step)) continue;
    const name = path[ATTRIBUTES.length];
    if (name === undefined) return null;
    names.add(name);
  }
  return [...names].sort();
};

const denial = (e: SluiceError): DecisionAnswer =>
  Object.freeze({
    allow: false,
    reasons: [{ code: e.code, message: e.message }],
    tier: null,
    obligations: {},
  });

const adminDenial = (code: string, message: string): AdminAnswer =>
  Object.freeze({ allow: false, reasons: [{ code, message }], step_up: null });

const NO_ADMIN = adminDenial(
  'policy_undefined',
  'The policy has no rule sluice/admin, so it permits nobody to use the admin API.',
);

interface CachedAnswer<A> {
  readonly answer: A;
  /** the time step in which it is valid; null: any */
  readonly step: number | null;
  /** when a failure expires, in milliseconds of the monotonic clock; null: never */
  readonly until: number | null;
}

interface EntrypointOptions<A> {
  readonly runtime: Runtime;
  readonly cache: CacheLimits;
  readonly steps: (time: string) => Instant | null;
  readonly parse: (value: unknown) => A;
  readonly failed: (e: SluiceError) => A;
}

/** How the cache key of an input is made. */
interface KeyMaker {
  /** distinguishes the keys of two makers */
  readonly prefix: string;
  readonly keyOf: KeyOf;
  /** the entrypoint reads the time, which is rounded to its step */
  readonly stepped: boolean;
}

/** Failures are cached, because an input that exceeds the budget would use it up on each request. */
const FAILURE_TTL_MS = 5000;
const DISTINCT_ANSWERS = 4096;

/** One entrypoint with its cache of answers. */
class Entrypoint<A extends object> {
  hits = 0;
  misses = 0;
  readonly #entrypoint: string;
  readonly #options: EntrypointOptions<A>;
  readonly #any: KeyMaker;
  /** for an input without grants */
  readonly #ungranted: KeyMaker;
  readonly #cache: LRUCache<string, CachedAnswer<A>> | null;
  /** answers by their JSON, so that equal answers are one object */
  readonly #distinct = new LRUCache<string, A>({ max: DISTINCT_ANSWERS });

  constructor(entrypoint: string, reads: EntrypointReads | null, options: EntrypointOptions<A>) {
    this.#entrypoint = entrypoint;
    this.#options = options;
    this.#any = {
      prefix: '',
      keyOf: createProjection(reads === null ? null : reads.input),
      stepped: reads?.reads_time ?? true,
    };
    const less = reads?.without_grants;
    this.#ungranted =
      less === undefined
        ? this.#any
        : { prefix: '-', keyOf: createProjection(less.input), stepped: less.reads_time };
    const { entries, bytes } = options.cache;
    this.#cache = entries === 0 ? null : new LRUCache({ max: entries, maxSize: bytes });
  }

  get entries(): number {
    return this.#cache?.size ?? 0;
  }

  ask(input: PolicyInput | DisclosureInput | AdminInput): A {
    try {
      return this.#ask(input);
    } catch (e) {
      return this.#options.failed(
        isSluiceError(e)
          ? e
          : new SluiceError('policy_evaluation_failed', {
              message: 'The policy could not be asked.',
              cause: e,
            }),
      );
    }
  }

  #ask(input: PolicyInput | DisclosureInput | AdminInput): A {
    const time = input.context.time;
    const instant = this.#options.steps(time);
    if (instant === null)
      throw new SluiceError(
        'policy_evaluation_failed',
        'context.time of the policy input is not an RFC 3339 time.',
      );
    const grants = 'grants' in input.context ? input.context.grants : undefined;
    const { prefix, keyOf, stepped } =
      Array.isArray(grants) && grants.length === 0 ? this.#ungranted : this.#any;
    const policyTime = stepped ? instant.text : time;
    if (this.#cache === null) return this.#evaluate(input, policyTime, instant).answer;
    const key = prefix + keyOf(input, policyTime);
    const cached = this.#cache.get(key);
    if (
      cached !== undefined &&
      (cached.step === null || cached.step === instant.milliseconds) &&
      (cached.until === null || performance.now() < cached.until)
    ) {
      this.hits += 1;
      return cached.answer;
    }
    this.misses += 1;
    const { size, ...fresh } = this.#evaluate(input, policyTime, instant);
    if (size !== null) this.#cache.set(key, fresh, { size: size + key.length * 2 + 128 });
    return fresh.answer;
  }

  /** `size` null: not to be cached */
  #evaluate(
    input: object,
    time: string,
    instant: Instant,
  ): CachedAnswer<A> & { readonly size: number | null } {
    const { runtime, parse, failed } = this.#options;
    try {
      const text = JSON.stringify(withTime(input as { readonly [key: string]: unknown }, time));
      const { result, raw, nondeterminism } = runtime.evaluate(this.#entrypoint, text, {
        nowNs: BigInt(instant.milliseconds) * 1_000_000n,
        seed: randomUUID,
      });
      if (result === undefined)
        throw new SluiceError(
          'policy_undefined',
          `The policy has no answer: ${this.#entrypoint} is undefined for this input.`,
        );
      if (nondeterminism.seed !== undefined)
        return { answer: parse(result), step: null, until: null, size: null };
      let answer = this.#distinct.get(raw);
      if (answer === undefined) {
        answer = parse(result);
        this.#distinct.set(raw, answer);
      }
      return {
        answer,
        step: nondeterminism.now_ns === undefined ? null : instant.milliseconds,
        until: null,
        size: raw.length * 2,
      };
    } catch (e) {
      const error =
        e instanceof Malformed
          ? new SluiceError(
              'policy_answer_malformed',
              `The answer of ${this.#entrypoint} is malformed: ${e.message}.`,
            )
          : isSluiceError(e)
            ? e
            : new SluiceError('policy_evaluation_failed', {
                message: 'The policy could not be evaluated.',
                cause: e,
              });
      return { answer: failed(error), step: null, until: performance.now() + FAILURE_TTL_MS, size: 512 };
    }
  }
}
