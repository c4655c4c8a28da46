/**
 * One request, start to finish, on one pinned snapshot of the policy. Every exit path ends in a decision record, and no
 * byte leaves before the record that covers it is durable (design §3, §7.2). Stages come in as arguments; nothing is wired here.
 * Longer than most by a few lines: the story is told in one place.
 */
import { Account, NOTHING_DISCLOSED } from './account.ts';
import { CodedReply } from './coded.ts';
import { errorShape } from './error-shape.ts';
import { SluiceError } from './errors.ts';
import type { Media } from './disclosure/media.ts';
import { leadsToOne, type Listing, listingOf } from './listing.ts';
import { LISTS, WRITES } from './model/actions.ts';
import type { DecisionAnswer } from './model/answers.ts';
import type { Catalog } from './model/catalog.ts';
import type { DisclosurePart, DisclosurePlan } from './model/disclosure.ts';
import type { ProxyRequest, Reply } from './model/exchange.ts';
import { type Identifier, otherNamed } from './model/identifiers.ts';
import type { PolicyInput } from './model/input.ts';
import type { PolicySnapshot } from './model/policy.ts';
import type { DisclosureSummary, Outcome } from './model/record.ts';
import type { Selected } from './routing/index.ts';
import {
  denied,
  nothingFound,
  notWritten,
  record,
  recordNotFound,
  recordWithheld,
  refuse,
  statusWithheld,
  unidentified,
} from './refusal.ts';
import type { Acknowledgement, Stages } from './stages.ts';
import type { Cors } from './server/cors.ts';
import { turn } from './turn.ts';
import { asRead, askOf, type Forwarded, overtaken, stateLookup, writtenBody } from './writing.ts';
import type { UpstreamResponse } from './upstream/upstream.ts';

/** bytes of a body that is disclosed in one go; a longer one lets other requests in between */
const WHOLE = 64 * 1024;
/** whose records are rows or lines, whether or not the route says so */
const ROWS: ReadonlySet<string> = new Set(['csv', 'tsv', 'ndjson', 'vcard']);
/** Parts of something we did not ask for: ranges and deltas are never forwarded. */
const PARTIAL: ReadonlySet<number> = new Set([206, 226]);

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
  const input =
    account.tier === asked.context.tier
      ? asked
      : { ...asked, context: { ...asked.context, tier: account.tier } };

  const catalog = snapshot.catalogs.get(selected.resource.type);
  if (!catalog)
    throw new SluiceError(
      'catalog_unknown',
      `The policy has no catalog for the resource "${selected.resource.type}": nothing of it can be disclosed.`,
    );
  const dataSubject = await subjectOf(selected, snapshot, catalog, account, stages);
  if (selected.queryFields.length > 0) stages.guard.query(snapshot, input);
  const headers = stages.headersOf(route.upstream).request(request.headers);
  if (selected.identifier !== null) refuseOther(headers, selected.identifier);
  let forwarded: { body: Uint8Array | null } & Omit<Forwarded, 'body'> = {
    body: selected.bytes,
    headers,
    conditional: false,
  };
  if (selected.bytes !== null && selected.bodyFields.length > 0)
    forwarded = await writtenBody(
      selected.bytes,
      { request, selected, dataSubject, snapshot, input, catalog, decision, headers },
      account,
      stages,
    );
  else if (WRITES.has(selected.action) && dataSubject !== null) {
    const reasons = await stages.guard.record(snapshot, input, dataSubject);
    if (reasons !== null) throw notWritten(reasons, account);
  }
  const listing = listingOf(selected, catalog, decision.obligations);
  account.spent('policy');

  account.upstream = { name: route.upstream, status: null };
  const response = await stages.upstreams.send(
    route.upstream,
    {
      // What GET would be answered shows only in the body: whether its record may be seen, and whether there is one.
      method: request.method === 'HEAD' ? 'GET' : request.method,
      target: listing.target,
      headers: forwarded.headers,
      body: forwarded.body,
    },
    (abort) => request.onAbort(abort),
  );
  account.upstream = { name: route.upstream, status: response.status };
  account.spent('upstream');
  await turn();
  try {
    if (forwarded.conditional && response.status === 412) throw overtaken();
    await disclose(
      { request, selected, dataSubject, snapshot, input, catalog, decision, response, listing },
      reply,
      account,
      stages,
    );
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

/** Whether an answer of the route is one record, or none, by what the route says of it. */
const isOfOne = ({ route, action }: Selected): boolean =>
  route.records === null && !LISTS.has(action) && !WRITES.has(action);

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
  const types = Object.values(catalog.variants?.of ?? {}).flatMap(
    (name) => snapshot.catalogs.get(name) ?? [],
  );
  const id = await stages.identities.requested(snapshot.data, [catalog, ...types], dataSubject);
  if (id === null) throw unidentified(account);
  return id;
}

interface Answered {
  readonly request: ProxyRequest;
  readonly selected: Selected;
  /** whose data it is, where the request says so */
  readonly dataSubject: string | null;
  readonly snapshot: PolicySnapshot;
  readonly input: PolicyInput;
  readonly catalog: Catalog;
  readonly decision: DecisionAnswer;
  readonly response: UpstreamResponse;
  readonly listing: Listing;
}

/** The upstream's answer, as the policy lets this caller see it. */
async function disclose(answered: Answered, reply: Reply, account: Account, stages: Stages): Promise<void> {
  const { request, selected, snapshot, catalog, decision, response, listing } = answered;
  const { status, body } = response;
  const { route } = selected;
  const rules = stages.headersOf(route.upstream);
  const missing = status === 404 || status === route.response.notFound;
  const searched = selected.queryFields.length > 0;
  const { guarded, paged, page } = listing;
  // An error that the route classes is data like any other, and its status says what it always says; but that a search has found
  // nothing reads as if what it found were withheld.
  const failure = route.response.statuses.includes(status) && !(missing && searched);
  if (!failure && missing) throw nothingFound(route.response.notFound);
  if (!failure && (status < 200 || status >= 300 || PARTIAL.has(status)))
    throw statusWithheld(status, rules.refused(status, response.headers));
  const nothing = rules.response(response.headers, {
    records: 0,
    records_withheld: 0,
    last: false,
    guarded,
    paged: true,
  });
  const empty = status === 204 || status === 205 || body.empty();
  // Where the headers name a format that is refused, the body is not waited for: it may never begin, or never end.
  const named = response.headers['content-type'] !== undefined;
  const known = empty === true || !named ? null : mediaOf(answered, failure, stages);
  if (empty === true || (empty !== false && (await empty))) {
    if (searched && isOfOne(selected) && !failure)
      throw recordNotFound(NOTHING_DISCLOSED, account, route.response.notFound);
    return withoutBody(status, NOTHING_DISCLOSED, nothing, reply, account, stages);
  }

  const media = known ?? mediaOf(answered, failure, stages);
  const writes = WRITES.has(selected.action);
  const input = writes ? asRead(answered.input) : answered.input;
  // A list's route may leave it to the catalog where the records are; one record's answer has no such place.
  const records =
    route.records ??
    (LISTS.has(selected.action) && media.format === 'json' ? stages.recordsOf(catalog) : null);
  const plan: DisclosurePlan = {
    format: media.format,
    charset: media.charset,
    charsetCertain: route.response.charset !== null,
    catalog,
    catalogs: snapshot.catalogs,
    records,
    dataSubject: answered.dataSubject,
    searched: selected.queryFields,
    paged,
    page,
    unasked: selected.added.filter((pointer) => !selected.queryFields.includes(pointer)),
    obligations: decision.obligations,
    recipient: input.context.recipient,
    purpose: input.context.purpose,
    decisionId: account.id,
    options: { ...media.parameters, ...route.response.options },
    attributesRead: snapshot.reads_attributes,
    identify: (values) => stages.identities.identify(snapshot.data, values),
    consents: stateLookup(stages, account),
    ask: askOf(snapshot, input),
  };
  const lists = LISTS.has(selected.action);
  // `{"code":0,"data":{…}}` is one record as much as `{…}` is
  const single =
    !failure &&
    (records === null
      ? !(lists && ROWS.has(media.format))
      : !lists && media.format === 'json' && leadsToOne(records));
  // In XML a pointer does not say how many elements it leads to: a record that is withheld was the one asked for if no other is there.
  const perhapsOne = !failure && !lists && media.format === 'xml' && records !== null;
  // Said beforehand: where a long list is cut is not known before its first part has left.
  const mostRecords = decision.obligations.max_records ?? null;
  const headers = (summary: DisclosureSummary, last: boolean): Record<string, string> => ({
    ...rules.response(
      response.headers,
      single
        ? null
        : {
            records: summary.records,
            records_withheld: summary.records_withheld,
            last,
            guarded,
            paged: paged || page !== null,
          },
    ),
    ...stages.answers.disclosed(account.id, media.contentType, summary),
    ...(single || mostRecords === null ? {} : { 'sluice-max-records': String(mostRecords) }),
  });
  // What came plain stays plain: compressing what was not would make lengths tell of contents (BREACH).
  const encoding = media.encodings.length === 0 ? null : stages.encoding(request.headers['accept-encoding']);
  const whole = media.encodings.length === 0 ? body.whole(WHOLE) : null;
  const parts =
    whole === null
      ? stages.disclosure.disclose(stages.decode(body, media.encodings), plan)
      : await stages.disclosure.whole(whole, plan);
  const { notFound } = route.response;
  const released: Released = {
    status,
    headers,
    nothing,
    single,
    perhapsOne,
    writes,
    listing,
    searched,
    looked: request.method === 'HEAD',
    notFound,
    acknowledged: () => stages.answers.acknowledged(errorShape(request, account, stages)),
  };
  if (encoding === null) return release(parts, released, reply, account, stages);
  const coded = new CodedReply(reply, encoding);
  try {
    await release(parts, released, coded, account, stages);
  } finally {
    coded.close();
  }
}

/** An error may come as a page where a success comes as data: then its status is all that is passed on. */
function mediaOf({ request, selected, response }: Answered, failure: boolean, stages: Stages): Media {
  try {
    return stages.mediaOf(response.headers, selected.route.response, request.headers.accept);
  } catch (error) {
    if (!failure) throw error;
    const { status, headers } = response;
    throw statusWithheld(status, stages.headersOf(selected.route.upstream).refused(status, headers));
  }
}

/** There is nothing to disclose: an answer without a body and without a word about one. */
async function withoutBody(
  status: number,
  summary: DisclosureSummary,
  passed: Readonly<Record<string, string>>,
  reply: Reply,
  account: Account,
  stages: Stages,
): Promise<void> {
  await record(account.record(outcomeOf(summary), status, 0, summary), stages);
  const { 'content-type': _none, ...headers } = stages.answers.disclosed(account.id, '', summary);
  reply.send(status, { ...passed, ...headers }, []);
}

/** A write has happened and its echo is withheld: a client that wants a message gets an empty one. */
async function acknowledge(
  { contentType, body }: Acknowledgement,
  status: number,
  summary: DisclosureSummary,
  reply: Reply,
  account: Account,
  stages: Stages,
): Promise<void> {
  await record(account.record(outcomeOf(summary), status, body.byteLength, summary), stages);
  await reply.send(status, stages.answers.disclosed(account.id, contentType, summary), [body]);
}

interface Released {
  readonly status: number;
  readonly headers: (summary: DisclosureSummary, last: boolean) => Record<string, string>;
  /** what is passed of the upstream's headers beside an empty body */
  readonly nothing: Record<string, string>;
  /** the answer is one record, not a list of them */
  readonly single: boolean;
  /** it may be one: then no part of it has others */
  readonly perhapsOne: boolean;
  readonly writes: boolean;
  /** the request searched by fields */
  readonly searched: boolean;
  readonly listing: Listing;
  /** the answer is looked at, and none of it is sent: HEAD */
  readonly looked: boolean;
  /** the status that says that there is no such record */
  readonly notFound: number;
  /** what says that a write has happened and tells nothing else */
  readonly acknowledged: () => Acknowledgement | null;
}

/** Each part: recorded, durable, then sent. */
async function release(
  parts: AsyncIterable<DisclosurePart> | readonly DisclosurePart[],
  released: Released,
  reply: Reply,
  account: Account,
  stages: Stages,
): Promise<void> {
  const { status, headers, nothing, writes, searched, listing, looked, notFound } = released;
  for await (const { chunks, summary, last } of parts) {
    account.spent('disclosure');
    const single =
      released.single || (released.perhapsOne && last && !reply.started && summary.records === 0);
    if (summary.records_withheld > 0) stages.metrics.recordsWithheld(summary.records_withheld);
    // None was found, or none that may be told of: of a search both are one answer.
    if (single && searched && !writes && summary.records === 0)
      throw recordNotFound(summary, account, notFound);
    if (single && summary.records_withheld > 0) {
      // The one record that was asked for is withheld: a refusal, not an empty answer. A write has happened all the same.
      if (writes && !reply.started) {
        const message = released.acknowledged();
        return message === null
          ? withoutBody(status, summary, {}, reply, account, stages)
          : acknowledge(message, status, summary, reply, account, stages);
      }
      throw recordWithheld(summary, account);
    }
    // What an upstream that found nothing answers with may be an empty body.
    if (listing.guarded && last && !reply.started && sizeOf(chunks) === 0)
      return withoutBody(status, summary, nothing, reply, account, stages);
    if (looked) return withoutBody(status, NOTHING_DISCLOSED, headers(summary, last), reply, account, stages);
    if (searched && !single && listing.page === null && listing.paged) tellGap(summary, account, stages);
    await record(account.record(outcomeOf(summary), status, sizeOf(chunks), summary, last), stages);
    account.spent('record');
    if (last && !reply.started) await reply.send(status, headers(summary, last), chunks);
    else {
      if (!reply.started) reply.start(status, headers(summary, last));
      await reply.write(chunks);
      if (last) await reply.end();
    }
    account.spent('release');
  }
}

/** A page of a narrowed list on which the upstream's records were fewer than it holds: its gaps tell. Counted, and on record. */
function tellGap(summary: DisclosureSummary, account: Account, stages: Stages): void {
  const { max_records: cut = 0 } = summary.withheld_reasons ?? {};
  if (summary.records_withheld <= cut || account.reasons.some(({ code }) => code === 'narrowed_page_gap'))
    return;
  account.reasons = [...account.reasons, { code: 'narrowed_page_gap', message: GAP }];
  stages.metrics.told(account.request?.route ?? '', 'gap');
  stages.logger.warn(
    { decision_id: account.id, route: account.request?.route, code: 'narrowed_page_gap' },
    'a page of a narrowed list has gaps where records were withheld',
  );
}

const GAP =
  'The request narrowed a list and may have asked for a page of it; records were withheld from the page, and its gaps tell of them (paging).';

function outcomeOf(summary: DisclosureSummary): Outcome {
  return summary.withheld.length > 0 || summary.records_withheld > 0 ? 'modified' : 'allowed';
}

const sizeOf = (chunks: readonly Uint8Array[]): number => chunks.reduce((n, c) => n + c.byteLength, 0);
