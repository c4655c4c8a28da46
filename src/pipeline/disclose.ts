/** Discloses the upstream's answer as the policy lets this caller see it, and releases it. */
import type { Media } from '../disclosure/media.ts';
import { WRITES } from '../model/actions.ts';
import type { DisclosurePlan } from '../model/disclosure.ts';
import type { Reply } from '../model/exchange.ts';
import type { DisclosureSummary } from '../model/record.ts';
import { asRead } from '../model/verdict.ts';
import {
  type Answered,
  type AnswerKind,
  type AnswerShape,
  isOfOne,
  kindOf,
  mediaOf,
  refuseStatus,
  shapeOf,
} from './answer.ts';
import { CodedReply } from './coded-reply.ts';
import { errorShape } from './error-shape.ts';
import { hasMore } from './next-page.ts';
import { FRESH } from './fresh.ts';
import { CurrentLookUps } from './look-ups.ts';
import { disclosurePlan } from './plan.ts';
import { NOTHING_DISCLOSED } from '../model/record.ts';
import type { DecisionEntry } from './record.ts';
import { recordNotFound } from './refusal.ts';
import { type PartsOptions, releaseBodiless, releaseEmptyList, releaseParts } from './release.ts';
import type { Stages } from './stages.ts';

/** bytes of a body that is disclosed without a pause; a longer one lets other requests run in between */
const UNDIVIDED = 64 * 1024;

/** @throws SluiceError what refuses the answer, or what is left of it */
export async function disclose(
  answered: Answered,
  reply: Reply,
  entry: DecisionEntry,
  stages: Stages,
): Promise<void> {
  const { request, response, listing } = answered;
  const { body } = response;
  const checked = entry.checkCaller(false);
  if (checked instanceof Promise) await checked;
  const kind = kindOf(answered);
  const { emptyList, headOnly } = kind;
  if (emptyList !== null && (kind.missing || kind.bodiless))
    return releaseEmptyList({ emptyList, headOnly }, NOTHING_DISCLOSED, reply, entry, stages);
  refuseStatus(answered, kind, stages);
  const arrived = kind.bodiless || body.empty();
  // The first event of a stream may come late, and its caller wants to know that it is connected.
  const isStream = stages.layoutOf(answered.selected.route.response.format) === 'events';
  const empty = isStream && arrived !== true ? false : arrived;
  // Where the headers name a format that is refused, Sluice does not wait for the body: it may never begin, or never end.
  const named = empty !== true && response.headers['content-type'] !== undefined;
  const known = named ? mediaOf(answered, kind.failure, stages) : null;
  if (empty === true || (empty !== false && (await empty)))
    return releaseNothing(answered, kind, reply, entry, stages);

  const media = known ?? mediaOf(answered, kind.failure, stages);
  const shape = shapeOf(answered, kind, media, stages);
  const lookups = new CurrentLookUps(answered, entry, stages);
  const plan = planOf(answered, kind, media, shape, lookups, entry, stages);
  // What came uncompressed is not compressed: lengths would tell of contents (BREACH).
  // Nor is a guarded list: many upstreams compress long answers only, so that the coding would tell how much was found.
  const encoding =
    listing.guarded || media.encodings.length === 0 || media.layout === 'events'
      ? null
      : stages.encoding(request.headers['accept-encoding']);
  const isWhole = media.encodings.length === 0 && media.layout !== 'events';
  const undivided = isWhole ? body.whole(UNDIVIDED) : null;
  const disclosed =
    undivided === null
      ? stages.disclosure.disclose(stages.decode(body, media.encodings), plan)
      : stages.disclosure.discloseBuffer(undivided, plan);
  const parts = disclosed instanceof Promise ? await disclosed : disclosed;
  const options = optionsOf(answered, kind, media, shape, lookups, entry, stages);
  if (encoding === null) return releaseParts(parts, options, reply, entry, stages);
  const coded = new CodedReply(reply, encoding);
  try {
    await releaseParts(parts, options, coded, entry, stages);
  } finally {
    coded.close();
  }
}

/** The upstream's answer has no body. */
async function releaseNothing(
  answered: Answered,
  { emptyList, failure, headOnly, searched }: AnswerKind,
  reply: Reply,
  entry: DecisionEntry,
  stages: Stages,
): Promise<void> {
  const { selected, response } = answered;
  if (searched && isOfOne(selected) && !failure)
    throw recordNotFound(NOTHING_DISCLOSED, entry, selected.route.response.notFound);
  if (emptyList !== null)
    return releaseEmptyList({ emptyList, headOnly }, NOTHING_DISCLOSED, reply, entry, stages);
  const passed = emptyHeaders(answered, stages);
  return releaseBodiless(response.status, NOTHING_DISCLOSED, passed, reply, entry, stages);
}

/** Headers of the upstream that are passed on beside an empty body. */
const emptyHeaders = (
  { selected: { route }, response, listing: { guarded } }: Answered,
  stages: Stages,
): Record<string, string> =>
  stages.headersOf(route.upstream).response(response.headers, {
    records: 0,
    records_withheld: 0,
    last: false,
    guarded,
    paged: true,
  });

function planOf(
  answered: Answered,
  kind: AnswerKind,
  media: Media,
  shape: AnswerShape,
  lookups: CurrentLookUps,
  entry: DecisionEntry,
  stages: Stages,
): DisclosurePlan {
  const { emptyList } = kind;
  const { records, single, perhapsSingle } = shape;
  const { selected, response, listing } = answered;
  const { action, added, queryFields, route } = selected;
  const { paged, page } = listing;
  let decidedAt = stages.clock.micros();
  let current: Answered = answered;
  const renew = async (): Promise<DisclosurePlan> => {
    const isFresh = stages.clock.micros() - decidedAt <= FRESH;
    if (!isFresh || stages.policy.current() !== current.snapshot) {
      decidedAt = stages.clock.micros();
      current = { ...answered, ...(await answered.again()) };
    }
    lookups.begin(current);
    const { renew: _again, ...next } = planOf(current, kind, media, shape, lookups, entry, stages);
    return next;
  };
  const plan: DisclosurePlan = disclosurePlan(
    answered,
    WRITES.has(action) ? asRead(answered.input) : answered.input,
    {
      consents: lookups.find,
      identify: lookups.identify,
      format: media.format,
      charset: media.charset,
      charsetCertain: route.response.charset !== null,
      records,
      recordFirst: single || perhapsSingle || (emptyList !== null && media.layout !== 'events'),
      ...(media.layout === 'events' ? { renew } : {}),
      searched: queryFields,
      paged,
      page,
      // Only for a page that is not full it matters whether the upstream has more.
      ...(page === null
        ? {}
        : {
            announced: stages.headersOf(route.upstream).announced(response.headers),
            more: (received: number) => hasMore(answered, received, plan, entry, stages),
          }),
      unasked: added.filter((pointer) => !queryFields.includes(pointer)),
      options: { ...media.parameters, ...route.response.options },
    },
    entry,
    stages,
  );
  return plan;
}

function optionsOf(
  answered: Answered,
  { emptyList, headOnly, searched }: AnswerKind,
  media: Media,
  { single, perhapsSingle }: AnswerShape,
  lookups: CurrentLookUps,
  entry: DecisionEntry,
  stages: Stages,
): PartsOptions {
  const { request, selected, response, listing, decision } = answered;
  const { guarded, paged, page } = listing;
  const rules = stages.headersOf(selected.route.upstream);
  const mostRecords = decision.obligations.max_records ?? null;
  return {
    lookups,
    status: response.status,
    headers: (summary, last) => ({
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
      // Proxies such as nginx would collect the events of a while.
      ...(media.layout === 'events' ? { 'x-accel-buffering': 'no' } : {}),
      // Always told: where a long list is cut is not known before its first part has left.
      ...(single || mostRecords === null ? {} : { 'sluice-max-records': String(mostRecords) }),
    }),
    emptyHeaders: () => emptyHeaders(answered, stages),
    single,
    perhapsSingle,
    writes: WRITES.has(selected.action),
    listing,
    searched,
    headOnly,
    emptyList,
    notFound: selected.route.response.notFound,
    acknowledged: () => stages.responses.acknowledged(errorShape(request, entry, stages)),
  };
}

/** Members such as a link to the next page may be there only where something was found: naming them as withheld would tell. */
const catalogued = (summary: DisclosureSummary): DisclosureSummary => ({
  ...summary,
  withheld: summary.withheld.filter(({ because }) => because !== 'uncatalogued'),
});
