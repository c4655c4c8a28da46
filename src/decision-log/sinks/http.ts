/** Posts batches to a server that takes OPA's decision logs: `POST`, a JSON array of events, gzip. */
import type { Destination } from './destination.ts';
import { opaEvent } from './opa-event.ts';
import { postedBatches } from './posting.ts';
import type { HttpSink } from './section.ts';

export const httpDestination = ({ name, url, bearer, tls, timeout, labels }: HttpSink): Destination =>
  postedBatches({
    sink: `http:${name}`,
    url,
    tls,
    timeout,
    headers: {
      'content-type': 'application/json',
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
    },
    encode: (_origin, copies) =>
      Buffer.from(JSON.stringify(copies.map(({ record }) => opaEvent(record, labels)))),
  });
