/** wrk for throughput (a closed loop of 32 connections), and an open loop of our own for latency at a given rate. */
import { execFileSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';

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

/** A connection that repeats one request. The client only finds the end of each answer. */
class Caller {
  readonly #socket: Socket;
  readonly #request: Buffer;
  #left = -1;
  #head = '';
  #done: (() => void) | null = null;

  constructor(url: URL, headers: Readonly<Record<string, string>>) {
    const lines = Object.entries({ Host: url.host, ...headers }).map(([k, v]) => `${k}: ${v}\r\n`);
    this.#request = Buffer.from(`GET ${url.pathname} HTTP/1.1\r\n${lines.join('')}\r\n`);
    this.#socket = connect(Number(url.port), url.hostname).setNoDelay();
    this.#socket.on('data', (chunk) => this.#read(chunk));
    this.#socket.on('end', () => {
      throw new Error(`${url}: the connection was closed`);
    });
  }

  ask(done: () => void): void {
    this.#done = done;
    this.#left = -1;
    this.#head = '';
    this.#socket.write(this.#request);
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#left < 0) {
      this.#head += chunk.toString('latin1');
      const end = this.#head.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = /^content-length: (\d+)\r$/im.exec(this.#head.slice(0, end + 2))?.[1];
      if (length === undefined || !this.#head.startsWith('HTTP/1.1 200 '))
        throw new Error(`not an answer of a given length: ${this.#head.slice(0, 200)}`);
      this.#left = end + 4 + Number(length) - this.#head.length;
    } else this.#left -= chunk.length;
    if (this.#left === 0) this.#done?.();
  }
}

const CALLERS = 64;

/** milliseconds from the moment at which each request was due to its answer, in the order of these moments */
export type Latencies = Float64Array;

export const quantile = (latencies: Latencies, q: number): number =>
  latencies.toSorted()[Math.min(latencies.length - 1, Math.floor(latencies.length * q))] ?? 0;

/**
 * Requests at fixed times, whether or not earlier ones are answered. A request that waits for a free connection counts from the moment at
 * which it was due, so that a slow answer hides no other (no coordinated omission).
 */
export async function openLoop(
  url: string,
  headers: Readonly<Record<string, string>>,
  rate: number,
  seconds: number,
): Promise<Latencies> {
  const idle = Array.from({ length: CALLERS }, () => new Caller(new URL(url), headers));
  const callers = [...idle];
  const total = Math.floor(rate * seconds);
  const latencies = new Float64Array(total);
  const waiting: number[] = [];
  const begin = performance.now() + 100;
  const due = (i: number): number => begin + (i * 1000) / rate;
  let answered = 0;
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const send = (i: number, caller: Caller): void =>
    caller.ask(() => {
      latencies[i] = performance.now() - due(i);
      answered += 1;
      const next = waiting.shift();
      if (next === undefined) idle.push(caller);
      else send(next, caller);
      if (answered === total) finish();
    });
  for (let i = 0; i < total; ) {
    // Never by spinning, which would take a core from those that are measured.
    await new Promise((resolve) => setTimeout(resolve, 1));
    for (; i < total && due(i) <= performance.now(); i++) {
      // All are used in turn: an unused connection would be closed.
      const caller = idle.shift();
      if (caller === undefined) waiting.push(i);
      else send(i, caller);
    }
  }
  await finished;
  for (const caller of callers) caller.close();
  return latencies;
}
