/** What an upstream's answer is: data, an error, or nothing; in which format; one record or several. */
import { SluiceError } from '../errors.ts';
import type { Media } from '../disclosure/media.ts';
import { LISTS, WRITES } from '../model/actions.ts';
import type { Selected } from '../routing/index.ts';
import type { UpstreamResponse } from '../upstream/upstream.ts';
import { leadsToOne, type Listing } from './listing.ts';
import type { Access } from './plan.ts';
import { nothingFound, statusWithheld } from './refusal.ts';
import type { Stages } from './stages.ts';

export interface Answered extends Access {
  readonly response: UpstreamResponse;
  readonly listing: Listing;
  /** Access to what comes next of a stream, decided anew. @throws SluiceError what refuses it */
  again(): Promise<Access>;
  /** headers that were forwarded */
  readonly headers: Readonly<Record<string, string>>;
}

export interface AnswerKind {
  /** an error that the route lists (`response.statuses`): disclosed like any other data */
  readonly failure: boolean;
  /** the upstream says that there is no such record */
  readonly missing: boolean;
  /** the status says that there is no body */
  readonly bodiless: boolean;
  /** the request searched by fields, or one record must not be told from none */
  readonly searched: boolean;
  /** HEAD: the answer is processed, and none of it is sent */
  readonly headOnly: boolean;
  /** body of a guarded list of which no record leaves (`response.empty`); null: the upstream's own, without records */
  readonly emptyList: string | null;
}

export function kindOf({
  request,
  selected,
  response: { status },
  listing,
  dataSubject,
  provenSubject,
}: Answered): AnswerKind {
  const { config, response } = selected.route;
  const missing = status === 404 || status === response.notFound;
  // One record whose data subject shows only in the answer may be somebody else's: then it is not told that it exists.
  const searched = selected.queryFields.length > 0 || (provenSubject !== null && dataSubject === null);
  // Where a search has found nothing, the answer must be the same as where all that it found is withheld.
  const failure = response.statuses.includes(status) && !(missing && searched);
  return {
    failure,
    missing,
    bodiless: status === 204 || status === 205,
    searched,
    headOnly: request.method === 'HEAD',
    emptyList: listing.guarded && !failure ? (config.response.empty ?? null) : null,
  };
}

/** Answers to ranges and deltas, which are never asked for. */
const PARTIAL: ReadonlySet<number> = new Set([206, 226]);

/** @throws SluiceError `upstream_status_withheld` for what is neither data nor an error that the route lists */
export function refuseStatus(
  { selected: { route }, response: { status, headers } }: Answered,
  { failure, missing }: AnswerKind,
  stages: Stages,
): void {
  if (failure) return;
  if (missing) throw nothingFound(route.response.notFound);
  if (status < 200 || status >= 300 || PARTIAL.has(status))
    throw statusWithheld(status, stages.headersOf(route.upstream).refused(status, headers));
}

/** An error may come as an HTML page where a success comes as data: then only its status is passed on. */
export function mediaOf({ request, selected, response }: Answered, failure: boolean, stages: Stages): Media {
  const { format } = selected.route.response;
  try {
    const media = stages.mediaOf(response.headers, selected.route.response, request.headers.accept);
    // What is reserved of quotas, how a list is asked for and how long is waited depend on it before the answer comes.
    if (media.layout === 'events' && stages.layoutOf(format) !== 'events') throw undeclaredStream();
    return media;
  } catch (error) {
    if (!failure) throw error;
    const { status, headers } = response;
    throw statusWithheld(status, stages.headersOf(selected.route.upstream).refused(status, headers));
  }
}

const undeclaredStream = (): SluiceError =>
  new SluiceError(
    'response_format_unsupported',
    'The upstream answered with a stream of events. Set response.format on the route to sse if it may.',
  );

/** Whether an answer of the route is one record or none, as far as the route says. */
export const isOfOne = ({ route: { records }, action }: Selected): boolean =>
  (records === null || leadsToOne(records)) && !LISTS.has(action) && !WRITES.has(action);

export interface AnswerShape {
  /** pointer to the records; null: the whole answer is one, or its rows are the records */
  readonly records: string | null;
  /** the answer is one record */
  readonly single: boolean;
  /** it may be one or several: a withheld record was the one asked for if there is no other */
  readonly perhapsSingle: boolean;
}

export function shapeOf(
  { selected: { action, route }, catalog, listing: { guarded } }: Answered,
  { failure }: AnswerKind,
  { layout }: Media,
  stages: Stages,
): AnswerShape {
  // A stream is no answer of one record, though it may have one: its head has left before it is known.
  if (layout === 'events') return { records: route.records, single: false, perhapsSingle: false };
  const lists = LISTS.has(action);
  // The route of a list may leave it to the catalog where the records are.
  const records = route.records ?? (lists && layout === 'value' ? stages.recordsOf(catalog) : null);
  // `{"code":0,"data":{…}}` is one record as much as `{…}` is.
  const single =
    records === null
      ? !(layout === 'rows' && (lists || (guarded && !WRITES.has(action))))
      : !lists && layout === 'value' && leadsToOne(records);
  const perhapsSingle = !single && !lists && layout === (records === null ? 'rows' : 'elements');
  return { records, single: single && !failure, perhapsSingle: perhapsSingle && !failure };
}
