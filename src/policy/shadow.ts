/**
 * A second policy that is asked the same questions as the live one, after it. Its answers are compared and reported, and never
 * used. It works between requests, on a sample of them, within a share of the processor; requests that do not fit in that
 * share are skipped.
 */
import { isDeepStrictEqual } from 'node:util';
import type { DecisionAnswer, DisclosureAnswer, TreatmentChoice } from '../model/answers.ts';
import type { DisclosureInput, PolicyInput } from '../model/input.ts';
import type { PolicySnapshot } from '../model/policy.ts';
import type { PolicyShadowConfig } from './settings.ts';
import { createPolicyStore, type StoreDependencies } from './store.ts';

/** One part of an answer that differs between the two policies. */
export interface Difference {
  /** `allow`, `tier`, `reasons`, `obligations.max_records`, `disclose`, `classes.contact/3`, `fields./notes` */
  readonly of: string;
  readonly live: unknown;
  readonly shadow: unknown;
}

export interface ShadowReport {
  readonly question: 'decision' | 'disclosure';
  readonly input: PolicyInput;
  readonly revision: { readonly live: string; readonly shadow: string };
  readonly differences: readonly Difference[];
}

export interface Shadow {
  /** the same policy, whose questions are also asked of the shadow */
  beside<S extends PolicySnapshot>(live: S): S;
  close(): Promise<void>;
}

export interface ShadowDependencies extends Omit<StoreDependencies, 'metrics' | 'gate' | 'announce'> {
  readonly metrics?: { count(name: 'shadow_differences' | 'shadow_evaluations', by?: number): void };
  /** must not throw; called between requests */
  readonly report: (report: ShadowReport) => void;
  readonly random?: () => number;
  /** milliseconds of a monotonic clock, by which the share of the processor is measured */
  readonly now?: () => number;
}

const DEFAULT_SAMPLE = 0.1;
const DEFAULT_CPU = 0.05;
const QUEUE = 512;
/** work that can be saved up while there are no requests, in milliseconds */
const MAX_ALLOWANCE_MS = 20;
/** longest time of work between two requests, in milliseconds */
const SLICE_MS = 2;

/** @throws SluiceError if the shadow policy cannot be loaded the first time */
export const createShadow = async (config: PolicyShadowConfig, deps: ShadowDependencies): Promise<Shadow> => {
  const { metrics: _counted, report, random = Math.random, now = () => performance.now(), ...rest } = deps;
  const store = await createPolicyStore(config, rest);
  const sample = config.sample ?? DEFAULT_SAMPLE;
  const share = config.cpu ?? DEFAULT_CPU;
  const queue: (() => void)[] = [];
  let allowance = MAX_ALLOWANCE_MS;
  let refilled = now();
  let scheduled: NodeJS.Immediate | NodeJS.Timeout | undefined;
  let closed = false;

  const refill = (): void => {
    const at = now();
    allowance = Math.min(MAX_ALLOWANCE_MS, allowance + (at - refilled) * share);
    refilled = at;
  };
  const work = (): void => {
    scheduled = undefined;
    refill();
    const start = now();
    while (queue.length > 0 && allowance > 0 && now() - start < SLICE_MS) {
      const before = now();
      queue.shift()!();
      allowance -= now() - before;
    }
    schedule();
  };
  const schedule = (): void => {
    if (closed || queue.length === 0 || scheduled !== undefined) return;
    if (allowance > 0) scheduled = setImmediate(work);
    else {
      scheduled = setTimeout(work, Math.min(1000, Math.ceil(-allowance / share) + 1));
      scheduled.unref();
    }
  };
  const later = (task: () => void): void => {
    if (closed || random() >= sample) return;
    refill();
    if (queue.length >= QUEUE || allowance <= 0) return;
    queue.push(task);
    schedule();
  };
  const compare = <A>(
    question: ShadowReport['question'],
    live: PolicySnapshot,
    input: PolicyInput,
    answer: A,
    ask: (shadow: PolicySnapshot) => A,
    differences: (live: A, shadow: A) => Difference[],
  ): void =>
    later(() => {
      try {
        const shadow = store.current();
        const other = ask(shadow);
        deps.metrics?.count('shadow_evaluations');
        const found = differences(answer, other);
        if (found.length === 0) return;
        deps.metrics?.count('shadow_differences');
        report({
          question,
          input,
          revision: { live: live.revision, shadow: shadow.revision },
          differences: found,
        });
      } catch (err) {
        deps.logger.warn({ err }, 'the shadow policy could not be compared');
      }
    });

  const wrapped = new WeakMap<PolicySnapshot, PolicySnapshot>();
  return {
    beside<S extends PolicySnapshot>(live: S): S {
      let both = wrapped.get(live) as S | undefined;
      if (both === undefined) {
        both = {
          ...live,
          // The shadow may read other attributes than the live policy.
          reads_attributes: null,
          decide(input: PolicyInput): DecisionAnswer {
            const answer = live.decide(input);
            compare('decision', live, input, answer, (s) => s.decide(input), decisionDifferences);
            return answer;
          },
          disclose(input: DisclosureInput): DisclosureAnswer {
            const answer = live.disclose(input);
            compare('disclosure', live, input, answer, (s) => s.disclose(input), disclosureDifferences);
            return answer;
          },
        };
        wrapped.set(live, both);
      }
      return both;
    },
    async close() {
      closed = true;
      queue.length = 0;
      if (scheduled !== undefined) {
        clearImmediate(scheduled as NodeJS.Immediate);
        clearTimeout(scheduled as NodeJS.Timeout);
      }
      await store.close();
    },
  };
};

const codes = (answer: { readonly reasons: readonly { readonly code: string }[] }): string[] =>
  answer.reasons.map((r) => r.code).sort();

const differ = (of: string, live: unknown, shadow: unknown): Difference[] =>
  isDeepStrictEqual(live, shadow) ? [] : [{ of, live, shadow }];

/** Compares two objects member by member. A missing obligation is compared as null, which means the same. */
const byName = (of: string, live: Named, shadow: Named, value: (v: unknown) => unknown): Difference[] =>
  [...new Set([...Object.keys(live), ...Object.keys(shadow)])]
    .sort()
    .flatMap((name) => differ(`${of}${name}`, value(live[name]), value(shadow[name])));

type Named = { readonly [name: string]: unknown };

export const decisionDifferences = (live: DecisionAnswer, shadow: DecisionAnswer): Difference[] =>
  live === shadow
    ? []
    : [
        ...differ('allow', live.allow, shadow.allow),
        ...differ('tier', live.tier, shadow.tier),
        ...differ('reasons', codes(live), codes(shadow)),
        ...byName('obligations.', live.obligations, shadow.obligations, (v) => v ?? null),
      ];

/** A class that an answer does not name is dropped, so naming it with `drop` is not a difference. */
const treatment = (choice: unknown): string => (choice as TreatmentChoice | undefined)?.do ?? 'drop';

export const disclosureDifferences = (live: DisclosureAnswer, shadow: DisclosureAnswer): Difference[] =>
  live === shadow
    ? []
    : [
        ...differ('disclose', live.disclose, shadow.disclose),
        ...differ('reasons', codes(live), codes(shadow)),
        ...byName('classes.', live.classes, shadow.classes, treatment),
        ...byName('fields.', live.fields, shadow.fields, (c) => (c === undefined ? null : treatment(c))),
      ];
