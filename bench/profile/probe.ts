/**
 * Runs inside the measured process (`node --import probe.ts`) and measures when the benchmark asks over the IPC channel. `count` costs the
 * process nearly nothing. `profile` and `allocations` slow it down, so their shares are applied to what `count` has measured.
 */
import { Session } from 'node:inspector/promises';
import { readdirSync, readFileSync } from 'node:fs';
import {
  monitorEventLoopDelay,
  type PerformanceEntry as NodePerformanceEntry,
  PerformanceObserver,
} from 'node:perf_hooks';
import { GCProfiler } from 'node:v8';
import {
  type Counted,
  type CpuProfile,
  type HeapProfile,
  type Pause,
  type Profiled,
  SAMPLE,
  type Threads,
  type TraceEvent,
} from './measured.ts';

/** milliseconds between two ticks of the timer that notices pauses, and the lateness that is a pause */
const TICK = 5;
const PAUSE = 3;
/** bytes between samples of the heap profile */
const HEAP_SAMPLE = 16_384;
/** clock ticks of /proc are 10 ms; `schedstat` counts nanoseconds */
const threads = (): Threads => {
  const sums: Record<string, number> = {};
  for (const id of readdirSync('/proc/self/task')) {
    try {
      const name = readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim();
      const [ran = 0] = readFileSync(`/proc/self/task/${id}/schedstat`, 'utf8').split(' ').map(Number);
      sums[name] = (sums[name] ?? 0) + ran / 1000;
    } catch {
      // The thread has just ended.
    }
  }
  return sums;
};

const since = (now: Threads, before: Threads): Threads =>
  Object.fromEntries(Object.entries(now).map(([name, ran]) => [name, ran - (before[name] ?? 0)]));

/** microseconds of the monotonic clock, which CPU profiles and trace events use, too */
const now = (): number => Number(process.hrtime.bigint() / 1000n);

/** Notices when the event loop is late: for how long, and how much processor time this thread had meanwhile. */
function watchPauses(): () => Pause[] {
  const pauses: Pause[] = [];
  let at = now();
  let used = process.threadCpuUsage();
  const timer = setInterval(() => {
    const [then, usage] = [now(), process.threadCpuUsage()];
    const late = then - at - TICK * 1000;
    if (late >= PAUSE * 1000)
      pauses.push({
        from: at,
        to: then,
        cpu: usage.user + usage.system - used.user - used.system,
      });
    at = then;
    used = usage;
  }, TICK);
  return () => {
    clearInterval(timer);
    return pauses;
  };
}

type Collection = NodePerformanceEntry & { readonly detail: { readonly kind: number } };

function count(): () => Counted {
  const offset = now() - performance.now() * 1000;
  const collections: Counted['collections'][number][] = [];
  const observer = new PerformanceObserver((list) => {
    for (const { startTime, duration, detail } of list.getEntries() as Collection[])
      collections.push({
        at: startTime * 1000 + offset,
        micros: duration * 1000,
        kind: detail.kind,
      });
  });
  observer.observe({ entryTypes: ['gc'] });
  const heap = new GCProfiler();
  heap.start();
  const delay = monitorEventLoopDelay({ resolution: TICK });
  delay.enable();
  const before = threads();
  // Only now: what comes before takes some milliseconds.
  const pauses = watchPauses();
  const [began, cpu, main] = [now(), process.cpuUsage(), process.threadCpuUsage()];
  return () => {
    const [paused, used, own, micros] = [
      pauses(),
      process.cpuUsage(cpu),
      process.threadCpuUsage(),
      now() - began,
    ];
    const ran = since(threads(), before);
    const { statistics } = heap.stop();
    observer.disconnect();
    delay.disable();
    let allocated = 0;
    for (let i = 1; i < statistics.length; i++)
      allocated +=
        statistics[i]!.beforeGC.heapStatistics.usedHeapSize -
        statistics[i - 1]!.afterGC.heapStatistics.usedHeapSize;
    return {
      micros,
      cpu: used,
      main: { user: own.user - main.user, system: own.system - main.system },
      threads: ran,
      collections,
      // Before the first and after the last collection is not known: the intervals between them are spread over the whole.
      allocated: statistics.length < 3 ? null : (allocated * statistics.length) / (statistics.length - 1),
      delay: { p50: delay.percentile(50) / 1e6, p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 },
      pauses: paused,
    };
  };
}

async function profile(): Promise<() => Promise<Profiled>> {
  const session = new Session();
  session.connect();
  const events: TraceEvent[] = [];
  session.on('NodeTracing.dataCollected', ({ params }) => {
    for (const { name, tid, ts, dur, tdur, ph } of params.value as unknown as (TraceEvent & {
      readonly ph: string;
    })[])
      if (ph === 'X') events.push({ name, tid, ts, dur, tdur });
  });
  const complete = new Promise<void>((resolve) => session.on('NodeTracing.tracingComplete', () => resolve()));
  const includedCategories = ['v8', 'disabled-by-default-v8.compile', 'disabled-by-default-v8.gc'];
  await session.post('NodeTracing.start', { traceConfig: { includedCategories } });
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: SAMPLE });
  await session.post('Profiler.start');
  const pauses = watchPauses();
  const began = now();
  return async () => {
    const [found, micros] = [pauses(), now() - began];
    const { profile } = await session.post('Profiler.stop');
    await session.post('NodeTracing.stop');
    await complete;
    session.disconnect();
    return { micros, pauses: found, profile: profile as CpuProfile, events, main: process.pid };
  };
}

async function allocations(): Promise<() => Promise<HeapProfile>> {
  const session = new Session();
  session.connect();
  await session.post('HeapProfiler.startSampling', {
    samplingInterval: HEAP_SAMPLE,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  return async () => {
    const { profile } = await session.post('HeapProfiler.stopSampling');
    session.disconnect();
    return profile as HeapProfile;
  };
}

const STARTS = { count, profile, allocations } as const;
let stop: (() => unknown) | null = null;

// A process that the sidecar starts inherits the `--import`: it has a channel of its own to its parent.
if (/\/(?:main|passthrough)\.ts$/.test(process.argv[1] ?? '')) {
  process.on('message', async (asked: keyof typeof STARTS | 'stop') => {
    if (asked === 'stop') process.send?.(await stop?.());
    else {
      stop = await STARTS[asked]();
      process.send?.('started');
    }
  });
  // The channel alone does not keep the process alive.
  process.channel?.unref();
}
