/** Section `store`: the database for what Sluice itself must remember. */
import { database, path, section, type Static, Type } from '../documents/kinds.ts';

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
    }),
  ],
  {
    description:
      'database for what Sluice itself must remember (consents, grants, revocations): {sqlite: PATH} or {postgres: "env:DATABASE_URL"}',
  },
);

export type StoreConfig = Static<typeof storeSchema>;
