/**
 * Latency at fixed rates, above that of the pass-through: steady, in the first ten seconds after the start, with a reload, and after idleness.
 * Periods of both stand beside each other, so that what else the machine does concerns both.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { openLoop, quantile } from './load.ts';
import type { Row } from './report.ts';

export interface Target {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly pid: number;
  stop(): unknown;
}

export interface LatencyOptions {
  /** starts a new process; resolves when it is ready */
  startPassThrough(): Promise<Target>;
  startSluice(): Promise<Target>;
  /** answers enough requests for the code to be compiled */
  warm(target: Target): void;
  readonly rounds: number;
  /** of each steady period */
  readonly seconds: number;
}

const RATES = [200, 600, 1000];
const RATE = 600;
const FIRST_SECONDS = 10;
const IDLE_SECONDS = 15;

const sleep = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** seconds of processor time of all threads; finer than the clock ticks of `stat` (Linux) */
const secondsOf = (pid: number): number =>
  readdirSync(`/proc/${pid}/task`)
    .map((id) => Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'utf8').split(' ')[0]) / 1e9)
    .reduce((a, b) => a + b, 0);

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;

export async function latency(options: LatencyOptions): Promise<Row[]> {
  const { rounds, seconds } = options;
  const found = new Map<string, number[]>();
  const add = (name: string, value: number): void =>
    void found.set(name, [...(found.get(name) ?? []), value]);
  const ask = async (target: Target, rate: number, time: number): Promise<{ p50: number; p99: number }> => {
    const latencies = await openLoop(target.url, target.headers, rate, time);
    return { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) };
  };
  for (let round = 0; round < rounds; round++) {
    const pass = await options.startPassThrough();
    let ours: Target | null = null;
    // Started when it is first asked: the first ten seconds are those after readiness.
    const sluice = async (): Promise<Target> => {
      ours ??= await options.startSluice();
      return ours;
    };
    try {
      const compare = async (
        when: string,
        rate: number,
        time: number,
        before?: (own: Target) => void,
      ): Promise<void> => {
        const base = await ask(pass, rate, time);
        const target = await sluice();
        before?.(target);
        const own = await ask(target, rate, time);
        add(`undici pass-through, p50 ${when}`, base.p50);
        add(`undici pass-through, p99 ${when}`, base.p99);
        add(`sluice strict, p50 ${when}`, own.p50);
        add(`sluice strict, p99 ${when}`, own.p99);
        add(`added p50 ${when}`, own.p50 - base.p50);
        add(`added p99 ${when}`, own.p99 - base.p99);
      };
      await compare('in the first 10 s', RATE, FIRST_SECONDS);
      options.warm(pass);
      const { pid } = await sluice();
      options.warm(await sluice());
      for (const rate of RATES) await compare(`at ${rate}/s`, rate, seconds);
      const before = secondsOf(pid);
      await sleep(IDLE_SECONDS);
      add('idle sidecar', ((secondsOf(pid) - before) / IDLE_SECONDS) * 100);
      await compare(`after ${IDLE_SECONDS} s of idleness`, RATE, seconds);
      // Last: the old policy is released long after.
      await compare('with a reload', RATE, FIRST_SECONDS, (own) => process.kill(own.pid, 'SIGHUP'));
    } finally {
      await (ours as Target | null)?.stop();
      await pass.stop();
    }
  }
  return [...found].map(([name, values]) => ({
    name,
    value: median(values),
    unit: name === 'idle sidecar' ? '% of a core' : 'ms',
  }));
}
