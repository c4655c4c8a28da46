/** What V8 did, from its trace events, and what ran in a pause of the event loop. */
import { samplesOf } from './groups.ts';
import type { Pause, Profiled, TraceEvent } from './measured.ts';

/** Events that contain no other of this list, so that their times can be added. */
const NAMED: Readonly<Record<string, string>> = {
  'V8.GCScavenger': 'scavenge',
  'V8.GC_SCAVENGER_BACKGROUND_SCAVENGE_PARALLEL': 'scavenge',
  'V8.GCIncrementalMarkingStart': 'marking',
  'V8.GCIncrementalMarking': 'marking',
  'V8.GC_MC_BACKGROUND_MARKING': 'marking',
  'V8.GCFinalizeMC': 'mark-compact',
  'V8.GCFinalizeMCReduceMemory': 'mark-compact to reduce memory',
  'V8.GC_MC_BACKGROUND_EVACUATE_COPY': 'mark-compact',
  'V8.GC_MC_BACKGROUND_EVACUATE_UPDATE_POINTERS': 'mark-compact',
  'V8.GC_MC_BACKGROUND_SWEEPING': 'sweeping',
  'V8.CompileCode': 'compile bytecode',
  'V8.FinalizeBaselineConcurrentCompilation': 'compile baseline (Sparkplug)',
  'V8.BaselineBatchCompilation': 'compile baseline (Sparkplug)',
  'V8.MaglevConcurrentPrepare': 'optimise (Maglev)',
  'V8.MaglevBackground': 'optimise (Maglev)',
  'V8.MaglevConcurrentFinalize': 'optimise (Maglev)',
  'V8.OptimizeConcurrentPrepare': 'optimise (TurboFan)',
  'V8.OptimizeBackground': 'optimise (TurboFan)',
  'V8.OptimizeConcurrentFinalize': 'optimise (TurboFan)',
  'V8.DeoptimizeCode': 'deoptimise',
};

export interface Work {
  readonly name: string;
  /** on the main thread */
  count: number;
  /** milliseconds of processor time */
  main: number;
  others: number;
  /** milliseconds on the main thread by the clock */
  longest: number;
}

export function traceOf({ events, main }: Profiled): Work[] {
  const works = new Map<string, Work>();
  for (const { name: event, tid, dur, tdur = dur } of events) {
    const name = NAMED[event];
    if (name === undefined) continue;
    const work = works.get(name) ?? { name, count: 0, main: 0, others: 0, longest: 0 };
    works.set(name, work);
    if (tid === main) {
      work.count += 1;
      work.main += tdur / 1000;
      work.longest = Math.max(work.longest, dur / 1000);
    } else work.others += tdur / 1000;
  }
  return [...works.values()].sort((a, b) => b.main + b.others - a.main - a.others);
}

/** What ran in a pause, with milliseconds: events of V8 on the main thread, then samples of the CPU profile, the longest first. */
export function ranIn({ profile, events, main }: Profiled, pauses: readonly Pause[]): string[] {
  const found = pauses.map(() => new Map<string, number>());
  const add = (from: number, to: number, what: string): void => {
    for (const [i, pause] of pauses.entries()) {
      const micros = Math.min(to, pause.to) - Math.max(from, pause.from);
      if (micros > 0) found[i]!.set(what, (found[i]!.get(what) ?? 0) + micros);
    }
  };
  for (const { name, tid, ts, dur } of events as readonly TraceEvent[])
    if (tid === main && NAMED[name] !== undefined) add(ts, ts + dur, `[${NAMED[name]}]`);
  samplesOf(profile, (sample, at, micros) => add(at, at + micros, sample === 'idle' ? 'idle' : sample.code));
  return found.map((times) =>
    [...times]
      .sort((a, b) => b[1] - a[1])
      .slice(0, 6)
      .map(([what, micros]) => `${(micros / 1000).toFixed(1)} ${what}`)
      .join(' · '),
  );
}
