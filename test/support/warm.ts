/**
 * Before the first run: lets the processes that tests start find their code compiled. Most of them are killed, and a process that is
 * killed leaves nothing in Node's compile cache.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

/** what the processes of tests load */
const LOADED = [
  'serve',
  'serve/primary',
  'serve/worker',
  'serve/sidecar',
  'check',
  'test',
  'decisions',
  'demo',
];

export default function warm(): void {
  const cache = process.env['NODE_COMPILE_CACHE'];
  if (cache === undefined || readdirSync(cache).length > 0) return;
  const script = `${LOADED.map((file) => `await import('./src/cli/${file}.ts');`).join('\n')} process.exit(0);`;
  const root = new URL('../..', import.meta.url).pathname;
  spawnSync(process.execPath, ['--input-type=module', '--eval', script], { cwd: root });
}
