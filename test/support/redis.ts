/** The Redis of the tests. Each file has a prefix of its own for its keys, and removes them. */
import { randomUUID } from 'node:crypto';
import { createClient } from '@redis/client';

export const REDIS = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';

export function freshPrefix(): {
  readonly prefix: string;
  keys(): Promise<string[]>;
  drop(): Promise<void>;
} {
  const prefix = `sluice-test-${randomUUID()}`;
  const connected = async <T>(work: (client: ReturnType<typeof createClient>) => Promise<T>): Promise<T> => {
    const client = createClient({ url: REDIS });
    // Without a Redis the test fails: it does not wait for one.
    client.on('error', () => client.destroy());
    await client.connect();
    try {
      return await work(client as ReturnType<typeof createClient>);
    } finally {
      client.destroy();
    }
  };
  const keys = (): Promise<string[]> => connected((client) => client.keys(`${prefix}:*`));
  return {
    prefix,
    keys,
    drop: async () => {
      const all = await keys();
      if (all.length > 0) await connected((client) => client.del(all));
    },
  };
}
