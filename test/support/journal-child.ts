/**
 * A process to be killed: appends records as fast as it can and prints the hash of each once its append has resolved.
 * Arguments: directory, durability, number of appends at once, segment size.
 */
import '../../src/json-parse.ts';
import { writeSync } from 'node:fs';
import { createDecisionLog } from '../../src/decision-log/decision-log.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { draft } from './decision-records.ts';

const [dir, durability, concurrency, segment] = process.argv.slice(2);
const log = await createDecisionLog(
  {
    journal: {
      dir: dir!,
      instance: 'child',
      min_free: 65_536,
      segment_size: Number(segment),
      durability: durability as 'strict' | 'interval',
    },
  },
  { logger: silentLogger },
);
/** Straight to the descriptor: a stream would keep lines that a kill takes away. A full pipe is tried again. */
function print(line: string): void {
  for (;;)
    try {
      writeSync(1, line);
      return;
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== 'EAGAIN') throw e;
    }
}

let n = 0;
for (let i = 0; i < Number(concurrency); i++) {
  void (async () => {
    for (;;) {
      const { origin, seq, hash } = await log.append(draft(n++));
      print(`${origin} ${seq} ${hash}\n`);
    }
  })();
}
