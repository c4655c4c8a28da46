/** One decision for a reader, merged from the records of its parts. */
import type {
  RecordedState,
  DecisionRecord,
  DecisionRecordDraft,
  DisclosureSummary,
  WithheldPath,
} from '../../model/record.ts';

export interface ChainPosition {
  readonly origin: string;
  readonly seq: number;
  readonly prev_hash: string;
  readonly hash: string;
  readonly part: DecisionRecord['part'];
  readonly timestamp: string;
}

export interface Decision extends Omit<DecisionRecordDraft, 'part'> {
  /** positions of its records in the chain, by part */
  readonly chain: readonly ChainPosition[];
  /** true if the final part was recorded */
  readonly complete: boolean;
}

/** Merges the records of one decision. @param records at least one, all of the same decision */
export function merge(records: readonly DecisionRecord[]): Decision {
  const parts = [...records].sort(byPart);
  const first = parts[0]!;
  const last = parts.at(-1)!;
  // Copies of records have a `proof`, too.
  const {
    part: _p,
    origin: _o,
    seq: _s,
    prev_hash: _v,
    hash: _h,
    proof: _c,
    ...draft
  } = first as DecisionRecord & { readonly proof?: unknown };
  return {
    ...draft,
    outcome: outcomeOf(parts),
    reasons: distinct(parts.flatMap((p) => p.reasons)),
    disclosure: summed(parts.map((p) => p.disclosure).filter((d) => d !== null)),
    upstream: last.upstream ?? first.upstream,
    response: last.response ?? first.response,
    timings_us: last.timings_us,
    labels: Object.assign({}, ...parts.map((p) => p.labels)) as Decision['labels'],
    chain: parts.map(({ origin, seq, prev_hash, hash, part, timestamp }) => ({
      origin,
      seq,
      prev_hash,
      hash,
      part,
      timestamp,
    })),
    complete: parts.some((p) => p.part.last),
  };
}

/** True if something of somebody left. A refusal, and an answer that was replaced by another, disclosed nothing. */
export const hasDisclosed = ({ disclosure }: Pick<Decision, 'disclosure'>): boolean =>
  disclosure !== null && (disclosure.records > 0 || disclosure.released.length > 0);

const byPart = (a: DecisionRecord, b: DecisionRecord): number =>
  a.part.number - b.part.number || (a.part.piece ?? 1) - (b.part.piece ?? 1) || a.seq - b.seq;

/** The most severe outcome of the parts: an interrupted response is an error; one redacted part makes the decision `modified`. */
function outcomeOf(parts: readonly DecisionRecord[]): DecisionRecord['outcome'] {
  for (const outcome of ['error', 'denied', 'modified', 'observed'] as const) {
    if (parts.some((p) => p.outcome === outcome)) return outcome;
  }
  return 'allowed';
}

function summed(summaries: readonly DisclosureSummary[]): DisclosureSummary | null {
  const [first] = summaries;
  if (first === undefined || summaries.length === 1) return first ?? null;
  const withheld = new Map<string, WithheldPath>();
  const byClass: { [cls: string]: { [treatment: string]: number } } = {};
  const reasons: { [code: string]: number } = {};
  for (const summary of summaries) {
    for (const account of summary.withheld) {
      const key = JSON.stringify([account.path, account.class, account.do, account.because]);
      const known = withheld.get(key);
      withheld.set(key, known ? { ...known, count: known.count + account.count } : account);
    }
    for (const [cls, treatments] of Object.entries(summary.by_class)) {
      const counts = Object.hasOwn(byClass, cls) ? byClass[cls]! : {};
      for (const [name, n] of Object.entries(treatments)) counts[name] = (counts[name] ?? 0) + n;
      byClass[cls] = counts;
    }
    for (const [code, n] of Object.entries(summary.withheld_reasons ?? {}))
      reasons[code] = (reasons[code] ?? 0) + n;
  }
  const consents = [...new Set(summaries.flatMap((s) => s.consents ?? []))];
  const answers = counted(summaries.flatMap((s) => s.answers ?? []));
  const omitted = summaries.reduce((n, s) => n + (s.answers_omitted ?? 0), 0);
  return {
    records: summaries.reduce((n, s) => n + s.records, 0),
    records_withheld: summaries.reduce((n, s) => n + s.records_withheld, 0),
    released: [...new Set(summaries.flatMap((s) => s.released))],
    withheld: [...withheld.values()],
    by_class: byClass,
    data_subjects: [...new Set(summaries.flatMap((s) => s.data_subjects))],
    ...(Object.keys(reasons).length > 0 ? { withheld_reasons: reasons } : {}),
    ...(consents.length > 0 ? { consents } : {}),
    ...(answers.length > 0 ? { answers } : {}),
    ...(omitted > 0 ? { answers_omitted: omitted } : {}),
  };
}

/** Merges equal states with equal answers, and adds their counts. */
function counted(states: readonly RecordedState[]): RecordedState[] {
  const found = new Map<string, RecordedState>();
  for (const { count, ...state } of states) {
    const key = JSON.stringify(state);
    found.set(key, { ...state, count: count + (found.get(key)?.count ?? 0) });
  }
  return [...found.values()];
}

function distinct<T>(values: readonly T[]): T[] {
  const seen = new Map<string, T>();
  for (const value of values) seen.set(JSON.stringify(value), value);
  return [...seen.values()];
}
