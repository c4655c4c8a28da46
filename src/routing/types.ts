/** What the routing stage gives and takes. */
import type { RouteConfig } from './section.ts';
import type { ErrorFormat } from '../model/exchange.ts';
import type { FormatName } from '../model/disclosure.ts';
import type { Identifier } from '../model/identifiers.ts';
import type { ActionName, Resource, Tier } from '../model/input.ts';
import type { Paging } from './paging.ts';

/** Request headers, names in lower case. A list means that the header stood more than once. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * What the upstream erases of a stored record where a body leaves it out: all of it, or within the lists and objects that are sent. `unsaid`: all of it,
 * and the route does not say that the catalog covers what is stored.
 */
export type Erases = 'record' | 'parts' | 'unsaid';

/** A route as the rest of Sluice sees it. */
export interface CompiledRoute {
  /** as configured, `GET /api/customers/{id}`: stands in inputs, records and metrics */
  readonly template: string;
  /** the template's path alone, for the record's `request.path` */
  readonly path: string;
  readonly method: string;
  readonly upstream: string;
  readonly resource: string;
  readonly action: ActionName;
  readonly purpose: string | null;
  /** pointer to the records of the answer; null: the whole answer is one record */
  readonly records: string | null;
  /** of a body that writes */
  readonly written: {
    /** pointer to the record in the body, `*` for several; '' the whole body */
    readonly record: string;
    /** the body is elements: repeated ones are lists that take no step in a path, `#text` is the text of its element */
    readonly elements: boolean;
    readonly erases: Erases | null;
  };
  readonly response: {
    /** null: as the answer's Content-Type says */
    readonly format: FormatName | null;
    /** lower case; null: as the answer says, UTF-8 where it does not */
    readonly charset: string | null;
    /** errors whose answers are looked into as those of successes are */
    readonly statuses: readonly number[];
    /** the status with which this upstream says that there is no such record, and we too */
    readonly notFound: number;
    /** how its refusals read */
    readonly errors: ErrorFormat;
    readonly options: Readonly<Record<string, unknown>>;
  };
  readonly config: RouteConfig;
}

/** What a method and a path have been narrowed down to. */
export interface RouteCandidates {
  /** null while the body may still decide between several */
  readonly route: CompiledRoute | null;
}

export interface StoredAt {
  /** path at the upstream */
  readonly target: string;
  /** pointer to the record in what is read; '' the whole */
  readonly record: string;
  /** the upstream erases what a body leaves out */
  readonly replaces: boolean;
  /** pointer in the record to its version; null: the ETag says it */
  readonly version: string | null;
}

export interface Selected {
  readonly route: CompiledRoute;
  readonly params: Readonly<Record<string, string>>;
  readonly resource: Resource;
  readonly action: ActionName;
  /** by what else a write could name its record: it must say the same; null where the route says no id */
  readonly identifier: Identifier | null;
  /** how the stored record is read that a write is merged with; null: it is not */
  readonly stored: StoredAt | null;
  /** whose data it is, where the request says so: the route's `data_subject`, else null */
  readonly dataSubject: string | null;
  /** pointers of the fields that the request searches, filters or sorts by; sorted, without duplicates */
  readonly queryFields: readonly string[];
  /** pointers of the fields that the request writes, array positions as `*`; sorted, without duplicates */
  readonly bodyFields: readonly string[];
  /** pointers of fields that are asked for though the request does not select them: they are left out of the answer */
  readonly added: readonly string[];
  /** which page of what is found it asks for, where that matters */
  readonly paging: () => Paging;
  /** the parsed body of a request that was given one; parsed without loss of duplicates or unknown members */
  readonly body: unknown;
  /** what of it is written: without the members that the route says touch no field */
  readonly written: unknown;
  /** the body as it was checked and is forwarded, without content codings; null: the request has none */
  readonly bytes: Uint8Array | null;
  /** path and query, written anew from what was understood */
  readonly upstreamTarget: string;
}

export interface Router {
  readonly routes: readonly CompiledRoute[];
  /**
   * @param headers for `Host` (absolute-form targets), method-override headers, `SOAPAction`, `Content-Type`
   * @throws SluiceError `path_not_canonical`, `route_unknown`, `method_not_allowed`, `method_override_refused`, `query_parameter_unknown`
   */
  match(method: string, target: string, headers?: Headers): RouteCandidates;
  /**
   * Methods that routes of the target's path have, sorted; HEAD where there is GET. Empty: no route has the path.
   * @throws SluiceError `path_not_canonical`
   */
  methodsOf(target: string, headers?: Headers): readonly string[];
  /** Of a request that has no route yet: the format that the routes which it may be have in common. Never throws. */
  errorsOf(method: string, target: string, headers?: Headers): ErrorFormat;
  /**
   * @param body the whole body if there is one; an absent body is an empty one
   * @throws SluiceError `route_unknown`, `body_unreadable`, `query_parameter_unknown`, `method_override_refused`
   */
  select(candidates: RouteCandidates, body?: Uint8Array | null): Selected;
}

/** Names that the policy's data knows. */
export interface Known {
  readonly purposes: ReadonlySet<string>;
  /** partners with an agreement; `internal` is always known */
  readonly recipients: ReadonlySet<string>;
}

/** Why, for whom, how widely. */
export interface PurposeOfUse {
  readonly purpose: string;
  readonly recipient: string;
  readonly tier: Tier | null;
  readonly justification: string | null;
  readonly grant: string | null;
  /** members of the decision record that rest on what the caller says alone; a grant is not among them until it is looked up */
  readonly claimed: readonly string[];
}
