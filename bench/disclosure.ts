/**
 * `node bench/disclosure.ts [--seconds 2] [--sizes 1024,102400,10485760] [--json] [--check]`: the splicer against those who parse. Contestants take
 * turns and are measured in processor time, so that what else the machine does weighs on all of them alike; ratios are of lower quartiles. Up to
 * 2 KB the body is one customer, above a page of them in chunks of 64 KiB, as a socket gives them.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Contestant, parse, splice, streamJson, streamparser, whole } from './disclosure/contestants.ts';
import { page, single } from './disclosure/records.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    sizes: { type: 'string', default: '1024,102400,10485760' },
    only: { type: 'string', default: 'splice,whole stage,parse,stream-json,@streamparser/json' },
    json: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
  },
});

const all: Record<string, Contestant> = {
  splice,
  'whole stage': whole,
  parse,
  'stream-json': streamJson,
  '@streamparser/json': streamparser,
};
const contestants = Object.entries(all).filter(([name]) => values.only.split(',').includes(name));
const CHUNK = 64 * 1024;

interface Input {
  readonly chunks: Buffer[];
  readonly bytes: number;
  readonly records: '/items/*' | null;
}

function inputOf(size: number): Input {
  const records = size <= 2048 ? null : '/items/*';
  const body = records === null ? single() : page(size);
  const chunks: Buffer[] = [];
  for (let at = 0; at < body.length; at += CHUNK) chunks.push(body.subarray(at, at + CHUNK));
  return { chunks, bytes: body.length, records };
}

async function agree({ chunks, records }: Input): Promise<void> {
  const wanted = JSON.stringify(JSON.parse((await parse(chunks, records)).toString()));
  for (const [name, contestant] of contestants) {
    const left = JSON.stringify(JSON.parse((await contestant(chunks, records)).toString()));
    if (left !== wanted) throw new Error(`${name} released something else than parse did`);
  }
}

/** microseconds of processor time: what else the machine does is not counted */
function spent(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

const quantile = (times: number[], q: number) => times.sort((a, b) => a - b)[Math.floor(times.length * q)]!;

interface Row {
  size: number;
  name: string;
  us: number;
  mb_per_second: number;
  ratio: number;
}

const rows: Row[] = [];
for (const size of values.sizes.split(',').map(Number)) {
  const input = inputOf(size);
  await agree(input);
  const times = new Map<string, number[]>(contestants.map(([name]) => [name, []]));
  // small bodies are timed by the thousand: the processor clock ticks in milliseconds on some machines
  const batch = Math.max(1, Math.floor(2_000_000 / input.bytes));
  for (const [, contestant] of contestants)
    for (let n = 0; n < batch * 2; n++) await contestant(input.chunks, input.records);
  const stop = performance.now() + Number(values.seconds) * 1000 * contestants.length;
  for (let rounds = 0; rounds < 5 || performance.now() < stop; rounds++) {
    for (const [name, contestant] of contestants) {
      const begun = spent();
      for (let n = 0; n < batch; n++) await contestant(input.chunks, input.records);
      times.get(name)!.push((spent() - begun) / batch);
    }
  }
  const splicing = quantile(times.get('splice') ?? [Number.NaN], 0.25);
  for (const [name] of contestants) {
    const us = quantile(times.get(name)!, 0.25);
    rows.push({ size: input.bytes, name, us, mb_per_second: input.bytes / us, ratio: us / splicing });
  }
}

if (values.json) process.stdout.write(`${JSON.stringify(rows)}\n`);
else {
  process.stdout.write(
    '|    bytes | contestant         |         µs |  MB/s | splice is × |\n|---:|---|---:|---:|---:|\n',
  );
  for (const row of rows) {
    process.stdout.write(
      `| ${String(row.size).padStart(8)} | ${row.name.padEnd(18)} | ${row.us.toFixed(1).padStart(10)} | ${row.mb_per_second.toFixed(0).padStart(5)} | ${row.ratio.toFixed(1).padStart(5)} |\n`,
    );
  }
}

if (values.check) {
  const thresholds = JSON.parse(readFileSync(new URL('thresholds.json', import.meta.url), 'utf8')) as {
    disclosure: Record<string, { least: number }>;
  };
  for (const row of rows) {
    const least =
      thresholds.disclosure[`${row.name} ÷ splice, ${row.size} bytes`]?.least ??
      thresholds.disclosure[`${row.name} ÷ splice`]?.least;
    if (least === undefined || row.ratio >= least) continue;
    process.stdout.write(
      `${row.name} at ${row.size} bytes: ${row.ratio.toFixed(1)}× is less than ${least}×\n`,
    );
    process.exitCode = 1;
  }
}
