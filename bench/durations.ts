/**
 * `npm run bench -- durations [--rounds 8]`: processor time of one observation of a stage's duration, in our own histogram and in
 * prom-client's. Both have the same buckets; rounds alternate.
 */
import '../src/json-parse.ts';
import { parseArgs } from 'node:util';
import { Histogram, Registry } from 'prom-client';
import { BOUNDS, Durations } from '../src/observability/durations.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '8' } } });
const STAGES = ['identity', 'routing', 'policy', 'upstream', 'disclosure', 'record'];
/** seconds, from 10 µs to 80 ms */
const SECONDS = Array.from({ length: 64 }, (_, i) => 10 ** (-5 + (i % 40) / 10));
const TIMES = 200_000;

const own = new Durations(new Registry(), 'own', 'own', 'stage');
const theirs = new Histogram({
  name: 'theirs',
  help: 'theirs',
  labelNames: ['stage'],
  buckets: [...BOUNDS],
  registers: [new Registry()],
});
const children = new Map(STAGES.map((stage) => [stage, theirs.labels(stage)]));

const CONTESTANTS = {
  own: (stage: string, seconds: number) => own.observe(stage, seconds),
  'prom-client': (stage: string, seconds: number) => children.get(stage)!.observe(seconds),
};

const costs = new Map<string, number[]>(Object.keys(CONTESTANTS).map((name) => [name, []]));
for (let round = 0; round <= Number(values.rounds); round++)
  for (const [name, observe] of Object.entries(CONTESTANTS)) {
    const before = process.cpuUsage();
    for (let i = 0; i < TIMES; i++) for (const stage of STAGES) observe(stage, SECONDS[i & 63]!);
    const { user, system } = process.cpuUsage(before);
    // The first round compiles.
    if (round > 0) costs.get(name)!.push(((user + system) * 1000) / (TIMES * STAGES.length));
  }

const median = (name: string): number => costs.get(name)!.sort((a, b) => a - b)[Number(values.rounds) >> 1]!;
for (const name of costs.keys())
  process.stdout.write(`${name}: ${median(name).toFixed(1)} ns an observation\n`);
process.stdout.write(`prom-client ÷ own: ${(median('prom-client') / median('own')).toFixed(1)}\n`);
