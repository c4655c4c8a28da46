/** The table from error code to HTTP answer (RFC 9457). An answer has Sluice's own text only, nothing of the upstream's. */
import type { ErrorCode, SluiceError } from '../errors.ts';
import type { AccessRequestOffer } from '../model/access-request.ts';
import type { Reason } from '../model/answers.ts';

interface Problem {
  readonly status: number;
  readonly title: string;
  /** where a standard has one; default: that of the code */
  readonly type?: string;
}

const p = (status: number, title: string, type?: string): Problem => ({
  status,
  title,
  ...(type === undefined ? {} : { type }),
});

/** problems of the Access Request and Approval Profile of OpenID AuthZEN */
const AUTHZEN = 'urn:openid:authzen:access-request:error:';

const UNAUTHENTICATED = p(401, 'Authentication required');
const FORBIDDEN = p(403, 'Not permitted');
const BAD_REQUEST = p(400, 'Bad request');
const BAD_GATEWAY = p(502, 'The upstream’s answer cannot be disclosed');
const UNAVAILABLE = p(503, 'Not available');
const NOT_FOUND = p(404, 'Not found');
const CONFLICT = p(409, 'Not possible in this state');
const UNCONFIGURED = p(404, 'Not configured');

/** Every code that can end a request. Any other code is answered as 500 `internal`. */
const TABLE: { readonly [code in ErrorCode]?: Problem } = {
  token_missing: UNAUTHENTICATED,
  token_malformed: UNAUTHENTICATED,
  token_unsigned: UNAUTHENTICATED,
  token_algorithm_not_allowed: UNAUTHENTICATED,
  token_issuer_unknown: UNAUTHENTICATED,
  token_audience_mismatch: UNAUTHENTICATED,
  token_expired: UNAUTHENTICATED,
  token_not_yet_valid: UNAUTHENTICATED,
  token_signature_invalid: UNAUTHENTICATED,
  token_key_unknown: UNAUTHENTICATED,
  token_claims_invalid: UNAUTHENTICATED,
  token_revoked: UNAUTHENTICATED,
  keys_unavailable: UNAVAILABLE,
  request_malformed: BAD_REQUEST,
  path_not_canonical: BAD_REQUEST,
  method_override_refused: BAD_REQUEST,
  host_ambiguous: BAD_REQUEST,
  route_unknown: p(404, 'No such route'),
  origin_not_allowed: FORBIDDEN,
  method_not_allowed: p(405, 'No such method of this path'),
  query_parameter_unknown: BAD_REQUEST,
  query_field_withheld: FORBIDDEN,
  narrowed_page_refused: FORBIDDEN,
  narrowed_write_refused: FORBIDDEN,
  body_unreadable: BAD_REQUEST,
  body_too_large: p(413, 'Request too large'),
  body_encoding_unsupported: p(415, 'Unsupported request encoding'),
  identifier_conflict: FORBIDDEN,
  body_field_refused: FORBIDDEN,
  masked_value_refused: p(422, 'A masked value cannot be written back'),
  write_erases: FORBIDDEN,
  write_conflict: p(409, 'The record has changed'),
  write_condition_refused: BAD_REQUEST,
  write_precondition_missing: p(502, 'The record cannot be written safely'),
  upgrade_refused: p(501, 'Upgrades are not passed on'),
  request_timeout: p(408, 'The request took too long to arrive'),
  request_aborted: p(499, 'The caller went away'),
  overloaded: UNAVAILABLE,
  mcp_message_invalid: BAD_REQUEST,
  mcp_method_unsupported: p(404, 'No such method'),
  mcp_name_unknown: p(404, 'No such tool, resource or prompt'),
  mcp_argument_unknown: BAD_REQUEST,
  mcp_session_unknown: p(404, 'No such session'),
  mcp_header_mismatch: BAD_REQUEST,
  mcp_version_unsupported: BAD_REQUEST,
  purpose_missing: FORBIDDEN,
  purpose_unknown: FORBIDDEN,
  recipient_unknown: FORBIDDEN,
  tier_invalid: BAD_REQUEST,
  policy_denied: FORBIDDEN,
  obligation_unfulfillable: FORBIDDEN,
  policy_undefined: FORBIDDEN,
  policy_answer_malformed: FORBIDDEN,
  policy_evaluation_failed: FORBIDDEN,
  policy_deadline_exceeded: FORBIDDEN,
  policy_memory_exceeded: FORBIDDEN,
  policy_input_too_large: FORBIDDEN,
  policy_unavailable: UNAVAILABLE,
  catalog_unknown: FORBIDDEN,
  consent_unavailable: UNAVAILABLE,
  consent_changed: UNAVAILABLE,
  store_unavailable: UNAVAILABLE,
  store_read_only: UNAVAILABLE,
  link_invalid: FORBIDDEN,
  signing_key_unavailable: UNAVAILABLE,
  grant_used_up: FORBIDDEN,
  verification_required: FORBIDDEN,
  verification_failed: FORBIDDEN,
  verification_expired: FORBIDDEN,
  verification_unavailable: UNAVAILABLE,
  quota_unavailable: UNAVAILABLE,
  verification_limited: p(429, 'Too many codes'),
  authentication_limited: p(429, 'Too many failed authentications'),
  erasure_not_found: NOT_FOUND,
  erasure_closed: CONFLICT,
  erasure_invalid: BAD_REQUEST,
  notice_not_found: NOT_FOUND,
  notice_acknowledged: CONFLICT,
  notice_unsendable: CONFLICT,
  demand_not_found: NOT_FOUND,
  demand_confirmed: CONFLICT,
  shares_unconfigured: UNCONFIGURED,
  input_invalid: BAD_REQUEST,
  consent_invalid: BAD_REQUEST,
  consent_not_found: NOT_FOUND,
  api_key_not_found: NOT_FOUND,
  api_key_taken: CONFLICT,
  revocation_not_found: NOT_FOUND,
  revocation_foreign: CONFLICT,
  security_event_invalid: BAD_REQUEST,
  review_not_found: NOT_FOUND,
  review_closed: CONFLICT,
  review_of_own_decision: FORBIDDEN,
  grant_not_found: NOT_FOUND,
  grant_invalid: BAD_REQUEST,
  grant_rule_missing: CONFLICT,
  grant_not_pending: CONFLICT,
  grant_not_active: CONFLICT,
  grant_self_approval: FORBIDDEN,
  grant_approver_unauthorized: FORBIDDEN,
  grants_unconfigured: UNCONFIGURED,
  break_glass_review_overdue: FORBIDDEN,
  admin_unconfigured: UNCONFIGURED,
  denial_binding_invalid: p(400, 'Not bound to a denial', `${AUTHZEN}invalid_denial_binding`),
  denial_expired: p(410, 'The denial is over', `${AUTHZEN}expired_denial`),
  idempotency_key_invalid: BAD_REQUEST,
  idempotency_key_reused: p(422, 'The key of another request'),
  idempotency_pending: p(409, 'Still being carried out'),
  idempotency_unknown: p(409, 'Whether it was carried out is unknown'),
  upstream_unreachable: p(502, 'The upstream cannot be reached'),
  upstream_timeout: p(504, 'The upstream did not answer in time'),
  upstream_aborted: p(502, 'The upstream broke off'),
  upstream_malformed: BAD_GATEWAY,
  upstream_status_withheld: BAD_GATEWAY,
  response_format_unsupported: BAD_GATEWAY,
  response_malformed: BAD_GATEWAY,
  response_charset_unknown: BAD_GATEWAY,
  response_encoding_unsupported: BAD_GATEWAY,
  response_encoding_malformed: BAD_GATEWAY,
  response_too_large: BAD_GATEWAY,
  response_too_deep: BAD_GATEWAY,
  record_too_large: BAD_GATEWAY,
  record_withheld: FORBIDDEN,
  group_size_unmet: FORBIDDEN,
  treatment_key_unknown: BAD_GATEWAY,
  token_not_reversible: BAD_REQUEST,
  record_not_found: NOT_FOUND,
  query_too_large: p(422, 'The query is too large'),
  journal_unwritable: UNAVAILABLE,
  journal_full: UNAVAILABLE,
};

export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly decision_id: string;
  readonly reasons: readonly Reason[];
  readonly paths?: readonly string[];
  /** the decision, in the terms of AuthZEN; beside `access_request` */
  readonly evaluation_id?: string;
  /** a grant could lift the refusal, and this is how it is requested */
  readonly access_request?: AccessRequestOffer;
}

export function statusOf(code: ErrorCode): number {
  return TABLE[code]?.status ?? 500;
}

/** @param status overrides the table's: the upstream's own 404 stays a 404 */
export function problem(
  error: SluiceError,
  decisionId: string,
  reasons: readonly Reason[],
  status?: number,
  accessRequest: AccessRequestOffer | null = null,
): ProblemBody {
  const known = TABLE[error.code];
  return {
    type: known?.type ?? `urn:sluice:error:${known ? error.code : 'internal'}`,
    title: known?.title ?? 'Internal error',
    status: status ?? known?.status ?? 500,
    code: known ? error.code : 'internal',
    detail: known ? error.message : 'Sluice failed. The log has the decision id.',
    decision_id: decisionId,
    reasons,
    ...(error.paths === undefined ? {} : { paths: error.paths }),
    ...(accessRequest === null ? {} : { evaluation_id: decisionId, access_request: accessRequest }),
  };
}
