import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { readArchive } from '../../src/policy/bundle/archive.ts';
import { BuiltinFailure } from '../../src/rego/builtins/types.ts';
import { RegoError } from '../../src/rego/errors.ts';
import { createEvaluator, type Evaluator, type EvaluatorOptions } from '../../src/rego/evaluator.ts';
import { resolveOpa } from '../../src/policy/opa/opa.ts';

const NOW = { nowNs: 1_700_000_000_000_000_000n, seed: 'seed' };

const compile = async (
  rego: string,
  entrypoints: readonly string[],
  flags: readonly string[] = [],
): Promise<Uint8Array> => {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-engine-'));
  try {
    await writeFile(join(dir, 'p.rego'), rego);
    const opa = await resolveOpa();
    const args = ['build', '--target', 'wasm', ...flags, ...entrypoints.flatMap((e) => ['--entrypoint', e])];
    const run = await opa.run([...args, '--output', join(dir, 'b.tar.gz'), join(dir, 'p.rego')]);
    if (run.code !== 0) throw new Error(run.stderr + run.stdout);
    return (
      (await readArchive(await readFile(join(dir, 'b.tar.gz')), 'b')).get('policy.wasm') ?? new Uint8Array()
    );
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
};

const REGO = `package p

same := input
known := data.known[input.name]
numbers contains n if some n in input.numbers
conflict := 1 if input.a
conflict := 2 if input.b
walked contains x if walk(input, x)
spelled := sprintf("%v", [input.n])
now := time.now_ns()
dice := [rand.intn("a", 1000), rand.intn("b", 1000), rand.intn("a", 1000)]
id := uuid.rfc4122("x")
hashed := crypto.sha256(base64.decode(input.raw))
made := base64.encode(hex.decode(input.hex))
failing := not_there if { not_there := hex.decode(input.hex) }
otherwise := "undefined" if not hex.decode(input.hex)
noted if print("hello", input.name, {1, 2})
token := io.jwt.encode_sign({"alg": "ES256"}, {"a": 1}, input.key)
`;
const ENTRYPOINTS = [...REGO.matchAll(/^([a-z]+)\b/gm)].map((m) => m[1]).filter((n) => n !== 'package');

let module: WebAssembly.Module;
beforeAll(async () => {
  module = new WebAssembly.Module(
    await compile(
      REGO,
      [...new Set(ENTRYPOINTS)].map((e) => `p/${e}`),
      ['--wasm-include-print'],
    ),
  );
});

const evaluator = (options: Partial<EvaluatorOptions> = {}): Evaluator =>
  createEvaluator(module, { data: { known: { ann: { age: 7 } } }, maxPages: 64, ...options });

const ask = (e: Evaluator, rule: string, input?: unknown): unknown =>
  e.evaluate(`p/${rule}`, input === undefined ? undefined : JSON.stringify(input), NOW).result;

describe('an evaluator', () => {
  test('answers an entrypoint from input and data', () => {
    expect(ask(evaluator(), 'known', { name: 'ann' })).toEqual({ age: 7 });
  });

  test('answers undefined where the rule is undefined', () => {
    expect(evaluator().evaluate('p/known', '{"name":"bob"}', NOW)).toEqual({
      result: undefined,
      raw: '',
      nondeterminism: {},
    });
  });

  test('takes an input that is false, zero or null, and one that is not there', () => {
    const e = evaluator();
    for (const input of [false, 0, null, '']) expect(ask(e, 'same', input)).toBe(input);
    expect(ask(e, 'same')).toBeUndefined();
  });

  test('returns any JSON unchanged, given as text and as bytes', () => {
    const e = evaluator();
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false }), (json) => {
        const wanted: unknown = JSON.parse(json, (_, v: unknown) => (v === 0 ? 0 : v));
        expect(e.evaluate('p/same', json, NOW).result).toEqual(wanted);
        expect(e.evaluate('p/same', new TextEncoder().encode(json), NOW).result).toEqual(wanted);
      }),
      { numRuns: 60 },
    );
  });

  test('keeps every number as it was spelled', () => {
    const text = '[1.0,12345678901234567890123,0.1000,1e400]';
    expect(evaluator().evaluate('p/same', text, NOW).raw.replaceAll(' ', '')).toBe(text);
    expect(evaluator().evaluate('p/spelled', '{"n":12345678901234567890123}', NOW).result).toBe(
      '12345678901234567890123',
    );
  });

  test('answers sets as lists in order', () => {
    expect(ask(evaluator(), 'numbers', { numbers: [10, 9, 'b', 'a', [1], 2.5] })).toEqual([
      2.5,
      9,
      10,
      'a',
      'b',
      [1],
    ]);
  });

  test('reads half a surrogate pair as Go does', () => {
    expect(evaluator().evaluate('p/same', '"\\ud800x\\ud83d\\ude00\\\\ud800"', NOW).result).toBe(
      '\ufffdx\u{1f600}\\ud800',
    );
  });

  test('passes bytes that are not UTF-8 to built-ins and back', () => {
    const e = evaluator();
    expect(ask(e, 'hashed', { raw: '/wD+' })).toBe(
      createHash('sha256').update(Buffer.from('ff00fe', 'hex')).digest('hex'),
    );
    expect(ask(e, 'made', { hex: 'ff00fe' })).toBe('/wD+');
  });

  test('leaves a call undefined whose built-in fails', () => {
    const e = evaluator();
    expect(ask(e, 'failing', { hex: 'zz' })).toBeUndefined();
    expect(ask(e, 'otherwise', { hex: 'zz' })).toBe('undefined');
  });

  test('knows its entrypoints and the built-ins it calls', () => {
    const e = evaluator();
    expect(e.entrypoints).toContain('p/same');
    expect(e.builtins).toEqual(expect.arrayContaining(['time.now_ns', 'sprintf', 'rand.intn']));
  });

  test('refuses an entrypoint that it does not have', () => {
    expect(() => evaluator().evaluate('p/nothing', '{}', NOW)).toThrow(
      expect.objectContaining({ code: 'entrypoint_missing' }),
    );
  });

  test('prints what the policy prints', () => {
    const lines: string[] = [];
    ask(evaluator({ print: (line) => lines.push(line) }), 'noted', { name: 'ann' });
    expect(lines).toEqual(['hello ann {1, 2}']);
  });
});

describe('time and chance', () => {
  test('the time is the given one, and is noted only if the policy reads it', () => {
    const e = evaluator();
    expect(e.evaluate('p/now', undefined, NOW)).toMatchObject({
      raw: '1700000000000000000',
      nondeterminism: { now_ns: '1700000000000000000' },
    });
    expect(e.evaluate('p/same', '1', NOW).nondeterminism).toEqual({});
  });

  test('the same seed gives the same random numbers, another seed others', () => {
    const e = evaluator();
    const first = e.evaluate('p/dice', undefined, NOW);
    expect(e.evaluate('p/dice', undefined, NOW).result).toEqual(first.result);
    expect(first.nondeterminism).toEqual({ seed: 'seed' });
    expect((first.result as number[])[0]).toBe((first.result as number[])[2]);
    const others = [1, 2, 3].map((i) => e.evaluate('p/dice', undefined, { ...NOW, seed: `other ${i}` }).raw);
    expect(new Set([first.raw, ...others]).size).toBeGreaterThan(1);
  });

  test('an identifier is a version 4 UUID of the seed', () => {
    expect(ask(evaluator(), 'id')).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });

  test('a signature is the same each time', () => {
    const key = {
      kty: 'EC',
      crv: 'P-256',
      x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
      y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
      d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI',
    };
    const e = evaluator();
    const token = ask(e, 'token', { key });
    expect(ask(evaluator(), 'token', { key })).toBe(token);
  });
});

describe('an evaluation that goes wrong', () => {
  const wellAfter = (e: Evaluator): void => expect(ask(e, 'known', { name: 'ann' })).toEqual({ age: 7 });

  test('a conflict names its place, and the next evaluation is correct', () => {
    const e = evaluator();
    expect(() => ask(e, 'conflict', { a: true, b: true })).toThrow(
      expect.objectContaining({
        code: 'evaluation_failed',
        message: expect.stringMatching(/p\.rego:\d+.*conflict/s),
      }),
    );
    wellAfter(e);
  });

  test('memory beyond the limit is refused, and the next evaluation is correct', () => {
    const e = evaluator({ maxPages: 24 });
    expect(() => ask(e, 'same', Array(200_000).fill(1))).toThrow(
      expect.objectContaining({ code: 'memory_exceeded' }),
    );
    wellAfter(e);
    expect(e.memoryBytes()).toBeLessThanOrEqual(24 * 65536);
  });

  test('an input that cannot fit is refused before anything runs', () => {
    const e = evaluator({ maxPages: 8 });
    expect(() => ask(e, 'same', 'x'.repeat(1_000_000))).toThrow(
      expect.objectContaining({ code: 'input_too_large' }),
    );
    wellAfter(e);
  });

  test('an input nested too deep is refused, and the next evaluation is correct', () => {
    const e = evaluator({ maxPages: 4096 });
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    expect(() => e.evaluate('p/same', deep, NOW)).toThrow(
      expect.objectContaining({ code: 'evaluation_failed' }),
    );
    wellAfter(e);
  });

  test('a built-in that throws fails its evaluation, but not the next', async () => {
    const bytes = await compile('package p\n\nx := uuid.rfc4122(input.s)\n', ['p/x']);
    let broken = true;
    const e = createEvaluator(new WebAssembly.Module(bytes), {
      data: {},
      maxPages: 64,
      builtins: {
        'uuid.rfc4122': () => {
          if (broken) throw new TypeError('a bug');
          return 'fine';
        },
      },
    });
    expect(() => e.evaluate('p/x', '{"s":"a"}', NOW)).toThrow(
      expect.objectContaining({ code: 'evaluation_failed' }),
    );
    broken = false;
    expect(e.evaluate('p/x', '{"s":"a"}', NOW).result).toBe('fine');
  });

  test('a host built-in ends when the time is used up, and the next evaluation has its full time', () => {
    let over = true;
    const e = evaluator({
      meter: {
        start: () => {},
        check: () => {
          if (over) throw new RegoError('deadline_exceeded', 'over');
        },
      },
    });
    expect(() => ask(e, 'spelled', { n: 1 })).toThrow(expect.objectContaining({ code: 'deadline_exceeded' }));
    over = false;
    expect(ask(e, 'spelled', { n: 1 })).toBe('1');
  });

  test('evaluations that fail, in any order, do not change the results of others', () => {
    const e = evaluator({ maxPages: 48 });
    const good = (): void => wellAfter(e);
    const bad = [
      () => ask(e, 'conflict', { a: true, b: true }),
      () => ask(e, 'same', Array(400_000).fill(1)),
      () => e.evaluate('p/same', '['.repeat(100_000), NOW),
    ];
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1, max: 2 }), { maxLength: 12 }), (order) => {
        for (const i of order) {
          if (i < 0) good();
          else expect(bad[i]).toThrow();
        }
        good();
      }),
      { numRuns: 15 },
    );
  });
});

describe('memory', () => {
  test('stays flat over many evaluations', () => {
    const e = evaluator();
    const input = JSON.stringify({ numbers: Array.from({ length: 50 }, (_, i) => i) });
    for (let i = 0; i < 2_000; i++) e.evaluate('p/numbers', input, NOW);
    const warm = e.memoryBytes();
    for (let i = 0; i < 20_000; i++) e.evaluate('p/numbers', input, NOW);
    expect(e.memoryBytes()).toBe(warm);
  });

  test('an instance that has grown is replaced', () => {
    const e = evaluator({ maxPages: 4096 });
    const before = e.memoryBytes();
    ask(e, 'same', 'x'.repeat(20_000_000));
    expect(e.memoryBytes()).toBe(0);
    ask(e, 'known', { name: 'ann' });
    expect(e.memoryBytes()).toBe(before);
  });
});

describe('loading', () => {
  test('refuses a policy that calls an unknown built-in', async () => {
    const bytes = await compile('package p\n\nx := http.send({"method": "get", "url": "http://a"})\n', [
      'p/x',
    ]);
    expect(() => createEvaluator(new WebAssembly.Module(bytes), { data: {}, maxPages: 64 })).toThrow(
      expect.objectContaining({
        code: 'builtin_unknown',
        message: expect.stringContaining('http.send'),
      }),
    );
  });

  test('the host may add built-ins of its own', async () => {
    const bytes = await compile('package p\n\nx := http.send({"method": "get", "url": "http://a"})\n', [
      'p/x',
    ]);
    const e = createEvaluator(new WebAssembly.Module(bytes), {
      data: {},
      maxPages: 64,
      builtins: {
        'http.send': () => {
          throw new BuiltinFailure('no network');
        },
      },
    });
    expect(e.evaluate('p/x', undefined, NOW).result).toBeUndefined();
  });

  test('refuses a module that is not a policy', () => {
    const nothing = new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    expect(() => createEvaluator(nothing, { data: {}, maxPages: 64 })).toThrow(
      expect.objectContaining({ code: 'module_unsupported' }),
    );
  });

  test('refuses data that does not fit the memory', () => {
    expect(() => evaluator({ data: { big: Array(100_000).fill('x') }, maxPages: 16 })).toThrow(
      expect.objectContaining({ code: 'memory_exceeded' }),
    );
  });

  test('data may be a value, or JSON text as bytes', () => {
    for (const data of [{ known: { ann: 1 } }, new TextEncoder().encode('{"known":{"ann":1}}')]) {
      expect(ask(evaluator({ data }), 'known', { name: 'ann' })).toBe(1);
    }
  });

  test('constants larger than the first memory are loaded', async () => {
    const bytes = await compile(`package p\n\nx := count("${'a'.repeat(900_000)}")\n`, ['p/x']);
    const e = createEvaluator(new WebAssembly.Module(bytes), { data: {}, maxPages: 256 });
    expect(e.evaluate('p/x', undefined, NOW).result).toBe(900_000);
  });
});
