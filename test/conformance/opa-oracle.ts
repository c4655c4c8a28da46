/** What OPA itself answers to a case, with either of its evaluators. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Opa } from '../../src/policy/opa/opa.ts';
import { decode, encode, type RegoObject, type RegoValue } from '../../src/rego/values.ts';
import type { OpaCase } from './opa-cases.ts';

export interface Bench {
  readonly opa: Opa;
  /** for files that a case needs while it runs */
  readonly folder: string;
  readonly capabilities: string;
}

/** A term of Rego as value text, which the engine reads as it reads JSON, sets included. */
export const inputText = async (bench: Bench, c: OpaCase): Promise<string | undefined> => {
  if (c.inputTerm === undefined) return c.input === undefined ? undefined : encode(c.input);
  // In a list, because a string alone would come without its quotes.
  const run = await bench.opa.run(['eval', '--format', 'raw', `sprintf("%v", [[${c.inputTerm}]])`]);
  if (run.code !== 0) throw new Error(`input_term cannot be read: ${run.stderr.trim()}`);
  const [term] = decode(run.stdout.trim()) as readonly RegoValue[];
  return encode(term ?? null);
};

const bindingsOf = (answer: RegoValue): RegoObject[] => {
  const results = answer instanceof Map ? (answer.get('result') ?? []) : [];
  if (!Array.isArray(results)) return [];
  return results.map((r) => {
    const bindings = r instanceof Map ? r.get('bindings') : undefined;
    return bindings instanceof Map ? bindings : new Map();
  });
};

/**
 * @param target `rego`: OPA's interpreter in its default mode; `wasm`: OPA's own WebAssembly compiler and runtime
 * @returns undefined if OPA fails
 */
export const askOpa = async (
  bench: Bench,
  c: OpaCase,
  id: number,
  target: 'rego' | 'wasm',
): Promise<RegoObject[] | undefined> => {
  const dir = join(bench.folder, `${id}-${target}`);
  await mkdir(dir, { recursive: true });
  try {
    const files = c.modules.map((_, i) => join(dir, `m${i}.rego`));
    await Promise.all(c.modules.map((m, i) => writeFile(files[i] as string, m)));
    const data = join(dir, 'data.json');
    await writeFile(data, encode(c.data ?? new Map()));
    const input = join(dir, 'input.json');
    const text = await inputText(bench, c);
    if (text !== undefined) await writeFile(input, text);
    const run = await bench.opa.run([
      ...['eval', '--target', target, '--format', 'json', '--data', data],
      ...files.flatMap((f) => ['--data', f]),
      ...(text === undefined ? [] : ['--input', input]),
      c.query,
    ]);
    return run.code === 0 ? bindingsOf(decode(run.stdout)) : undefined;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
};
