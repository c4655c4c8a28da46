/**
 * One base class, a literal union of stable codes, `cause` kept. The HTTP status and title of each code stand in
 * `endpoints/problems.ts`; what a code means to its reader stands in `docs/errors.md`.
 */
import type { Subject } from './model/input.ts';

export const ERROR_CODES = [
  // identity
  'token_missing',
  'token_malformed',
  'token_unsigned',
  'token_algorithm_not_allowed',
  'token_issuer_unknown',
  'token_audience_mismatch',
  'token_expired',
  'token_not_yet_valid',
  'token_signature_invalid',
  'token_key_unknown',
  'token_claims_invalid',
  'token_revoked',
  'keys_unavailable',
  'revocation_not_found',
  'revocation_foreign',
  'security_event_invalid',
  'api_key_not_found',
  'api_key_taken',
  // recipients
  'notice_not_found',
  'notice_acknowledged',
  'notice_unsendable',
  'demand_not_found',
  'demand_confirmed',
  'shares_unconfigured',
  // the request itself
  'request_malformed',
  'path_not_canonical',
  'method_override_refused',
  'host_ambiguous',
  'route_unknown',
  'method_not_allowed',
  'origin_not_allowed',
  'query_parameter_unknown',
  'query_field_withheld',
  'narrowed_page_refused',
  'narrowed_write_refused',
  'body_unreadable',
  'body_too_large',
  'body_encoding_unsupported',
  'identifier_conflict',
  'body_field_refused',
  'masked_value_refused',
  'write_erases',
  'write_conflict',
  'write_condition_refused',
  'write_precondition_missing',
  'upgrade_refused',
  'request_timeout',
  'request_aborted',
  'overloaded',
  // MCP
  'mcp_message_invalid',
  'mcp_method_unsupported',
  'mcp_name_unknown',
  'mcp_argument_unknown',
  'mcp_session_unknown',
  'mcp_header_mismatch',
  'mcp_version_unsupported',
  // purpose
  'purpose_missing',
  'purpose_unknown',
  'recipient_unknown',
  'tier_invalid',
  // policy
  'policy_denied',
  'obligation_unfulfillable',
  'policy_unavailable',
  'policy_undefined',
  'policy_answer_malformed',
  'policy_evaluation_failed',
  'policy_deadline_exceeded',
  'policy_memory_exceeded',
  'policy_input_too_large',
  'policy_compile_failed',
  'policy_builtin_refused',
  'policy_data_invalid',
  'policy_scenario_failed',
  'policy_unit_test_failed',
  'policy_unapproved',
  'opa_not_found',
  'opa_digest_mismatch',
  'opa_failed',
  // bundle
  'bundle_malformed',
  'bundle_truncated',
  'bundle_too_large',
  'bundle_path_refused',
  'bundle_unsigned',
  'bundle_signature_invalid',
  'bundle_key_unknown',
  'bundle_roots_overlap',
  'bundle_abi_unsupported',
  'bundle_entrypoint_missing',
  'bundle_unavailable',
  'catalog_invalid',
  'catalog_unknown',
  // consent
  'consent_unavailable',
  'consent_changed',
  'consent_invalid',
  'receipt_unknown',
  // store
  'store_unavailable',
  'store_read_only',
  'store_outdated',
  'store_newer',
  'store_changed',
  // signing
  'signature_invalid',
  'signature_expired',
  'signing_key_unavailable',
  // erasure
  'erasure_not_found',
  'erasure_closed',
  'erasure_invalid',
  'erasure_unconfigured',
  'certificate_unknown',
  // the page of data subjects
  'link_invalid',
  'page_unconfigured',
  // reviews
  'review_not_found',
  'review_closed',
  'review_of_own_decision',
  // grants
  'grant_used_up',
  'grant_not_found',
  'grant_invalid',
  'grant_rule_missing',
  'grant_not_pending',
  'grant_not_active',
  'grant_self_approval',
  'grant_approver_unauthorized',
  'grants_unconfigured',
  'break_glass_review_overdue',
  // admin API
  'denial_binding_invalid',
  'denial_expired',
  'admin_unconfigured',
  'consent_not_found',
  'idempotency_key_invalid',
  'idempotency_key_reused',
  'idempotency_pending',
  'idempotency_unknown',
  // verification
  'verification_required',
  'verification_failed',
  'verification_expired',
  'verification_unavailable',
  'verification_limited',
  // admin listener
  'authentication_limited',
  'verification_unconfigured',
  // quotas
  'quota_unavailable',
  // upstream
  'upstream_unreachable',
  'upstream_timeout',
  'upstream_aborted',
  'upstream_malformed',
  'upstream_status_withheld',
  // disclosure
  'response_format_unsupported',
  'response_malformed',
  'response_charset_unknown',
  'response_encoding_unsupported',
  'response_encoding_malformed',
  'response_too_large',
  'response_too_deep',
  'record_too_large',
  'record_withheld',
  'group_size_unmet',
  'treatment_key_unknown',
  'token_not_reversible',
  // decision log
  'journal_unwritable',
  'journal_full',
  'chain_broken',
  'index_cleared',
  'record_not_found',
  'query_too_large',
  'checkpoint_refused',
  'witness_unavailable',
  'sink_unavailable',
  'sink_refused',
  // configuration and command line
  'config_unreadable',
  'config_invalid',
  'usage_invalid',
  'input_invalid',
  'address_in_use',
  'internal',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export interface ErrorDetails {
  /** what is wrong, where, and what to do; never a value from a request, a response or a credential */
  readonly message: string;
  readonly cause?: unknown;
  /** where in a document: `file`, 1-based `line` and `column` */
  readonly at?: { readonly file: string; readonly line?: number; readonly column?: number };
  /**
   * where in a body that is not disclosed: for the log, not for the caller, whom it would tell how long what stands before it is
   */
  readonly place?: string;
  /** field paths the error is about (never values) */
  readonly paths?: readonly string[];
  /** why the policy refuses the fields of `paths`: for an access request, not for the caller */
  readonly because?: readonly string[];
  /** whom a credential proves that is valid and has been revoked: for the decision record, not for the caller */
  readonly subject?: Subject;
  /** the stronger authentication that would lift a denial, in the policy's words */
  readonly stepUp?: string;
  /** HTTP fields that its answer has besides those of every refusal, names in lower case: `allow`, `retry-after` */
  readonly headers?: Readonly<Record<string, string>>;
}

export class SluiceError extends Error {
  readonly code: ErrorCode;
  readonly at: ErrorDetails['at'];
  readonly place: string | undefined;
  readonly paths: readonly string[] | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly because: readonly string[] | undefined;
  readonly subject: Subject | undefined;
  readonly stepUp: string | undefined;

  constructor(code: ErrorCode, details: ErrorDetails | string) {
    const d = typeof details === 'string' ? { message: details } : details;
    super(d.message, d.cause === undefined ? undefined : { cause: d.cause });
    this.name = 'SluiceError';
    this.code = code;
    this.at = d.at;
    this.place = d.place;
    this.paths = d.paths;
    this.headers = d.headers;
    this.because = d.because;
    this.subject = d.subject;
    this.stepUp = d.stepUp;
  }
}

export const isSluiceError = (e: unknown, code?: ErrorCode): e is SluiceError =>
  e instanceof SluiceError && (code === undefined || e.code === code);
