/** The upstream's answer, as the policy discloses it to this caller: what of it is data, in which format, and with which headers. */
import { type DecisionEntry, NOTHING_DISCLOSED } from './record.ts';
import { CodedReply } from './coded-reply.ts';
import type { Media } from '../disclosure/media.ts';
import { errorShape } from './error-shape.ts';
import { LISTS, WRITES } from '../model/actions.ts';
import type { DisclosurePlan } from '../model/disclosure.ts';
import type { Reply } from '../model/exchange.ts';
import type { DisclosureSummary } from '../model/record.ts';
import { asRead } from '../model/verdict.ts';
import { nothingFound, recordNotFound, statusWithheld } from './refusal.ts';
import type { Selected } from '../routing/index.ts';
import type { Stages } from './stages.ts';
import type { UpstreamResponse } from '../upstream/upstream.ts';
import { leadsToOne, type Listing } from './listing.ts';
import { type Access, disclosurePlan } from './plan.ts';
import { type PartsOptions, releaseBodiless, releaseEmptyList, releaseParts } from './release.ts';
import { forwardedMethod } from './forward.ts';

/** bytes of a body that is disclosed without a pause; a longer one lets other requests run in between */
const UNDIVIDED = 64 * 1024;
/** formats whose records are rows or lines, whether or not the route says so */
const ROWS: ReadonlySet<string> = new Set(['csv', 'tsv', 'ndjson', 'vcard']);
/** Answers to ranges and deltas, which are never asked for. */
const PARTIAL: ReadonlySet<number> = new Set([206, 226]);

/** Whether an answer of the route is one record or none, as far as the route says. */
const isOfOne = ({ route: { records }, action }: Selected): boolean =>
  (records === null || leadsToOne(records)) && !LISTS.has(action) && !WRITES.has(action);

export interface Answered extends Access {
  readonly response: UpstreamResponse;
  readonly listing: Listing;
  /** headers that were forwarded */
  readonly headers: Readonly<Record<string, string>>;
}

/** Discloses the upstream's answer, and releases it part by part. @throws SluiceError what refuses it as a whole */
export async function disclose(
  answered: Answered,
  reply: Reply,
  entry: DecisionEntry,
  stages: Stages,
): Promise<void> {
  const { request, selected, catalog, decision, response, listing } = answered;
  const { status, body } = response;
  const { route } = selected;
  const rules = stages.headersOf(route.upstream);
  const missing = status === 404 || status === route.response.notFound;
  const searched = selected.queryFields.length > 0;
  const { guarded, paged, page } = listing;
  // An error that the route lists (`response.statuses`) is data like any other. But where a search has found nothing, the answer must be the
  // same as where all that it found is withheld.
  const failure = route.response.statuses.includes(status) && !(missing && searched);
  const headOnly = request.method === 'HEAD';
  const emptyList = guarded && !failure ? (route.config.response.empty ?? null) : null;
  if (emptyList !== null && (missing || status === 204 || status === 205))
    return releaseEmptyList({ emptyList, headOnly }, NOTHING_DISCLOSED, reply, entry, stages);
  if (!failure && missing) throw nothingFound(route.response.notFound);
  if (!failure && (status < 200 || status >= 300 || PARTIAL.has(status)))
    throw statusWithheld(status, rules.refused(status, response.headers));
  const emptyHeaders = rules.response(response.headers, {
    records: 0,
    records_withheld: 0,
    last: false,
    guarded,
    paged: true,
  });
  const empty = status === 204 || status === 205 || body.empty();
  // Where the headers name a format that is refused, Sluice does not wait for the body: it may never begin, or never end.
  const named = response.headers['content-type'] !== undefined;
  const known = empty === true || !named ? null : mediaOf(answered, failure, stages);
  if (empty === true || (empty !== false && (await empty))) {
    if (searched && isOfOne(selected) && !failure)
      throw recordNotFound(NOTHING_DISCLOSED, entry, route.response.notFound);
    if (emptyList !== null)
      return releaseEmptyList({ emptyList, headOnly }, NOTHING_DISCLOSED, reply, entry, stages);
    return releaseBodiless(status, NOTHING_DISCLOSED, emptyHeaders, reply, entry, stages);
  }

  const media = known ?? mediaOf(answered, failure, stages);
  const writes = WRITES.has(selected.action);
  const input = writes ? asRead(answered.input) : answered.input;
  const lists = LISTS.has(selected.action);
  // A list's route may leave it to the catalog where the records are; one record's answer has no such place.
  const records = route.records ?? (lists && media.format === 'json' ? stages.recordsOf(catalog) : null);
  const plan: DisclosurePlan = disclosurePlan(
    answered,
    input,
    {
      format: media.format,
      charset: media.charset,
      charsetCertain: route.response.charset !== null,
      records,
      searched: selected.queryFields,
      paged,
      page,
      // Only a page that is not full has to know whether the upstream has more.
      ...(page === null
        ? {}
        : {
            announced: rules.announced(response.headers),
            more: (received: number) => hasMore(answered, received, plan, entry, stages),
          }),
      unasked: selected.added.filter((pointer) => !selected.queryFields.includes(pointer)),
      options: { ...media.parameters, ...route.response.options },
    },
    entry,
    stages,
  );
  // `{"code":0,"data":{…}}` is one record as much as `{…}` is
  const single =
    !failure &&
    (records === null
      ? !(ROWS.has(media.format) && (lists || (guarded && !writes)))
      : !lists && media.format === 'json' && leadsToOne(records));
  // Rows, and elements of XML, may be one or several: a record that is withheld was the one asked for if no other is there.
  const perhapsSingle =
    !failure && !lists && (records === null ? ROWS.has(media.format) : media.format === 'xml') && !single;
  // Always told: where a long list is cut is not known before its first part has left.
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
            paged: paged || (page !== null && Number.isFinite(page.fetch)),
          },
    ),
    ...stages.responses.disclosed(entry.id, media.contentType, guarded ? catalogued(summary) : summary),
    ...(single || mostRecords === null ? {} : { 'sluice-max-records': String(mostRecords) }),
  });
  // What came uncompressed is not compressed: lengths would tell of contents (BREACH).
  // Nor is a guarded list: many upstreams compress long answers only, so that the coding would tell how much was found.
  const encoding =
    guarded || media.encodings.length === 0 ? null : stages.encoding(request.headers['accept-encoding']);
  const whole = media.encodings.length === 0 ? body.whole(UNDIVIDED) : null;
  const parts =
    whole === null
      ? stages.disclosure.disclose(stages.decode(body, media.encodings), plan)
      : await stages.disclosure.whole(whole, plan);
  const { notFound } = route.response;
  const options: PartsOptions = {
    status,
    headers,
    emptyHeaders,
    single,
    perhapsSingle,
    writes,
    listing,
    searched,
    headOnly,
    emptyList,
    notFound,
    acknowledged: () => stages.responses.acknowledged(errorShape(request, entry, stages)),
  };
  if (encoding === null) return releaseParts(parts, options, reply, entry, stages);
  const coded = new CodedReply(reply, encoding);
  try {
    await releaseParts(parts, options, coded, entry, stages);
  } finally {
    coded.close();
  }
}

/** Whether the upstream, which does not say how many records it has, has more than those received: it is asked for the next ones. */
async function hasMore(
  answered: Answered,
  received: number,
  plan: DisclosurePlan,
  entry: DecisionEntry,
  stages: Stages,
): Promise<boolean | null> {
  const asked = answered.listing.next(received);
  if (asked === null || asked === 'none') return asked === null ? null : false;
  const { request, selected, headers } = answered;
  const response = await stages.upstreams.send(
    selected.route.upstream,
    {
      method: forwardedMethod(request.method),
      target: asked.target,
      headers: { ...headers },
      body: asked.body ?? selected.bytes,
    },
    (abort) => request.onAbort(abort),
  );
  try {
    entry.internalReasons = [...entry.internalReasons, { code: 'next_page_asked' }];
    const { status, body } = response;
    if ([204, 205, 404, 416, selected.route.response.notFound].includes(status)) return false;
    if (status !== 200) return true;
    const { encodings } = mediaOf({ ...answered, response }, false, stages);
    const { announced: _said, more: _more, page: _page, ...rest } = plan;
    for await (const { summary } of stages.disclosure.disclose(stages.decode(body, encodings), rest))
      if (summary.records + summary.records_withheld > 0) return true;
    return false;
  } finally {
    response.body.discard();
  }
}

/** An error may come as an HTML page where a success comes as data: then only its status is passed on. */
function mediaOf({ request, selected, response }: Answered, failure: boolean, stages: Stages): Media {
  try {
    return stages.mediaOf(response.headers, selected.route.response, request.headers.accept);
  } catch (error) {
    if (!failure) throw error;
    const { status, headers } = response;
    throw statusWithheld(status, stages.headersOf(selected.route.upstream).refused(status, headers));
  }
}

/** Members such as a link to the next page may be there only where something was found: naming them as withheld would tell. */
const catalogued = (summary: DisclosureSummary): DisclosureSummary => ({
  ...summary,
  withheld: summary.withheld.filter(({ because }) => because !== 'uncatalogued'),
});
