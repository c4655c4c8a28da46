/** NATS JetStream, with a real server that is stopped and started: nothing is lost, and what comes again is stored once. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createDecisionLog } from '../../../src/decision-log/decision-log.ts';
import { feed } from '../../../src/decision-log/index/feeder.ts';
import { readCopy } from '../../../src/decision-log/journal/copy.ts';
import { createSink } from '../../../src/decision-log/sinks/destination.ts';
import { natsDestination } from '../../../src/decision-log/sinks/nats.ts';
import type { NatsSink } from '../../../src/decision-log/sinks/section.ts';
import { silentLogger } from '../../../src/observability/logger.ts';
import { draft } from '../../support/decision-records.ts';
import { recordsOf, temporaryDirectory, writeJournal } from '../../support/journals.ts';
import { hasNats, natsServer } from '../../support/nats.ts';

const certificate = (name: string): string =>
  join(import.meta.dirname, '../../identity/certificates', `${name}.pem`);
const settings = (port: number, over: Partial<NatsSink> = {}): NatsSink => ({
  name: 'bus',
  servers: [{ host: 'localhost', port }],
  subject: 'sluice.decisions.{origin}.{kind}',
  timeout: 3000,
  window: 100,
  ...over,
});

async function feedOnce(dir: string, origin: string, sink: NatsSink): Promise<string> {
  const { store } = createSink(dir, origin, natsDestination(sink));
  try {
    await feed(dir, store);
    return 'fed';
  } catch (e) {
    return `${(e as { code: string }).code}: ${(e as Error).message}`;
  } finally {
    await store.close();
  }
}
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

describe.skipIf(!hasNats)('the sink nats', () => {
  test('publishes each record as its line, under its subject and id, and again without a second message', async () => {
    const server = await natsServer();
    const dir = temporaryDirectory();
    const origin = await writeJournal(dir, 250);
    expect(await feedOnce(dir, origin, settings(server.port))).toMatch(
      /^sink_unavailable: .*no stream takes the subject/,
    );
    await server.stream({ subjects: ['sluice.decisions.>'] });
    expect(await feedOnce(dir, origin, settings(server.port))).toBe('fed');
    // Another name has no position, so that everything comes again.
    expect(await feedOnce(dir, origin, settings(server.port, { name: 'again', window: 7 }))).toBe('fed');
    const messages = await server.messages();
    expect(messages.map((m) => readCopy(m.string()))).toEqual(recordsOf(dir));
    expect(messages.map((m) => m.header.get('Nats-Msg-Id'))).toEqual(
      upTo(250).map((seq) => `${origin}/${seq}`),
    );
    expect(new Set(messages.map((m) => m.subject))).toEqual(
      new Set([`sluice.decisions.${origin}.disclosure`]),
    );
  }, 60_000);

  test('loses nothing and keeps the order while the server is killed and comes back', async () => {
    const server = await natsServer();
    await server.stream({ subjects: ['sluice.decisions.>'] });
    const dir = temporaryDirectory();
    const log = await createDecisionLog(
      {
        journal: { dir: './journal', instance: 'test' },
        sinks: [{ nats: settings(server.port, { window: 20 }) }],
      },
      { logger: silentLogger, baseDir: dir },
    );
    onTestFinished(() => log.close());
    const append = async (from: number, to: number): Promise<void> => {
      for (let i = from; i < to; i++) await log.append(draft(i));
    };
    await append(0, 40);
    await vi.waitFor(
      () => expect(log.status().copies['nats:bus']).toMatchObject({ ok: true, lag: 0 }),
      30_000,
    );
    const appending = append(40, 400);
    await server.stop();
    await appending;
    await vi.waitFor(() => expect(log.status().copies['nats:bus']).toMatchObject({ ok: false }), 30_000);
    await append(400, 420);
    await server.start();
    await vi.waitFor(() => expect(log.status().copies['nats:bus']).toMatchObject({ ok: true, lag: 0 }), {
      timeout: 60_000,
      interval: 200,
    });
    const seqs = (await server.messages()).map((m) => (JSON.parse(m.string()) as { seq: number }).seq);
    expect(seqs).toEqual(upTo(420));
  }, 120_000);

  test('stops at a record that the stream does not take, and says which', async () => {
    const server = await natsServer();
    await server.stream({ subjects: ['sluice.decisions.>'], max_msg_size: 1000 });
    const dir = temporaryDirectory();
    const origin = await writeJournal(dir, 3);
    expect(await feedOnce(dir, origin, settings(server.port))).toMatch(
      new RegExp(`^sink_refused: .*seq 1 of ${origin} has more bytes than the stream takes`),
    );
  }, 60_000);

  test('signs in with a token over TLS, and sends nothing to a server that it does not trust', async () => {
    const tls = { ca: certificate('ca'), cert: certificate('client'), key: certificate('client.key') };
    const server = await natsServer(
      `authorization { token: "s3cret" }
       tls { cert_file: "${certificate('server')}", key_file: "${certificate('server.key')}", ca_file: "${tls.ca}", verify: true }`,
      { token: 's3cret', tls: { caFile: tls.ca, certFile: tls.cert, keyFile: tls.key } },
    );
    await server.stream({ subjects: ['sluice.decisions.>'] });
    const dir = temporaryDirectory();
    const origin = await writeJournal(dir, 5);
    const wrong: Partial<NatsSink>[] = [
      { tls, token: 'wrong' },
      { tls },
      { token: 's3cret' },
      { token: 's3cret', tls: {} },
      { token: 's3cret', tls: { ca: tls.ca } },
    ];
    for (const over of wrong)
      expect(await feedOnce(dir, origin, settings(server.port, over))).toMatch(/^sink_unavailable/);
    expect(await server.messages()).toEqual([]);
    expect(await feedOnce(dir, origin, settings(server.port, { tls, token: 's3cret' }))).toBe('fed');
    expect(await server.messages()).toHaveLength(5);
  }, 60_000);

  test('names credentials that cannot be read, and waits for them', async () => {
    const server = await natsServer();
    const dir = temporaryDirectory();
    const origin = await writeJournal(dir, 1);
    const credentials = join(dir, 'sluice.creds');
    expect(await feedOnce(dir, origin, settings(server.port, { credentials }))).toMatch(
      /^sink_unavailable: .*sluice\.creds cannot be read \(ENOENT\)/,
    );
    writeFileSync(credentials, 'no credentials');
    expect(await feedOnce(dir, origin, settings(server.port, { credentials }))).toMatch(/^sink_unavailable/);
  }, 60_000);
});
