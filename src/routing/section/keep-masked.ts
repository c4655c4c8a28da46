/** How a write is merged with the stored record. */
import { optional, pointer, section, Type } from '../../documents/kinds.ts';

export const keepMasked = section(
  {
    read: optional(
      Type.String({
        pattern: '^GET /',
        description:
          'request for the stored record: `GET` and a path with parameters of `match`; default: the path of the request',
      }),
    ),
    record: optional(
      pointer({ description: 'place of the record in the answer to the read request; default: `record`' }),
    ),
    version: optional(
      pointer({
        description:
          'member of the record that changes with every write, if the upstream refuses a write with an old value; without it, `If-Match` is sent with the ETag',
      }),
    ),
  },
  {
    description:
      'values that the caller cannot see are written as they are stored: Sluice reads the record, merges it with the body, and writes it if it has not changed (JSON only)',
  },
);
