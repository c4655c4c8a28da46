/** How a request ends that is refused: recorded, then answered in Sluice's own words. */
import { offerOf } from './access-request.ts';
import { type DecisionEntry, replaced, unrecorded, writeRecord } from './record.ts';
import { errorShape } from './error-shape.ts';
import { type ErrorCode, isSluiceError, SluiceError } from '../errors.ts';
import type { AccessRequestOffer } from '../model/access-request.ts';
import type { Reason } from '../model/answers.ts';
import type { ProxyRequest, Reply } from '../model/exchange.ts';
import type { DisclosureSummary, Outcome } from '../model/record.ts';
import { UNPROVEN } from '../model/verification.ts';
import type { Refusal, Stages } from './stages.ts';

/**
 * An answer of the upstream outside 2xx, which no catalog describes. Its body is never passed on; its status is where the caller can act on
 * it, and those of its headers that say when to try again (`HeaderRules.refused`).
 */
class UpstreamStatus extends SluiceError {
  /** the status that the caller gets; null: that of an answer that cannot be disclosed */
  readonly passed: number | null;
  constructor(status: number, isPassed: boolean, headers: Readonly<Record<string, string>>) {
    super('upstream_status_withheld', {
      message: `The upstream answered with status ${status}. What it said is not passed on.`,
      headers,
    });
    this.passed = isPassed ? status : null;
  }
}
const PASSED_STATUS: ReadonlySet<number> = new Set([
  400, 404, 405, 406, 409, 410, 412, 413, 415, 422, 423, 428, 429, 503,
]);
const NO_HEADERS = Object.freeze({});

export const statusWithheld = (
  status: number,
  headers: Readonly<Record<string, string>> = NO_HEADERS,
): SluiceError => new UpstreamStatus(status, PASSED_STATUS.has(status), headers);

/** There is no such record. The same answer, byte for byte, whether the upstream says so or `recordNotFound`. */
export const nothingFound = (status: number): SluiceError => new UpstreamStatus(status, true, NO_HEADERS);

const OWNERLESS =
  "Where its catalog looks (data_subject) the record names nobody: nothing stands there, or what does is no id of the type that the catalog gives it (its pattern is in the policy's data/identifiers.yaml). Nor does the route say whose it is.";

/** The one record that was asked for is withheld. Its reasons are told. */
export function recordWithheld(summary: DisclosureSummary, entry: DecisionEntry): SluiceError {
  entry.reasons = Object.keys(summary.withheld_reasons ?? {}).map((code) =>
    code === 'data_subject_unknown' ? { code, message: OWNERLESS } : { code },
  );
  entry.withheld = replaced(summary);
  return new SluiceError('record_withheld', 'The policy withholds this record. The reasons say why.');
}

/**
 * The one record that a search found is withheld, or there is none. A refusal would tell that somebody has what was searched by, so the
 * caller gets exactly what it would get where the upstream finds nothing.
 */
export function recordNotFound(
  summary: DisclosureSummary,
  entry: DecisionEntry,
  status: number,
): SluiceError {
  const codes = Object.keys(summary.withheld_reasons ?? {}).map((code) => ({ code }));
  entry.internalReasons = [...entry.internalReasons, ...codes];
  entry.withheld = replaced(summary);
  return nothingFound(status);
}

/** The request names an unknown data subject: the upstream is not asked. @param types that the catalog gives its data subjects */
export function unidentified(types: readonly string[], entry: DecisionEntry): SluiceError {
  entry.reasons = [
    {
      code: 'data_subject_unknown',
      message: `The data subject that the request names is no ${types.join(' or ')}: the catalog asks for that type, and its pattern is in the policy's data/identifiers.yaml. An alias must be known besides (aliases in consents.yaml).`,
    },
  ];
  return new SluiceError(
    'record_withheld',
    'Nobody is known by the identifier in this request. The reasons say why.',
  );
}

/** The record may not be written as a whole: the upstream is not asked. */
export function writeWithheld(reasons: readonly Reason[], entry: DecisionEntry): SluiceError {
  entry.reasons = reasons;
  return new SluiceError(
    'record_withheld',
    'The policy does not let this caller write the record of this data subject. The reasons say why.',
  );
}

/** The policy's denial, or that of an obligation. @param stepUp the stronger authentication that the policy asks for */
export function denied(reasons: readonly Reason[], stepUp: string | null): SluiceError {
  const failure = reasons.find((r): r is Reason & { code: ErrorCode } => POLICY_FAILURES.has(r.code));
  if (failure !== undefined && PROOFS.has(failure.code))
    return new SluiceError(failure.code, failure.message ?? '');
  const told =
    stepUp === null
      ? 'The policy does not permit this request. The reasons say why.'
      : `The policy asks for a stronger authentication first: ${stepUp}.`;
  if (failure !== undefined || stepUp === null)
    return new SluiceError(failure?.code ?? 'policy_denied', told);
  return new SluiceError('policy_denied', { message: told, stepUp });
}

/** The caller has proven to deal with somebody else than the request is about: told as if it had proven nothing. */
export function unproven(entry: DecisionEntry): SluiceError {
  entry.reasons = [UNPROVEN];
  return denied(entry.reasons, null);
}

const PROOFS: ReadonlySet<string> = new Set([
  'verification_required',
  'verification_failed',
  'verification_expired',
]);

/** A policy that fails denies with the failure's code, so that operators can tell a failure from a decision; a missing proof, so that callers can. */
const POLICY_FAILURES: ReadonlySet<string> = new Set([
  ...PROOFS,
  'obligation_unfulfillable',
  'policy_undefined',
  'policy_answer_malformed',
  'policy_evaluation_failed',
  'policy_deadline_exceeded',
  'policy_memory_exceeded',
  'policy_input_too_large',
]);

/** What a refusal depends on of the request that it answers. */
export type Refusable = Pick<ProxyRequest, 'method' | 'target' | 'headers' | 'hasBody'>;

/** A denial or a failure: recorded, then answered. */
export async function refuse(
  request: Refusable,
  reply: Reply,
  entry: DecisionEntry,
  stages: Stages,
  thrown: unknown,
): Promise<void> {
  // A body that was not read would be parsed as the next request of the connection, which is therefore closed.
  const { hasBody } = request;
  const error = isSluiceError(thrown)
    ? thrown
    : new SluiceError('internal', { message: 'Sluice failed.', cause: thrown });
  if (!isSluiceError(thrown))
    stages.logger.error({ err: thrown, stack: ownStack(thrown), decision_id: entry.id }, 'internal error');
  if (!entry.reasons.some((r) => r.code === error.code) && error.code !== 'policy_denied')
    entry.reasons = [{ code: error.code, message: error.message }, ...entry.reasons];
  if (error.place !== undefined)
    stages.logger.warn(
      { decision_id: entry.id, code: error.code, place: error.place },
      'the upstream’s answer cannot be read',
    );
  // The refusal follows from the upstream's answer, so it tells, if little, that records were withheld.
  if (error.code === 'narrowed_page_refused' && entry.upstream !== null) {
    stages.metrics.inferenceRisk(entry.request?.route ?? '', 'unfilled');
    stages.logger.warn(
      { decision_id: entry.id, route: entry.request?.route, code: error.code },
      'a page of a narrowed list could not be filled from the records that are looked at',
    );
  }
  const status =
    entry.challenge !== null
      ? 401
      : error instanceof UpstreamStatus
        ? (error.passed ?? undefined)
        : undefined;
  const shape = errorShape(request, entry, stages);
  const offer = reply.started ? null : await offered(error, entry, stages);
  const refusal = stages.responses.refused(error, entry.id, entry.reasons, status, shape, offer);
  if (entry.challenge !== null) refusal.headers['www-authenticate'] = entry.challenge;
  // An answer that is broken off has failed, whatever the reason.
  const failed = refusal.meaning >= 500 || refusal.meaning === 499 || reply.started;
  const outcome: Outcome = failed ? 'error' : 'denied';
  try {
    await writeRecord(entry.draft(outcome, refusal.status, null, entry.withheld), stages);
  } catch (failure) {
    // The operational log is the last place to report it; the caller gets nothing all the same.
    stages.logger.error(
      { err: failure, decision_id: entry.id, code: error.code },
      'decision could not be recorded',
    );
    if (!reply.started) {
      const error = unrecorded(failure);
      const reasons = [{ code: error.code }];
      answer(reply, stages.responses.refused(error, entry.id, reasons, undefined, shape), hasBody);
      return;
    }
  }
  // A part has been sent already: a clean end would pass for the whole answer.
  if (reply.started) reply.abort();
  else answer(reply, refusal, hasBody || CLOSING.has(error.code));
}

/** One of many refusals of which another record tells. */
export function refuseUnrecorded(
  request: Refusable,
  reply: Reply,
  entry: DecisionEntry,
  stages: Stages,
  error: SluiceError,
): void {
  const reasons = [{ code: error.code, message: error.message }];
  const shape = errorShape(request, entry, stages);
  const refusal = stages.responses.refused(error, entry.id, reasons, undefined, shape);
  answer(reply, refusal, request.hasBody || CLOSING.has(error.code));
}

/** Whatever fails here, the refusal is recorded and answered. */
async function offered(
  error: SluiceError,
  entry: DecisionEntry,
  stages: Stages,
): Promise<AccessRequestOffer | null> {
  try {
    const offer = await offerOf(error, entry, stages);
    const task = offer === null ? null : ((await entry.requestAccess?.(offer)) ?? null);
    return task === null ? offer : { ...offer!, task };
  } catch (err) {
    stages.logger.error({ err, decision_id: entry.id }, 'a denial could not say how access is requested');
    return null;
  }
}

/** The sender of such a head may see other requests on this connection than Sluice does. */
const CLOSING: ReadonlySet<ErrorCode> = new Set(['request_malformed', 'host_ambiguous']);

function answer(reply: Reply, refusal: Refusal, close: boolean): void {
  const headers = close ? { ...refusal.headers, connection: 'close' } : refusal.headers;
  reply.send(refusal.status, headers, [refusal.body]);
}

const ownStack = (e: unknown): string | undefined =>
  e instanceof Error
    ? e.stack
        ?.split('\n')
        .filter((l) => l.startsWith('    at '))
        .join('\n')
    : undefined;

/** The upstream's 412, or a condition of the request that the stored record does not meet. */
export const writeConflict = (): SluiceError =>
  new SluiceError(
    'write_conflict',
    'The record has changed since it was read. Read it again, and repeat the change.',
  );
