/**
 * How long `sluice test --watch` takes to answer a change of the default policy: `npm run bench -- watch [--rounds 8]
 * [--changes rule,data,scenario] [--timings]`.
 * A copy of the policy is watched. Each round changes a rule, a data file, or a scenario, and measures the time from the write to
 * the line that sums the run up. Changes alternate between one that breaks the policy and one that mends it, and an answer
 * that does not say so ends the benchmark.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs, stripVTControlCharacters } from 'node:util';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '8' },
    changes: { type: 'string', default: 'rule,data,scenario' },
    timings: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const root = fileURLToPath(new URL('..', import.meta.url));

/** What is written in the place of what, in a file of the policy, so that something fails. */
const CHANGES = [
  { name: 'rule', file: 'sluice/decision.rego', from: '"code": "role_missing"', to: '"code": "role_absent"' },
  { name: 'data', file: 'data/grades.yaml', from: 'mfa: true', to: 'mfa: false' },
  { name: 'scenario', file: 'scenarios/support.yaml', from: 'status: 200', to: 'status: 201' },
] as const;

const wanted = values.changes.split(',');
const changes = CHANGES.filter((c) => wanted.includes(c.name));

const SUMMARY = /^(?:(\d+) failed, )?\d+ passed.*unit tests.*scenarios/m;
const DONE = 'Watching; Ctrl-C ends it.';

/** Seconds of processor time: of all the machine, and of a process with the children that it has waited for. */
const HERTZ = 100;
const busy = (): number => {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = readFileSync('/proc/stat', 'utf8')
    .split('\n')[0]!
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq) / HERTZ;
};
const usedBy = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / HERTZ;
};

class Watch {
  readonly #child: ChildProcess;
  #said = '';
  #heard: () => void = () => undefined;

  constructor(policies: string) {
    this.#child = spawn(
      process.execPath,
      [
        ...['--max-semi-space-size=8', 'src/main.ts', 'test', policies, '--policies', policies, '--watch'],
        ...(values.timings ? ['--timings'] : []),
      ],
      { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.on('data', (chunk: Buffer) => {
        this.#said += stripVTControlCharacters(chunk.toString('utf8'));
        this.#heard();
      });
    this.#child.on('exit', (code) => {
      if (code !== null && code !== 0) {
        process.stderr.write(`The watch ended (${code}):\n${this.#said}`);
        process.exit(1);
      }
    });
  }

  get cpu(): number {
    return usedBy(this.#child.pid!);
  }

  get said(): string {
    return this.#said;
  }

  forget(): void {
    this.#said = '';
  }

  async until<T>(found: (said: string) => T | null): Promise<T> {
    for (;;) {
      const value = found(this.#said);
      if (value !== null) return value;
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }

  async end(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGINT');
    await ended;
  }
}

interface Round {
  readonly toResult: number;
  readonly toRest: number;
  /** processor seconds until the result and until all is done */
  readonly cpu: number;
  readonly cpuRest: number;
  /** processor seconds of everything else until the result */
  readonly others: number;
}

const dir = await mkdtemp(join(tmpdir(), 'sluice-bench-watch-'));
await cp(join(root, 'policies'), dir, { recursive: true });
const watch = new Watch(dir);
const finished = (said: string): true | null => (said.includes(DONE) ? true : null);
try {
  await watch.until(finished);
  const measured = new Map<string, Round[]>(changes.map((c) => [c.name, []]));
  for (const { name, file, from, to } of changes) {
    const path = join(dir, file);
    const whole = await readFile(path, 'utf8');
    const broken = whole.replace(from, to);
    if (broken === whole) throw new Error(`${file} no longer holds ${from}`);
    // An even number of changes mends what was broken. The first two warm up.
    for (let round = 0; round < 2 * Math.ceil(rounds / 2) + 2; round += 1) {
      // A change may come at any time between two looks at the files.
      await wait(200 + Math.random() * 200);
      watch.forget();
      const breaks = round % 2 === 0;
      const [before, all] = [watch.cpu, busy()];
      await writeFile(path, breaks ? broken : whole);
      const began = performance.now();
      const summary = await watch.until((said) => SUMMARY.exec(said));
      const toResult = performance.now() - began;
      const [cpu, machine] = [watch.cpu - before, busy() - all];
      await watch.until(finished);
      const toRest = performance.now() - began;
      if ((summary[1] !== undefined) !== breaks)
        throw new Error(`A ${name} was ${breaks ? 'broken' : 'mended'}:\n${watch.said}`);
      if (round >= 2)
        measured.get(name)!.push({
          toResult,
          toRest,
          cpu,
          cpuRest: watch.cpu - before,
          others: Math.max(0, machine - cpu),
        });
      if (values.timings && round >= 2)
        process.stdout.write(`--- ${name} ${toResult.toFixed(0)} ms\n${watch.said}`);
    }
  }
  const of = (rows: readonly Round[], key: keyof Round): number[] =>
    rows.map((r) => r[key]).sort((a, b) => a - b);
  const median = (sorted: readonly number[]): number => sorted[sorted.length >> 1]!;
  process.stdout.write(
    '| change | to the result: best | median | worst, ms | all done: median, ms | CPU to the result, s | CPU in all, s | others meanwhile, s |\n|---|---:|---:|---:|---:|---:|---:|---:|\n',
  );
  for (const [name, rows] of measured) {
    const result = of(rows, 'toResult');
    process.stdout.write(
      `| ${name} | ${result[0]!.toFixed(0)} | ${median(result).toFixed(0)} | ${result.at(-1)!.toFixed(0)} | ${median(of(rows, 'toRest')).toFixed(0)} | ${median(of(rows, 'cpu')).toFixed(2)} | ${median(of(rows, 'cpuRest')).toFixed(2)} | ${median(of(rows, 'others')).toFixed(2)} |\n`,
    );
  }
} finally {
  await watch.end();
  await rm(dir, { recursive: true, force: true });
}
