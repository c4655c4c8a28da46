/**
 * `npm run build`: compiles `scan.ts` and writes the bytes as a TypeScript module, so that no file is read at run time.
 * `npm run build -- --check` compares the result with the committed module instead (exit code 1: the source has changed).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import asc from 'assemblyscript/asc';

const TARGET = new URL('../wasm.ts', import.meta.url);

process.chdir(new URL('.', import.meta.url).pathname);
const { error, stderr, binary } = await compile();
if (error !== null || binary === undefined) throw new Error(`the scanner does not compile: ${stderr}`);

const lines = Buffer.from(binary)
  .toString('base64')
  .match(/.{1,104}/g)!;
const module = `// Built from assembly/scan.ts by \`npm run build\` in assembly/: change that, not this. ${binary.length} bytes of WebAssembly.

/** the scanner's module, in base64 */
export const SCANNER: string = [
${lines.map((line) => `  '${line}',`).join('\n')}
].join('');
`;

if (process.argv.includes('--check')) {
  if (readFileSync(TARGET, 'utf8') !== module) {
    process.stderr.write('wasm.ts is not what assembly/scan.ts compiles to\n');
    process.exitCode = 1;
  }
} else writeFileSync(TARGET, module);

async function compile() {
  const options = ['scan.ts', '-O3', '--converge', '--noAssert', '--runtime', 'stub', '--enable', 'simd'];
  const written = new Map<string, Uint8Array>();
  const { error, stderr } = await asc.main(
    [...options, '--use', 'abort=', '--importMemory', '--outFile', 'scan.wasm'],
    { writeFile: (name, contents) => void written.set(name, contents as Uint8Array) },
  );
  return { error, stderr: stderr.toString(), binary: written.get('scan.wasm') };
}
