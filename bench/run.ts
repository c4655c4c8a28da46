/**
 * `npm run bench -- <name> … [options]`: runs `bench/<name>.ts` or `bench/<name>/run.ts`. Each benchmark has its own process, so that it
 * starts with an empty heap. Several benchmarks run one after the other.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const file = (name: string): string | undefined =>
  [`${here}${name}.ts`, `${here}${name}/run.ts`].find((path) => existsSync(path));
const names = [...new Set(readdirSync(here).map((entry) => entry.replace(/\.ts$/, '')))].filter(
  (name) => name !== 'run' && /^[a-z-]+$/.test(name) && file(name) !== undefined,
);

const args = process.argv.slice(2);
const options = args.findIndex((arg) => arg.startsWith('-'));
const asked = options < 0 ? args : args.slice(0, options);
const rest = options < 0 ? [] : args.slice(options);
if (asked.length === 0 || !asked.every((name) => names.includes(name))) {
  process.stderr.write(`usage: npm run bench -- <name> … [options]\nnames: ${names.join(', ')}\n`);
  process.exitCode = 2;
} else {
  for (const name of asked) {
    const child = spawn(process.execPath, ['--expose-gc', file(name) as string, ...rest], {
      stdio: 'inherit',
    });
    const [code] = (await once(child, 'close')) as [number | null];
    process.exitCode = Math.max(Number(process.exitCode ?? 0), code ?? 1);
    if (code !== 0 && !existsSync(`${here}node_modules`))
      process.stderr.write(
        '`npm ci --prefix bench` installs the packages that some benchmarks compare with.\n',
      );
  }
}
