/**
 * A proxied request, start to finish, on one pinned snapshot of the policy. Every exit path ends in a decision record, and no byte leaves
 * before the record that covers it is durable.
 */
import { SluiceError } from '../errors.ts';
import type { ProxyRequest, Reply } from '../model/exchange.ts';
import { authorize } from './authorize.ts';
import { disclose } from './disclose.ts';
import { nextIteration } from './event-loop.ts';
import { prepare } from './forward.ts';
import { handle } from './handle.ts';
import { type DecisionEntry, openEntry } from './record.ts';
import { writeConflict } from './refusal.ts';
import { release } from './release.ts';
import { routed } from './route.ts';
import type { Cors, Stages } from './stages.ts';

/** Serves a request, with a head that was checked, in a protocol of its own. */
export type Serve = (
  request: ProxyRequest,
  reply: Reply,
  entry: DecisionEntry,
  stages: Stages,
) => Promise<void>;

/** @param served who serves a request instead of the routes; null: they do */
export function createProxyPipeline(
  stages: Stages,
  served: (request: ProxyRequest) => Serve | null = () => null,
): (request: ProxyRequest, reply: Reply) => Promise<void> {
  let inFlight = 0;
  return async (request, given) => {
    const reply = stages.cors === undefined ? given : stages.cors.reply(request, given);
    const { method, peer } = request;
    const entry = openEntry(stages, { client_ip: peer.ip, method, path: null, route: null }, request.headers);
    inFlight += 1;
    try {
      await handle(request, reply, entry, stages, async () => {
        if (inFlight > stages.limits.in_flight) throw overloaded();
        try {
          await serve(request, reply, entry, stages, served(request));
        } catch (error) {
          entry.challenge = stages.protectedResource?.challenge(request, error) ?? null;
          throw error;
        }
      });
    } finally {
      inFlight -= 1;
    }
  };
}

async function serve(
  request: ProxyRequest,
  reply: Reply,
  entry: DecisionEntry,
  stages: Stages,
  other: Serve | null,
): Promise<void> {
  await nextIteration();
  stages.checkHead(request);
  if (stages.cors?.isPreflight(request)) return preflight(stages.cors, request, reply, entry, stages);
  if (other !== null) return other(request, reply, entry, stages);

  const { headers, peer } = request;
  const authorized = await authorize(
    { headers, peer, target: () => routed(request, entry, stages) },
    entry,
    stages,
  );
  const { access, again, conditional, forwarded, listing } = await prepare(
    request,
    authorized,
    entry,
    stages,
  );
  entry.endStage('policy');

  const { upstream } = access.selected.route;
  entry.upstream = { name: upstream, status: null };
  const response = await stages.upstreams.send(upstream, forwarded, (abort) => request.onAbort(abort));
  entry.upstream = { name: upstream, status: response.status };
  entry.endStage('upstream');
  await nextIteration();
  try {
    if (conditional && response.status === 412) throw writeConflict();
    await disclose({ ...access, again, response, listing, headers: forwarded.headers }, reply, entry, stages);
  } finally {
    // What has not been read by now is not needed.
    response.body.discard();
  }
}

/** A browser asks whether its page may send a request: answered from the configuration, before anybody is authenticated. */
async function preflight(
  cors: Cors,
  request: ProxyRequest,
  reply: Reply,
  entry: DecisionEntry,
  stages: Stages,
): Promise<void> {
  const headers = cors.preflight(request, stages.router.methodsOf(request.target, request.headers));
  entry.reasons = [
    { code: 'cors_preflight', message: 'Answered from the configuration; nothing was looked up.' },
  ];
  const told = { ...headers, 'sluice-decision-id': entry.id };
  await release({ status: 204, headers: told, body: null }, null, reply, entry, stages);
}

const overloaded = (): SluiceError =>
  new SluiceError('overloaded', 'Too many requests are under way (limits.in_flight). Try again shortly.');
