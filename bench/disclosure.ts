/**
 * `node bench/disclosure.ts [--seconds 2] [--sizes 1024,102400,10485760] [--json] [--check]`: the splicer against those who parse. Contestants take
 * turns, so that whatever else the machine does slows all of them; ratios are of medians. Chunks are 64 KiB, as a socket gives them.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Contestant, parse, splice, streamJson, streamparser, whole } from './disclosure/contestants.ts';
import { page } from './disclosure/records.ts';

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

const median = (times: number[]) => times.sort((a, b) => a - b)[times.length >> 1]!;

async function agree(chunks: Buffer[]): Promise<void> {
  const wanted = JSON.stringify(JSON.parse((await parse(chunks)).toString()));
  for (const [name, contestant] of contestants) {
    const left = JSON.stringify(JSON.parse((await contestant(chunks)).toString()));
    if (left !== wanted) throw new Error(`${name} released something else than parse did`);
  }
}

interface Row {
  size: number;
  name: string;
  ms: number;
  mb_per_second: number;
  ratio: number;
}

const rows: Row[] = [];
for (const size of values.sizes.split(',').map(Number)) {
  const body = page(size);
  const chunks: Buffer[] = [];
  for (let at = 0; at < body.length; at += CHUNK) chunks.push(body.subarray(at, at + CHUNK));
  await agree(chunks);
  const times = new Map<string, number[]>(contestants.map(([name]) => [name, []]));
  // small bodies are timed by the dozen: a clock reading costs as much as one of them
  const batch = Math.max(1, Math.floor(200_000 / body.length));
  const stop = performance.now() + Number(values.seconds) * 1000;
  let rounds = 0;
  while (rounds < 5 || performance.now() < stop) {
    for (const [name, contestant] of contestants) {
      const begun = performance.now();
      for (let n = 0; n < batch; n++) await contestant(chunks);
      times.get(name)!.push((performance.now() - begun) / batch);
    }
    rounds++;
  }
  const fastest = median(times.get('splice') ?? [Number.NaN]);
  for (const [name] of contestants) {
    const ms = median(times.get(name)!);
    rows.push({ size: body.length, name, ms, mb_per_second: body.length / ms / 1000, ratio: ms / fastest });
  }
}

if (values.json) process.stdout.write(`${JSON.stringify(rows)}\n`);
else {
  process.stdout.write(
    '|    bytes | contestant         |        ms |  MB/s | splice is × |\n|---:|---|---:|---:|---:|\n',
  );
  for (const row of rows) {
    process.stdout.write(
      `| ${String(row.size).padStart(8)} | ${row.name.padEnd(18)} | ${row.ms.toFixed(4).padStart(9)} | ${row.mb_per_second.toFixed(0).padStart(5)} | ${row.ratio.toFixed(1).padStart(5)} |\n`,
    );
  }
}

if (values.check) {
  const thresholds = JSON.parse(readFileSync(new URL('thresholds.json', import.meta.url), 'utf8')) as {
    disclosure: Record<string, number>;
  };
  for (const row of rows) {
    const least = thresholds.disclosure[row.name];
    if (least !== undefined && row.ratio < least) {
      process.stdout.write(
        `${row.name} at ${row.size} bytes: ${row.ratio.toFixed(1)}× is less than ${least}×\n`,
      );
      process.exitCode = 1;
    }
  }
}
