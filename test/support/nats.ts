/** A NATS server with JetStream of its own, which can be stopped and started again with what it has stored. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager, type StoredMsg } from '@nats-io/jetstream';
import { connect, type NodeConnectionOptions } from '@nats-io/transport-node';
import { onTestFinished, vi } from 'vitest';
import { freePort } from './port.ts';

const BINARY = process.env['NATS_SERVER'] ?? '/usr/sbin/nats-server';
/** .ci/run demands one; elsewhere it may not be installed. */
export const hasNats = process.env['SLUICE_NATS'] === 'required' || existsSync(BINARY);
if (!hasNats) console.warn(`skipped: no NATS server at ${BINARY} (Debian: nats-server)`);

export interface NatsServer {
  readonly port: number;
  start(): Promise<void>;
  /** kill -9 */
  stop(): Promise<void>;
  /** all messages of the stream, in its order */
  messages(): Promise<StoredMsg[]>;
  /** @param settings of the stream; none: there is no stream yet */
  stream(settings: { readonly subjects: string[]; readonly max_msg_size?: number }): Promise<void>;
}

/** @param configuration of the server, besides its port and store; @param client how the test itself connects */
export async function natsServer(
  configuration = '',
  client: NodeConnectionOptions = {},
): Promise<NatsServer> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-nats-'));
  const port = await freePort();
  const file = join(dir, 'nats.conf');
  writeFileSync(
    file,
    `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${dir}/store" }\n${configuration}\n`,
  );
  let server: ChildProcess | null = null;
  const manager = async <T>(
    work: (js: Awaited<ReturnType<typeof jetstreamManager>>) => Promise<T>,
  ): Promise<T> => {
    const nats = await connect({ servers: `localhost:${port}`, ...client });
    try {
      return await work(await jetstreamManager(nats));
    } finally {
      await nats.close();
    }
  };
  const started: NatsServer = {
    port,
    async start() {
      server = spawn(BINARY, ['-c', file], { stdio: 'ignore' });
      await vi.waitFor(
        () =>
          new Promise<void>((resolve, reject) => {
            const probe = connectTcp(port, '127.0.0.1', () => {
              probe.destroy();
              resolve();
            });
            probe.on('error', reject);
          }),
        { timeout: 30_000 },
      );
    },
    async stop() {
      const stopped = server;
      server = null;
      if (stopped === null) return;
      await new Promise((resolve) => {
        stopped.once('exit', resolve);
        stopped.kill('SIGKILL');
      });
    },
    messages: () =>
      manager(async (js) => {
        const { state } = await js.streams.info('decisions');
        const out: StoredMsg[] = [];
        if (state.messages === 0) return out;
        for (let seq = state.first_seq; seq <= state.last_seq; seq++)
          out.push((await js.streams.getMessage('decisions', { seq }))!);
        return out;
      }),
    stream: (settings) =>
      manager(async (js) => void (await js.streams.add({ name: 'decisions', ...settings }))),
  };
  onTestFinished(async () => {
    await started.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  await started.start();
  return started;
}
