/**
 * Runs of OPA that only compile are remembered in a directory that all test files share: hundreds of tests compile the same policies.
 *
 * An entry is keyed by everything that OPA reads: the binary, the arguments, the bytes of every file they name, and standard input.
 * What OPA evaluates (`opa test`, `opa eval` of rules) is never remembered, since an answer may depend on the time.
 */
import { createHash, type Hash } from 'node:crypto';
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join, resolve, sep } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { vi } from 'vitest';
import type { Opa, OpaRun, OpaRunOptions } from '../../src/policy/opa/opa.ts';

/** of the entries; another one makes all that were written before unknown */
const FORMAT = 2;

interface Entry {
  readonly run: OpaRun;
  /** bytes of the file that `-o` or `--output` names */
  readonly output: Uint8Array | null;
}

const compiles = (args: readonly string[]): boolean =>
  ['build', 'capabilities', 'check', 'parse'].includes(args[0] ?? '') ||
  (args[0] === 'fmt' && args.includes('--list')) ||
  // the merged data alone, without rules
  (args[0] === 'eval' && args.at(-1) === 'data' && args.every((a) => !a.endsWith('.rego')));

/** Directories of mkdtemp have a new name each time: the key and the entry hold a number in its place. */
const scratchIn = (paths: readonly string[]): string[] => [
  ...new Set(
    paths
      .filter((path) => path.startsWith(tmpdir() + sep))
      .map((path) => join(tmpdir(), path.slice(tmpdir().length + 1).split(sep)[0]!)),
  ),
];

function hashTree(hash: Hash, path: string, name: string): void {
  if (!statSync(path).isDirectory()) {
    const bytes = readFileSync(path);
    hash.update(`\0${name}\0${bytes.length}\0`).update(bytes);
    return;
  }
  hash.update(`\0${name}/\0`);
  for (const entry of readdirSync(path).sort()) hashTree(hash, join(path, entry), `${name}/${entry}`);
}

function remembering(opa: Opa, dir: string): Opa {
  const { size, mtimeMs } = statSync(opa.path);
  const run = async (args: readonly string[], options: OpaRunOptions = {}): Promise<OpaRun> => {
    const { cwd } = options;
    if (!compiles(args) || options.signal !== undefined) return opa.run(args, options);
    const at = args.findIndex((arg) => arg === '-o' || arg === '--output');
    const output = at < 0 ? null : args[at + 1]!;
    if (args[0] === 'build' && output === null) return opa.run(args, options);
    const scratch = scratchIn([...(cwd === undefined ? [] : [cwd]), ...args.filter(isAbsolute)]);
    const numbered = (text: string): string =>
      scratch.reduce((t, path, i) => t.replaceAll(path, `\0scratch ${i}\0`), text);
    const named = (text: string): string =>
      scratch.reduce((t, path, i) => t.replaceAll(`\0scratch ${i}\0`, path), text);
    const hash = createHash('sha256').update(
      JSON.stringify([
        FORMAT,
        opa.path,
        size,
        mtimeMs,
        cwd === undefined ? null : numbered(cwd),
        args.map(numbered),
      ]),
    );
    hash.update(`\0${options.stdin ?? ''}`);
    for (const arg of args.slice(1)) {
      // `-d prefix:file` puts a file below a prefix
      for (const name of new Set([arg, arg.slice(arg.lastIndexOf(':') + 1)])) {
        const path = resolve(cwd ?? '.', name);
        if (name !== '' && arg !== output && existsSync(path)) hashTree(hash, path, numbered(name));
      }
    }
    const file = join(dir, hash.digest('hex'));
    if (existsSync(file)) {
      const entry = deserialize(readFileSync(file)) as Entry;
      if (output !== null && entry.output !== null) writeFileSync(output, entry.output);
      // whoever removes old entries keeps those in use
      utimesSync(file, new Date(), new Date());
      const { code, stdout, stderr } = entry.run;
      return { code, stdout: named(stdout), stderr: named(stderr) };
    }
    const ran = await opa.run(args, options);
    // 0: it is right, 1: it has faults; anything else may be the machine's doing
    if (ran.code > 1) return ran;
    const entry: Entry = {
      run: { code: ran.code, stdout: numbered(ran.stdout), stderr: numbered(ran.stderr) },
      output: output !== null && existsSync(output) ? readFileSync(output) : null,
    };
    const partial = `${file}.${process.pid}.${Math.random()}`;
    writeFileSync(partial, serialize(entry));
    renameSync(partial, file);
    return ran;
  };
  return { ...opa, run };
}

vi.mock('../../src/policy/opa/opa.ts', async (original) => {
  const real = await original<typeof import('../../src/policy/opa/opa.ts')>();
  const dir = process.env['SLUICE_TEST_COMPILED'];
  return {
    ...real,
    // A binary that a test or the user names is run as it is.
    resolveOpa: async (...options: Parameters<typeof real.resolveOpa>): Promise<Opa> => {
      const opa = await real.resolveOpa(...options);
      return dir === undefined || opa.origin === 'OPA_BIN' ? opa : remembering(opa, dir);
    },
  };
});
