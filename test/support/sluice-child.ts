/** A Sluice to be killed. Argument: its sluice.yaml. Prints its port, as JSON, once it listens. */
import '../../src/json-parse.ts';
import { readFileSync, writeSync } from 'node:fs';
import { compose } from '../../src/compose/compose.ts';
import { parseConfig } from '../../src/config/index.ts';
import { silentLogger } from '../../src/observability/logger.ts';

const file = process.argv[2]!;
const loaded = parseConfig(readFileSync(file, 'utf8'), file, process.env);
const sluice = await compose(loaded, { logger: silentLogger });
try {
  writeSync(1, `${JSON.stringify({ port: Number(new URL(sluice.proxy).port) })}\n`);
} catch {
  process.exit(1); // whoever started it is gone
}
