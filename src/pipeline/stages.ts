/** The stages of a request, as the pipeline is given them. It imports none of them. */
import type { Encoding } from './coded-reply.ts';
import type { ErrorShape } from './error-shape.ts';
import type { Coding } from '../disclosure/encodings.ts';
import type { Guarded } from '../disclosure/guard/requests.ts';
import type { WrittenBody } from '../disclosure/guard/written.ts';
import type { Media, RouteResponse } from '../disclosure/media.ts';
import type { Identities } from '../consent/index.ts';
import type { SluiceError } from '../errors.ts';
import type { Identity } from '../identity/index.ts';
import type { AccessRequestOffer, AccessRequests } from '../model/access-request.ts';
import type { Reason } from '../model/answers.ts';
import type { Catalog } from '../model/catalog.ts';
import type { ConsentSource } from '../model/consent.ts';
import type { DisclosureStage, LayoutOf } from '../model/disclosure.ts';
import type { ProxyRequest, Reply } from '../model/exchange.ts';
import type { GrantSource } from '../model/grant.ts';
import type { PolicyInput } from '../model/input.ts';
import type { PolicySnapshot, PolicyStore } from '../model/policy.ts';
import type { DecisionLog, DisclosureSummary } from '../model/record.ts';
import type { Quotas } from '../model/quota.ts';
import type { Tracing } from '../model/trace.ts';
import type { Verifications } from '../model/verification.ts';
import type { Reviews } from '../model/review.ts';
import type { Shares } from '../model/share.ts';
import type { Clock } from '../observability/clock.ts';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { Known, PurposeOfUse, Router } from '../routing/index.ts';
import type { PurposeRequest } from '../routing/purpose.ts';
import type { HeaderRules } from '../upstream/headers.ts';
import type { UpstreamResponse, Upstreams } from '../upstream/upstream.ts';

export interface Stages {
  readonly checkHead: (head: Pick<ProxyRequest, 'rawHeaders' | 'version'>) => void;
  readonly identity: Identity;
  readonly router: Router;
  readonly purposeOf: (request: PurposeRequest) => PurposeOfUse;
  /** purposes and recipients in the policy's data */
  readonly knownNames: (snapshot: PolicySnapshot) => Known;
  readonly policy: PolicyStore;
  readonly consents: ConsentSource;
  /** the data subject that an identifier names */
  readonly identities: Identities;
  /** absent: nobody has grants */
  readonly grants?: GrantSource | undefined;
  /** absent: a denial does not say how access is requested */
  readonly accessRequests?: AccessRequests | undefined;
  /** absent: no proof can be checked */
  readonly verifications?: Verifications | undefined;
  readonly reviews: Reviews;
  /** absent: only the decision log knows what recipients outside have received */
  readonly shares?: Shares | undefined;
  readonly quotas: Quotas;
  readonly guard: RequestGuard;
  readonly mediaOf: (
    headers: UpstreamResponse['headers'],
    route: RouteResponse,
    accept: string | undefined,
  ) => Media;
  readonly layoutOf: LayoutOf;
  /** pointer to the records of a list, as its catalog says; null: it does not */
  readonly recordsOf: (catalog: Catalog) => string | null;
  readonly upstreams: Upstreams;
  readonly headersOf: (upstream: string) => HeaderRules;
  readonly decode: (
    body: AsyncIterable<Uint8Array>,
    encodings: readonly Coding[],
  ) => AsyncIterable<Uint8Array>;
  /** content coding of an answer for a caller's Accept-Encoding; null: none */
  readonly encoding: (accepted: string | string[] | undefined) => Encoding | null;
  readonly disclosure: DisclosureStage;
  readonly log: DecisionLog;
  readonly responses: Responses;
  /** absent: OAuth clients are not told where tokens come from */
  readonly protectedResource?: ProtectedResource | undefined;
  /** absent: browsers keep answers from pages of other origins */
  readonly cors?: Cors | undefined;
  /** the trace that a request belongs to */
  readonly tracing: Tracing;
  readonly newDecisionId: () => string;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly limits: { readonly request_body: number; readonly in_flight: number };
  readonly labels: Readonly<Record<string, string>>;
}

/** The proxy listener as a protected resource of OAuth 2.0 (RFC 9728). */
export interface ProtectedResource {
  /** the `WWW-Authenticate` field of a request's refusal, which is then answered 401; null: it is answered as its error says */
  challenge(request: Pick<ProxyRequest, 'target' | 'headers'>, error: unknown): string | null;
}

/** Cross-origin requests of browsers (the Fetch standard, "CORS protocol"). */
export interface Cors {
  /** The reply with the CORS headers of every answer to this request. */
  reply(request: ProxyRequest, reply: Reply): Reply;
  isPreflight(request: ProxyRequest): boolean;
  /**
   * @param methods those that routes of the path have
   * @returns headers of the answer
   * @throws SluiceError `origin_not_allowed`, `method_not_allowed`, `route_unknown`
   */
  preflight(request: ProxyRequest, methods: readonly string[]): Readonly<Record<string, string>>;
}

/** Checks of the request itself: a caller may not search by a field it may not see, nor write one it may not write. */
export interface RequestGuard {
  /**
   * @param person data subject whose record is searched; null: not known yet
   * @throws SluiceError `query_field_withheld`, `catalog_unknown`, `consent_unavailable`
   */
  query(snapshot: PolicySnapshot, input: PolicyInput, person: string | null): Promise<void>;
  /**
   * A write of the whole record, such as a deletion.
   * @param person data subject of the record; null: the request does not say
   * @returns the reasons that refuse it; null: none
   * @throws SluiceError `consent_unavailable`
   */
  record(
    snapshot: PolicySnapshot,
    input: PolicyInput,
    person: string | null,
  ): Promise<readonly Reason[] | null>;
  /**
   * @returns the body to forward: unchanged, or without the refused fields where the route strips them
   * @throws SluiceError `identifier_conflict`, `body_field_refused`, `masked_value_refused`
   */
  body(snapshot: PolicySnapshot, input: PolicyInput, body: WrittenBody): Promise<Guarded>;
}

/** Headers and bodies of the answers that Sluice gives. */
export interface Responses {
  disclosed(decisionId: string, contentType: string, summary: DisclosureSummary): Record<string, string>;
  /** null: the protocol needs no message */
  acknowledged(shape: ErrorShape): Acknowledgement | null;
  /** @param status overrides that of the error's code */
  refused(
    error: SluiceError,
    decisionId: string,
    reasons: readonly Reason[],
    status?: number,
    shape?: ErrorShape,
    accessRequest?: AccessRequestOffer | null,
  ): Refusal;
}

/** A message of a route's protocol without content. */
export interface Acknowledgement {
  readonly contentType: string;
  readonly body: Uint8Array;
}

export interface Refusal {
  /** the status that is sent: some protocols have one for all faults */
  readonly status: number;
  /** the status that it would be in plain HTTP */
  readonly meaning: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}
