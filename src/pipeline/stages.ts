/** The stages of a request as the pipeline is given them. */
import type { Encoding } from './coded-reply.ts';
import type { Coding } from '../disclosure/encodings.ts';
import type { Guarded } from '../disclosure/guard/guard.ts';
import type { WrittenBody } from '../disclosure/guard/written.ts';
import type { Media, RouteResponse } from '../disclosure/media.ts';
import type { Identities } from '../consent/index.ts';
import type { SluiceError } from '../errors.ts';
import type { Identity } from '../identity/index.ts';
import type { Reason } from '../model/answers.ts';
import type { Catalog } from '../model/catalog.ts';
import type { ConsentSource } from '../model/consent.ts';
import type { DisclosureStage } from '../model/disclosure.ts';
import type { ProxyRequest } from '../model/exchange.ts';
import type { Grant, PolicyInput, Subject } from '../model/input.ts';
import type { PolicySnapshot, PolicyStore } from '../model/policy.ts';
import type { DecisionLog, DisclosureSummary } from '../model/record.ts';
import type { Clock } from '../observability/clock.ts';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { Known, PurposeOfUse, Router } from '../routing/index.ts';
import type { PurposeRequest } from '../routing/purpose.ts';
import type { HeaderRules } from '../upstream/headers.ts';
import type { Cors } from '../endpoints/proxy/cors.ts';
import type { ErrorShape } from '../endpoints/error-formats.ts';
import type { UpstreamResponse, Upstreams } from '../upstream/upstream.ts';

export interface Stages {
  readonly checkHead: (head: Pick<ProxyRequest, 'rawHeaders' | 'version'>) => void;
  readonly identity: Identity;
  readonly router: Router;
  readonly purposeOf: (request: PurposeRequest) => PurposeOfUse;
  readonly knownOf: (snapshot: PolicySnapshot) => Known;
  readonly policy: PolicyStore;
  readonly consents: ConsentSource;
  /** whom identifiers name */
  readonly identities: Identities;
  /** active grants of a caller; absent: nobody has any */
  readonly grants?: GrantSource | undefined;
  readonly guard: RequestGuard;
  readonly mediaOf: (
    headers: UpstreamResponse['headers'],
    route: RouteResponse,
    accept: string | undefined,
  ) => Media;
  /** where the catalog says that the records of a list are; null: it does not */
  readonly recordsOf: (catalog: Catalog) => string | null;
  readonly upstreams: Upstreams;
  readonly headersOf: (upstream: string) => HeaderRules;
  readonly decode: (
    body: AsyncIterable<Uint8Array>,
    encodings: readonly Coding[],
  ) => AsyncIterable<Uint8Array>;
  /** how to encode an answer for what a caller says it accepts; null: not at all */
  readonly encoding: (accepted: string | string[] | undefined) => Encoding | null;
  readonly disclosure: DisclosureStage;
  readonly log: DecisionLog;
  readonly answers: AnswerHeaders;
  /** absent: pages of other origins get nothing */
  readonly cors?: Cors | undefined;
  readonly newDecisionId: () => string;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly limits: { readonly request_body: number; readonly in_flight: number };
  readonly labels: Readonly<Record<string, string>>;
}

export interface GrantSource {
  active(subject: Subject, at: Date): Promise<readonly Grant[]>;
}

/** What a request itself may not do: search by a field it may not see, write one it may not write. */
export interface RequestGuard {
  /**
   * @param person whose record is searched; null: nobody knows yet
   * @throws SluiceError `query_field_withheld`, `catalog_unknown`, `consent_unavailable`
   */
  query(snapshot: PolicySnapshot, input: PolicyInput, person: string | null): Promise<void>;
  /**
   * A write without fields, of the whole record.
   * @param person whose record it is; null: the request does not say
   * @returns the reasons why it may not be; null: it may
   * @throws SluiceError `consent_unavailable`
   */
  record(
    snapshot: PolicySnapshot,
    input: PolicyInput,
    person: string | null,
  ): Promise<readonly Reason[] | null>;
  /**
   * @returns the body to forward: as it was, or without the refused fields where the route strips them
   * @throws SluiceError `identifier_conflict`, `body_field_refused`, `masked_value_refused`
   */
  body(snapshot: PolicySnapshot, input: PolicyInput, body: WrittenBody): Promise<Guarded>;
}

/** Headers and bodies of the answers that Sluice gives. */
export interface AnswerHeaders {
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
  ): Refusal;
}

/** A message of a route's protocol that says nothing. */
export interface Acknowledgement {
  readonly contentType: string;
  readonly body: Uint8Array;
}

export interface Refusal {
  /** as it is sent: some protocols have one status for all faults */
  readonly status: number;
  /** what it would be in plain HTTP */
  readonly meaning: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}
