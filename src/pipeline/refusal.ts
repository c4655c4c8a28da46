/** How a request ends that is not answered with data: recorded, then said in our own words. */
import type { Account } from './account.ts';
import { errorShape } from './error-shape.ts';
import { type ErrorCode, isSluiceError, SluiceError } from '../errors.ts';
import type { Reason } from '../model/answers.ts';
import type { ProxyRequest, Reply } from '../model/exchange.ts';
import type { DecisionRecordDraft, DisclosureSummary, Outcome } from '../model/record.ts';
import type { Refusal, Stages } from './stages.ts';

/**
 * An upstream's answer outside 2xx is nobody's data and nobody has classed it: its status stays where it tells the caller
 * something it can act on, its body never, its headers where they say when to try again (`HeaderRules.refused`).
 */
class UpstreamStatus extends SluiceError {
  /** what the caller is answered; null: that the upstream's answer cannot be disclosed */
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

/** The upstream says that there is no such record. One answer, byte for byte, whether it is so or `recordNotFound` says it. */
export const nothingFound = (status: number): SluiceError => new UpstreamStatus(status, true, NO_HEADERS);

const OWNERLESS =
  "Where its catalog looks (data_subject) the record names nobody: nothing stands there, or what does is no id of the type that the catalog gives it (its pattern is in the policy's data/identifiers.yaml). Nor does the route say whose it is.";

/** The one record that was asked for stays behind: the account says why. */
export function recordWithheld(summary: DisclosureSummary, account: Account): SluiceError {
  account.reasons = Object.keys(summary.withheld_reasons ?? {}).map((code) =>
    code === 'data_subject_unknown' ? { code, message: OWNERLESS } : { code },
  );
  account.withheld = summary;
  return new SluiceError('record_withheld', 'The policy withholds this record. The reasons say why.');
}

/**
 * The one record that a search found is withheld, or there is none. In a list it would not be there; here its refusal would say that somebody has what was
 * searched by. So the caller gets, to the letter, what it would get where the upstream finds nothing.
 */
export function recordNotFound(summary: DisclosureSummary, account: Account, status: number): SluiceError {
  account.untold = Object.keys(summary.withheld_reasons ?? {}).map((code) => ({ code }));
  account.withheld = summary;
  return nothingFound(status);
}

/** The request names somebody whom nobody knows: the upstream is not asked. @param types that the catalog gives its data subjects */
export function unidentified(types: readonly string[], account: Account): SluiceError {
  account.reasons = [
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

/** A record that may not be written as a whole: the upstream is not asked. */
export function notWritten(reasons: readonly Reason[], account: Account): SluiceError {
  account.reasons = reasons;
  return new SluiceError(
    'record_withheld',
    'The policy does not let this caller write the record of this data subject. The reasons say why.',
  );
}

/** What the policy's no is called. */
export const denied = (reasons: readonly Reason[], stepUp: string | null): SluiceError =>
  new SluiceError(
    (reasons.find((r): r is Reason & { code: ErrorCode } => POLICY_FAILURES.has(r.code))?.code ??
      'policy_denied') as ErrorCode,
    stepUp === null
      ? 'The policy does not permit this request. The reasons say why.'
      : `The policy asks for a stronger authentication first: ${stepUp}.`,
  );

/** A policy that fails is a denial with the failure's code, so that operators can tell it from a verdict. */
const POLICY_FAILURES: ReadonlySet<string> = new Set([
  'policy_undefined',
  'policy_answer_malformed',
  'policy_evaluation_failed',
  'policy_deadline_exceeded',
  'policy_memory_exceeded',
  'policy_input_too_large',
]);

/** Counts a record and makes it durable; resolves when its bytes may leave. */
export const record = (draft: DecisionRecordDraft, stages: Stages): Promise<unknown> => {
  stages.metrics.stages(draft.timings_us);
  if (draft.part.last)
    stages.metrics.request(
      draft.request?.route ?? null,
      draft.outcome,
      draft.response?.status ?? 0,
      draft.outcome === 'denied' || draft.outcome === 'error' ? (draft.reasons[0]?.code ?? null) : null,
    );
  return stages.log.append(draft);
};

/** Why the journal did not take a record. */
export const unrecorded = (failure: unknown): SluiceError =>
  isSluiceError(failure)
    ? failure
    : new SluiceError('journal_unwritable', 'The decision could not be recorded.');

/** A denial or a failure: recorded, then said, in our own words only. */
export async function refuse(
  request: ProxyRequest,
  reply: Reply,
  account: Account,
  stages: Stages,
  thrown: unknown,
): Promise<void> {
  const error = isSluiceError(thrown)
    ? thrown
    : new SluiceError('internal', { message: 'Sluice failed.', cause: thrown });
  if (!isSluiceError(thrown))
    stages.logger.error({ err: thrown, stack: ownStack(thrown), decision_id: account.id }, 'internal error');
  if (!account.reasons.some((r) => r.code === error.code) && error.code !== 'policy_denied')
    account.reasons = [{ code: error.code, message: error.message }, ...account.reasons];
  if (error.place !== undefined)
    stages.logger.warn(
      { decision_id: account.id, code: error.code, place: error.place },
      'the upstream’s answer cannot be read',
    );
  // It was found out from the answer: so it tells, if little, that records were withheld.
  if (error.code === 'narrowed_page_refused' && account.upstream !== null) {
    stages.metrics.told(account.request?.route ?? '', 'unfilled');
    stages.logger.warn(
      { decision_id: account.id, route: account.request?.route, code: error.code },
      'a page of a narrowed list could not be filled from the records that are looked at',
    );
  }
  const status = error instanceof UpstreamStatus ? (error.passed ?? undefined) : undefined;
  const shape = errorShape(request, account, stages);
  const refusal = stages.answers.refused(error, account.id, account.reasons, status, shape);
  // An answer that breaks off in its middle has failed, whatever for.
  const failed = refusal.meaning >= 500 || refusal.meaning === 499 || reply.started;
  const outcome: Outcome = failed ? 'error' : 'denied';
  try {
    await record(account.record(outcome, refusal.status, null, account.withheld), stages);
  } catch (failure) {
    // The journal does not take it: the log is the last place left to say so, and the caller still gets nothing.
    stages.logger.error(
      { err: failure, decision_id: account.id, code: error.code },
      'decision could not be recorded',
    );
    if (!reply.started) {
      const error = unrecorded(failure);
      answer(
        request,
        reply,
        stages.answers.refused(error, account.id, [{ code: error.code }], undefined, shape),
      );
      return;
    }
  }
  // Something has left already: a clean end would pass for the whole answer.
  if (reply.started) reply.abort();
  else answer(request, reply, refusal, CLOSING.has(error.code));
}

/** Whoever sends such a head may see other requests on the connection than we do. */
const CLOSING: ReadonlySet<ErrorCode> = new Set(['request_malformed', 'host_ambiguous']);

function answer(request: ProxyRequest, reply: Reply, refusal: Refusal, close = false): void {
  // A body that was not read would be taken for the next request on this connection.
  const headers = request.hasBody || close ? { ...refusal.headers, connection: 'close' } : refusal.headers;
  reply.send(refusal.status, headers, [refusal.body]);
}

const ownStack = (e: unknown): string | undefined =>
  e instanceof Error
    ? e.stack
        ?.split('\n')
        .filter((l) => l.startsWith('    at '))
        .join('\n')
    : undefined;
