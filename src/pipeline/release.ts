/** Each part of what is disclosed: recorded, durable, then sent. What ends an answer without a body is here, too. */
import { type Account, NOTHING_DISCLOSED } from './account.ts';
import type { DisclosurePart } from '../model/disclosure.ts';
import type { Reply } from '../model/exchange.ts';
import type { DisclosureSummary, Outcome } from '../model/record.ts';
import { record, recordNotFound, recordWithheld } from './refusal.ts';
import type { Acknowledgement, Stages } from './stages.ts';
import type { Listing } from './listing.ts';

/** There is nothing to disclose: an answer without a body and without a word about one. */
export async function withoutBody(
  status: number,
  summary: DisclosureSummary,
  passed: Readonly<Record<string, string>>,
  reply: Reply,
  account: Account,
  stages: Stages,
): Promise<void> {
  await record(account.record(outcomeOf(summary), status, 0, summary), stages);
  const { 'content-type': _none, ...headers } = stages.answers.disclosed(account.id, '', summary);
  await reply.send(status, { ...passed, ...headers }, []);
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

/** No record of a guarded list leaves: what says so is the route's own, so that it depends on nothing that the upstream found. */
export async function emptyList(
  { blank, looked }: { readonly blank: string; readonly looked: boolean },
  summary: DisclosureSummary,
  reply: Reply,
  account: Account,
  stages: Stages,
): Promise<void> {
  const body = Buffer.from(blank);
  await record(account.record(outcomeOf(summary), 200, looked ? 0 : body.byteLength, summary), stages);
  const headers = stages.answers.disclosed(account.id, 'application/json', NOTHING_DISCLOSED);
  await reply.send(200, headers, looked ? [] : [body]);
}

export interface Released {
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
  /** what a guarded list answers with where no record leaves (`response.empty`); null: as the upstream's reads without records */
  readonly blank: string | null;
  /** the status that says that there is no such record */
  readonly notFound: number;
  /** what says that a write has happened and tells nothing else */
  readonly acknowledged: () => Acknowledgement | null;
}

/** Each part: recorded, durable, then sent. */
export async function release(
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
    if (released.blank !== null && last && !reply.started && summary.records === 0)
      return emptyList({ blank: released.blank, looked }, summary, reply, account, stages);
    // What an upstream that found nothing answers with may be an empty body.
    if (listing.guarded && last && !reply.started && sizeOf(chunks) === 0)
      return withoutBody(status, summary, nothing, reply, account, stages);
    if (looked) return withoutBody(status, NOTHING_DISCLOSED, headers(summary, last), reply, account, stages);
    if (searched && !single && listing.paged && !Number.isFinite(listing.page?.fetch ?? Infinity))
      tellGap(summary, account, stages);
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
