/**
 * A body that may never end, such as a stream of events. What has arrived completely is disclosed at once, as a body of its own: by the consents and
 * the policy that are in force then, and with a part, and so a record, of its own.
 */
import type { DisclosurePart, DisclosurePlan } from '../../model/disclosure.ts';
import { type Arrived, HEARTBEAT } from '../../model/event-stream.ts';
import { NOTHING_DISCLOSED } from '../../model/record.ts';
import { SluiceError } from '../../errors.ts';
import type { Session } from './engine.ts';

/** Chunks are processed in slices of this many bytes, so that a part does not wait for a large chunk. */
const SLICE = 64 * 1024;
const NO_BYTES = new Uint8Array(0);

export async function* runEndless(
  groups: { push(chunk: Uint8Array): Arrived },
  open: (plan: DisclosurePlan) => Session,
  body: AsyncIterable<Uint8Array>,
  plan: DisclosurePlan,
): AsyncGenerator<DisclosurePart, void, void> {
  if ((plan.obligations.min_group_size ?? 1) > 1 || plan.page != null)
    throw new SluiceError(
      'group_size_unmet',
      'The answer must hold groups of records, or is a page of what is found; the upstream answers with a stream, which has no end at which groups could be counted.',
    );
  // The caller learns at once that the stream has begun.
  yield { ...NOTHING, chunks: [HEARTBEAT] };
  let released = 0;
  for await (const chunk of body)
    for (let from = 0; from < chunk.length; from += SLICE)
      for (let next = chunk.subarray(from, from + SLICE), more = true; more; next = NO_BYTES) {
        const arrived = groups.push(next);
        const { events, alive } = arrived;
        more = arrived.more;
        let bytes = 0;
        if (events !== null) {
          const renewed = (await plan.renew?.()) ?? plan;
          for await (const part of disclosed(open(within(renewed, released)), events)) {
            released += part.summary.records;
            for (const { length } of part.chunks) bytes += length;
            yield part;
          }
        }
        if (bytes > 0 || !alive) continue;
        if (events === null) await plan.renew?.();
        yield { ...NOTHING, chunks: [HEARTBEAT], heartbeat: true };
      }
  yield { ...NOTHING, last: true };
}

async function* disclosed(session: Session, events: Uint8Array): AsyncGenerator<DisclosurePart, void, void> {
  await session.push(events);
  let fault: unknown = null;
  try {
    await session.end();
  } catch (error) {
    // What came before it is whole.
    fault = error;
    session.cut(false);
  }
  for (const part of session.take()) yield { ...part, last: false };
  if (fault !== null) throw fault;
}

/** What is left of the number of records that the whole stream may have. */
function within(plan: DisclosurePlan, released: number): DisclosurePlan {
  const { max_records } = plan.obligations;
  if (max_records == null) return plan;
  return { ...plan, obligations: { ...plan.obligations, max_records: Math.max(0, max_records - released) } };
}

const NOTHING: DisclosurePart = Object.freeze({
  chunks: [],
  summary: NOTHING_DISCLOSED,
  last: false,
  lookups: { from: 0, to: 0 },
});
