/** Input of the policy (design §5.1, the AuthZEN 1.0 information model). */
import type { QuotaState } from './quota.ts';
import type { Confirmations } from './share.ts';
import type { SubjectVerification } from './verification.ts';

export interface Subject {
  readonly type: string;
  readonly id: string;
  readonly properties: SubjectProperties;
}

export interface SubjectProperties {
  readonly roles: readonly string[];
  readonly department: string | null;
  readonly organization: string;
  /** highest grade that the subject is cleared for; null if the credential does not state it */
  readonly clearance: number | null;
  readonly assurance: Assurance;
  readonly [extra: string]: unknown;
}

export interface Assurance {
  /** RFC 8176 authentication method references */
  readonly amr: readonly string[];
  readonly acr: string | null;
  /** seconds since the epoch */
  readonly auth_time: number | null;
}

/** Software that acts for the subject (an AI agent, a batch job): RFC 8693 `act`, or a client that the configuration calls an agent. */
export interface Agent extends Actor {
  /** the actors before it, who passed the request on to it: the latest first (RFC 8693 §4.1) */
  readonly chain: readonly Actor[];
  readonly properties: AgentProperties;
}

export interface Actor {
  readonly id: string;
  /** issuer of the credential that names it, or the one that its `act` names */
  readonly issuer: string;
}

export interface AgentProperties {
  /** the OAuth client that the token was issued to; null: the credential does not say */
  readonly client_id: string | null;
  /** what said that an agent acts: the token's actor, its client, or the configured API key or certificate */
  readonly known_by: 'actor' | 'client' | 'credential';
  readonly roles: readonly string[];
}

export type ActionName = 'read' | 'search' | 'export' | 'create' | 'update' | 'delete';

export interface Action {
  readonly name: string;
  readonly properties: {
    /** field pointers that the request searches, filters or sorts by */
    readonly query_fields: readonly string[];
    /** field pointers that the request writes */
    readonly body_fields: readonly string[];
    readonly [extra: string]: unknown;
  };
}

export interface Resource {
  readonly type: string;
  readonly id?: string;
  readonly properties: { readonly [key: string]: unknown };
}

export type Tier = 1 | 2 | 3;

export interface Grant {
  readonly id: string;
  readonly purpose?: string;
  readonly resource?: string;
  readonly data_subject?: string;
  readonly categories?: readonly string[];
  readonly until: string;
  readonly [extra: string]: unknown;
}

export interface Context {
  /** absent: the subject itself asks */
  readonly agent?: Agent;
  /** of a recipient outside; absent: none are asked for, or the recipient is internal */
  readonly confirmations?: Confirmations;
  readonly purpose: string;
  readonly tier: Tier | null;
  readonly recipient: string;
  readonly justification: string | null;
  /** RFC 3339, UTC */
  readonly time: string;
  readonly grants: readonly Grant[];
  /** absent: no quota is about the request */
  readonly quota?: QuotaState;
  readonly request: { readonly method: string; readonly route: string; readonly client_ip: string | null };
  /** absent: the request brings no proof that the caller deals with the data subject */
  readonly subject_verification?: SubjectVerification;
}

/** input of `sluice/decision` */
export interface PolicyInput {
  readonly subject: Subject;
  readonly action: Action;
  readonly resource: Resource;
  readonly context: Context;
}

/** input of `sluice/disclosure` */
export interface DisclosureInput extends PolicyInput {
  readonly data_subject: import('./consent.ts').DataSubjectState;
  readonly record: { readonly attributes: { readonly [name: string]: string | number | boolean | null } };
}

/** Of whom nothing is known but where they belong: their credential carries no claims. */
export const namelessIn = (organization: string): Subject['properties'] => ({
  roles: [],
  department: null,
  organization,
  clearance: null,
  assurance: { amr: [], acr: null, auth_time: null },
});
