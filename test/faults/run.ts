/** `npm run faults -- [--rounds 20] [--list] [word …]`: the tests of faults, those at random moments so often. Exit code 2 for wrong use. */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { FAULTS } from './faults.ts';

const { values, positionals } = parseArgs({
  options: { rounds: { type: 'string', default: '20' }, list: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const wrong = (why: string): never => {
  process.stderr.write(`${why}\n`);
  process.exit(2);
};
const rounds = Number(values.rounds);
if (!Number.isSafeInteger(rounds) || rounds < 1) wrong('--rounds is a whole number from 1');
const wanted = FAULTS.filter(
  ({ what, file }) =>
    positionals.length === 0 || positionals.some((word) => what.includes(word) || file.includes(word)),
);
if (wanted.length === 0) wrong(`no fault has ${positionals.join(', ')} in its name; --list names them`);
if (values.list) {
  for (const { what, file } of wanted) process.stdout.write(`${what}\n    ${file}\n`);
  process.exit(0);
}
const { status } = spawnSync(
  'npx',
  ['vitest', 'run', '--reporter=verbose', ...new Set(wanted.map(({ file }) => file))],
  { stdio: 'inherit', env: { ...process.env, SLUICE_FAULT_ROUNDS: String(rounds) } },
);
process.exit(status ?? 1);
