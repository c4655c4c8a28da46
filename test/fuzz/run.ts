/**
 * `npm run fuzz -- [--formats json,http] [--seed 1] [--minutes 5 | --cases 5000]`; `--case N` runs one case of the seed again. Inputs of
 * findings are written to `.tmp/fuzz/`. Exit code 1 if there is a finding, 2 for wrong use.
 */
import '../../src/json-parse.ts';
import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fuzz } from './loop.ts';
import { TARGETS } from './targets.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    cases: { type: 'string' },
    seed: { type: 'string', default: '1' },
    formats: { type: 'string' },
    case: { type: 'string' },
  },
});

const names = values.formats?.split(',') ?? TARGETS.map((target) => target.name);
const targets = TARGETS.filter((target) => names.includes(target.name));
// So many cases take what they take; an hour is a bound for a loop that hangs.
const minutes = Number(values.minutes ?? (values.cases === undefined ? 1 : 60));
const count = values.cases === undefined ? undefined : Number(values.cases);
const seed = Number(values.seed);
if (
  targets.length !== names.length ||
  !(minutes > 0) ||
  !(count === undefined || count > 0) ||
  !Number.isSafeInteger(seed)
) {
  process.stderr.write(
    `targets are ${TARGETS.map((target) => target.name).join(', ')}; minutes, cases and seed are numbers\n`,
  );
  process.exit(2);
}

const live = process.stderr.isTTY === true;
const { cases, failures } = await fuzz(targets, {
  seed,
  milliseconds: minutes * 60_000,
  ...(count === undefined ? {} : { cases: count }),
  ...(values.case === undefined ? {} : { first: Number(values.case), cases: 1 }),
  report: (progress) => {
    if (live) process.stderr.write(`\r${progress.cases} cases, ${progress.failures.length} findings `);
  },
});
if (live) process.stderr.write('\n');

for (const failure of failures) {
  process.stdout.write(
    `${failure.target}: ${failure.what}\n  again: npm run fuzz -- --formats ${failure.target} --seed ${seed} --case ${failure.number}\n`,
  );
  if (failure.input === null) continue;
  const folder = new URL('../../.tmp/fuzz/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const file = `${failure.target}-${seed}-${failure.number}`;
  writeFileSync(new URL(file, folder), failure.input);
  process.stdout.write(`  input: .tmp/fuzz/${file}\n`);
}
process.stdout.write(
  `${cases} cases of ${targets.map((t) => t.name).join(', ')}, seed ${seed}: ${failures.length} findings\n`,
);
process.exitCode = failures.length > 0 ? 1 : 0;
