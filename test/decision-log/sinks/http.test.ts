/** Batches of events over HTTP: nothing is lost and nothing leaves its order, whatever the server answers. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createDecisionLog, type OpenDecisionLog } from '../../../src/decision-log/decision-log.ts';
import { feed } from '../../../src/decision-log/index/feeder.ts';
import { type Destination, createSink } from '../../../src/decision-log/sinks/destination.ts';
import { httpDestination } from '../../../src/decision-log/sinks/http.ts';
import { opaEvent } from '../../../src/decision-log/sinks/opa-event.ts';
import type { HttpSink } from '../../../src/decision-log/sinks/section.ts';
import { silentLogger } from '../../../src/observability/logger.ts';
import { resolveOpa } from '../../../src/policy/opa/opa.ts';
import { draft } from '../../support/decision-records.ts';
import { recordsOf, temporaryDirectory, writeJournal } from '../../support/journals.ts';
import { receiver } from '../../support/receiver.ts';

const certificate = (name: string): string =>
  join(import.meta.dirname, '../../identity/certificates', `${name}.pem`);
const pem = (name: string): Buffer => readFileSync(certificate(name));
const settings = (url: string, over: Partial<HttpSink> = {}): HttpSink => ({
  name: 'central',
  url,
  tls: {},
  timeout: 2000,
  labels: {},
  ...over,
});
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

/** Feeds until it succeeds, as the worker does. @returns codes of the failures */
async function feedAll(dir: string, origin: string, destination: Destination, tries = 50): Promise<string[]> {
  const failures: string[] = [];
  for (let i = 0; i < tries; i++) {
    // A new sink each time: what it knows is in the file with its position, as after a crash.
    const { store } = createSink(dir, origin, { ...destination, close: async () => undefined });
    try {
      await feed(dir, store, undefined, (of) => of === origin);
      await destination.close();
      return failures;
    } catch (e) {
      failures.push((e as { code: string }).code);
    }
  }
  return failures;
}

async function open(dir: string, sinks: readonly HttpSink[]): Promise<OpenDecisionLog> {
  const log = await createDecisionLog(
    { journal: { dir: './journal', instance: 'test' }, sinks: sinks.map((http) => ({ http })) },
    { logger: silentLogger, baseDir: dir },
  );
  onTestFinished(() => log.close());
  return log;
}

describe('the sink http', () => {
  test('posts a JSON array, compressed, with its token and labels', async () => {
    const dir = temporaryDirectory();
    const origin = await writeJournal(dir, 3);
    const to = await receiver();
    expect(
      await feedAll(
        dir,
        origin,
        httpDestination(settings(to.url, { bearer: 's3cret', labels: { region: 'cn' } })),
      ),
    ).toEqual([]);
    expect(to.received).toHaveLength(1);
    expect(to.received[0]).toMatchObject({
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-encoding': 'gzip',
        authorization: 'Bearer s3cret',
      },
      events: [{ labels: { app: 'sluice', id: origin, region: 'cn' } }, {}, {}],
    });
  });

  test('loses nothing and keeps the order, whatever fails', async () => {
    const fault = fc.constantFrom('ok', '429', '503', 'break', '408', '413');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fault, { maxLength: 12 }),
        fc.integer({ min: 1, max: 40 }),
        async (faults, n) => {
          const dir = mkdtempSync(join(tmpdir(), 'sluice-sink-'));
          try {
            const origin = await writeJournal(dir, n);
            const to = await receiver((events, i) => {
              const now = faults[i] ?? 'ok';
              if (now === 'ok' || (now === '413' && events.length === 1)) return { status: 200 };
              return now === 'break' ? now : { status: Number(now) };
            });
            await feedAll(dir, origin, httpDestination(settings(to.url)));
            const seqs = to.seqs()[origin]!;
            // Duplicates come from batches whose end was not acknowledged; the first arrivals are in order.
            expect([...new Set(seqs)]).toEqual(upTo(n));
          } finally {
            rmSync(dir, { recursive: true, force: true });
          }
        },
      ),
      { numRuns: 25 },
    );
  }, 60_000);

  test('splits a batch that is too large for the server, and sends smaller ones from then on', async () => {
    const dir = temporaryDirectory();
    const origin = await writeJournal(dir, 40);
    const to = await receiver((events) => ({ status: events.length > 7 ? 413 : 200 }));
    const failures = await feedAll(dir, origin, httpDestination(settings(to.url)));
    expect(failures).toEqual([]);
    expect(to.seqs()[origin]).toEqual(upTo(40));
    expect(to.received.filter(({ taken }) => !taken)).toHaveLength(3);
  });

  test.each([
    [400, 40],
    [401, 40],
    [302, 40],
    [413, 1],
  ])(
    'stops with its reason at HTTP %i, keeps its position, and sends the records after a restart',
    async (status, n) => {
      const dir = temporaryDirectory();
      let isCorrected = false;
      const to = await receiver(() =>
        isCorrected ? { status: 200 } : { status, text: 'no such token: C100000' },
      );
      const log = await open(dir, [settings(to.url)]);
      await Promise.all(Array.from({ length: n }, (_, i) => log.append(draft(i))));
      await expect
        .poll(() => log.status().copies['http:central'], { timeout: 10_000 })
        .toMatchObject({
          ok: false,
          seq: 0,
          stopped: true,
          detail: expect.stringContaining(`HTTP ${status}`),
        });
      const asked = to.received.length;
      await log.append(draft(n));
      expect(log.status()).toMatchObject({
        ok: true,
        unreadable: 0,
        copies: { 'http:central': { lag: n + 1 } },
      });
      await log.close();
      expect(to.received).toHaveLength(asked);
      isCorrected = true;
      const again = await open(dir, [settings(to.url)]);
      await expect
        .poll(() => again.status().copies['http:central'], { timeout: 10_000 })
        .toMatchObject({ ok: true, lag: 0 });
      expect(to.seqs()[log.origin]).toEqual(upTo(n + 1));
    },
  );

  test('delays no request and no other sink while a server does not answer', async () => {
    const dir = temporaryDirectory();
    const dead = await receiver(() => 'nothing');
    const live = await receiver();
    const log = await open(dir, [
      settings(dead.url, { timeout: 60_000 }),
      settings(live.url, { name: 'live' }),
    ]);
    for (let i = 0; i < 30; i++) await log.append(draft(i));
    await expect.poll(() => live.seqs()[log.origin]?.length, { timeout: 10_000 }).toBe(30);
    expect(live.seqs()[log.origin]).toEqual(upTo(30));
    expect(dead.received).toHaveLength(1);
  });

  test('keeps all others current while one refuses for a while, each at its own position', async () => {
    const dir = temporaryDirectory();
    let refuses = true;
    const refusing = await receiver(() => ({ status: refuses ? 503 : 200 }));
    const others = [await receiver(), await receiver()];
    const log = await open(dir, [
      settings(refusing.url, { name: 'refusing' }),
      ...others.map(({ url }, i) => settings(url, { name: `other-${i}` })),
    ]);
    for (let i = 0; i < 60; i++) {
      await log.append(draft(i));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    for (const other of others)
      await expect.poll(() => other.seqs()[log.origin], { timeout: 20_000 }).toEqual(upTo(60));
    await expect
      .poll(() => log.status().copies, { timeout: 20_000 })
      .toMatchObject({
        'http:refusing': { ok: false, seq: 0, lag: 60 },
        'http:other-0': { ok: true, seq: 60, lag: 0 },
        'http:other-1': { ok: true, seq: 60, lag: 0 },
      });
    refuses = false;
    await expect.poll(() => refusing.seqs()[log.origin], { timeout: 60_000 }).toEqual(upTo(60));
    expect(log.status()).toMatchObject({ ok: true, unreadable: 0 });
    for (const other of others) expect(other.seqs()[log.origin]).toEqual(upTo(60));
  }, 120_000);

  test('sends also the chain of a process that has ended before its server answered', async () => {
    const dir = temporaryDirectory();
    const journal = join(dir, 'journal');
    const ended = await writeJournal(journal, 5, { instance: 'other' });
    const to = await receiver();
    const log = await open(dir, [settings(to.url)]);
    await log.append(draft(1));
    await expect.poll(() => to.seqs()[ended], { timeout: 10_000 }).toEqual(upTo(5));
    await log.close();
    const next = await open(dir, [settings(to.url)]);
    await next.append(draft(2));
    await expect.poll(() => to.seqs()[log.origin]?.at(-1), { timeout: 10_000 }).toBeGreaterThan(1);
    expect(to.seqs()[ended]).toEqual(upTo(5));
  });

  test('shows a client certificate, and trusts no authority but the named one', async () => {
    const dir = temporaryDirectory();
    const origin = await writeJournal(dir, 2);
    const to = await receiver(() => ({ status: 200 }), {
      cert: pem('server'),
      key: pem('server.key'),
      ca: pem('ca'),
      requestCert: true,
      rejectUnauthorized: true,
    });
    const tls = { ca: certificate('ca'), cert: certificate('client'), key: certificate('client.key') };
    expect(await feedAll(dir, origin, httpDestination(settings(to.url)), 1)).toEqual(['sink_unavailable']);
    expect(await feedAll(dir, origin, httpDestination(settings(to.url, { tls: { ca: tls.ca } })), 1)).toEqual(
      ['sink_unavailable'],
    );
    expect(to.received).toEqual([]);
    expect(await feedAll(dir, origin, httpDestination(settings(to.url, { tls })))).toEqual([]);
    expect(to.seqs()[origin]).toEqual(upTo(2));
  });

  test('names a certificate that is not there, at the start', async () => {
    const sink = settings('https://logs.example/', { tls: { ca: '/nowhere/ca.pem' } });
    await expect(open(temporaryDirectory(), [sink])).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining('/nowhere/ca.pem'),
    });
  });
});

/** A value with its scalars replaced by their types. */
const shape = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(shape)
    : value !== null && typeof value === 'object'
      ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, shape(v)]))
      : typeof value;

test('an event has the members and types of one that OPA itself sends', async () => {
  const dir = temporaryDirectory();
  const to = await receiver();
  const port = await new Promise<number>((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
  writeFileSync(join(dir, 'p.rego'), 'package sluice.decision\nallow if input.a == 1\n');
  writeFileSync(
    join(dir, 'opa.yaml'),
    JSON.stringify({
      services: { s: { url: to.url.replace('/logs', '') } },
      decision_logs: { service: 's', reporting: { min_delay_seconds: 1, max_delay_seconds: 1 } },
    }),
  );
  const opa = spawn(
    (await resolveOpa()).path,
    ['run', '--server', '--addr', `127.0.0.1:${port}`, '--config-file', 'opa.yaml', 'p.rego'],
    { cwd: dir, stdio: 'ignore' },
  );
  onTestFinished(() => void opa.kill());
  const ask = () =>
    fetch(`http://127.0.0.1:${port}/v1/data/sluice/decision`, {
      method: 'POST',
      body: '{"input":{"a":1}}',
    }).then(
      (r) => r.ok,
      () => false,
    );
  await expect.poll(ask, { timeout: 30_000, interval: 200 }).toBe(true);
  await expect.poll(() => to.received.length, { timeout: 20_000 }).toBeGreaterThan(0);
  const theirs = to.received[0]!;
  expect(theirs.headers).toMatchObject({ 'content-type': 'application/json', 'content-encoding': 'gzip' });
  const event = theirs.events[0]!;

  const journal = temporaryDirectory();
  await writeJournal(journal, 2);
  const record = recordsOf(journal)[1]!;
  const ours = opaEvent(record, {});
  // `req_id` counts requests of one OPA process; `custom.seq` counts here.
  const common = Object.keys(event).filter((k) => k !== 'req_id');
  expect(Object.keys(ours)).toEqual(expect.arrayContaining(common));
  for (const scalar of ['decision_id', 'path', 'requested_by', 'timestamp'] as const)
    expect([scalar, typeof ours[scalar]]).toEqual([scalar, shape(event[scalar])]);
  for (const of of [event['labels'], ours.labels])
    expect(Object.values(of as object).every((v) => typeof v === 'string')).toBe(true);
  for (const of of [event['metrics'], ours.metrics])
    expect(
      Object.entries(of as object).filter(([k, v]) => k.startsWith('timer_') && !Number.isInteger(v)),
    ).toEqual([]);
  expect(ours.path).toBe(event['path']);
  expect(ours.result).toMatchObject({ allow: expect.any(Boolean) });
  // Nothing of the record is missing.
  const { decision_id, timestamp, trace_id, input, policy, timings_us, ...rest } = record;
  expect(ours).toMatchObject({ decision_id, timestamp, input, custom: rest });
  expect(ours.bundles).toEqual({ [policy!.bundle]: { revision: policy!.revision } });
  expect(Object.keys(ours.metrics)).toHaveLength(Object.keys(timings_us).length);
  expect([trace_id, 'trace_id' in ours]).toEqual([null, false]);
}, 60_000);
