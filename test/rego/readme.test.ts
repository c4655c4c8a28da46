import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { readArchive } from '../../src/policy/bundle/archive.ts';
import { resolveOpa } from '../../src/policy/opa/opa.ts';

const REGO = join(import.meta.dirname, '../../src/rego');

test('the example of the README prints what the README says', async () => {
  const readme = await readFile(join(REGO, 'README.md'), 'utf8');
  const block = (language: string): string => {
    const text = new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(readme)?.[1];
    if (text === undefined) throw new Error(`the README has no block of ${language}`);
    return text;
  };
  const dir = await mkdtemp(join(tmpdir(), 'rego-readme-'));
  try {
    await writeFile(join(dir, 'example.rego'), block('rego'));
    const build = /^opa (build .*)$/m.exec(block('sh'))?.[1]?.split(' ') ?? [];
    const opa = await resolveOpa();
    const built = await opa.run(build.map((arg) => (/\.(?:rego|gz)$/.test(arg) ? join(dir, arg) : arg)));
    expect(built.stderr + built.stdout).toBe('');
    const wasm = (await readArchive(await readFile(join(dir, 'bundle.tar.gz')), 'b')).get('policy.wasm');
    await writeFile(join(dir, 'policy.wasm'), wasm!);
    await writeFile(
      join(dir, 'example.ts'),
      block('ts').replace("'./index.ts'", JSON.stringify(join(REGO, 'index.ts'))),
    );
    const { stdout } = await promisify(execFile)(process.execPath, ['example.ts'], { cwd: dir });
    expect(stdout).toBe(block('text'));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
