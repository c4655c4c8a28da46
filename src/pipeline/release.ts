/** What leaves: each part is recorded, durable, then sent. */
import type { DisclosurePart } from '../model/disclosure.ts';
import type { Reply } from '../model/exchange.ts';
import type { DisclosureSummary, Outcome } from '../model/record.ts';
import { isOutside } from '../model/share.ts';
import type { Listing } from './listing.ts';
import type { LookUps } from './look-ups.ts';
import { NOTHING_DISCLOSED } from '../model/record.ts';
import { type DecisionEntry, replaced, writeRecord } from './record.ts';
import { recordNotFound, recordWithheld } from './refusal.ts';
import type { Acknowledgement, Stages } from './stages.ts';

export interface WholeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** null: none is sent */
  readonly body: Uint8Array | null;
}

/** An answer of one piece, sent when its record is durable. @param disclosure null: the answer has no data of anybody */
export async function release(
  { status, headers, body }: WholeAnswer,
  disclosure: DisclosureSummary | null,
  reply: Reply,
  entry: DecisionEntry,
  stages: Stages,
): Promise<void> {
  const noted = noteShare(disclosure, entry, stages);
  if (noted !== null) await noted;
  const checked = entry.checkCaller(reply.started);
  if (checked instanceof Promise) await checked;
  const draft = entry.draft(outcomeOf(disclosure), status, body?.byteLength ?? 0, disclosure);
  await writeRecord(draft, stages);
  await reply.send(status, headers, body === null ? [] : [body]);
}

/** There is nothing to disclose: an answer without a body, and without the headers that describe one. */
export function releaseBodiless(
  status: number,
  summary: DisclosureSummary,
  passed: Readonly<Record<string, string>>,
  reply: Reply,
  entry: DecisionEntry,
  stages: Stages,
): Promise<void> {
  const { 'content-type': _none, ...headers } = stages.responses.disclosed(entry.id, '', summary);
  return release({ status, headers: { ...passed, ...headers }, body: null }, summary, reply, entry, stages);
}

/** A write has happened and its echo is withheld: a client that expects a message gets an empty one. */
function acknowledge(
  { contentType, body }: Acknowledgement,
  status: number,
  summary: DisclosureSummary,
  reply: Reply,
  entry: DecisionEntry,
  stages: Stages,
): Promise<void> {
  const headers = stages.responses.disclosed(entry.id, contentType, summary);
  return release({ status, headers, body }, summary, reply, entry, stages);
}

/** No record of a guarded list leaves: the body is the route's own, so that it depends on nothing that the upstream found. */
export function releaseEmptyList(
  { emptyList, headOnly }: { readonly emptyList: string; readonly headOnly: boolean },
  summary: DisclosureSummary,
  reply: Reply,
  entry: DecisionEntry,
  stages: Stages,
): Promise<void> {
  const headers = stages.responses.disclosed(entry.id, 'application/json', NOTHING_DISCLOSED);
  const body = headOnly ? null : Buffer.from(emptyList);
  return release({ status: 200, headers, body }, summary, reply, entry, stages);
}

/** How the parts of an upstream's answer leave. */
export interface PartsOptions {
  /** the consents that the parts rest on */
  readonly lookups: Pick<LookUps, 'confirm'>;
  readonly status: number;
  readonly headers: (summary: DisclosureSummary, last: boolean) => Record<string, string>;
  /** headers of the upstream that are passed on beside an empty body */
  readonly emptyHeaders: () => Record<string, string>;
  /** the answer is one record, not a list of them */
  readonly single: boolean;
  /** it may be one record: then no part of it has others */
  readonly perhapsSingle: boolean;
  readonly writes: boolean;
  /** the request searched by fields */
  readonly searched: boolean;
  readonly listing: Listing;
  /** HEAD: the answer is processed, and none of it is sent */
  readonly headOnly: boolean;
  /** body of a guarded list of which no record leaves (`response.empty`); null: the upstream's own, without records */
  readonly emptyList: string | null;
  /** the status that says that there is no such record */
  readonly notFound: number;
  /** a message that says that a write has happened, and nothing else */
  readonly acknowledged: () => Acknowledgement | null;
}

export async function releaseParts(
  parts: AsyncIterable<DisclosurePart> | readonly DisclosurePart[],
  options: PartsOptions,
  reply: Reply,
  entry: DecisionEntry,
  stages: Stages,
): Promise<void> {
  if (isList(parts)) {
    // `for await` would wait three times for each part that is there already.
    for (const part of parts) if (await releasePart(part, options, reply, entry, stages)) return;
  } else for await (const part of parts) if (await releasePart(part, options, reply, entry, stages)) return;
}

const isList = (
  parts: AsyncIterable<DisclosurePart> | readonly DisclosurePart[],
): parts is readonly DisclosurePart[] => Array.isArray(parts);

/** @returns whether another answer than the upstream's was sent: then no part follows */
async function releasePart(
  { chunks, summary, last, lookups, heartbeat }: DisclosurePart,
  options: PartsOptions,
  reply: Reply,
  entry: DecisionEntry,
  stages: Stages,
): Promise<boolean> {
  if (heartbeat === true) {
    await reply.write(chunks);
    return false;
  }
  // Before what it rests on is confirmed: a store that is slow makes nothing old, and a withdrawal from now on finds the share.
  const noted = mayCarry(summary, options) ? noteShare(summary, entry, stages) : null;
  if (noted !== null) await noted;
  const checked = entry.checkCaller(reply.started);
  if (checked instanceof Promise) await checked;
  const confirmed = options.lookups.confirm({ lookups });
  if (confirmed instanceof Promise) await confirmed;
  entry.endStage('disclosure');
  if (summary.records_withheld > 0) stages.metrics.recordsWithheld(summary.records_withheld);
  const other = otherAnswer({ chunks, summary, last, lookups }, options, reply, entry, stages);
  if (other !== null) {
    await other;
    return true;
  }
  const { status } = options;
  await writeRecord(entry.draft(outcomeOf(summary), status, sizeOf(chunks), summary, last), stages);
  entry.endStage('record');
  if (last && !reply.started) {
    const sent = reply.send(status, options.headers(summary, last), chunks);
    if (sent instanceof Promise) await sent;
  } else {
    if (!reply.started) reply.start(status, options.headers(summary, last));
    await reply.write(chunks);
    if (last) await reply.end();
  }
  entry.endStage('release');
  return false;
}

/** Whether records may leave with this part: not if the answer has no body, nor if the one record that was asked for is withheld. */
const mayCarry = ({ records_withheld }: DisclosureSummary, { headOnly, single }: PartsOptions): boolean =>
  !headOnly && !(single && records_withheld > 0);

/**
 * The answer that is sent in place of the upstream's; null: none.
 * @throws SluiceError `record_withheld`, or that there is no such record
 */
function otherAnswer(
  { chunks, summary, last }: DisclosurePart,
  options: PartsOptions,
  reply: Reply,
  entry: DecisionEntry,
  stages: Stages,
): Promise<void> | null {
  const { status, headers, writes, searched, listing, headOnly, emptyList } = options;
  const single = options.single || (options.perhapsSingle && last && !reply.started && summary.records === 0);
  // A search that finds none and one that finds only withheld records have the same answer.
  const noRecord = summary.records === 0 && !reply.started && (last || summary.records_withheld > 0);
  if (single && searched && !writes && noRecord) throw recordNotFound(summary, entry, options.notFound);
  if (single && summary.records_withheld > 0) {
    // The one record that was asked for is withheld: a refusal, not an empty answer. But a write has happened already.
    if (!writes || reply.started) throw recordWithheld(summary, entry);
    const message = options.acknowledged();
    return message === null
      ? releaseBodiless(status, replaced(summary), {}, reply, entry, stages)
      : acknowledge(message, status, replaced(summary), reply, entry, stages);
  }
  if (emptyList !== null && last && !reply.started && summary.records === 0)
    return releaseEmptyList({ emptyList, headOnly }, replaced(summary), reply, entry, stages);
  // Upstreams that found nothing may answer with an empty body.
  if (listing.guarded && last && !reply.started && sizeOf(chunks) === 0)
    return releaseBodiless(status, replaced(summary), options.emptyHeaders(), reply, entry, stages);
  if (headOnly) {
    const answer = { status, headers: headers(summary, last), body: null };
    return release(answer, replaced(summary), reply, entry, stages);
  }
  if (searched && !single && listing.paged && !Number.isFinite(listing.page?.fetch ?? Infinity))
    reportGap(summary, entry, stages);
  return null;
}

/** Records are withheld from a page of a narrowed list that the upstream has cut: the gaps tell of them. Counted, and recorded. */
function reportGap(summary: DisclosureSummary, entry: DecisionEntry, stages: Stages): void {
  const { max_records: cut = 0 } = summary.withheld_reasons ?? {};
  if (summary.records_withheld <= cut || entry.reasons.some(({ code }) => code === 'narrowed_page_gap'))
    return;
  entry.reasons = [...entry.reasons, { code: 'narrowed_page_gap', message: GAP }];
  stages.metrics.inferenceRisk(entry.request?.route ?? '', 'gap');
  stages.logger.warn(
    { decision_id: entry.id, route: entry.request?.route, code: 'narrowed_page_gap' },
    'a page of a narrowed list has gaps where records were withheld',
  );
}

const GAP =
  'The request narrowed a list and may have asked for a page of it; records were withheld from the page, and its gaps tell of them (paging).';

/** Who outside receives data of whom is stored before it leaves. */
function noteShare(
  disclosure: DisclosureSummary | null,
  { id, recipient, purpose, timestamp }: DecisionEntry,
  { shares }: Stages,
): Promise<void> | null {
  if (shares === undefined || recipient === null || !isOutside(recipient)) return null;
  if (disclosure === null || disclosure.records === 0) return null;
  const { data_subjects } = disclosure;
  return shares.note({ decision_id: id, recipient, purpose: purpose ?? '', timestamp, data_subjects });
}

function outcomeOf(summary: DisclosureSummary | null): Outcome {
  if (summary === null) return 'allowed';
  return summary.withheld.length > 0 || summary.records_withheld > 0 ? 'modified' : 'allowed';
}

function sizeOf(chunks: readonly Uint8Array[]): number {
  let size = 0;
  for (const chunk of chunks) size += chunk.byteLength;
  return size;
}
