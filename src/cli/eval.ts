/** `sluice eval`: evaluates one query of a policy, and shows printed text and duration. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { randomUUID } from 'node:crypto';
import { Command } from 'commander';
import { isSluiceError, SluiceError } from '../errors.ts';
import type { PolicyBundle } from '../policy/bundle/bundle.ts';
import { DEFAULT_LIMITS } from '../policy/settings.ts';
import { isObject } from '../documents/yaml.ts';
import { faultsIn } from '../documents/faults.ts';
import { createRuntime } from '../policy/runtime.ts';
import type { Io } from './io.ts';
import { openSource } from './policy/source.ts';
import { watching } from './policy/watch.ts';

interface Options {
  readonly entrypoint?: string;
  readonly input?: string;
  readonly policies?: string;
  readonly bundle?: string;
  readonly watch?: boolean;
  readonly json?: boolean;
}

const RUNS = 50;

export function command(io: Io): Command {
  return new Command('eval')
    .description(
      'Evaluate one query of a policy as the sidecar does: compiled, with its limits and built-ins.',
    )
    .argument('[query]', 'the rule to evaluate, e.g. data.sluice.disclosure')
    .option('-e, --entrypoint <path>', 'the same as a path: sluice/disclosure')
    .option('-i, --input <file>', 'input as JSON; - reads it from standard input')
    .option('--policies <dir>', 'policy directory')
    .option('--bundle <file>', 'bundle')
    .option('--watch', 'run again whenever a file changes')
    .option('--json', 'print answer, prints and timing as one JSON document')
    .addHelpText(
      'after',
      '\nExamples:\n  sluice eval data.sluice.decision --input request.json\n  sluice eval \'data.sluice.consent.verdict("contact", 3)\'\n  sluice eval data.lib.ports --policies conftest/policy --input deployment.json\n  sluice eval -e sluice/disclosure -i - --bundle bundle.tar.gz < request.json\n\nAnything can be asked of a directory; of a bundle only its entrypoints. Without --input there is none. Exit code 1 if the answer is undefined.',
    )
    .action(async (query: string | undefined, options: Options) => {
      if (query !== undefined && options.entrypoint !== undefined)
        throw new SluiceError('usage_invalid', 'Give a query or an entrypoint, not both.');
      if (options.policies !== undefined && options.bundle !== undefined)
        throw new SluiceError('usage_invalid', 'Give --policies or --bundle, not both.');
      const asked = query ?? options.entrypoint?.replaceAll('/', '.') ?? 'data.sluice.decision';
      const input = await inputOf(options.input, io);
      const source = options.bundle ?? options.policies ?? 'policies';
      const run = (): Promise<void> => evaluate(io, source, asked, input, options.json === true);
      if (!options.watch) return run();
      await watching(io, [resolve(io.cwd, source)], run);
    });
}

async function inputOf(file: string | undefined, io: Io): Promise<string | undefined> {
  if (file === undefined) return undefined;
  let text: string;
  try {
    text = file === '-' ? await everything(io.stdin) : await readFile(resolve(io.cwd, file), 'utf8');
  } catch (cause) {
    throw new SluiceError('input_invalid', { message: `The input ${file} cannot be read.`, cause });
  }
  try {
    JSON.parse(text);
  } catch (cause) {
    throw new SluiceError('input_invalid', { message: `The input ${file} is not JSON.`, cause });
  }
  return text;
}

async function everything(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as string | Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}

/** The package of the rule to which an expression is compiled. */
const QUERY = { path: 'sluice_eval_query/query.rego', entrypoint: 'sluice_eval_query/answer' };
const RULE = /^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$/;

interface Question {
  readonly entrypoint: string;
  readonly bundle: PolicyBundle;
}

async function questionOf(io: Io, source: string, query: string): Promise<Question> {
  const rule = RULE.exec(query.replace(/^data\./, ''))?.[0];
  const path = rule?.replaceAll('.', '/');
  const policy = await openSource(source, io, {
    print: true,
    ...(path === undefined ? {} : { only: [path] }),
  });
  if (!policy.compiles) {
    if (path === undefined)
      throw new SluiceError(
        'usage_invalid',
        'Of a bundle only its entrypoints can be asked. Name one, e.g. data.sluice.decision, or the directory it was built from.',
      );
    return { entrypoint: path, bundle: await policy.bundle() };
  }
  const packages = policy.files.rego.flatMap((f) => /^\s*package\s+([\w.]+)/m.exec(f.text)?.[1] ?? []);
  const isPackage = packages.some((p) => p === rule || p.startsWith(`${rule}.`));
  if (path?.includes('/') && !isPackage) {
    try {
      return { entrypoint: path, bundle: await policy.bundle() };
    } catch (e) {
      if (!isSluiceError(e, 'policy_compile_failed') || !/ used as reference, not called/.test(e.message))
        throw e;
      throw new SluiceError('usage_invalid', {
        message: `data.${rule} is a function. Call it: sluice eval 'data.${rule}(…)'`,
        cause: e,
      });
    }
  }
  const expression = isPackage ? `data.${rule}` : query;
  const asked = await openSource(source, io, {
    print: true,
    only: [QUERY.entrypoint],
    besides: [
      {
        path: QUERY.path,
        text: `package sluice_eval_query\n\nanswer := it if {\n\tit := ${expression}\n}\n`,
      },
    ],
  });
  try {
    return { entrypoint: QUERY.entrypoint, bundle: await asked.bundle() };
  } catch (e) {
    if (!isSluiceError(e, 'policy_compile_failed') || !e.message.includes(QUERY.path)) throw e;
    throw new SluiceError('usage_invalid', {
      message: `The query is no expression that has a value: ${faultsIn(e)
        .map((f) => f.message)
        .filter((m) => !m.endsWith('var it is unsafe'))
        .join('; ')}`,
      cause: e,
    });
  }
}

async function evaluate(
  io: Io,
  source: string,
  query: string,
  input: string | undefined,
  json: boolean,
): Promise<void> {
  const { bundle, entrypoint } = await questionOf(io, source, query);
  const prints: string[] = [];
  let silent = false;
  const runtime = await createRuntime(bundle, DEFAULT_LIMITS, {
    print: (line) => {
      if (!silent) prints.push(line);
    },
  });
  const outside = { nowNs: BigInt(timeOf(input)) * 1_000_000n, seed: randomUUID };
  const began = performance.now();
  const { result, raw, nondeterminism } = runtime.evaluate(entrypoint, input, outside);
  const first = performance.now() - began;
  silent = true;
  const times = Array.from({ length: RUNS }, () => {
    const start = performance.now();
    runtime.evaluate(entrypoint, input, outside);
    return performance.now() - start;
  }).sort((a, b) => a - b);
  const micros = (ms: number): number => Math.round(ms * 1000);
  const timing = { first_us: micros(first), median_us: micros(times[RUNS >> 1]!), runs: RUNS };
  if (result === undefined) io.exitCode = 1;
  if (json) {
    io.stdout.write(
      `${JSON.stringify({ entrypoint: entrypoint === QUERY.entrypoint ? query : entrypoint, revision: bundle.revision, defined: result !== undefined, result: result ?? null, print: prints, timing, nondeterminism }, (_k, v: unknown) => (typeof v === 'bigint' ? String(v) : v), 2)}\n`,
    );
    return;
  }
  for (const line of prints) io.stderr.write(`print: ${line}\n`);
  io.stdout.write(result === undefined ? 'undefined\n' : `${pretty(raw, result)}\n`);
  io.stderr.write(
    `${entrypoint === QUERY.entrypoint ? query : entrypoint} of ${source}: ${timing.first_us} µs the first time, ${timing.median_us} µs after that (median of ${RUNS})\n`,
  );
}

/** Keeps numbers as the policy writes them, if pretty-printing would change one. */
function pretty(raw: string, result: unknown): string {
  const text = JSON.stringify(result, null, 2);
  return JSON.stringify(result) === JSON.stringify(JSON.parse(raw)) && !/\d{16,}|[eE][+-]?\d/.test(raw)
    ? text
    : raw;
}

/** `time.now_ns()` returns the request's time, as in the sidecar */
function timeOf(input: string | undefined): number {
  const parsed = JSON.parse(input ?? '{}') as unknown;
  const context = isObject(parsed) ? parsed['context'] : undefined;
  const at =
    isObject(context) && typeof context['time'] === 'string' ? Date.parse(context['time']) : Number.NaN;
  return Number.isNaN(at) ? Date.now() : at;
}
