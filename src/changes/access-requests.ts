/** Requests for access that answer a denial: what the denial is bound to, by a signed token or by its decision record. */
import type { QueryInterface } from '../decision-log/index/query.ts';
import { isSluiceError, SluiceError } from '../errors.ts';
import type { AccessRequests } from '../model/access-request.ts';
import type { Subject } from '../model/input.ts';
import type { Signing } from '../model/signing.ts';

export interface Denial {
  /** as the denial had it */
  readonly binding_token?: string | undefined;
  /** the decision of the denial, or of an answer of which fields were withheld */
  readonly evaluation_id?: string | undefined;
}

/** What a grant has to cover. */
export interface Bound {
  readonly decision_id: string;
  readonly purpose: string;
  readonly resource: string;
  readonly ids: readonly string[];
  readonly categories: readonly string[];
}

/** What the submission says besides; it must be what was denied. */
export interface Submitted {
  readonly subject?: { readonly type: string; readonly id: string } | undefined;
  readonly resource?: { readonly type: string; readonly id?: string | undefined } | undefined;
  readonly action?: { readonly name: string } | undefined;
}

export interface AccessRequestService extends AccessRequests {
  /** URL of the task that a grant is */
  taskUrl(id: string): string;
  /**
   * The name of a configured callback.
   * @throws SluiceError `input_invalid` for a URL that the configuration does not have
   */
  callback(endpoint: string): string;
  /** URL of `path` of the admin API */
  urlOf(path: string): string;
  /** @throws SluiceError `denial_binding_invalid`, `denial_expired` */
  bound(denial: Denial, submitted: Submitted, caller: Subject): Promise<Bound>;
}

export interface AccessRequestOptions {
  /** of the admin listener, as callers reach it; without a slash at the end */
  readonly url: string;
  /** milliseconds in which a denial can be answered */
  readonly lifetime: number;
  readonly now: () => Date;
  readonly signing: Signing;
}

/** What a decision record is judged by. */
export interface RecordedDenials {
  readonly log: Pick<QueryInterface, 'get'>;
  readonly dataSubject: (id: string) => string;
  /** URLs that may be called back, by name */
  readonly callbacks: { readonly [name: string]: { readonly url: string } };
  /** whether a grant lifts a limit, by its `because` */
  readonly isLiftable: (because: string) => boolean;
}

const PATH = '/v1/access-requests';

/** @param url of the admin listener */
export const taskUrlOf = (url: string, id: string): string =>
  `${url.replace(/\/+$/, '')}${PATH}/${encodeURIComponent(id)}`;

export const SCHEMA_PATH = '/schemas/access-request.schema.json';

export function createOffers({ url, lifetime, now, signing }: AccessRequestOptions): AccessRequests {
  return {
    async offer({ decision_id, subject, action, resource, purpose, categories }) {
      const at = now().getTime();
      const expires = Math.floor((at + lifetime) / 1_000) * 1_000;
      const payload = {
        jti: decision_id,
        sub: subject.id,
        sub_type: subject.type,
        organization: subject.properties.organization,
        action,
        resource,
        purpose,
        categories,
        iat: Math.floor(at / 1_000),
        exp: expires / 1_000,
      };
      let token: string | null = null;
      try {
        token = await signing.sign('access-request', payload);
      } catch (e) {
        // The denial is answered in any case.
        if (!isSluiceError(e)) throw e;
      }
      return {
        endpoint: `${url}${PATH}`,
        expires_at: new Date(expires).toISOString(),
        ...(token === null ? {} : { binding_token: token }),
        request_schema_url: `${url}${SCHEMA_PATH}`,
      };
    },
  };
}

interface Denied extends Bound {
  readonly action: string;
  /** of the resource, as the caller has to repeat it; null: it has none */
  readonly isId: ((id: string) => boolean) | null;
}

export function accessRequestService(
  options: AccessRequestOptions,
  { log, dataSubject, callbacks, isLiftable }: RecordedDenials,
): AccessRequestService {
  const { url, lifetime, now, signing } = options;

  async function byToken(token: string, caller: Subject): Promise<Denied> {
    let payload: Readonly<Record<string, unknown>>;
    try {
      ({ payload } = await signing.verify('access-request', token));
    } catch (e) {
      if (isSluiceError(e, 'signature_expired')) throw expired();
      if (isSluiceError(e, 'signature_invalid'))
        throw invalid('The binding token is none of a denial of this Sluice.');
      throw e;
    }
    const { jti, sub, sub_type, organization, action, purpose, categories } = payload;
    const resource = payload['resource'] as { readonly type: string; readonly id?: string };
    if (sub !== caller.id || sub_type !== caller.type || organization !== caller.properties.organization)
      throw invalid('The denial was somebody else’s.');
    return {
      decision_id: String(jti),
      action: String(action),
      purpose: String(purpose),
      resource: resource.type,
      ids: resource.id === undefined ? [] : [resource.id],
      categories: categories as readonly string[],
      isId: resource.id === undefined ? null : (id) => id === resource.id,
    };
  }

  /** Also for an answer that was given: of its fields, some were withheld. */
  async function byRecord(
    decisionId: string,
    { resource: submitted }: Submitted,
    caller: Subject,
  ): Promise<Denied> {
    const found = await log.get(decisionId);
    // The same answer for what is absent and what is not the caller's.
    if (
      found === null ||
      found.subject?.id !== caller.id ||
      found.subject.type !== caller.type ||
      found.subject.properties.organization !== caller.properties.organization ||
      (found.kind !== 'disclosure' && found.kind !== 'mcp')
    )
      throw invalid('No such decision about a request of the caller is known here. Use the binding token.');
    const { resource, purpose, action, recipient, disclosure } = found;
    if (now().getTime() - Date.parse(found.timestamp) > lifetime) throw expired();
    if (resource === null || purpose === null || action === null || recipient !== 'internal')
      throw invalid('No grant covers such a request.');
    const liftable = (disclosure?.withheld ?? []).flatMap(({ class: cls, because }) =>
      cls !== undefined && isLiftable(because) ? [cls.slice(0, cls.lastIndexOf('/'))] : [],
    );
    if (liftable.length === 0) throw invalid('Nothing was withheld for a reason that a grant lifts.');
    const { id } = resource;
    const isId = (given: string): boolean => given === id || dataSubject(given) === id;
    if (id !== undefined && submitted?.id === undefined)
      throw invalid('Name the record that was asked for: resource.id.');
    return {
      decision_id: decisionId,
      action,
      purpose,
      resource: resource.type,
      ids: id === undefined ? [] : [submitted!.id!],
      categories: [...new Set(liftable)].sort(),
      isId: id === undefined ? null : isId,
    };
  }

  return {
    ...createOffers(options),
    taskUrl: (id) => taskUrlOf(url, id),
    callback(endpoint) {
      const name = Object.keys(callbacks).find((one) => callbacks[one]!.url === endpoint);
      if (name !== undefined) return name;
      throw new SluiceError(
        'input_invalid',
        'callback.endpoint is no URL of notices.callbacks in sluice.yaml: others are never called.',
      );
    },
    urlOf: (path) => `${url}${path}`,
    async bound({ binding_token, evaluation_id }, submitted, caller) {
      if (binding_token === undefined && evaluation_id === undefined)
        throw invalid('The denial is named by denial.binding_token or denial.evaluation_id.');
      const denied =
        binding_token === undefined
          ? await byRecord(evaluation_id!, submitted, caller)
          : await byToken(binding_token, caller);
      const { subject, resource, action } = submitted;
      const isDenied =
        (evaluation_id === undefined || evaluation_id === denied.decision_id) &&
        (subject === undefined || (subject.id === caller.id && subject.type === caller.type)) &&
        (action === undefined || action.name === denied.action) &&
        (resource === undefined || resource.type === denied.resource) &&
        (resource?.id === undefined || denied.isId?.(resource.id) !== false);
      if (!isDenied) throw invalid('Subject, action or resource are not those of the denial.');
      // A search was about many: whoever names one record asks for less.
      const narrowed = denied.isId === null && resource?.id !== undefined ? [resource.id] : denied.ids;
      const { decision_id, purpose, resource: type, categories } = denied;
      return { decision_id, purpose, resource: type, ids: narrowed, categories };
    },
  };
}

const expired = (): SluiceError =>
  new SluiceError('denial_expired', 'The time to answer this denial is over: send the request again.');
const invalid = (message: string): SluiceError => new SluiceError('denial_binding_invalid', message);
