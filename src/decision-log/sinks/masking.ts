/**
 * What a sink gets of a record, as the rule `sluice/log` of the policy answers. The rule is asked in the thread that copies records, so no
 * request waits for it. A record for which it has no usable answer is sent without everything that tells of the request, and says why.
 */
import { LRUCache } from 'lru-cache';
import { type CopyRules, LOG } from '../../model/policy.ts';
import { tokensOf } from '../../model/pointer.ts';
import type { CopyMask, DecisionRecord } from '../../model/record.ts';
import { type Evaluator, load, RegoError } from '../../rego/index.ts';
import type { Copy, Store } from '../index/store.ts';

/** null: the sink does not get the record. A copy that the rule leaves as it is, is the same object. */
export type Masker = (copy: Copy, sink: string) => Copy | null;

export interface MaskCounts {
  readonly dropped: number;
  readonly masked: number;
  /** sent without what tells of the request, since the rule failed */
  readonly failed: number;
}

const MOST_ANSWERS = 2000;
const SLICE_MS = 10;

/** What every sink needs, and what links a copy to its record in the journal. */
const FIXED = [
  'decision_id',
  'timestamp',
  'kind',
  'outcome',
  'part',
  'origin',
  'seq',
  'prev_hash',
  'hash',
] as const;

/** The other members, as in a record that has nothing to tell. */
const NOTHING = {
  subject: null,
  action: null,
  resource: null,
  purpose: null,
  tier: null,
  recipient: null,
  justification: null,
  grant_id: null,
  reasons: [],
  disclosure: null,
  request: null,
  upstream: null,
  response: null,
  policy: null,
  input: null,
  timings_us: {},
  trace_id: null,
  labels: {},
} satisfies Omit<DecisionRecord, (typeof FIXED)[number]>;

/** Stores get the copies that the masker of the moment leaves. `report` is called after they were taken. */
export const maskedStore = (
  store: Store,
  current: () => Promise<Masker | null>,
  report: (counts: MaskCounts) => void,
): Store => ({
  ...store,
  async take(origin, copies, position, from) {
    const mask = await current();
    if (mask === null) return store.take(origin, copies, position, from);
    const left: (Copy | null)[] = [];
    let began = performance.now();
    for (const copy of copies) {
      left.push(mask(copy, store.name));
      // The same thread answers queries.
      if (performance.now() - began < SLICE_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      began = performance.now();
    }
    const kept = left.filter((copy) => copy !== null);
    await store.take(origin, kept, position, from);
    const failed = kept.filter(({ record }) => record.mask_error !== undefined).length;
    const masked = kept.filter((copy) => !copies.includes(copy)).length - failed;
    const dropped = copies.length - kept.length;
    if (dropped + masked + failed > 0) report({ dropped, masked, failed });
  },
});

/** Never throws: rules that cannot be loaded leave nothing of a record that tells of the request. */
export async function createMasker(rules: CopyRules): Promise<Masker> {
  let evaluator: Evaluator;
  try {
    evaluator = await load(new Uint8Array(rules.wasm), {
      data: rules.data,
      limits: { evaluationMs: rules.evaluation_ms, memoryMb: rules.memory_mb },
    });
  } catch (e) {
    return (copy) => withoutRequest(copy, codeOf(e));
  }
  const { reads } = rules;
  // The default policy takes 200 µs to answer, and reads what thousands of records have alike.
  const answers = new LRUCache<string, Answer>({ max: reads === null ? 1 : MOST_ANSWERS });
  const ask = (record: DecisionRecord, sink: string): Answer => {
    const input = JSON.stringify({ decision_record: reads === null ? record : picked(record, reads), sink });
    const known = answers.get(input);
    if (known !== undefined) return known;
    if (Buffer.byteLength(input) > rules.input_bytes) throw new TooLong();
    const { result, nondeterminism } = evaluator.evaluate(LOG, input, {
      // A record that is sent again is masked alike.
      nowNs: BigInt(Date.parse(record.timestamp)) * 1_000_000n,
      seed: record.hash,
    });
    const answer = read(result);
    if (nondeterminism.now_ns === undefined && nondeterminism.seed === undefined) answers.set(input, answer);
    return answer;
  };
  return (copy, sink) => {
    try {
      return applied(copy, ask(copy.record, sink));
    } catch (e) {
      return withoutRequest(copy, codeOf(e));
    }
  };
}

const codeOf = (e: unknown): string =>
  e instanceof Malformed
    ? 'policy_answer_malformed'
    : e instanceof TooLong
      ? 'policy_input_too_large'
      : !(e instanceof RegoError)
        ? 'policy_evaluation_failed'
        : e.code === 'deadline_exceeded' || e.code === 'memory_exceeded' || e.code === 'evaluation_failed'
          ? `policy_${e.code}`
          : 'policy_evaluation_failed';

/** What lies at these paths, which a path that ends in an array or a scalar may not reach to its end. */
function picked(record: DecisionRecord, paths: CopyRules['reads'] & object): object {
  const out: Members = {};
  for (const path of paths) {
    let from: Members = record as unknown as Members;
    let to = out;
    for (const [i, name] of path.entries()) {
      if (!Object.hasOwn(from, name)) break;
      const value = from[name];
      const below = to[name];
      // A shorter path has taken it whole.
      if (below !== undefined && below === value) break;
      if (i === path.length - 1 || typeof value !== 'object' || value === null || Array.isArray(value)) {
        to[name] = value;
        break;
      }
      const next = (below ?? {}) as Members;
      to[name] = next;
      to = next;
      from = value as Members;
    }
  }
  return out;
}

/** No proof: its salts would help to guess what was masked, and the line is none of the chain any more. */
function withoutRequest({ record }: Copy, code: string): Copy {
  const fixed = Object.fromEntries(FIXED.map((member) => [member, record[member]]));
  return copyOf({ ...fixed, ...NOTHING, mask_error: code } as unknown as DecisionRecord);
}

const copyOf = (record: DecisionRecord & CopyMask): Copy => ({ record, line: JSON.stringify(record) });

class Malformed extends Error {}
class TooLong extends Error {}

interface Members {
  [name: string]: unknown;
}

interface Answer {
  readonly drop: boolean;
  readonly changes: readonly Change[];
}

interface Change {
  readonly pointer: string;
  readonly tokens: readonly string[];
  readonly value?: unknown;
  readonly op: 'remove' | 'replace' | 'upsert';
}

function applied(copy: Copy, { drop, changes }: Answer): Copy | null {
  if (drop) return null;
  let record: unknown = copy.record;
  const erased: string[] = [];
  const masked: string[] = [];
  for (const change of changes) {
    const after = changed(record, change, 0);
    if (after === record) continue;
    record = after;
    (change.op === 'remove' ? erased : masked).push(change.pointer);
  }
  if (record === copy.record) return copy;
  return copyOf({
    ...(record as DecisionRecord),
    ...(erased.length === 0 ? {} : { erased }),
    ...(masked.length === 0 ? {} : { masked }),
  });
}

/** members that not every record has */
const OPTIONAL: ReadonlySet<string> = new Set(['agent', 'claimed']);

/** @throws Malformed where a typing error could leave something unmasked */
function read(answer: unknown): Answer {
  const { drop = false, mask = [], ...others } = object(answer);
  if (typeof drop !== 'boolean' || !Array.isArray(mask) || Object.keys(others).length > 0)
    throw new Malformed();
  return { drop, changes: mask.map(changeOf) };
}

function changeOf(entry: unknown): Change {
  const { op, path, value, ...others } =
    typeof entry === 'string' ? { op: 'remove', path: entry } : object(entry);
  if (op !== 'remove' && op !== 'replace' && op !== 'upsert') throw new Malformed();
  if (typeof path !== 'string' || !path.startsWith('/') || Object.keys(others).length > 0)
    throw new Malformed();
  if ((op === 'remove') !== (value === undefined)) throw new Malformed();
  const tokens = tokensOf(path);
  if (!Object.hasOwn(NOTHING, tokens[0]!) && !OPTIONAL.has(tokens[0]!)) throw new Malformed();
  return { pointer: path, tokens, op, value };
}

function object(value: unknown): { readonly [member: string]: unknown } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Malformed();
  return value as { readonly [member: string]: unknown };
}

/** The value with a change below it; the same value if there is nothing to change. `*` is any member or element. */
function changed(value: unknown, change: Change, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const token = change.tokens[depth]!;
  const isLast = depth === change.tokens.length - 1;
  const isList = Array.isArray(value);
  const before = value as { readonly [key: string]: unknown };
  const keys = token === '*' ? Object.keys(value) : Object.hasOwn(value, token) ? [token] : [];
  if (isList && token === 'length') return value;
  const { op } = change;
  // Only `upsert` adds a member that is not there, and nothing adds an element.
  if (keys.length === 0 && isLast && op === 'upsert' && !isList && token !== '*') keys.push(token);
  let after: { [key: string]: unknown } | unknown[] | null = null;
  const gone = new Set<string>();
  for (const key of keys) {
    const present = before[key];
    let put: unknown;
    if (!isLast) put = changed(present, change, depth + 1);
    // A replacement shows that something is hidden, so it does not stand where there is nothing.
    else if (op === 'replace') put = present === null ? null : change.value;
    else if (op === 'upsert') put = change.value;
    // A consumer reads the members that every record has, so these stay, and are empty.
    else if (depth === 0 && !OPTIONAL.has(key)) put = NOTHING[key as keyof typeof NOTHING];
    else {
      gone.add(key);
      continue;
    }
    if (put === present) continue;
    after ??= isList ? [...value] : { ...before };
    Object.defineProperty(after, key, { value: put, enumerable: true, writable: true, configurable: true });
  }
  if (gone.size === 0) return after ?? value;
  const rest = after ?? value;
  return isList
    ? (rest as unknown[]).filter((_, i) => !gone.has(String(i)))
    : Object.fromEntries(Object.entries(rest).filter(([key]) => !gone.has(key)));
}
