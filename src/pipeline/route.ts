/** What an HTTP request to the upstream asks for: its route, resource and action, and the fields that it searches by and writes. */
import type { ProxyRequest } from '../model/exchange.ts';
import type { RouteCandidates, Selected } from '../routing/index.ts';
import type { Target } from './authorize.ts';
import { isForOne } from './listing.ts';
import { lookAhead } from './look-ahead.ts';
import type { DecisionEntry } from './record.ts';
import type { Stages } from './stages.ts';

/** What routing needs of a request, whether or not it is forwarded. */
export type Routable = Pick<ProxyRequest, 'method' | 'target' | 'headers' | 'peer' | 'hasBody' | 'read'>;

export interface Routed extends Target {
  readonly selected: Selected;
}

/**
 * Answers at once for a request without a body.
 * @throws SluiceError what `Router.match`, `Router.select` and `ProxyRequest.read` throw
 */
export function routed(request: Routable, entry: DecisionEntry, stages: Stages): Routed | Promise<Routed> {
  const candidates = stages.router.match(request.method, request.target, request.headers);
  if (!request.hasBody) return select(candidates, null, request, entry, stages);
  return request
    .read(stages.limits.request_body)
    .then((body) => select(candidates, body, request, entry, stages));
}

function select(
  candidates: RouteCandidates,
  body: Uint8Array | null,
  { method, peer }: Routable,
  entry: DecisionEntry,
  stages: Stages,
): Routed {
  const { router, layoutOf } = stages;
  entry.requestBody = body;
  const selected = router.select(candidates, body);
  const { action, resource, route, bodyFields, queryFields } = selected;
  entry.errorFormat = route.response.errors;
  entry.request = { client_ip: peer.ip, method, path: route.path, route: route.template };
  return {
    selected,
    action,
    resource,
    purpose: route.purpose,
    single: isForOne(selected, layoutOf),
    verification: route.config.verification ?? null,
    lookAhead: (snapshot) => void lookAhead(selected, snapshot, new Date(entry.timestamp), stages),
    properties: () => ({ body_fields: bodyFields, query_fields: queryFields }),
  };
}
