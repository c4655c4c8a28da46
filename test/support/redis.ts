/** The Redis of the tests. Each file has a prefix of its own for its keys, and removes them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@redis/client';
import { freePort } from './port.ts';

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

/** A Redis of the test's own, which it may stop. Without `redis-server` on the PATH the test fails. */
export interface OwnRedis {
  readonly port: number;
  readonly url: string;
  /** again at the same port, after `stop` */
  start(): Promise<void>;
  /** as by `kill -9` */
  stop(): Promise<void>;
  close(): Promise<void>;
}

export async function ownRedis(more: (port: number) => readonly string[] = () => []): Promise<OwnRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-redis-'));
  const port = await freePort();
  let child: ChildProcess;
  const own: OwnRedis = {
    port,
    url: `redis://127.0.0.1:${port}`,
    async start() {
      const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
      child = spawn('redis-server', [...options, '--dir', dir, ...more(port)], { stdio: 'pipe' });
      const failed = once(child, 'error').then(([e]) => Promise.reject(e as Error));
      failed.catch(() => undefined);
      let said = '';
      const isReady = new Promise<void>((resolve, reject) => {
        child.stdout!.on('data', (bytes: Buffer) => {
          said += bytes.toString();
          if (said.includes('Ready to accept connections')) resolve();
        });
        child.once('exit', () => reject(new Error(`redis-server ended: ${said}`)));
      });
      await Promise.race([isReady, failed]);
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
    async close() {
      await own.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
  await own.start();
  return own;
}
