/** Whether a list goes on, where the upstream does not say how many records it has. */
import type { DisclosurePlan, TypedId } from '../model/disclosure.ts';
import { type Answered, mediaOf } from './answer.ts';
import { forwardedMethod } from './forward.ts';
import { consentLookup } from './look-ups.ts';
import type { DecisionEntry } from './record.ts';
import type { Stages } from './stages.ts';

/**
 * Asks the upstream for the records after the first `received` ones.
 * @returns null: there is no way to ask
 */
export async function hasMore(
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
    // What it finds is not released: it is none of the look-ups of the answer.
    const unreleased = {
      ...rest,
      consents: consentLookup(stages, entry),
      identify: (values: readonly TypedId[]) => stages.identities.identify(answered.snapshot.data, values),
    };
    for await (const { summary } of stages.disclosure.disclose(stages.decode(body, encodings), unreleased))
      if (summary.records + summary.records_withheld > 0) return true;
    return false;
  } finally {
    response.body.discard();
  }
}
