/**
 * The authorization core: who asks, what for, and whether the policy permits it. Every endpoint asks through `authorize`, so that no check
 * can be missing in one of them. An endpoint translates its protocol into an `AuthorizationRequest`; there need be no proxied request.
 * Longer than most: a second place could leave a check out.
 */
import { isSluiceError, SluiceError } from '../errors.ts';
import type { Authenticated, Headers, Peer } from '../identity/types.ts';
import type { DecisionAnswer } from '../model/answers.ts';
import type { HeldGrants } from '../model/grant.ts';
import type { Action, Agent, Context, Grant, PolicyInput, Resource, Subject } from '../model/input.ts';
import type { PolicySnapshot } from '../model/policy.ts';
import { heeding, isDemanded, limiting, proving } from '../model/obligations.ts';
import { filterText, type RecordFilter } from '../model/record-filter.ts';
import type { RetentionRule } from '../model/retention.ts';
import { inTier, tierInForce } from '../model/verdict.ts';
import type { QuotaState } from '../model/quota.ts';
import type { Reviewable } from '../model/review.ts';
import { type Confirmations, isOutside } from '../model/share.ts';
import type { Proof, SubjectVerification, VerificationMethod } from '../model/verification.ts';
import type { Known, PurposeOfUse } from '../routing/index.ts';
import type { DecisionEntry } from './record.ts';
import { denied, unproven } from './refusal.ts';
import type { Stages } from './stages.ts';

export interface AuthorizationRequest<T extends Target = Target> {
  /** with the caller's credential, and the purpose, recipient, tier, justification and grant that the request states */
  readonly headers: Headers;
  readonly peer: Peer;
  /** Called once the caller is known: a caller without a valid credential learns nothing of routes, and its body is not read. */
  target(): T | Promise<T>;
}

/** What the caller wants to do. An endpoint may add members of its own. */
export interface Target {
  readonly resource: Resource;
  readonly action: string;
  /** the purpose where the request states none; null: the caller's, or the configured default */
  readonly purpose: string | null;
  /** the answer is one record, as far as is known before it comes */
  readonly single: boolean;
  /** proofs of which the route demands one; null: it demands none */
  readonly verification: readonly VerificationMethod[] | null;
  /** Begins what the answer will need, while others are asked. */
  lookAhead?(snapshot: PolicySnapshot): void;
  /** Properties of the action, which may depend on the purpose. */
  properties(use: PurposeOfUse): Action['properties'];
}

/** A request that the policy permits. */
export interface Authorized<T extends Target = Target> {
  readonly target: T;
  readonly use: PurposeOfUse;
  /** pinned: the request is served by it to its end */
  readonly snapshot: PolicySnapshot;
  /** purposes and recipients that the snapshot knows */
  readonly known: Known;
  readonly decision: DecisionAnswer;
  /** which records may be disclosed at all; null: any */
  readonly filter: RecordFilter | null;
  /** categories that are dropped in older records */
  readonly retention: readonly RetentionRule[];
  /** whom the caller has proven to deal with: nobody else's records may be disclosed or written; null: no proof is demanded */
  readonly provenSubject: string | null;
  /** what the policy was asked, in the tier in force: input of the questions about disclosure */
  readonly input: PolicyInput;
  /**
   * Decides anew for what comes next of a long answer, by everything that is in force now. What was counted is not counted again.
   * @throws SluiceError every refusal
   */
  again(): Promise<Authorized<T>>;
}

/** A request that was permitted before, and still goes on. */
interface Before<T> {
  readonly target: T;
  readonly quota: QuotaState | null;
  /** the limited grant whose use was counted */
  readonly used: string | null;
  /** somebody will look at the decision */
  readonly reviewed: boolean;
}

/**
 * Fills in the entry on the way, so that a refusal is recorded with what was known by then.
 * @throws SluiceError every refusal: of the credential, of what `target` throws, of the purpose, and of the policy (`policy_denied`, or
 *   the code of its failure). An endpoint whose protocol answers a denial with success catches it; forgetting to do so denies.
 */
export async function authorize<T extends Target>(
  request: AuthorizationRequest<T>,
  entry: DecisionEntry,
  stages: Stages,
): Promise<Authorized<T>> {
  return permit(request, entry, stages, null);
}

/** @param before null: the request has just come */
async function permit<T extends Target>(
  request: AuthorizationRequest<T>,
  entry: DecisionEntry,
  stages: Stages,
  before: Before<T> | null,
): Promise<Authorized<T>> {
  const at = before === null ? new Date(entry.timestamp) : later(entry, stages);
  // Awaited only where there is a promise.
  const authenticated = authenticate(request, entry, stages);
  const caller = authenticated instanceof Promise ? await authenticated : authenticated;

  const found = before === null ? request.target() : before.target;
  const target = found instanceof Promise ? await found : found;
  entry.action = target.action;
  entry.resource = target.resource;
  entry.endStage('routing');

  const snapshot = stages.policy.current();
  entry.policy = { bundle: snapshot.bundle, revision: snapshot.revision };
  const known = stages.knownNames(snapshot);
  const use = purposeOf(request.headers, caller, target, known, stages);
  entry.setPurpose(use);
  const action = { name: target.action, properties: target.properties(use) };
  const holding = grantsFor(target.resource, caller.subject, use, at, stages, before);
  const held = holding instanceof Promise ? await holding : holding;
  const checking = proofOf(request.headers, caller.subject, at, stages);
  const proof = checking instanceof Promise ? await checking : checking;
  const { data } = snapshot;
  const reserving =
    before === null
      ? stages.quotas.reserve({
          data,
          subject: caller.subject,
          agent: caller.agent?.id ?? null,
          purpose: use.purpose,
          single: target.single,
        })
      : null;
  if (reserving !== null) target.lookAhead?.(snapshot);
  const reserved = reserving === null ? null : await reserving;
  if (reserved !== null) entry.reserved(reserved);
  const confirmations = isOutside(use.recipient)
    ? await stages.shares?.confirmations(use.recipient, at)
    : null;
  const quota = before === null ? (reserved?.state ?? null) : before.quota;
  const asked = policyInput({
    action,
    ...(caller.agent === undefined ? {} : { agent: caller.agent }),
    ...(confirmations ? { confirmations } : {}),
    grants: held.grants,
    quota,
    request: entry.request,
    verification: proof?.state ?? null,
    resource: target.resource,
    subject: caller.subject,
    time: before === null ? entry.timestamp : at.toISOString(),
    use,
  });
  entry.setInput(asked);

  const { answer, filter, retention, provenSubject, input } = decide(snapshot, asked, target.verification);
  entry.setDecision(answer, input.context.tier);
  entry.endStage('decision');
  if (!answer.allow) throw denied(answer.reasons, answer.obligations.step_up ?? null);
  if (filter !== null) entry.internalReasons = [{ code: 'record_filter', message: filterText(filter) }];
  const decision = held.limited === null ? answer : limitedBy(held.limited, answer);
  if (before === null) {
    if (provenSubject !== null && proof?.use !== undefined && !(await proof.use(at))) throw unproven(entry);
    if (held.limited !== null) await useOf(held.limited, entry, stages);
  }
  // What comes next may need a look that what came before did not.
  const wasReviewed = before?.reviewed === true;
  const reviewed = wasReviewed || isDemanded(decision.obligations.review);
  if (reviewed && !wasReviewed) await stages.reviews.open(reviewable(entry));
  const used = before === null ? (held.limited?.id ?? null) : before.used;
  return {
    target,
    use,
    snapshot,
    known,
    decision,
    filter,
    retention,
    provenSubject,
    input,
    again: () => permit(request, entry, stages, { target, quota, used, reviewed }),
  };
}

/** A clock that is set back makes nothing valid again. */
function later({ timestamp }: DecisionEntry, { clock }: Stages): Date {
  const [begun, now] = [new Date(timestamp), clock.now()];
  return now > begun ? now : begun;
}

/**
 * Returns synchronously where the credential is remembered, which it mostly is.
 * @throws SluiceError `token_*`, `keys_unavailable` (thrown or as a rejection)
 */
export function authenticate(
  { headers, peer }: Pick<AuthorizationRequest, 'headers' | 'peer'>,
  entry: DecisionEntry,
  { identity }: Pick<Stages, 'identity'>,
): Authenticated | Promise<Authenticated> {
  const admit = (caller: Authenticated): Authenticated => {
    entry.subject = caller.subject;
    entry.agent = caller.agent ?? null;
    entry.admitted(() => identity.recheck(caller, peer));
    entry.endStage('identity');
    return caller;
  };
  const refuse = (e: unknown): never => {
    // Who tries it with a revoked credential is known.
    if (isSluiceError(e, 'token_revoked')) entry.subject = e.subject ?? null;
    throw e;
  };
  let authenticated: Authenticated | Promise<Authenticated>;
  try {
    authenticated = identity.authenticate(headers, peer);
  } catch (e) {
    return refuse(e);
  }
  return authenticated instanceof Promise ? authenticated.then(admit, refuse) : admit(authenticated);
}

export const purposeOf = (
  headers: Headers,
  { subject, claims, purpose }: Authenticated,
  route: Target,
  known: Known,
  stages: Stages,
): PurposeOfUse => stages.purposeOf({ headers, subject, claims, purpose, route, known });

const proofOf = (
  headers: Headers,
  subject: Subject,
  at: Date,
  { verifications }: Stages,
): Proof | null | Promise<Proof | null> => verifications?.check({ headers, caller: subject.id, at }) ?? null;

const NO_GRANTS: HeldGrants = Object.freeze({ grants: Object.freeze([]), limited: null });

/**
 * The grants that hold for the request.
 * @param before of a request that goes on: no limited grant holds for it but the one that it has used
 */
export const grantsFor = (
  resource: Resource,
  subject: Subject,
  { purpose, grant }: PurposeOfUse,
  at: Date,
  { grants }: Stages,
  before: Pick<Before<unknown>, 'used'> | null = null,
): HeldGrants | Promise<HeldGrants> =>
  grants === undefined
    ? NO_GRANTS
    : grants.active({
        subject: subject.id,
        at,
        purpose,
        resource: resource.type,
        id: resource.id ?? null,
        named: before === null ? grant : before.used,
        isCounted: before !== null,
      });

/**
 * Counts a use of a limited grant, before anything is asked of the upstream.
 * @throws SluiceError `grant_used_up`
 */
async function useOf(
  { id }: NonNullable<HeldGrants['limited']>,
  entry: DecisionEntry,
  { grants }: Stages,
): Promise<void> {
  const at = new Date(entry.timestamp);
  const isCounted = await grants?.use(id, { subject: entry.subject?.id ?? '', at, decision_id: entry.id });
  if (isCounted !== true)
    throw new SluiceError(
      'grant_used_up',
      'The grant that the request names has no use left, or has just ended. Request another, or ask without it.',
    );
}

/** Keeps to the number of records of a limited grant. */
function limitedBy(
  { max_records }: NonNullable<HeldGrants['limited']>,
  answer: DecisionAnswer,
): DecisionAnswer {
  if (max_records === null) return answer;
  const most = Math.min(max_records, answer.obligations.max_records ?? max_records);
  return { ...answer, obligations: { ...answer.obligations, max_records: most } };
}

export interface PolicyInputParts {
  readonly subject: Subject;
  readonly action: Action;
  /** absent: the subject itself asks */
  readonly agent?: Agent;
  /** absent: none are asked for */
  readonly confirmations?: Confirmations;
  readonly resource: Resource;
  readonly use: Pick<PurposeOfUse, 'purpose' | 'recipient' | 'tier' | 'justification'>;
  readonly grants: readonly Grant[];
  /** null: no quota is about the request */
  readonly quota?: QuotaState | null;
  /** null: the request brings no proof that the caller deals with the data subject */
  readonly verification?: SubjectVerification | null;
  readonly request: (Omit<Context['request'], 'route'> & { readonly route: string | null }) | null;
  /** RFC 3339, UTC */
  readonly time: string;
}

/**
 * The input of `sluice/decision`, for requests and for commands alike. Its members are in the order of canonical JSON, so that the decision
 * log need not sort them.
 */
export function policyInput(parts: PolicyInputParts): PolicyInput {
  const {
    action,
    agent,
    confirmations,
    grants,
    quota = null,
    request,
    resource,
    subject,
    time,
    use,
    verification = null,
  } = parts;
  const acting = agent === undefined ? null : { agent };
  const demanded = confirmations === undefined ? null : { confirmations };
  return {
    action,
    context: {
      ...acting,
      ...demanded,
      grants,
      justification: use.justification,
      purpose: use.purpose,
      ...(quota === null ? null : { quota }),
      recipient: use.recipient,
      request: {
        client_ip: request?.client_ip ?? null,
        method: request?.method ?? '',
        route: request?.route ?? '',
      },
      ...(verification === null ? null : { subject_verification: verification }),
      tier: use.tier,
      time,
    },
    resource,
    subject,
  };
}

/** Which record it was stands in the decision record, where ids are masked. */
const reviewable = (entry: DecisionEntry): Reviewable => ({
  decision_id: entry.id,
  timestamp: entry.timestamp,
  subject: entry.subject?.id ?? '',
  purpose: entry.purpose ?? '',
  tier: entry.tier,
  recipient: entry.recipient ?? '',
  action: entry.action ?? '',
  resource: entry.resource?.type ?? '',
});

export interface Decision {
  readonly answer: DecisionAnswer;
  /** which records may be disclosed at all; null: any */
  readonly filter: RecordFilter | null;
  /** categories that are dropped in older records */
  readonly retention: readonly RetentionRule[];
  /** whom the caller has proven to deal with, where a proof is demanded; null: none is */
  readonly provenSubject: string | null;
  /** the input in the tier in force */
  readonly input: PolicyInput;
}

/** The only call of `sluice/decision`. The commands use it as well, so that what they report is what the proxy does. */
export function decide(
  policy: Pick<PolicySnapshot, 'decide' | 'catalogs'>,
  asked: PolicyInput,
  ofRoute: readonly VerificationMethod[] | null = null,
): Decision {
  const proven = proving(heeding(policy.decide(asked)), asked, ofRoute);
  const { answer, filter, retention } = limiting(proven.answer, asked, policy.catalogs);
  const input = inTier(asked, tierInForce(answer, asked.context.tier));
  return { answer, filter, retention, provenSubject: proven.provenSubject, input };
}
