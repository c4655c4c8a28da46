/**
 * `npm run bench -- limits [--only TEXT]`: input that is hostile or long must not cost more than in proportion to its length.
 *
 * Each case is one piece of work, measured in milliseconds of processor time (several measurements: the worst of its inputs) and
 * held against `bench/thresholds.json`. The tests state that the same input is answered rightly; time is measured here only, since
 * it depends on the machine.
 */
import '../../src/json-parse.ts';
import { parseArgs } from 'node:util';
import { check, print, type Row } from '../proxy/report.ts';
import { disclosure } from './disclosure.ts';
import { policy } from './policy.ts';
import { runs } from './runs.ts';
import { treatments } from './treatments.ts';
import { tables } from './tables.ts';

export interface Limit {
  readonly name: string;
  /** the inputs to be measured, each by itself; what prepares them is not measured */
  readonly measured: readonly (() => unknown)[];
}

const { values } = parseArgs({ options: { only: { type: 'string', default: '' } } });

const rows: Row[] = [];
for (const { name, measured } of [...tables, ...treatments, ...disclosure, ...runs, ...(await policy())]) {
  if (!name.includes(values.only)) continue;
  let worst = 0;
  for (const work of measured) {
    const began = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(began);
    worst = Math.max(worst, (user + system) / 1000);
  }
  const row = { name, value: worst, unit: 'ms' };
  print(row);
  rows.push(row);
}
if (!check(rows, 'limits')) process.exitCode = 1;
