/**
 * A denial that a grant could lift says how to request one, as the Access Request and Approval Profile of OpenID AuthZEN defines it
 * (draft 1, https://openid.github.io/authzen/authzen-access-request-approval-profile-1_0.html).
 */
import type { Subject } from './input.ts';

/** What was denied, and what a grant would have to cover. */
export interface Requestable {
  readonly decision_id: string;
  readonly subject: Subject;
  readonly action: string;
  readonly resource: { readonly type: string; readonly id?: string };
  readonly purpose: string;
  /** of the fields that were refused; `*`: of all */
  readonly categories: readonly string[];
}

/** `access_request` of a denial */
export interface AccessRequestOffer {
  readonly endpoint: string;
  /** RFC 3339 */
  readonly expires_at: string;
  /** compact JWS, opaque to the caller; absent: it cannot be signed now, and `evaluation_id` alone names the denial */
  readonly binding_token?: string;
  readonly request_schema_url: string;
  /** Sluice has requested the grant in the caller's name: when the task is approved, the same request is answered */
  readonly task?: AccessRequestTask;
}

export interface AccessRequestTask {
  readonly id: string;
  readonly status: 'pending' | 'approved';
  readonly status_endpoint: string;
}

export interface AccessRequests {
  offer(denied: Requestable): Promise<AccessRequestOffer>;
}
