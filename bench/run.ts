/**
 * `npm run bench -- <name> [options]`: runs `bench/<name>.ts` or `bench/<name>/run.ts` in a process of its own, so that
 * one benchmark's heap is not another's.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const file = (name: string): string | undefined =>
  [`${here}${name}.ts`, `${here}${name}/run.ts`].find((path) => existsSync(path));
const names = [...new Set(readdirSync(here).map((entry) => entry.replace(/\.ts$/, '')))].filter(
  (name) => name !== 'run' && /^[a-z-]+$/.test(name) && file(name) !== undefined,
);

const [name, ...rest] = process.argv.slice(2);
const script = name !== undefined && names.includes(name) ? file(name) : undefined;
if (script === undefined) {
  process.stderr.write(`usage: npm run bench -- <name> [options]\nnames: ${names.join(', ')}\n`);
  process.exitCode = 2;
} else {
  const child = spawn(process.execPath, ['--expose-gc', script, ...rest], { stdio: 'inherit' });
  child.on('close', (code) => {
    process.exitCode = code ?? 1;
  });
}
