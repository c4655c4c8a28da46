/** `npm run faults -- [--rounds 20] [name …]`: the tests of faults, those at random moments so often. Exit code 2 for wrong use. */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  options: { rounds: { type: 'string', default: '20' } },
  allowPositionals: true,
});
const rounds = Number(values.rounds);
if (!Number.isSafeInteger(rounds) || rounds < 1) {
  process.stderr.write('--rounds is a whole number from 1\n');
  process.exit(2);
}
const { status } = spawnSync(
  'npx',
  ['vitest', 'run', ...(positionals.length === 0 ? [''] : positionals).map((name) => `test/faults/${name}`)],
  {
    stdio: 'inherit',
    env: { ...process.env, SLUICE_FAULT_ROUNDS: String(rounds) },
  },
);
process.exit(status ?? 1);
