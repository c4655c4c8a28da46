/**
 * A call in a protocol that wraps what is asked for in messages of its own (MCP): authorized and checked as a request of a route of its own, with
 * the call's arguments as the body. The endpoint wraps and unwraps.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { SluiceError } from '../errors.ts';
import type { ProxyRequest, Reply } from '../model/exchange.ts';
import type { DecisionRecordDraft } from '../model/record.ts';
import type { CompiledRoute, Router } from '../routing/index.ts';
import type { ResponseBody, UpstreamRequest } from '../upstream/upstream.ts';
import { authorize } from './authorize.ts';
import { disclose } from './disclose.ts';
import { nextIteration } from './event-loop.ts';
import { prepare } from './forward.ts';
import type { Listed } from './permitted.ts';
import type { DecisionEntry } from './record.ts';
import { statusWithheld } from './refusal.ts';
import { routed } from './route.ts';
import type { Stages } from './stages.ts';

/** The routes of a protocol's operations: no HTTP request reaches them by itself. */
export interface CallRoutes {
  readonly router: Router;
}

/** What a list of operations asks about each. @param target as in `Call` */
export function listedAt({ router }: CallRoutes, target: string): Listed {
  const { route } = router.match('POST', target);
  if (route === null) throw new SluiceError('internal', 'An operation has several routes.');
  const { action, config, purpose, resource } = route;
  return {
    resource: { properties: { source: route.upstream, ...config.properties }, type: resource },
    action,
    purpose,
    queryFields: [...new Set(Object.values(config.request.fields).flat())].sort(),
    bodyFields: [],
  };
}

export interface Call extends Pick<ProxyRequest, 'peer' | 'onAbort'> {
  readonly headers: IncomingHttpHeaders;
  readonly routes: CallRoutes;
  /** path among these routes */
  readonly target: string;
  /** JSON; null: the call has no arguments */
  readonly body: Uint8Array | null;
  /** as it is recorded, and as the policy sees it */
  readonly request: DecisionRecordDraft['request'];
}

/** A call that may be passed on. */
export interface OpenCall {
  /** the checked arguments */
  readonly body: Uint8Array | null;
  /** headers of the caller that are passed on */
  readonly headers: Readonly<Record<string, string>>;
  /** the call looks for records by their fields: an answer must not tell nothing found from nothing disclosed */
  readonly searched: boolean;
  /**
   * @param body the records, as JSON; null: the upstream has found none
   * @param several the body is a list of answers, each as the route describes it
   */
  disclose(body: Uint8Array | null, several: boolean, reply: Reply): Promise<void>;
}

/** @throws SluiceError every refusal */
export async function openCall(call: Call, entry: DecisionEntry, stages: Stages): Promise<OpenCall> {
  const { headers, peer, body, target, onAbort } = call;
  const { 'content-encoding': _coding, ...rest } = headers;
  const request: ProxyRequest = {
    method: 'POST',
    target,
    version: '1.1',
    headers: { ...rest, 'content-type': 'application/json', accept: 'application/json' },
    rawHeaders: [],
    peer,
    hasBody: body !== null,
    read: async () => body ?? new Uint8Array(0),
    onAbort,
  };
  const own: Stages = { ...stages, router: call.routes.router };
  const authorized = await authorize(
    {
      headers,
      peer,
      target: async () => {
        const found = await routed(request, entry, own);
        // The caller knows nothing of the route of an operation.
        entry.errorFormat = 'mcp';
        entry.request = call.request;
        return found;
      },
    },
    entry,
    stages,
  );
  const { access, again, forwarded, listing } = await prepare(request, authorized, entry, own);
  entry.endStage('policy');
  const { selected } = access;
  return {
    body: forwarded.body,
    headers: forwarded.headers,
    searched: selected.queryFields.length > 0,
    async disclose(answer, several, reply) {
      const response = {
        status: answer === null ? 404 : 200,
        headers: { 'content-type': 'application/json' },
        body: new Held(answer ?? new Uint8Array(0)),
      };
      const route = several ? severalOf(selected.route) : selected.route;
      await disclose(
        { ...access, again, selected: { ...selected, route }, response, listing, headers: forwarded.headers },
        reply,
        entry,
        own,
      );
    },
  };
}

/** Each element of the list is what the route describes: a record, or a page of them. */
const severalOf = (route: CompiledRoute): CompiledRoute => ({
  ...route,
  records: `/*${route.records ?? ''}`,
});

/** A body that has arrived. */
class Held implements ResponseBody {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  empty(): boolean {
    return this.#bytes.byteLength === 0;
  }

  whole(limit: number): Uint8Array | null {
    return this.#bytes.byteLength <= limit ? this.#bytes : null;
  }

  discard(): void {
    // Nothing is on its way.
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    yield this.#bytes;
  }
}

export interface Exchanged {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * Asks the upstream, and gives `read` its answer, of which nothing may leave as it is.
 * @throws SluiceError `upstream_*`; `upstream_status_withheld` for a status outside 2xx
 */
export async function exchange<T>(
  upstream: string,
  request: UpstreamRequest,
  onAbort: ProxyRequest['onAbort'],
  read: (answer: Exchanged) => Promise<T>,
  entry: DecisionEntry,
  stages: Stages,
): Promise<T> {
  const { traceHeaders } = entry;
  const headers = traceHeaders === null ? request.headers : { ...request.headers, ...traceHeaders };
  entry.upstream = { name: upstream, status: null };
  const response = await stages.upstreams.send(upstream, { ...request, headers }, (abort) => onAbort(abort));
  entry.upstream = { name: upstream, status: response.status };
  try {
    if (response.status < 200 || response.status >= 300)
      throw statusWithheld(
        response.status,
        stages.headersOf(upstream).refused(response.status, response.headers),
      );
    return await read(response);
  } finally {
    response.body.discard();
    entry.endStage('upstream');
    await nextIteration();
  }
}
