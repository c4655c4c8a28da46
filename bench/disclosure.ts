/**
 * `node bench/disclosure.ts [--seconds 2] [--sizes 1024,102400,10485760] [--formats json,csv] [--json] [--check]`: the splicer against those who
 * parse. Contestants take turns and are measured in processor time, so that what else the machine does weighs on all of them alike; ratios are of
 * lower quartiles. Up to 2 KB the body is one customer (JSON only), above a page or a table of them in chunks of 64 KiB, as a socket gives them.
 */
import '../src/json-parse.ts';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Contestant, parse, splice, streamJson, streamparser, whole } from './disclosure/contestants.ts';
import { page, single } from './disclosure/records.ts';
import { parseTable, readTable, spliceTable, table, wholeTable } from './disclosure/tables.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    sizes: { type: 'string', default: '1024,102400,10485760' },
    formats: { type: 'string', default: 'json,csv' },
    only: {
      type: 'string',
      default:
        'splice,whole stage,parse,stream-json,@streamparser/json,csv splice,csv whole stage,csv-parse → csv-stringify',
    },
    json: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
  },
});

interface Suite {
  readonly format: 'json' | 'csv';
  /** the first is what the others are measured by, the last who says what is to be released */
  readonly contestants: readonly (readonly [string, Contestant])[];
  /** null: no body of that size */
  body(size: number): Buffer | null;
  /** a body as those who read it see it */
  read(body: Buffer): string;
}

const SINGLE = 2048;
const SUITES: readonly Suite[] = [
  {
    format: 'json',
    contestants: [
      ['splice', splice],
      ['whole stage', whole],
      ['stream-json', streamJson],
      ['@streamparser/json', streamparser],
      ['parse', parse],
    ],
    body: (size) => (size <= SINGLE ? single() : page(size)),
    read: (body) => JSON.stringify(JSON.parse(body.toString())),
  },
  {
    format: 'csv',
    contestants: [
      ['csv splice', spliceTable],
      ['csv whole stage', wholeTable],
      ['csv-parse → csv-stringify', parseTable],
    ],
    body: (size) => (size <= SINGLE ? null : table(size)),
    read: readTable,
  },
];
const CHUNK = 64 * 1024;

interface Input {
  readonly chunks: Buffer[];
  readonly bytes: number;
  readonly records: '/items/*' | null;
}

function inputOf(body: Buffer, size: number): Input {
  const chunks: Buffer[] = [];
  for (let at = 0; at < body.length; at += CHUNK) chunks.push(body.subarray(at, at + CHUNK));
  return { chunks, bytes: body.length, records: size <= SINGLE ? null : '/items/*' };
}

async function agree({ contestants, read }: Suite, { chunks, records }: Input): Promise<void> {
  const [judge, judging] = contestants.at(-1)!;
  const wanted = read(await judging(chunks, records));
  for (const [name, contestant] of contestants) {
    if (read(await contestant(chunks, records)) !== wanted)
      throw new Error(`${name} released something else than ${judge} did`);
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

async function measure(suite: Suite, size: number): Promise<void> {
  const body = suite.body(size);
  const contestants = suite.contestants.filter(([name]) => values.only.split(',').includes(name));
  if (body === null || contestants.length === 0) return;
  const input = inputOf(body, size);
  await agree(suite, input);
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
  const splicing = quantile(times.get(suite.contestants[0]![0]) ?? [Number.NaN], 0.25);
  for (const [name] of contestants) {
    const us = quantile(times.get(name)!, 0.25);
    rows.push({ size: input.bytes, name, us, mb_per_second: input.bytes / us, ratio: us / splicing });
  }
}

const formats = values.formats.split(',');
for (const suite of SUITES)
  if (formats.includes(suite.format))
    for (const size of values.sizes.split(',').map(Number)) await measure(suite, size);

if (values.json) process.stdout.write(`${JSON.stringify(rows)}\n`);
else {
  process.stdout.write(
    '|    bytes | contestant                |         µs |  MB/s | splice is × |\n|---:|---|---:|---:|---:|\n',
  );
  for (const row of rows) {
    process.stdout.write(
      `| ${String(row.size).padStart(8)} | ${row.name.padEnd(25)} | ${row.us.toFixed(1).padStart(10)} | ${row.mb_per_second.toFixed(0).padStart(5)} | ${row.ratio.toFixed(1).padStart(5)} |\n`,
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
