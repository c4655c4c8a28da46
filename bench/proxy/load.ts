/** wrk for throughput (a closed loop of 32 connections), and an open loop of our own for latency at a given rate. */
import { execFileSync } from 'node:child_process';
import { Pool } from 'undici';

export const hasWrk = (): boolean => {
  try {
    execFileSync('wrk', ['-v'], { stdio: 'ignore' });
    return true;
  } catch (e) {
    return (e as { status?: number }).status === 1;
  }
};

export interface Throughput {
  readonly requests_per_second: number;
  readonly errors: number;
}

/** @param script a Lua script that chooses what is asked for, see wrk's SCRIPTING */
export function wrk(
  url: string,
  headers: Readonly<Record<string, string>>,
  seconds: number,
  script?: string,
): Throughput {
  const out = execFileSync(
    'wrk',
    [
      '-t1',
      '-c32',
      `-d${seconds}s`,
      ...(script === undefined ? [] : ['-s', script]),
      ...Object.entries(headers).flatMap(([k, v]) => ['-H', `${k}: ${v}`]),
      url,
    ],
    { encoding: 'utf8' },
  );
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(out);
  const bad = /Non-2xx or 3xx responses: (\d+)/.exec(out);
  return { requests_per_second: Number(rate?.[1] ?? 0), errors: Number(bad?.[1] ?? 0) };
}

/** Requests at fixed times, whether or not earlier ones are answered: a slow answer delays no other's start (no coordinated omission). */
export async function openLoop(
  url: string,
  headers: Readonly<Record<string, string>>,
  rate: number,
  seconds: number,
): Promise<{ readonly p50_ms: number; readonly p99_ms: number }> {
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections: 64, pipelining: 1 });
  const latencies: number[] = [];
  const total = Math.floor(rate * seconds);
  const begin = performance.now() + 100;
  const pending: Promise<void>[] = [];
  for (let i = 0; i < total; ) {
    const due = begin + (i * 1000) / rate;
    const now = performance.now();
    if (due > now)
      await new Promise((resolve) => (due - now > 2 ? setTimeout(resolve, 1) : setImmediate(resolve)));
    while (i < total && begin + (i * 1000) / rate <= performance.now()) {
      const start = begin + (i * 1000) / rate;
      i++;
      pending.push(
        pool.request({ path: pathname, method: 'GET', headers }).then(async ({ body }) => {
          await body.dump();
          latencies.push(performance.now() - start);
        }),
      );
    }
  }
  await Promise.all(pending);
  await pool.close();
  latencies.sort((a, b) => a - b);
  const at = (q: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))] ?? 0;
  return { p50_ms: at(0.5), p99_ms: at(0.99) };
}
