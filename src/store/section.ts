/** Section `store`: the database for what Sluice itself must remember. */
import { database, optional, path, secret, section, type Static, Type } from '../documents/kinds.ts';

export const storeSchema = Type.Union(
  [
    section({
      sqlite: path({ description: 'a file on a local disk: for one machine; created if it does not exist' }),
    }),
    section({
      postgres: database({
        description:
          'a PostgreSQL database, shared by any number of sidecars: `sluice store migrate` makes its tables',
      }),
      announcements: optional(
        section(
          {
            redis: secret({
              description:
                'URL of a Redis (`redis://`, or `rediss://` with TLS) through which processes tell each other that there is something to read',
            }),
          },
          {
            description:
              'for a database behind a pooler that shares connections by transaction: changes are read from a table every 0.5 s, and at each hint through Redis. Absent: one connection of each process listens (LISTEN)',
          },
        ),
      ),
    }),
  ],
  {
    description:
      'database for what Sluice itself must remember (consents, grants, revocations): {sqlite: PATH} or {postgres: "env:DATABASE_URL"}, with announcements: {redis: "env:REDIS_URL"} behind a pooler',
  },
);

export type StoreConfig = Static<typeof storeSchema>;
