/**
 * One request, start to finish, on one pinned snapshot of the policy. Every exit path ends in a decision record, and no
 * byte leaves before the record that covers it is durable (design §3, §7.2). Stages come in as arguments; nothing is wired here.
 */
import { Account } from './account.ts';
import { SluiceError } from '../errors.ts';
import { WRITES } from '../model/actions.ts';
import type { Catalog } from '../model/catalog.ts';
import type { ProxyRequest, Reply } from '../model/exchange.ts';
import { type Identifier, otherNamed } from '../model/identifiers.ts';
import type { PolicySnapshot } from '../model/policy.ts';
import { inTier, variantsOf } from '../model/verdict.ts';
import { denied, notWritten, record, refuse, unidentified } from './refusal.ts';
import type { Selected } from '../routing/index.ts';
import type { Cors } from '../endpoints/proxy/cors.ts';
import type { Stages } from './stages.ts';
import { turn } from './turn.ts';
import { disclose } from './disclose.ts';
import { listingOf } from './listing.ts';
import type { Decided } from './plan.ts';
import { type Forwarded, overtaken, searchedWrite, writtenBody } from './write.ts';

export function createPipeline(stages: Stages): (request: ProxyRequest, reply: Reply) => Promise<void> {
  let inFlight = 0;
  return async (request, given) => {
    const reply = stages.cors === undefined ? given : stages.cors.reply(request, given);
    const account = new Account(stages.newDecisionId(), stages.clock);
    account.labels = stages.labels;
    account.request = { client_ip: request.peer.ip, method: request.method, path: null, route: null };
    inFlight += 1;
    try {
      if (inFlight > stages.limits.in_flight)
        throw new SluiceError(
          'overloaded',
          'Too many requests are under way (limits.in_flight). Try again shortly.',
        );
      await serve(request, reply, account, stages);
    } catch (error) {
      await refuse(request, reply, account, stages, error);
    } finally {
      inFlight -= 1;
    }
  };
}

async function serve(request: ProxyRequest, reply: Reply, account: Account, stages: Stages): Promise<void> {
  await turn();
  // No record can be written: then nothing is asked of anybody.
  stages.log.check();
  stages.checkHead(request);
  if (stages.cors?.isPreflight(request)) return preflight(stages.cors, request, reply, account, stages);

  const remembered = stages.identity.authenticate(request.headers, request.peer);
  const caller = remembered instanceof Promise ? await remembered : remembered;
  account.subject = caller.subject;
  account.spent('identity');

  const candidates = stages.router.match(request.method, request.target, request.headers);
  const body = request.hasBody ? await request.read(stages.limits.request_body) : null;
  account.sent = body;
  const selected = stages.router.select(candidates, body);
  const { route } = selected;
  account.errors = route.response.errors;
  account.action = selected.action;
  account.resource = selected.resource;
  account.request = {
    client_ip: request.peer.ip,
    method: request.method,
    path: route.path,
    route: route.template,
  };
  account.spent('routing');

  const snapshot = stages.policy.current();
  account.policy = { bundle: snapshot.bundle, revision: snapshot.revision };
  account.meant(
    stages.purposeOf({
      headers: request.headers,
      subject: caller.subject,
      claims: caller.claims,
      purpose: caller.purpose,
      route,
      known: stages.knownOf(snapshot),
    }),
  );
  const grants = stages.grants ? await stages.grants.active(caller.subject, new Date(account.timestamp)) : [];
  const { action, queryFields, bodyFields } = selected;
  const asked = account.question(
    { name: action, properties: { body_fields: bodyFields, query_fields: queryFields } },
    grants,
  );

  const decision = snapshot.decide(asked);
  account.decided(decision);
  account.spent('decision');
  if (!decision.allow) throw denied(decision.reasons, decision.obligations.step_up ?? null);
  // What the policy takes the tier to be is what disclosure is asked with; on record are both, so that either can be asked again.
  const input = inTier(asked, account.tier);

  const catalog = snapshot.catalogs.get(selected.resource.type);
  if (!catalog)
    throw new SluiceError(
      'catalog_unknown',
      `The policy has no catalog for the resource "${selected.resource.type}": nothing of it can be disclosed.`,
    );
  const dataSubject = await subjectOf(selected, snapshot, catalog, account, stages);
  const decided: Decided = { request, selected, dataSubject, snapshot, input, catalog, decision };
  if (selected.queryFields.length > 0)
    await (WRITES.has(selected.action)
      ? searchedWrite(decided, account, stages)
      : stages.guard.query(snapshot, input, null));
  const headers = stages.headersOf(route.upstream).request(request.headers, WRITES.has(selected.action));
  if (selected.identifier !== null) refuseOther(headers, selected.identifier);
  let forwarded: { body: Uint8Array | null } & Omit<Forwarded, 'body'> = {
    body: selected.bytes,
    headers,
    conditional: false,
  };
  if (WRITES.has(selected.action) && bodyFields.length === 0) {
    const reasons = await stages.guard.record(snapshot, input, dataSubject);
    if (reasons !== null) throw notWritten(reasons, account);
  }
  if (bodyFields.length > 0 || route.written.erases === 'record' || route.written.erases === 'unsaid')
    forwarded = await writtenBody(selected.bytes, { ...decided, headers }, account, stages);
  const listing = listingOf(selected, catalog, decision.obligations);
  // Consents that cannot be read refuse what is found: then nothing may be answered as not found, either.
  if (listing.guarded) await stages.consents.lookup([], new Date(account.timestamp));
  account.spent('policy');

  account.upstream = { name: route.upstream, status: null };
  const response = await stages.upstreams.send(
    route.upstream,
    {
      // What GET would be answered shows only in the body: whether its record may be seen, and whether there is one.
      method: request.method === 'HEAD' ? 'GET' : request.method,
      target: listing.asked.target,
      headers: forwarded.headers,
      body: listing.asked.body ?? forwarded.body,
    },
    (abort) => request.onAbort(abort),
  );
  account.upstream = { name: route.upstream, status: response.status };
  account.spent('upstream');
  await turn();
  try {
    if (forwarded.conditional && response.status === 412) throw overtaken();
    await disclose({ ...decided, response, listing, headers: forwarded.headers }, reply, account, stages);
  } finally {
    // Whatever nobody has read by now nobody will.
    response.body.discard();
  }
}

/** A browser asks whether its page may ask: nothing is looked up, and nobody is known yet. */
async function preflight(
  cors: Cors,
  request: ProxyRequest,
  reply: Reply,
  account: Account,
  stages: Stages,
): Promise<void> {
  const headers = cors.preflight(request, stages.router.methodsOf(request.target, request.headers));
  account.reasons = [
    { code: 'cors_preflight', message: 'Answered from the configuration; nothing was looked up.' },
  ];
  await record(account.record('allowed', 204, 0, null), stages);
  await reply.send(204, { ...headers, 'sluice-decision-id': account.id }, []);
}

/** @throws SluiceError `identifier_conflict` */
function refuseOther(headers: Readonly<Record<string, string>>, identifier: Identifier): void {
  const name = otherNamed(Object.entries(headers), identifier);
  if (name === undefined) return;
  throw new SluiceError(
    'identifier_conflict',
    `The header ${name} names another record than the route does. Leave it out, or send what the route says.`,
  );
}

/** Whose data the request says it is about: held to the types of the catalog, or an alias would be judged as a stranger. */
async function subjectOf(
  { dataSubject }: Selected,
  snapshot: PolicySnapshot,
  catalog: Catalog,
  account: Account,
  stages: Stages,
): Promise<string | null> {
  if (dataSubject === null || (catalog.subject_places === undefined && catalog.variants === undefined))
    return dataSubject;
  const catalogs = [
    catalog,
    ...(catalog.variants === undefined ? [] : variantsOf(snapshot.catalogs, catalog)),
  ];
  const id = await stages.identities.requested(snapshot.data, catalogs, dataSubject);
  if (id !== null) return id;
  const types = catalogs.flatMap(({ subject_places = [] }) =>
    subject_places.flatMap(({ type }) => type ?? []),
  );
  throw unidentified([...new Set(types)], account);
}
