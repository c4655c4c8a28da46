/**
 * `npm run bench -- profile [--rate 600] [--seconds 10] [--warm 10] [--peer sluice] [--flags="…"] [--top 12] [--json]`
 *
 * Runs one sidecar (or, with `--peer pass-through`, what the proxy is compared with) at a fixed rate, in three periods of `--seconds`:
 * undisturbed, which counts processor time, garbage collections and pauses of the event loop; with a CPU profile and V8's trace, which say what
 * ran; and with a heap profile. `--warm 0` counts the first requests after the start. `--flags` are Node's, in place of the image's. Linux only.
 */
import '../../src/json-parse.ts';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Latencies, openLoop, quantile } from '../proxy/load.ts';
import { FLAGS, startSidecar } from '../proxy/setup.ts';
import { allocationsOf, samplesOf } from './groups.ts';
import { type Counted, type HeapProfile, type Pause, type Profiled, SAMPLE } from './measured.ts';
import { ranIn, traceOf } from './trace.ts';

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '600' },
    seconds: { type: 'string', default: '10' },
    warm: { type: 'string', default: '10' },
    peer: { type: 'string', default: 'sluice' },
    flags: { type: 'string', default: FLAGS.join(' ') },
    top: { type: 'string', default: '12' },
    json: { type: 'boolean', default: false },
  },
});
const [rate, seconds, warm, top] = [values.rate, values.seconds, values.warm, values.top].map(Number) as [
  number,
  number,
  number,
  number,
];
const requests = Math.floor(rate * seconds);
/** pauses that are listed */
const PAUSES = 5;

interface Peer {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly process: ChildProcess;
}

const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const stops: (() => unknown)[] = [() => rmSync(dir, { recursive: true, force: true })];
const flags = ['--import', join(import.meta.dirname, 'probe.ts'), ...values.flags.split(' ').filter(Boolean)];

/** Resolves at its first output. */
async function run(args: readonly string[], ipc: boolean): Promise<{ child: ChildProcess; output: string }> {
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit', ...(ipc ? (['ipc'] as const) : [])],
  });
  stops.push(() => child.kill('SIGTERM'));
  const [output] = (await once(child.stdout!, 'data')) as [Buffer];
  return { child, output: output.toString().trim() };
}

async function start(): Promise<Peer> {
  const { output } = await run([join(import.meta.dirname, 'upstream.ts')], false);
  const upstream = `http://127.0.0.1:${output}`;
  if (values.peer === 'sluice') {
    const sidecar = await startSidecar(join(dir, 'sluice'), upstream, { flags, ipc: true });
    stops.push(() => sidecar.stop());
    const headers = { Authorization: `Bearer ${sidecar.token}`, 'Sluice-Purpose': 'after_sales' };
    return { url: `${sidecar.url}/api/customers/C100001`, headers, process: sidecar.process };
  }
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  const passThrough = join(import.meta.dirname, '../proxy/passthrough.ts');
  const { child } = await run([...flags, passThrough, upstream, String(port)], true);
  return { url: `http://127.0.0.1:${port}/api/customers/C100001`, headers: {}, process: child };
}

async function measure<T>(peer: Peer, what: string): Promise<[T, Latencies]> {
  const ask = async (message: string): Promise<unknown> => {
    const answer = once(peer.process, 'message');
    peer.process.send(message);
    return (await answer)[0];
  };
  await ask(what);
  const latencies = await openLoop(peer.url, peer.headers, rate, seconds);
  return [(await ask('stop')) as T, latencies];
}

interface Share {
  readonly name: string;
  readonly value: number;
}

class Shares {
  readonly #sums = new Map<string, number>();
  #total = 0;

  add(name: string, amount: number): void {
    this.#sums.set(name, (this.#sums.get(name) ?? 0) + amount);
    this.#total += amount;
  }

  /** the largest first, scaled so that all together are `whole` */
  of(whole: number, most = Number.POSITIVE_INFINITY): Share[] {
    return [...this.#sums]
      .map(([name, sum]) => ({ name, value: (sum / this.#total) * whole }))
      .sort((a, b) => b.value - a.value)
      .slice(0, most);
  }
}

function report(counted: Counted, latencies: Latencies, profiled: Profiled, heap: HeapProfile) {
  const each = ({ user, system }: { user: number; system: number }, n = requests) => (user + system) / n;
  const main = each(counted.main);
  const [layers, stages, code] = [new Shares(), new Shares(), new Shares()];
  samplesOf(profiled.profile, (sample, _, until) => {
    if (sample === 'idle' || sample.layer === 'probe') return;
    // More time than that has passed where another process had the core.
    const micros = Math.min(until, 2 * SAMPLE);
    layers.add(sample.layer, micros);
    stages.add(sample.stage, micros);
    code.add(sample.code, micros);
  });
  const [bytesByLayer, bytesByStage, bytesByCode] = [new Shares(), new Shares(), new Shares()];
  allocationsOf(heap.head, (sample, bytes) => {
    if (sample.layer === 'probe') return;
    bytesByLayer.add(sample.layer, bytes);
    bytesByStage.add(sample.stage, bytes);
    bytesByCode.add(sample.code, bytes);
  });
  const allocated = counted.allocated === null ? null : counted.allocated / requests / 1024;
  const longest = (pauses: readonly Pause[]): Pause[] =>
    pauses.toSorted((a, b) => b.to - b.from - (a.to - a.from)).slice(0, PAUSES);
  const collections = (kind: number): object => {
    const found = counted.collections.filter((c) => c.kind === kind).map((c) => c.micros / 1000);
    const [sum, most] = [found.reduce((a, b) => a + b, 0), Math.max(0, ...found)];
    return { count: found.length, milliseconds: sum, longest: most };
  };
  const worst = longest(profiled.pauses);
  const ran = ranIn(profiled, worst);
  return {
    peer: values.peer,
    flags: values.flags,
    rate,
    seconds,
    latency_ms: {
      p50: quantile(latencies, 0.5),
      p99: quantile(latencies, 0.99),
      most: quantile(latencies, 1),
    },
    micros_per_request: {
      all_threads: each(counted.cpu),
      main_thread: main,
      kernel: counted.cpu.system / requests,
      kernel_main_thread: counted.main.system / requests,
      threads: Object.fromEntries(
        Object.entries(counted.threads).map(([name, ran]) => [name, ran / requests]),
      ),
      layers: layers.of(main),
      stages: stages.of(main),
      code: code.of(main, top),
    },
    kilobytes_per_request: {
      all: allocated,
      layers: bytesByLayer.of(allocated ?? 0),
      stages: bytesByStage.of(allocated ?? 0),
      code: bytesByCode.of(allocated ?? 0, top),
    },
    // The kinds of `perf_hooks.constants`.
    collections: {
      minor: collections(1),
      major: collections(4),
      incremental: collections(8),
      weak: collections(16),
    },
    event_loop_delay_ms: counted.delay,
    trace: traceOf(profiled),
    pauses: {
      undisturbed: longest(counted.pauses).map(milliseconds),
      number: counted.pauses.length,
      profiled: worst.map((pause, i) => ({ ...milliseconds(pause), ran: ran[i] ?? '' })),
    },
  };
}

const milliseconds = ({ from, to, cpu }: Pause): { readonly pause: number; readonly processor: number } => ({
  pause: (to - from) / 1000,
  processor: cpu / 1000,
});

function print(found: ReturnType<typeof report>): void {
  const say = (line = ''): void => void process.stdout.write(`${line}\n`);
  const table = (title: string, shares: readonly Share[]): void => {
    say();
    say(title);
    const whole = shares.reduce((sum, { value }) => sum + value, 0);
    for (const { name, value } of shares)
      if (value >= whole / 500) say(`  ${value.toFixed(1).padStart(8)}  ${name}`);
  };
  const { micros_per_request: micros, kilobytes_per_request: bytes, latency_ms: latency } = found;
  say(`${found.peer}, ${rate} requests/s for ${seconds} s after ${warm} s, node ${found.flags}`);
  say(
    `latency: p50 ${latency.p50.toFixed(2)} ms, p99 ${latency.p99.toFixed(2)} ms, longest ${latency.most.toFixed(1)} ms`,
  );
  table('processor time, µs a request', [
    { name: 'all threads', value: micros.all_threads },
    { name: 'of which in the kernel', value: micros.kernel },
    { name: 'main thread', value: micros.main_thread },
    { name: 'of which in the kernel', value: micros.kernel_main_thread },
    ...Object.entries(micros.threads)
      .filter(([name]) => name !== 'MainThread' && name !== 'node')
      .map(([name, value]) => ({ name: `threads ${name}`, value })),
  ]);
  table('main thread by layer, µs a request (with their calls of the kernel)', micros.layers);
  table('main thread by stage, µs a request (with what the stage calls)', micros.stages);
  table('main thread by function, µs a request', micros.code);
  say();
  say(
    `allocated on V8's heap: ${bytes.all === null ? 'too few collections' : `${bytes.all.toFixed(1)} kB`} a request`,
  );
  table('by layer, kB a request', bytes.layers);
  table('by stage, kB a request', bytes.stages);
  table('by function, kB a request', bytes.code);
  say();
  say(`garbage collections, undisturbed: ${JSON.stringify(found.collections, rounded)}`);
  say(`event loop late by, undisturbed, ms: ${JSON.stringify(found.event_loop_delay_ms, rounded)}`);
  say();
  say('work of V8 in the profiled period, milliseconds of processor time');
  for (const { name, count, main, others, longest } of found.trace)
    say(
      `  ${name.padEnd(32)} main thread ${main.toFixed(1).padStart(7)} in ${String(count).padStart(4)}, longest ${longest.toFixed(1).padStart(5)} by the clock; other threads ${others.toFixed(1).padStart(7)}`,
    );
  say();
  say(
    `longest pauses of ${found.pauses.number}, undisturbed: ms by the clock (of which the main thread ran)`,
  );
  for (const { pause, processor } of found.pauses.undisturbed)
    say(`  ${pause.toFixed(1)} (${processor.toFixed(1)})`);
  say('longest pauses while profiled, and what ran in them, ms');
  for (const { pause, processor, ran } of found.pauses.profiled)
    say(`  ${pause.toFixed(1)} (${processor.toFixed(1)}): ${ran}`);
}

const rounded = (_: string, value: unknown): unknown =>
  typeof value === 'number' ? Math.round(value * 100) / 100 : value;

try {
  const peer = await start();
  if (warm > 0) await openLoop(peer.url, peer.headers, rate, warm);
  const [counted, latencies] = await measure<Counted>(peer, 'count');
  const [profiled] = await measure<Profiled>(peer, 'profile');
  const [heap] = await measure<HeapProfile>(peer, 'allocations');
  const found = report(counted, latencies, profiled, heap);
  if (values.json) process.stdout.write(`${JSON.stringify(found, rounded)}\n`);
  else print(found);
} finally {
  for (const stop of stops.reverse()) await stop();
}
