/** Input and output of routing. */
import type { RouteConfig } from './section.ts';
import type { ErrorFormat } from '../model/exchange.ts';
import type { FormatName } from '../model/disclosure.ts';
import type { Identifier } from '../model/identifiers.ts';
import type { ActionName, Resource, Tier } from '../model/input.ts';
import type { RecordFilter } from '../model/record-filter.ts';
import type { Paging } from './paging.ts';

/** Request headers, names in lower case. A list means that the header was repeated. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * What the upstream erases if a body leaves it out: the rest of the record, or of the lists and objects that are sent. `unsaid`: the rest of
 * the record, and the route does not state that the catalog covers all stored fields.
 */
export type Erases = 'record' | 'parts' | 'unsaid';

/** The part of a route that other modules use. */
export interface CompiledRoute {
  /** as configured, `GET /api/customers/{id}`; appears in inputs, records and metrics */
  readonly template: string;
  /** the path of the template, for the record's `request.path` */
  readonly path: string;
  readonly method: string;
  readonly upstream: string;
  readonly resource: string;
  readonly action: ActionName;
  readonly purpose: string | null;
  /** pointer to the records of the response; null: the entire response is one record */
  readonly records: string | null;
  /** for a body that writes */
  readonly written: {
    /** pointer to the record in the body, `*` for several; '' for the entire body */
    readonly record: string;
    /** the body is XML: repeated elements are lists without a path step, `#text` is the text of its element */
    readonly elements: boolean;
    readonly erases: Erases | null;
  };
  readonly response: {
    /** null: by the response's Content-Type */
    readonly format: FormatName | null;
    /** lower case; null: as the response states, or UTF-8 */
    readonly charset: string | null;
    /** error statuses whose responses are disclosed like those of successes */
    readonly statuses: readonly number[];
    /** the status with which this upstream, and then Sluice, reports that a record does not exist */
    readonly notFound: number;
    /** format of refusals */
    readonly errors: ErrorFormat;
    readonly options: Readonly<Record<string, unknown>>;
  };
  readonly config: RouteConfig;
}

/** The routes that match a method and a path. */
export interface RouteCandidates {
  /** null while the body must still decide between several */
  readonly route: CompiledRoute | null;
}

export interface StoredAt {
  /** path at the upstream */
  readonly target: string;
  /** pointer to the record in the response; '' for all of it */
  readonly record: string;
  /** the upstream erases what a body leaves out */
  readonly replaces: boolean;
  /** pointer to the version in the record; null: the ETag is the version */
  readonly version: string | null;
}

export interface Selected {
  readonly route: CompiledRoute;
  readonly params: Readonly<Record<string, string>>;
  readonly resource: Resource;
  readonly action: ActionName;
  /** other names by which a write could identify its record; they must have the same value. null if the route has no id */
  readonly identifier: Identifier | null;
  /** how to read the stored record that a write is merged with; null: no merge */
  readonly stored: StoredAt | null;
  /** the data subject, if the request names it: the route's `data_subject`, else null */
  readonly dataSubject: string | null;
  /** pointers of the fields that the request searches, filters or sorts by; sorted, without duplicates */
  readonly queryFields: readonly string[];
  /** pointers of the fields that the request writes, array positions as `*`; sorted, without duplicates */
  readonly bodyFields: readonly string[];
  /** pointers of fields that are requested in addition to the selection; they are removed from the response */
  readonly added: readonly string[];
  /** The same request for the records that the policy permits, as far as the upstream can be asked for them. */
  readonly filtered: (filter: RecordFilter) => Selected;
  /** the requested page of the results, if it matters */
  readonly paging: () => Paging;
  /** the parsed body; parsing loses no duplicate and no unknown member */
  readonly body: unknown;
  /** the written part of it: without members that, by the route, touch no field */
  readonly written: unknown;
  /** the checked body to forward, without content codings; null: the request has none */
  readonly bytes: Uint8Array | null;
  /** path and query, rewritten in canonical form */
  readonly upstreamTarget: string;
}

export interface Router {
  readonly routes: readonly CompiledRoute[];
  /**
   * @param headers `Host` (absolute-form targets), method-override headers, `SOAPAction`, `Content-Type`
   * @throws SluiceError `path_not_canonical`, `route_unknown`, `method_not_allowed`, `method_override_refused`, `query_parameter_unknown`
   */
  match(method: string, target: string, headers?: Headers): RouteCandidates;
  /**
   * Methods of the target's path, sorted; HEAD if there is GET. Empty: no route has the path.
   * @throws SluiceError `path_not_canonical`
   */
  methodsOf(target: string, headers?: Headers): readonly string[];
  /** The error format that all possible routes of a request have in common. Never throws. */
  errorsOf(method: string, target: string, headers?: Headers): ErrorFormat;
  /**
   * @param body the entire body; an absent body is empty
   * @throws SluiceError `route_unknown`, `body_unreadable`, `query_parameter_unknown`, `method_override_refused`
   */
  select(candidates: RouteCandidates, body?: Uint8Array | null): Selected;
}

/** Names that the policy's data defines. */
export interface Known {
  readonly purposes: ReadonlySet<string>;
  /** partners with an agreement; `internal` is always known */
  readonly recipients: ReadonlySet<string>;
}

/** Purpose, recipient and tier of a request. */
export interface PurposeOfUse {
  readonly purpose: string;
  readonly recipient: string;
  readonly tier: Tier | null;
  readonly justification: string | null;
  readonly grant: string | null;
  /** members of the decision record that rest only on the caller's claim; a grant is not among them before it is looked up */
  readonly claimed: readonly string[];
}
