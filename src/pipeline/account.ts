/**
 * The account of one request: filled in as the request goes through its stages, turned into decision records at its
 * end. Whatever happened so far is on record, whichever way the request ends.
 */
import type { DecisionAnswer, Reason } from '../model/answers.ts';
import type { Action, Grant, PolicyInput, Resource, Subject, Tier } from '../model/input.ts';
import { SluiceError } from '../errors.ts';
import type { ErrorFormat } from '../model/exchange.ts';
import type { DecisionRecordDraft, DisclosureSummary, Outcome, RecordKind } from '../model/record.ts';
import { tierInForce } from '../model/verdict.ts';
import type { Clock } from '../observability/clock.ts';
import type { PurposeOfUse } from '../routing/index.ts';

export const NOTHING_DISCLOSED: DisclosureSummary = Object.freeze({
  records: 0,
  records_withheld: 0,
  released: [],
  withheld: [],
  by_class: {},
  data_subjects: [],
});

const NOTHING_CLAIMED: readonly string[] = Object.freeze([]);

/** in the order of canonical JSON */
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

export class Account {
  readonly id: string;
  kind: RecordKind = 'disclosure';
  subject: Subject | null = null;
  action: string | null = null;
  resource: Resource | null = null;
  purpose: string | null = null;
  tier: Tier | null = null;
  recipient: string | null = null;
  justification: string | null = null;
  grantId: string | null = null;
  reasons: readonly Reason[] = [];
  /** reasons that stand on record and that the caller is not told */
  untold: readonly Reason[] = [];
  request: DecisionRecordDraft['request'] = null;
  upstream: DecisionRecordDraft['upstream'] = null;
  policy: DecisionRecordDraft['policy'] = null;
  input: PolicyInput | null = null;
  /** what a refusal kept back, where the answer had already been looked at */
  withheld: DisclosureSummary | null = null;
  traceId: string | null = null;
  labels: Readonly<Record<string, string>> = {};
  /** how refusals of the request's route read; null: there is no route yet */
  errors: ErrorFormat | null = null;
  /** the request's body: never on record, a refusal's answer may repeat the id of a call in it */
  sent: Uint8Array | null = null;
  readonly #timings: { [stage in Stage]?: number } = {};
  readonly #timestamp: string;
  readonly #clock: Clock;
  #mark: number;
  #use: PurposeOfUse | null = null;
  #grantFound = false;
  #parts = 0;

  constructor(id: string, clock: Clock) {
    this.id = id;
    this.#clock = clock;
    this.#timestamp = clock.now().toISOString();
    this.#mark = clock.micros();
  }

  get timestamp(): string {
    return this.#timestamp;
  }

  /** parts recorded so far */
  get parts(): number {
    return this.#parts;
  }

  /** What the caller says the data is for. */
  meant(use: PurposeOfUse): void {
    this.#use = use;
    this.purpose = use.purpose;
    this.recipient = use.recipient;
    this.tier = use.tier;
    this.justification = use.justification;
    this.grantId = use.grant;
  }

  /**
   * What the policy is asked about the request so far. Members are in the order of canonical JSON, here and in the
   * record: it need not sort them.
   */
  question(action: Action, grants: readonly Grant[]): PolicyInput {
    const { subject, resource, request } = this;
    const use = this.#use;
    if (subject === null || resource === null || request === null || use === null)
      throw new SluiceError('internal', 'The policy is asked about a request that is not known yet.');
    this.#grantFound = this.grantId !== null && grants.some(({ id }) => id === this.grantId);
    const { client_ip, method, route } = request;
    this.input = {
      action,
      context: {
        grants,
        justification: use.justification,
        purpose: use.purpose,
        recipient: use.recipient,
        request: { client_ip, method, route: route ?? '' },
        tier: use.tier,
        time: this.#timestamp,
      },
      resource,
      subject,
    };
    return this.input;
  }

  /** What the policy answered; the tier is what it takes it to be. */
  decided(answer: DecisionAnswer): void {
    this.reasons = answer.reasons;
    this.tier = tierInForce(answer, this.tier);
  }

  /** The time since the last mark went into this stage. */
  spent(stage: Stage): void {
    const now = this.#clock.micros();
    this.#timings[stage] = (this.#timings[stage] ?? 0) + Math.round(now - this.#mark);
    this.#mark = now;
  }

  #timingsSoFar(): { readonly [stage in Stage]?: number } {
    const sorted: { [stage in Stage]?: number } = {};
    for (const stage of STAGES) {
      const spent = this.#timings[stage];
      if (spent !== undefined) sorted[stage] = spent;
    }
    return sorted;
  }

  /** Members of the record that the caller stated and nothing here has verified, sorted. */
  #claimed(): readonly string[] {
    const use = this.#use;
    if (use === null) return NOTHING_CLAIMED;
    const stated = use.tier === this.tier ? use.claimed : use.claimed.filter((name) => name !== 'tier');
    if (this.grantId !== null && !this.#grantFound) return ['grant_id', ...stated];
    return stated.length === 0 ? NOTHING_CLAIMED : stated;
  }

  /** The record of the next part. Timings are those up to here: the record is written before the bytes. */
  record(
    outcome: Outcome,
    status: number,
    bytes: number | null,
    disclosure: DisclosureSummary | null,
    last = true,
  ): DecisionRecordDraft {
    this.#parts += 1;
    return {
      decision_id: this.id,
      timestamp: this.#timestamp,
      kind: this.kind,
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
      reasons: this.untold.length === 0 ? this.reasons : [...this.reasons, ...this.untold],
      disclosure,
      request: this.request,
      upstream: this.upstream,
      response: { bytes, status },
      policy: this.policy,
      input: this.input,
      timings_us: this.#timingsSoFar(),
      trace_id: this.traceId,
      labels: this.labels,
      part: { last, number: this.#parts },
    };
  }
}
