/** OPA's own evaluation cases: each is built by OPA for WebAssembly with our capabilities, and answered by our engine. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { RegoError } from '../../src/rego/errors.ts';
import { readArchive } from '../../src/policy/bundle/archive.ts';
import { createEvaluator } from '../../src/rego/evaluator.ts';
import type { Builtin } from '../../src/rego/builtins/types.ts';
import { asOpaInterpreter } from '../../src/rego/wasm/hosted.ts';
import { resolveOpa } from '../../src/policy/opa/opa.ts';
import { equal, sorted } from '../../src/rego/order.ts';
import { capabilitiesText, REFUSED } from '../../src/policy/opa/refused.ts';
import { decode, encode, type RegoObject, type RegoValue } from '../../src/rego/values.ts';
import { caseFiles, type OpaCase, readCases } from './opa-cases.ts';
import { askOpa, type Bench, inputText } from './opa-oracle.ts';
import type { Outcome, Runner } from './outcome.ts';

const MAX_PAGES = 4096;
const NOW = { nowNs: BigInt(Date.now()) * 1_000_000n, seed: 'conformance' };

/** OPA registers this one in its own tests only. */
const SLEEP: { readonly [name: string]: Builtin } = {
  'test.sleep': () => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    return null;
  },
};
const SLEEP_DECLARATION = {
  name: 'test.sleep',
  decl: { type: 'function', args: [{ type: 'string' }], result: { type: 'null' } },
};

/** What is built, and how its answer reads as bindings. */
interface Question {
  readonly entrypoints: readonly string[];
  /** a module of ours around the query */
  readonly module?: string;
  bindings(answers: readonly (RegoValue | undefined)[]): RegoObject[];
}

/** `data.p.x = input` compares: `input` and `data` are no variables. */
const VARIABLE = '(?!(?:input|data)$)([a-z]\\w*)';
const DIRECT = new RegExp(`^data((?:\\.[A-Za-z_]\\w*)+)\\s*=\\s*${VARIABLE}$`);
const WHOLE = new RegExp(`^data\\s*=\\s*${VARIABLE}$`);
const PACKAGE = /^\s*package\s+([A-Za-z_]\w*)/m;

const direct = (query: string): Question | undefined => {
  const m = DIRECT.exec(query.trim());
  if (m === null) return undefined;
  return {
    entrypoints: [(m[1] as string).slice(1).replaceAll('.', '/')],
    bindings: ([answer]) => (answer === undefined ? [] : [new Map([[m[2] as string, answer]])]),
  };
};

/** `data = x` inside a rule of `data` would be a recursion: every root is asked by itself. */
const whole = (c: OpaCase): Question | undefined => {
  const variable = WHOLE.exec(c.query.trim())?.[1];
  if (variable === undefined) return undefined;
  const roots = new Set(c.modules.flatMap((m) => PACKAGE.exec(m)?.[1] ?? []));
  if (c.data instanceof Map) for (const key of c.data.keys()) if (typeof key === 'string') roots.add(key);
  const rules = [...roots].map((r) => `answer[${JSON.stringify(r)}] := v if v := data[${JSON.stringify(r)}]`);
  return {
    entrypoints: ['conformance/answer'],
    module: `package conformance\n\n${rules.join('\n\n')}\n`,
    bindings: ([answer]) => [new Map([[variable, answer ?? new Map()]])],
  };
};

const wrapped = (c: OpaCase): Question => {
  const names = new Set((c.want ?? []).flatMap((w) => [...w.keys()]).filter((k) => typeof k === 'string'));
  const head = [...names].map((n) => `${JSON.stringify(n)}: ${n}`).join(', ');
  return {
    entrypoints: ['conformance/answer'],
    module: `package conformance\n\nanswer contains {${head}} if {\n\t${c.query}\n}\n`,
    bindings: ([answer]) => (Array.isArray(answer) ? answer.filter((a) => a instanceof Map) : []),
  };
};

type Built = { readonly wasm: Uint8Array } | { readonly error: string };

const build = async (bench: Bench, c: OpaCase, question: Question, id: number): Promise<Built> => {
  const dir = join(bench.folder, String(id));
  await mkdir(dir, { recursive: true });
  const modules = [...c.modules, ...(question.module === undefined ? [] : [question.module])];
  const files = modules.map((_, i) => join(dir, `m${i}.rego`));
  await Promise.all(modules.map((m, i) => writeFile(files[i] as string, m)));
  const bundle = join(dir, 'bundle.tar.gz');
  const run = await bench.opa.run([
    'build',
    ...['--target', 'wasm', '--wasm-include-print', '--capabilities', bench.capabilities, '--output', bundle],
    ...question.entrypoints.flatMap((e) => ['--entrypoint', e]),
    ...files,
  ]);
  try {
    if (run.code !== 0) return { error: run.stderr.trim() || run.stdout.trim() };
    const wasm = (await readArchive(await readFile(bundle), 'case')).get('policy.wasm');
    return wasm === undefined ? { error: 'the bundle has no policy.wasm' } : { wasm };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
};

const settle = (v: RegoValue): RegoValue => (Array.isArray(v) ? sorted(v) : v);

const normal = (bindings: readonly RegoObject[], sort: boolean): RegoValue[] =>
  sorted(bindings.map((b) => (sort ? new Map([...b].map(([k, v]) => [k, settle(v)] as const)) : b)));

const isEmpty = (v: RegoValue): boolean =>
  Array.isArray(v) ? v.length === 0 : v instanceof Map || v instanceof Set ? v.size === 0 : false;

/** What OPA calls its evaluation errors, as a compiled policy says them. */
const MEANINGS: { readonly [code: string]: RegExp } = {
  eval_conflict_error: /assignment conflict|insert conflict/,
  eval_builtin_error: /^never$/,
};

const refusedBy = (c: OpaCase): string[] =>
  Object.keys(REFUSED).filter((name) => [...c.modules, c.query].some((m) => m.includes(`${name}(`)));

const outcome = (c: OpaCase, status: Outcome['status']): Outcome => ({ name: c.name, status });

const judgeError = (c: OpaCase, message: string): Outcome => {
  const meant =
    (c.errorCode !== undefined &&
      (message.includes(c.errorCode) || MEANINGS[c.errorCode]?.test(message) === true)) ||
    (c.error !== undefined && message.includes(c.error));
  if (meant) return outcome(c, 'passed');
  const wanted = c.errorCode ?? c.error;
  return {
    name: c.name,
    status: 'failed',
    reason: `${wanted === undefined ? 'no error' : wanted} is wanted, ${message.split('\n').slice(0, 3).join(' ')} came`,
  };
};

const runCase = async (bench: Bench, c: OpaCase, id: number): Promise<Outcome> => {
  let question = direct(c.query) ?? whole(c) ?? wrapped(c);
  let built = await build(bench, c, question, id);
  if ('error' in built && question.module === undefined && /entrypoint/.test(built.error)) {
    // The path is one of data only, or of a rule that is no entrypoint.
    question = wrapped(c);
    built = await build(bench, c, question, id);
  }
  if ('error' in built) {
    const { error } = built;
    const refused = refusedBy(c).filter((name) => error.includes(`undefined function ${name}`));
    if (refused.length > 0) return { ...outcome(c, 'passed'), refused };
    return judgeError(c, error);
  }
  let answers: RegoObject[];
  try {
    const evaluator = createEvaluator(new WebAssembly.Module(asOpaInterpreter(built.wasm)), {
      data: c.data === undefined ? {} : new TextEncoder().encode(encode(c.data)),
      maxPages: MAX_PAGES,
      builtins: SLEEP,
    });
    const input = await inputText(bench, c);
    const raws = question.entrypoints.map((e) => evaluator.evaluate(e, input, NOW).raw);
    answers = question.bindings(raws.map((raw) => (raw === '' ? undefined : decode(raw))));
  } catch (e) {
    if (!(e instanceof RegoError))
      return { ...outcome(c, 'failed'), reason: `the engine failed: ${String(e)}` };
    const judged = judgeError(c, `${e.code}: ${e.message}`);
    if (judged.status === 'passed' || (await askOpa(bench, c, id, 'wasm')) !== undefined) return judged;
    return { ...outcome(c, 'skipped'), reason: `OPA's own WebAssembly target fails too: ${e.message}` };
  }
  return judgeAnswers(bench, c, id, answers);
};

const judgeAnswers = async (
  bench: Bench,
  c: OpaCase,
  id: number,
  answers: readonly RegoObject[],
): Promise<Outcome> => {
  const got = normal(answers, c.sortBindings);
  const isOurs = (theirs: readonly RegoObject[] | undefined): boolean =>
    theirs !== undefined && equal(normal(theirs, c.sortBindings), got);
  if (c.want !== undefined && equal(got, normal(c.want, c.sortBindings))) return outcome(c, 'passed');
  if (c.want === undefined) {
    const empty = answers.every((a) => [...a.values()].every(isEmpty));
    if (c.defined !== undefined && c.defined === answers.length > 0) return outcome(c, 'passed');
    // What strict mode would refuse is left out of the answer, and the rest is there.
    if (c.strictError && (empty || isOurs(await askOpa(bench, c, id, 'rego')))) return outcome(c, 'passed');
  }
  const wanted =
    c.want === undefined
      ? (c.errorCode ?? c.error ?? `an answer: ${c.defined}`)
      : encode(normal(c.want, c.sortBindings));
  const interpreted = await askOpa(bench, c, id, 'rego');
  const asWanted =
    c.want === undefined || interpreted === undefined
      ? c.want === interpreted
      : equal(normal(interpreted, c.sortBindings), normal(c.want, c.sortBindings));
  if (asWanted && isOurs(await askOpa(bench, c, id, 'wasm'))) {
    return {
      ...outcome(c, 'skipped'),
      reason: `OPA's own WebAssembly target answers as we do, ${encode(got)}; only its interpreter answers ${wanted}`,
    };
  }
  return { ...outcome(c, 'failed'), reason: `${wanted} is wanted, ${encode(got)} came` };
};

/** Starts as many cases at once as there are cores, and answers in the order of the cases. */
async function* inParallel<T, R>(
  items: readonly T[],
  run: (item: T, i: number) => Promise<R>,
): AsyncIterable<R> {
  const ahead = availableParallelism() + 1;
  const running: Promise<R>[] = [];
  for (let i = 0; i < items.length; i++) {
    running.push(run(items[i] as T, i));
    if (running.length >= ahead) yield await (running.shift() as Promise<R>);
  }
  for (const rest of running) yield await rest;
}

export const opa: Runner = {
  name: "OPA's evaluation cases",
  async accepts(folder) {
    for (const file of await caseFiles(folder)) if ((await readCases(file)) !== undefined) return true;
    return false;
  },
  async *run(folder) {
    const cases = (await Promise.all((await caseFiles(folder)).map(readCases))).flatMap((c) => c ?? []);
    const work = await mkdtemp(join(tmpdir(), 'sluice-conformance-'));
    try {
      const opa = await resolveOpa();
      const capabilities = join(work, 'capabilities.json');
      const allowed = JSON.parse(await capabilitiesText(opa)) as { builtins: unknown[] };
      await writeFile(
        capabilities,
        JSON.stringify({ ...allowed, builtins: [...allowed.builtins, SLEEP_DECLARATION] }),
      );
      const bench: Bench = { opa, folder: work, capabilities };
      yield* inParallel(cases, (c, i) => runCase(bench, c, i));
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  },
};
