/** Expressions of Rego answered twice: by OPA's interpreter, and by our engine after OPA compiled them for WebAssembly. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readArchive } from '../../../src/policy/bundle/archive.ts';
import { createEvaluator } from '../../../src/rego/evaluator.ts';
import { asOpaInterpreter } from '../../../src/rego/wasm/hosted.ts';
import { resolveOpa } from '../../../src/policy/opa/opa.ts';
import { equal } from '../../../src/rego/order.ts';
import { decode, encode, type RegoObject, type RegoValue } from '../../../src/rego/values.ts';

const MAX_PAGES = 4096;
const NOW = { nowNs: 1_700_000_000_000_000_000n, seed: 'test' };

export interface Answers {
  /** what OPA says of the n-th expression; undefined if it is undefined */
  readonly opa: RegoValue | undefined;
  readonly ours: RegoValue | undefined;
}

/** Answers of both, in the order of the expressions, which may read `input`. */
export const answersOf = async (
  expressions: readonly string[],
  input: RegoValue = new Map(),
): Promise<Answers[]> => {
  const opa = await resolveOpa();
  const dir = await mkdtemp(join(tmpdir(), 'sluice-builtins-'));
  try {
    const module = join(dir, 'p.rego');
    await writeFile(
      module,
      `package p\n\n${expressions.map((e, i) => `r${i} := x if { x := ${e} }`).join('\n\n')}\n`,
    );
    const inputFile = join(dir, 'input.json');
    await writeFile(inputFile, encode(input));
    const bundle = join(dir, 'bundle.tar.gz');
    const built = await opa.run([
      'build',
      '--target',
      'wasm',
      '--entrypoint',
      'p',
      '--output',
      bundle,
      module,
    ]);
    if (built.code !== 0) throw new Error(built.stderr + built.stdout);
    const wasm = (await readArchive(await readFile(bundle), 'p')).get('policy.wasm');
    if (wasm === undefined) throw new Error('no policy.wasm');
    const ours = decode(
      createEvaluator(new WebAssembly.Module(asOpaInterpreter(wasm)), {
        data: {},
        maxPages: MAX_PAGES,
      }).evaluate('p', encode(input), NOW).raw,
    ) as RegoObject;
    const run = await opa.run(['eval', '--format', 'raw', '--data', module, '--input', inputFile, 'data.p']);
    if (run.code !== 0) throw new Error(run.stderr + run.stdout);
    const theirs = decode(run.stdout) as RegoObject;
    return expressions.map((_, i) => ({ opa: theirs.get(`r${i}`), ours: ours.get(`r${i}`) }));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
};

const spell = (v: RegoValue | undefined): string => (v === undefined ? 'undefined' : encode(v));

export const same = ({ opa, ours }: Answers): boolean =>
  opa === undefined || ours === undefined ? opa === ours : equal(opa, ours);

/** One test an expression, all of them compiled and answered together. */
export const answersAsOpa = (text: string): void => {
  const expressions = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const answers = answersOf(expressions);
  // A failure is reported by the tests that await it.
  answers.catch(() => undefined);
  test.each(expressions.map((e, i) => [e, i] as const))('%s is answered as OPA answers it', async (_, i) => {
    const answer = (await answers)[i] as Answers;
    expect(same(answer) ? spell(answer.opa) : spell(answer.ours)).toBe(spell(answer.opa));
  });
};

/** Every one of these calls, whose arguments a property made up, is answered alike. */
export const expectSame = async (expressions: readonly string[], input?: RegoValue): Promise<void> => {
  const answers = await answersOf(expressions, input);
  const different = answers.flatMap((a, i) =>
    same(a) ? [] : [`${expressions[i]}: OPA ${spell(a.opa)}, we ${spell(a.ours)}`],
  );
  expect(different).toEqual([]);
};
