/** How a write is merged with the stored record. */
import { optional, pointer, section, Type } from '../../documents/kinds.ts';

export const keepMasked = section(
  {
    read: optional(
      Type.String({
        pattern: '^GET /',
        description:
          'how the upstream is asked for the stored record: `GET` and a path with parameters of `match`; without it the path of the request',
      }),
    ),
    record: optional(
      pointer({ description: 'where the record is in what is read; without it where `record` says' }),
    ),
    version: optional(
      pointer({
        description:
          'a member of the record that changes with every write, where the upstream refuses an old one; without it `If-Match` is sent with the ETag',
      }),
    ),
  },
  {
    description:
      'what the caller cannot see is written as it is stored: the record is read, merged, and written if it has not changed (JSON only)',
  },
);
