/**
 * The entry of one request: filled in as the request goes through its stages, turned into decision records at its
 * end. Whatever happened so far is on record, whichever way the request ends.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { DecisionAnswer, Reason } from '../model/answers.ts';
import type { AccessRequestOffer, AccessRequestTask } from '../model/access-request.ts';
import type { AdminInput } from '../model/administration.ts';
import type { Agent, PolicyInput, Resource, Subject, Tier } from '../model/input.ts';
import type { RequestSpans, RequestTrace } from '../model/trace.ts';
import { isSluiceError, SluiceError } from '../errors.ts';
import type { ErrorFormat } from '../model/exchange.ts';
import type { QuotaReservation } from '../model/quota.ts';
import type { DecisionRecordDraft, DisclosureSummary, Outcome, RecordKind } from '../model/record.ts';
import type { Clock } from '../observability/clock.ts';
import { FRESH } from './fresh.ts';
import type { PurposeOfUse } from '../routing/index.ts';
import type { Stages } from './stages.ts';

/** treatments after which no value leaves, nor a form of it */
const WITHHOLDING: ReadonlySet<string> = new Set(['drop', 'nullify']);

/**
 * The summary of an answer that was processed and is replaced by another: nothing of it leaves, so it accounts only for what was withheld. Every
 * answer but the upstream's own is recorded with this.
 */
export function replaced(summary: DisclosureSummary): DisclosureSummary {
  const { consents: _basisOfRelease, ...rest } = summary;
  const by_class: { [cls: string]: { [treatment: string]: number } } = {};
  for (const [cls, counts] of Object.entries(summary.by_class)) {
    const kept = Object.entries(counts).filter(([treatment]) => WITHHOLDING.has(treatment));
    if (kept.length > 0)
      Object.defineProperty(by_class, cls, { value: Object.fromEntries(kept), enumerable: true });
  }
  return {
    ...rest,
    records: 0,
    released: [],
    withheld: summary.withheld.filter((row) => WITHHOLDING.has(row.do)),
    by_class,
    data_subjects: [],
  };
}

const NONE_CLAIMED: readonly string[] = Object.freeze([]);

/** sorted, as canonical JSON orders them */
const STAGES = [
  'decision',
  'disclosure',
  'identity',
  'policy',
  'record',
  'release',
  'routing',
  'upstream',
] as const;
export type Stage = (typeof STAGES)[number];
const INDEX = Object.fromEntries(STAGES.map((stage, i) => [stage, i])) as Readonly<Record<Stage, number>>;

export class DecisionEntry {
  readonly id: string;
  kind: RecordKind = 'disclosure';
  subject: Subject | null = null;
  /** null: the subject itself asks */
  agent: Agent | null = null;
  action: string | null = null;
  resource: Resource | null = null;
  purpose: string | null = null;
  tier: Tier | null = null;
  recipient: string | null = null;
  justification: string | null = null;
  grantId: string | null = null;
  reasons: readonly Reason[] = [];
  /** recorded, and not told to the caller */
  internalReasons: readonly Reason[] = [];
  request: DecisionRecordDraft['request'] = null;
  upstream: DecisionRecordDraft['upstream'] = null;
  policy: DecisionRecordDraft['policy'] = null;
  input: PolicyInput | AdminInput | null = null;
  /** what a refusal withheld, where the upstream's answer had been processed already */
  withheld: DisclosureSummary | null = null;
  labels: Readonly<Record<string, string>> = {};
  /** format of the refusals of the request's route; null: there is no route yet */
  errorFormat: ErrorFormat | null = null;
  /** the `WWW-Authenticate` field of a refusal; null: that of its error */
  challenge: string | null = null;
  /** the request's body: never recorded; a JSON-RPC refusal repeats the call's id */
  requestBody: Uint8Array | null = null;
  /** MCP: the id of the call as JSON, and whether its revision has no sessions; null: there is no call yet */
  call: { readonly id: string; readonly stateless: boolean } | null = null;
  /** requests at once what a denial offers; null: its caller does */
  requestAccess: ((offer: AccessRequestOffer) => Promise<AccessRequestTask | null>) | null = null;
  /** microseconds, in the order of `STAGES`; below 0: not reached */
  readonly #timings: number[] = STAGES.map(() => -1);
  readonly #timestamp: string;
  readonly #clock: Clock;
  readonly #began: number;
  #mark: number;
  #trace: RequestTrace | null = null;
  #answered: { readonly outcome: Outcome; readonly status: number } | null = null;
  #stillAdmitted: (() => void | Promise<void>) | null = null;
  #admittedAt = 0;
  #use: PurposeOfUse | null = null;
  #grantFound = false;
  #parts = 0;
  #reservation: QuotaReservation | null = null;
  #records = 0;
  readonly #dataSubjects = new Set<string>();

  constructor(id: string, clock: Clock) {
    this.id = id;
    this.#clock = clock;
    this.#timestamp = clock.now().toISOString();
    this.#began = clock.micros();
    this.#mark = this.#began;
  }

  /** The trace that the request belongs to; null: none. */
  set trace(trace: RequestTrace | null) {
    this.#trace = trace;
  }

  /** headers by which an upstream continues the trace; null: there is none */
  get traceHeaders(): RequestTrace['headers'] | null {
    return this.#trace === null ? null : this.#trace.headers;
  }

  /** RFC 3339: when the request came */
  get timestamp(): string {
    return this.#timestamp;
  }

  /** The caller was let in just now. @param still throws if it would not be let in again */
  admitted(still: () => void | Promise<void>): void {
    this.#stillAdmitted = still;
    this.#admittedAt = this.#clock.micros();
  }

  /**
   * Before something leaves.
   * @param always also if the caller was let in just now
   * @throws SluiceError `token_revoked`, `keys_unavailable`
   */
  checkCaller(always: boolean): void | Promise<void> {
    if (this.#stillAdmitted === null) return;
    const now = this.#clock.micros();
    if (!always && now - this.#admittedAt <= FRESH) return;
    const checked = this.#stillAdmitted();
    if (checked instanceof Promise) return checked.then(() => this.#confirmedAt(now));
    this.#confirmedAt(now);
  }

  #confirmedAt(micros: number): void {
    this.#admittedAt = micros;
  }

  /** Purpose, recipient and tier that the request states. */
  setPurpose(use: PurposeOfUse): void {
    this.#use = use;
    this.purpose = use.purpose;
    this.recipient = use.recipient;
    this.tier = use.tier;
    this.justification = use.justification;
    this.grantId = use.grant;
  }

  /** What the policy is asked. */
  setInput(input: PolicyInput): void {
    this.input = input;
    this.#grantFound = this.grantId !== null && input.context.grants.some(({ id }) => id === this.grantId);
  }

  /** @param tier in force */
  setDecision(answer: DecisionAnswer, tier: Tier | null): void {
    this.reasons = answer.reasons;
    this.tier = tier;
  }

  /** What was reserved of quotas; `settle` counts what was disclosed. */
  reserved(reservation: QuotaReservation): void {
    this.#reservation = reservation;
  }

  /** Once, when the request has ended: ends its spans, too. Parts whose record failed are counted too: they may have been recorded. */
  settle(): void {
    this.#reservation?.settle(this.#records, this.#dataSubjects);
    this.#reservation = null;
    if (this.#trace?.spans !== undefined) this.#endSpans(this.#trace.spans);
  }

  /** Names alone: a value of a record or of the query is not for a system of traces. */
  #endSpans(spans: RequestSpans): void {
    const { outcome = null, status = null } = this.#answered ?? {};
    const isError = outcome === 'error';
    const told = {
      'http.request.method': this.request?.method ?? null,
      'http.route': this.request?.route ?? null,
      'http.response.status_code': status,
      'error.type': isError ? (this.reasons[0]?.code ?? 'error') : null,
      'sluice.decision_id': this.id,
      'sluice.outcome': outcome,
      'sluice.action': this.action,
      'sluice.resource': this.resource?.type ?? null,
      'sluice.purpose': this.purpose,
    };
    spans.end((this.#clock.micros() - this.#began) / 1000, told, isError);
  }

  /** Counts the time since the previous stage ended as this stage's. */
  endStage(stage: Stage): void {
    const now = this.#clock.micros();
    const at = INDEX[stage];
    this.#timings[at] = Math.max(this.#timings[at]!, 0) + Math.round(now - this.#mark);
    if (this.#trace !== null)
      this.#trace.spans?.stage(stage, (this.#mark - this.#began) / 1000, (now - this.#began) / 1000);
    this.#mark = now;
  }

  #sortedTimings(): { readonly [stage in Stage]?: number } {
    const sorted: { [stage in Stage]?: number } = {};
    for (let i = 0; i < STAGES.length; i++) {
      const time = this.#timings[i]!;
      if (time >= 0) sorted[STAGES[i]!] = time;
    }
    return sorted;
  }

  /** Members of the record that rest on the caller's word alone, sorted. */
  #claimed(): readonly string[] {
    const use = this.#use;
    if (use === null) return NONE_CLAIMED;
    const stated = use.tier === this.tier ? use.claimed : use.claimed.filter((name) => name !== 'tier');
    if (this.grantId !== null && !this.#grantFound) return ['grant_id', ...stated];
    return stated.length === 0 ? NONE_CLAIMED : stated;
  }

  /** The record of the next part. It is written before the part's bytes, so its timings end here. */
  draft(
    outcome: Outcome,
    status: number,
    bytes: number | null,
    disclosure: DisclosureSummary | null,
    last = true,
  ): DecisionRecordDraft {
    this.#parts += 1;
    if (this.#trace !== null) this.#answered = { outcome, status };
    if (this.#reservation !== null && disclosure !== null) {
      this.#records += disclosure.records;
      for (const one of disclosure.data_subjects) this.#dataSubjects.add(one);
    }
    return {
      decision_id: this.id,
      timestamp: this.#timestamp,
      kind: this.kind,
      ...(this.agent === null ? null : { agent: this.agent }),
      claimed: this.#claimed(),
      outcome,
      subject: this.subject,
      action: this.action,
      resource: this.resource,
      purpose: this.purpose,
      tier: this.tier,
      recipient: this.recipient,
      justification: this.justification,
      grant_id: this.grantId,
      reasons: this.internalReasons.length === 0 ? this.reasons : [...this.reasons, ...this.internalReasons],
      disclosure,
      request: this.request,
      upstream: this.upstream,
      response: { bytes, status },
      policy: this.policy,
      input: this.input,
      timings_us: this.#sortedTimings(),
      trace_id: this.#trace === null ? null : this.#trace.id,
      labels: this.labels,
      part: { last, number: this.#parts },
    };
  }
}

/** A new entry, of a request that has just come. @param headers null: there are none that could be read */
export function openEntry(
  { newDecisionId, clock, labels, tracing }: Pick<Stages, 'newDecisionId' | 'clock' | 'labels' | 'tracing'>,
  request: DecisionRecordDraft['request'],
  headers: IncomingHttpHeaders | null = null,
): DecisionEntry {
  const entry = new DecisionEntry(newDecisionId(), clock);
  entry.labels = labels;
  entry.request = request;
  if (headers !== null) entry.trace = tracing(request?.method ?? '', headers, new Date(entry.timestamp));
  return entry;
}

/** Counts a record in the metrics and writes it. Resolves when it is durable: only then may the bytes that it covers leave. */
export function writeRecord(
  draft: DecisionRecordDraft,
  { metrics, log }: Pick<Stages, 'metrics' | 'log'>,
): Promise<unknown> {
  metrics.stages(draft.timings_us);
  if (draft.part.last)
    metrics.request(
      draft.request?.route ?? null,
      draft.outcome,
      draft.response?.status ?? 0,
      draft.outcome === 'denied' || draft.outcome === 'error' ? (draft.reasons[0]?.code ?? null) : null,
    );
  return log.append(draft);
}

/** Why the decision log did not take a record. */
export const unrecorded = (failure: unknown): SluiceError =>
  isSluiceError(failure)
    ? failure
    : new SluiceError('journal_unwritable', 'The decision could not be recorded.');
