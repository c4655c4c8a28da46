/** What the probe sends. Times are microseconds, of the monotonic clock where they are moments. */

/** between samples of the CPU profile */
export const SAMPLE = 200;

/** processor time by name of thread */
export type Threads = Readonly<Record<string, number>>;

export interface Pause {
  readonly from: number;
  readonly to: number;
  /** of the main thread; less than the time between: another process, or another thread of this one, had the core */
  readonly cpu: number;
}

export interface Usage {
  readonly user: number;
  readonly system: number;
}

export interface Counted {
  readonly micros: number;
  readonly cpu: Usage;
  readonly main: Usage;
  readonly threads: Threads;
  readonly collections: readonly { readonly at: number; readonly micros: number; readonly kind: number }[];
  /** bytes on V8's heap; null: too few collections to tell */
  readonly allocated: number | null;
  /** milliseconds by which the event loop was late */
  readonly delay: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly pauses: readonly Pause[];
}

export interface Frame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

export interface CpuProfile {
  readonly startTime: number;
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: Frame;
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface TraceEvent {
  readonly name: string;
  readonly tid: number;
  readonly ts: number;
  readonly dur: number;
  /** processor time of the thread */
  readonly tdur: number;
}

export interface Profiled {
  readonly micros: number;
  readonly pauses: readonly Pause[];
  readonly profile: CpuProfile;
  readonly events: readonly TraceEvent[];
  /** thread id */
  readonly main: number;
}

export interface HeapNode {
  readonly callFrame: Frame;
  readonly selfSize: number;
  readonly children: readonly HeapNode[];
}

export interface HeapProfile {
  readonly head: HeapNode;
}
