/**
 * `npm run bench -- evaluate [--rounds 5] [--evaluations 1000000] [--only ratios,cached,size,memory,reload] [--json] [--check]`
 *
 * The default policy in Sluice's engine and in OPA's, with the same input. Rounds alternate, so that other work of the machine slows both; each
 * number is the median of its rounds. Sluice's times are without the decision cache unless the line says otherwise, and include serializing the
 * input and checking the answer.
 */
import '../../src/json-parse.ts';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { systemClock } from '../../src/observability/clock.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { writeBundle } from '../../src/policy/bundle/bundle.ts';
import { DEFAULT_CACHE } from '../../src/policy/settings.ts';
import { createSnapshot, type LivePolicy } from '../../src/policy/snapshot/index.ts';
import { createPolicyStore } from '../../src/policy/store.ts';
import { startOpa } from './against.ts';
import { decisionInput, disclosureInput, enlarged } from './policies.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    evaluations: { type: 'string', default: '1000000' },
    only: { type: 'string', default: 'ratios,cached,size,memory,reload' },
    json: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const wanted = new Set(values.only.split(','));
const results: { name: string; value: number; detail: string }[] = [];
const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1]!;
const say = (name: string, value: number, detail: string): void => {
  results.push({ name, value, detail });
  if (!values.json) process.stdout.write(`${name.padEnd(50)} ${value.toFixed(2).padStart(9)}   ${detail}\n`);
};
const uncached = (bundle: Parameters<typeof createSnapshot>[0]): Promise<LivePolicy> =>
  createSnapshot(bundle, { cache: { ...DEFAULT_CACHE, entries: 0 } });

/** microseconds of one call */
const time = (call: (n: number) => unknown, ms: number): number => {
  let n = 0;
  const began = performance.now();
  do for (let i = 0; i < 64; i++) call(n++);
  while (performance.now() - began < ms);
  return ((performance.now() - began) / n) * 1000;
};

/** The same in processor time of this thread: what is not compared with another process need not wait for one. */
const cost = (call: (n: number) => unknown, ms: number): number => {
  const began = process.threadCpuUsage();
  const start = performance.now();
  let n = 0;
  do for (let i = 0; i < 64; i++) call(n++);
  while (performance.now() - start < ms);
  const { user, system } = process.threadCpuUsage(began);
  return (user + system) / n;
};

const bundle = await enlarged(0, 0);
const policy = await uncached(bundle);
const QUESTIONS = [
  ['decision', 'sluice/decision', decisionInput, (n: number) => policy.decide(decisionInput(n))],
  ['disclosure', 'sluice/disclosure', disclosureInput, (n: number) => policy.disclose(disclosureInput(n))],
] as const;
for (const [, , , ask] of QUESTIONS) time(ask, 1000);

// First, while the process has done nothing else.
if (wanted.has('memory')) {
  const total = Number(values.evaluations);
  const kept = await createSnapshot(bundle);
  const settle = (): { rss: number; heap: number } => {
    globalThis.gc?.();
    const { rss, heapUsed } = process.memoryUsage();
    return { rss, heap: heapUsed };
  };
  const evaluate = (from: number, to: number): void => {
    for (let n = from; n < to; n++) kept.decide(decisionInput(n));
  };
  // V8 lets garbage of long-lived tables lie until the heap has its full size.
  const warm = Math.max(100_000, total * 0.75);
  evaluate(0, warm);
  const before = settle();
  evaluate(warm, warm + total);
  const after = settle();
  const mb = (n: number): string => (n / 1e6).toFixed(1);
  say(
    'memory after 10⁶ evaluations ÷ after warm-up',
    after.rss / before.rss,
    `rss ${mb(before.rss)} → ${mb(after.rss)} MB, heap ${mb(before.heap)} → ${mb(after.heap)} MB, WebAssembly ${mb(kept.memoryBytes())} MB; ${kept.stats().misses} evaluated`,
  );
}

if (wanted.has('ratios')) {
  const opa = await startOpa(bundle);
  try {
    for (const [name, rule, input, ask] of QUESTIONS) {
      const theirs = (await opa.ask(rule, input(1))) as { reasons: unknown };
      if (!isDeepStrictEqual(JSON.parse(JSON.stringify(ask(1))), theirs))
        throw new Error(`${name}: OPA answers otherwise`);
      await opa.throughput(rule, input(1), 1000, 16);
      const turns: { ours: number; bench: number; served: number }[] = [];
      for (let i = 0; i < rounds; i++)
        turns.push({
          ours: time(ask, 700),
          bench: await opa.bench(rule, input(1)),
          served: await opa.throughput(rule, input(1), 1500, 16),
        });
      const [ours, bench, served] = [
        median(turns.map((t) => t.ours)),
        median(turns.map((t) => t.bench)),
        median(turns.map((t) => t.served)),
      ];
      say(
        `${name}: opa bench ÷ uncached`,
        median(turns.map((t) => t.bench / t.ours)),
        `${bench.toFixed(0)} µs ÷ ${ours.toFixed(0)} µs`,
      );
      say(
        `${name}: uncached ÷ opa run -s, throughput`,
        median(turns.map((t) => 1e6 / t.ours / t.served)),
        `${(1e6 / ours).toFixed(0)}/s on one core ÷ ${served.toFixed(0)}/s`,
      );
    }
  } finally {
    await opa.close();
  }
}

if (wanted.has('cached')) {
  const cached = await createSnapshot(bundle);
  const ask = (n: number) => cached.decide(decisionInput(n & 255));
  cost(ask, 1000);
  const took = Array.from({ length: rounds }, () => cost(ask, 300));
  const { hits, misses } = cached.stats();
  say(
    'cached decision, µs',
    median(took),
    `256 requests in turn, each a new input object; ${hits} hits, ${misses} misses`,
  );
  const plan = disclosureInput(1);
  const page = (n: number) => cached.disclose({ ...plan, resource: { ...plan.resource, id: `C${n & 255}` } });
  cost(page, 500);
  say(
    'cached disclosure, µs',
    median(Array.from({ length: rounds }, () => cost(page, 300))),
    'consents in a list that is not frozen',
  );
}

if (wanted.has('size')) {
  const large = await uncached(await enlarged(10_000, 1_000));
  const asked = (p: LivePolicy) => (n: number) => p.disclose(disclosureInput(n));
  cost(asked(large), 1000);
  const turns = Array.from({ length: rounds }, () => ({
    large: cost(asked(large), 500),
    small: cost(asked(policy), 500),
  }));
  say(
    '10,000 fields and 1,000 roles ÷ 20',
    median(turns.map((t) => t.large / t.small)),
    `${median(turns.map((t) => t.large)).toFixed(0)} µs ÷ ${median(turns.map((t) => t.small)).toFixed(0)} µs`,
  );
}

if (wanted.has('reload')) {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const file = join(dir, 'bundle.tar.gz');
  const base = await enlarged(2_000, 1_000);
  const replace = async (revision: string): Promise<number> => {
    // Text that does not compress, until the bundle as it travels has a megabyte.
    const filler = Array.from({ length: 13_000 }, () =>
      Array.from({ length: 8 }, () => Math.random().toString(36).slice(2)).join(''),
    );
    const text = `${base.dataJson.slice(0, -1)},"partners_extra":${JSON.stringify(filler)}}`;
    const bytes = await writeBundle({ ...base, revision, dataJson: text });
    await writeFile(`${file}.new`, bytes);
    await rename(`${file}.new`, file);
    return bytes.length;
  };
  const size = await replace('r0');
  const store = await createPolicyStore(
    { bundle: file, watch: false },
    { logger: silentLogger, clock: systemClock, baseDir: dir },
  );
  const stalls: number[] = [];
  for (let i = 1; i <= rounds; i++) {
    await replace(`r${i}`);
    globalThis.gc?.();
    await new Promise((next) => setTimeout(next, 100));
    // What a request would wait for: the longest piece of work between two turns of the loop, in processor time, since
    // on a shared machine the wall clock also counts what others do.
    let [longest, done] = [0, false];
    const loading = store.reload().finally(() => {
      done = true;
    });
    let last = process.threadCpuUsage();
    while (!done) {
      await new Promise((next) => setImmediate(next));
      const spent = process.threadCpuUsage(last);
      last = process.threadCpuUsage();
      longest = Math.max(longest, (spent.user + spent.system) / 1000);
    }
    await loading;
    if (store.current().revision !== `r${i}`)
      throw new Error(`not loaded: ${JSON.stringify(store.status())}`);
    stalls.push(longest);
  }
  await store.close();
  await rm(dir, { recursive: true, force: true });
  say(
    'reload of a 1 MB bundle: longest stall, ms',
    median(stalls),
    `${(size / 1e6).toFixed(2)} MB packed; ${stalls.map((s) => s.toFixed(0)).join(', ')} ms`,
  );
}

if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`);
if (values.check) {
  const thresholds = (
    JSON.parse(await readFile(new URL('../thresholds.json', import.meta.url), 'utf8')) as {
      evaluate: Record<string, { least?: number; most?: number }>;
    }
  ).evaluate;
  for (const { name, value } of results) {
    const { least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY } = thresholds[name] ?? {};
    if (value < least || value > most) {
      process.stdout.write(`${name}: ${value.toFixed(2)} is not within ${least} … ${most}\n`);
      process.exitCode = 1;
    }
  }
}
