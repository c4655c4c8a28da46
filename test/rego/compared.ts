/** Rules evaluated by OPA's interpreter and compiled by OPA at several levels of its optimizer, to compare the answers. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readArchive } from '../../src/policy/bundle/archive.ts';
import { resolveOpa } from '../../src/policy/opa/opa.ts';
import { createEvaluator, type Evaluator } from '../../src/rego/evaluator.ts';
import { equal } from '../../src/rego/order.ts';
import { decode, encode, type RegoObject, type RegoValue } from '../../src/rego/values.ts';
import { asOpaInterpreter } from '../../src/rego/wasm/hosted.ts';

interface Rules {
  /** text of each module; the rules to compare are in the package `t` */
  readonly modules: readonly string[];
  /** names of the rules in the package `t` that are compared */
  readonly names: readonly string[];
  readonly data: string;
  readonly inputs: readonly string[];
  readonly levels: readonly number[];
}

export interface Compared {
  /** what OPA's compiler made, by level, before anything is rewritten */
  readonly modules: ReadonlyMap<number, Uint8Array>;
  readonly evaluators: ReadonlyMap<number, Evaluator>;
  /** @returns what differs, as text: the same text where OPA and the compiled rule agree */
  answers(name: string, level: number): { readonly opa: string[]; readonly ours: string[] };
}

const plain = (v: RegoValue | undefined): RegoValue | undefined =>
  v instanceof Set ? [...v].map((x) => plain(x)!) : v;

export const compare = async ({ modules, names, data, inputs, levels }: Rules): Promise<Compared> => {
  const opa = await resolveOpa();
  const dir = await mkdtemp(join(tmpdir(), 'sluice-compared-'));
  const rego = join(dir, 'rego');
  const run = async (args: readonly string[], cwd = dir): Promise<string> => {
    const done = await opa.run([...args], { cwd });
    if (done.code !== 0) throw new Error(done.stderr + done.stdout);
    return done.stdout;
  };
  try {
    await mkdir(rego);
    await Promise.all(modules.map((text, i) => writeFile(join(rego, `${i}.rego`), text)));
    await writeFile(join(dir, 'data.json'), data);
    const interpreted: RegoObject[] = [];
    for (const input of inputs) {
      await writeFile(join(dir, 'input.json'), input);
      const answer = await run([
        'eval',
        '-f',
        'raw',
        '-d',
        'rego',
        '-d',
        'data.json',
        '-i',
        'input.json',
        'data.t',
      ]);
      interpreted.push(decode(answer) as RegoObject);
    }
    // Without the data in it, as Sluice builds: the optimizer must not evaluate the rules.
    const roots = new Set(modules.map((text) => /^package (\w+)/m.exec(text)![1]));
    await writeFile(join(rego, '.manifest'), JSON.stringify({ roots: [...roots] }));
    const built = new Map<number, Uint8Array>();
    const evaluators = new Map<number, Evaluator>();
    const entrypoints = names.flatMap((name) => ['-e', `t/${name}`]);
    for (const level of levels) {
      const out = join(dir, `${level}.tar.gz`);
      const flags = ['--bundle', '--prune-unused', '-O', `${level}`, '-t', 'wasm'];
      await run(['build', ...flags, ...entrypoints, '-o', out, '.'], rego);
      const wasm = (await readArchive(await readFile(out), 'p')).get('policy.wasm')!;
      built.set(level, wasm);
      const options = { data: Buffer.from(data), maxPages: 256 };
      evaluators.set(level, createEvaluator(new WebAssembly.Module(asOpaInterpreter(wasm)), options));
    }
    return {
      modules: built,
      evaluators,
      answers: (name, level) => {
        const [ofOpa, ours]: [string[], string[]] = [[], []];
        for (const [i, input] of inputs.entries()) {
          const { raw } = evaluators.get(level)!.evaluate(`t/${name}`, input, { nowNs: 0n, seed: '' });
          const answer = raw === '' ? undefined : plain(decode(raw));
          const wanted = interpreted[i]!.get(name);
          const same =
            wanted === undefined || answer === undefined ? wanted === answer : equal(wanted, answer);
          ofOpa.push(wanted === undefined ? 'undefined' : encode(wanted));
          ours.push(same ? ofOpa.at(-1)! : answer === undefined ? 'undefined' : encode(answer));
        }
        return { opa: ofOpa, ours };
      },
    };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
};

/** the names of rules, one a line, that are not functions */
export const ruleNames = (rules: string): string[] =>
  [...new Set([...rules.matchAll(/^([a-z]\w*)(?!\w*\()/gm)].map((m) => m[1]!))].filter(
    (name) => !rules.includes(`\n${name}(`),
  );
