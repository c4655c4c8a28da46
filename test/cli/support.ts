/** Runs a command in process, as somebody would in a terminal, and hands back what it said. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { afterEach, expect } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { resolveOpa } from '../../src/policy/opa/opa.ts';

export const ROOT = resolve(import.meta.dirname, '../..');

export const opa = await resolveOpa().catch(() => null);
if (opa === null) console.warn('skipped: no OPA binary on this machine (see `sluice opa`)');

const validators = new Map<string, ReturnType<Ajv2020['compile']>>();

/** what is wrong with a document by a schema that is published; null: nothing */
export const faultsBy = (schema: string, document: unknown): unknown => {
  let validate = validators.get(schema);
  if (validate === undefined) {
    const ajv = new Ajv2020({ strict: false });
    formats.default(ajv, ['date-time']);
    validate = ajv.compile(JSON.parse(readFileSync(join(ROOT, 'schemas', schema), 'utf8')) as object);
    validators.set(schema, validate);
  }
  return validate(document) ? null : validate.errors;
};

/** the published schema of what a command prints with `--json` */
const schemaOf = ([command, ...args]: readonly string[]): string | undefined =>
  command === 'matrix' && args.includes('--diff')
    ? 'matrix-diff.schema.json'
    : ['check', 'matrix', 'replay', 'test'].includes(command ?? '')
      ? `${command}.schema.json`
      : undefined;

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** of `--json`; fails if the output does not match its published schema */
  json<T>(): T;
}

export async function sluice(
  argv: readonly string[],
  options: { readonly cwd?: string; readonly stdin?: string } = {},
): Promise<Said> {
  const out: string[] = [];
  const err: string[] = [];
  const into = (list: string[]): NodeJS.WritableStream =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        list.push(chunk.toString('utf8'));
        done();
      },
    });
  const code = await run(argv, {
    stdout: into(out),
    stderr: into(err),
    stdin: Readable.from([options.stdin ?? '']),
    env: { ...process.env },
    cwd: options.cwd ?? ROOT,
    exitCode: 0,
  });
  const text = out.join('');
  return {
    code,
    out: text,
    err: err.join(''),
    json: <T>() => {
      const printed = JSON.parse(text) as T;
      const schema = schemaOf(argv);
      if (schema !== undefined) expect(faultsBy(schema, printed), schema).toBeNull();
      return printed;
    },
  };
}

/** A copy of the default policy to be changed. */
export class Copy {
  readonly dir: string;

  constructor(source = join(ROOT, 'policies'), dir = mkdtempSync(join(tmpdir(), 'sluice-cli-'))) {
    this.dir = dir;
    cpSync(source, this.dir, { recursive: true });
  }

  path(file: string): string {
    return join(this.dir, file);
  }

  write(file: string, text: string): void {
    writeFileSync(this.path(file), text);
  }

  /** @throws if there is nothing to replace: a test that changes nothing proves nothing */
  change(file: string, from: string | RegExp, to: string): void {
    const before = readFileSync(this.path(file), 'utf8');
    const after = before.replace(from, to);
    if (after === before) throw new Error(`${file} does not hold ${from}`);
    this.write(file, after);
  }

  remove(): void {
    if (existsSync(this.dir)) rmSync(this.dir, { recursive: true, force: true });
  }
}

/** @returns a maker of copies, which are removed after the test that made them */
export function copies(): (source?: string) => Copy {
  const made: Copy[] = [];
  afterEach(() => {
    for (const copy of made.splice(0)) copy.remove();
  });
  return (source) => {
    const copy = new Copy(source);
    made.push(copy);
    return copy;
  };
}

/** a policy directory with few rules of its own */
export const OWN = join(ROOT, 'test/policy/fixtures/policy');

/** The one combination of caller and resource that most tests of `matrix` and `explain` ask about. */
export const ONE: string[] = [
  ...['--role', 'support', '--purpose', 'after_sales'],
  ...['--resource', 'customer', '--recipient', 'internal'],
];

/** line of the first line that holds a text, from 1 */
export const lineOf = (file: string, text: string): number =>
  readFileSync(file, 'utf8')
    .split('\n')
    .findIndex((l) => l.includes(text)) + 1;
