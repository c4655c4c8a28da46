import { cp, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compilePolicy } from '../../src/policy/compile.ts';
import { readPolicyDirectory } from '../../src/policy/directory.ts';
import type { Keep } from '../../src/policy/keep.ts';
import type { Opa } from '../../src/policy/opa/opa.ts';
import { REFUSED } from '../../src/policy/opa/refused.ts';
import { compileUnitTests } from '../../src/policy/unit-tests/compile.ts';
import { FIXTURE, fixture, opa, policyOf, rejection, scratch } from './support.ts';

const RULES = 'package sluice\n\ndecision := {}\n\ndisclosure := {}\n';

const directory = async (files: { readonly [path: string]: string }): Promise<string> => {
  const dir = await scratch();
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(dir, path, '..'), { recursive: true });
    await writeFile(join(dir, path), text);
  }
  return dir;
};
const compile = async (dir: string) => compilePolicy(dir, { opa: await opa() });

describe('a policy directory', () => {
  test('becomes a bundle with its data at the root, its catalogs and its classes', async () => {
    const bundle = await fixture();
    expect(Object.keys(bundle.data)).toEqual(['limits', 'roles', 'catalog', 'classes']);
    expect(bundle.data['classes']).toEqual({
      customer: [
        { class: 'contact/3', category: 'contact', grade: 3 },
        { class: 'identity/3', category: 'identity', grade: 3 },
        { class: 'reference/1', category: 'reference', grade: 1 },
        { class: 'transaction/2', category: 'transaction', grade: 2 },
      ],
    });
    expect(bundle.catalogs.get('customer')!.data_subject).toEqual(['/id']);
    expect(Object.keys(bundle.sources)).toContain('sluice/decision_test.rego');
  });

  test('has a revision that depends only on the files that decide', async () => {
    const copy = await scratch();
    await cp(FIXTURE, copy, { recursive: true });
    const { revision } = await fixture();
    expect((await compile(copy)).revision).toBe(revision);
    await writeFile(join(copy, 'sluice/other_test.rego'), 'package sluice_test\n');
    expect((await compile(copy)).revision).toBe(revision);
    await mkdir(join(copy, 'scenarios'), { recursive: true });
    await writeFile(join(copy, 'scenarios/other.yaml'), '# none yet\n');
    expect((await compile(copy)).revision).toBe(revision);
    // a rule, wherever it stands
    const rule = join(copy, 'scenarios/other.rego');
    await writeFile(rule, 'package other\n');
    expect((await compile(copy)).revision).not.toBe(revision);
    await rm(rule);
    await writeFile(join(copy, 'data/roles.yaml'), 'roles: {}');
    expect((await compile(copy)).revision).not.toBe(revision);
  });

  const BY_NAME = 'data.lib[input.n].deny[input.k]';
  const LOST = [
    [BY_NAME, 'package lib.b.deny\n\nx := 1', 'data.lib[_].deny', 'data.lib.b.deny.x'],
    [BY_NAME, 'package lib["b"].deny.more\n\nx := 1', 'data.lib[_].deny', 'data.lib.b.deny.more.x'],
    ['data.lib[input.n][input.k].x', 'package lib.b.deny\n\nx := 1', 'data.lib[_][_]', 'data.lib.b.deny.x'],
    [BY_NAME, 'package lib.b\n\ndeny.x := 1', 'data.lib[_].deny', 'data.lib.b.deny.x'],
    [BY_NAME, 'package lib\n\nb.deny.x := 1', 'data.lib[_].deny', 'data.lib.b.deny.x'],
    [
      BY_NAME,
      'package lib\n\nb["deny"].deep[k] := 1 if some k in input.z',
      'data.lib[_].deny',
      'data.lib.b.deny.deep',
    ],
    [BY_NAME, 'package lib.b\n\ndeny.x contains 1', 'data.lib[_].deny', 'data.lib.b.deny.x'],
  ] as const;
  test.each(LOST)('is refused where OPA loses a rule: %s, case %#', async (reference, rule, path, name) => {
    const dir = await directory({
      'a.rego': `${RULES}\nallow if ${reference}\n`,
      'rule.rego': 'package lib.a\n\ndeny[k] := v if some k, v in input.o\n',
      'package.rego': `${rule}\n`,
    });
    const error = await rejection(
      compilePolicy(dir, { opa: await opa(), entrypoints: ['sluice/allow'], optimize: 0 }),
    );
    expect(error).toMatchObject({ code: 'policy_compile_failed' });
    expect(error.message).toContain(
      `${join(dir, 'package.rego')}: OPA compiles ${path} so that it does not find the rule ${name}`,
    );
  });

  test('is refused where only its unit tests search for the rule that OPA loses', async () => {
    const dir = await directory({
      'a.rego': RULES,
      'rule.rego': 'package lib.a\n\ndeny[k] := v if some k, v in input.o\n',
      'package.rego': 'package lib.b\n\ndeny.x := 1\n',
      'a_test.rego': `package a_test\n\ntest_denied if data.lib[input.n].deny[input.k] == 1 with input as {"n": "b", "k": "x"}\n`,
    });
    const error = await rejection(
      readPolicyDirectory(dir).then(async (files) => compileUnitTests(await opa(), files)),
    );
    expect(error).toMatchObject({ code: 'policy_compile_failed' });
    expect(error.message).toContain('does not find the rule data.lib.b.deny.x');
  });

  test('is not refused for a rule that goes on by a variable', async () => {
    const dir = await directory({
      'a.rego': `${RULES}\nallow if ${BY_NAME}\n`,
      'rule.rego': 'package lib.a\n\ndeny[k] := v if some k, v in input.o\n',
      'other.rego': 'package lib\n\nb.deny[k].z := v if some k, v in input.o\n',
    });
    const entrypoints = ['sluice/allow'];
    await expect(compilePolicy(dir, { opa: await opa(), entrypoints, optimize: 0 })).resolves.toBeDefined();
  });

  test('is not refused where no rule with keys has the path of a package', async () => {
    const dir = await directory({
      'a.rego': `${RULES}\nallow if data.lib[input.n].deny[input.k]\n`,
      'rule.rego': 'package lib.a\n\ndeny contains "x" if input.m\n',
      'package.rego': 'package lib.b.deny\n\nx := 1\n',
    });
    const entrypoints = ['sluice/allow'];
    await expect(compilePolicy(dir, { opa: await opa(), entrypoints, optimize: 0 })).resolves.toBeDefined();
  });

  test('is compiled again only where it has changed, if results are kept', async () => {
    const dir = await scratch();
    await cp(FIXTURE, dir, { recursive: true });
    const real = await opa();
    let runs: string[] = [];
    const counting: Opa = {
      ...real,
      run: (args, options) => {
        runs.push(args[0]!);
        return real.run(args, options);
      },
    };
    const kept = new Map<string, Promise<unknown>>();
    const keep: Keep = <T>(key: string, make: () => Promise<T>) => {
      const made = (kept.get(key) as Promise<T> | undefined) ?? make();
      kept.set(key, made);
      return made;
    };
    const compiled = async () => {
      runs = [];
      const bundle = await compilePolicy(dir, { opa: counting, keep });
      const whole = await compile(dir);
      expect(bundle.revision).toBe(whole.revision);
      expect(bundle.dataJson).toBe(whole.dataJson);
      expect(bundle.reads).toEqual(whole.reads);
      expect(Buffer.from(bundle.wasm).equals(whole.wasm)).toBe(true);
      return runs.filter((command) => command !== 'capabilities').sort();
    };
    expect(await compiled()).toEqual(['build', 'build', 'check', 'eval']);
    expect(await compiled()).toEqual([]);
    await writeFile(join(dir, 'data/roles.yaml'), 'roles: {}');
    expect(await compiled()).toEqual(['eval']);
    await writeFile(join(dir, 'sluice/more.rego'), 'package sluice.more\n\nx := data.limits\n');
    expect(await compiled()).toEqual(['build', 'build', 'check']);
    // Data at the name of a package: the optimizer would take it for absent.
    await writeFile(join(dir, 'data/mixed.yaml'), 'sluice: { here: 1 }');
    expect(await compiled()).toEqual(['build', 'build', 'check', 'eval']);
  });

  test('reads YAML as OPA does', async () => {
    const bundle = await policyOf(RULES, { data: 'x: { yes: yes, o: 012, k: 1_000, d: 2026-01-01, 8: a }' });
    expect(bundle.data['x']).toEqual({ true: true, o: 10, k: 1000, d: '2026-01-01', 8: 'a' });
  });

  test('keeps the digits of a number in a JSON file', async () => {
    const dir = await directory({
      'p/p.rego': RULES,
      'data/n.json': '{"n": 12345678901234567890123, "m": [1.50]}',
    });
    expect((await compile(dir)).dataJson).toContain('"n":12345678901234567890123');
  });

  test('may consist of links, as a mounted ConfigMap does', async () => {
    const real = await directory({ 'sluice/p.rego': RULES });
    const mount = await scratch();
    await symlink(real, join(mount, '..data'));
    await symlink('..data/sluice', join(mount, 'sluice'));
    expect((await compile(mount)).manifest.wasm).toHaveLength(2);
  });

  test('may have data under the name of a package', async () => {
    const bundle = await policyOf('package sluice\n\ndecision := data.sluice.extra.x\n\ndisclosure := {}\n', {
      data: 'sluice: { extra: { x: 7 } }',
    });
    const { createRuntime } = await import('../../src/policy/runtime.ts');
    const { DEFAULT_LIMITS } = await import('../../src/policy/settings.ts');
    const runtime = await createRuntime(bundle, DEFAULT_LIMITS);
    expect(runtime.evaluate('sluice/decision', '{}', { nowNs: 0n, seed: () => '' }).result).toBe(7);
  });

  test('takes the same time for any number of roles: a loop over data is not unrolled', async () => {
    const roles = (n: number): string =>
      `roles: {${Array.from({ length: n }, (_, i) => `r${i}: { p: [x] }`).join(', ')}}`;
    const rego =
      'package sluice\n\ndecision if {\n\tsome r in input.roles\n\tinput.p in data.roles[r].p\n}\n\ndisclosure := {}\n';
    const [few, many] = [
      await policyOf(rego, { data: roles(2) }),
      await policyOf(rego, { data: roles(500) }),
    ];
    expect(many.wasm.length).toBe(few.wasm.length);
  });
});

describe('a fault in a policy directory', () => {
  test('of syntax is reported with file, line and column', async () => {
    const dir = await directory({ 'sluice/p.rego': 'package sluice\n\ndecision := {\n' });
    const e = await rejection(compile(dir));
    expect(e.code).toBe('policy_compile_failed');
    expect(e.at).toMatchObject({ file: join(dir, 'sluice/p.rego'), line: 4 });
  });

  test('is reported together with all others', async () => {
    const dir = await directory({
      'a.rego': 'package a\n\nx := nope(1)\n',
      'b.rego': 'package b\n\ny := never(1)\n',
    });
    const { message } = await rejection(compile(dir));
    expect(message).toContain(`${join(dir, 'a.rego')}:3:6: rego_type_error: undefined function nope`);
    expect(message).toContain(`${join(dir, 'b.rego')}:3:6: rego_type_error: undefined function never`);
  });

  // OPA builds each of these: it removes `print` before it looks at its arguments, and does not read schemas in annotations.
  test.each([
    ['an unknown variable in print', 'x if print(nosuch)', 'nosuch'],
    ['a refused built-in in print', 'x if print(http.send({}))', 'http.send', 'policy_builtin_refused'],
    ['an argument of print of the wrong type', 'x if print(1 + "a")', 'plus'],
    [
      'a value that contradicts a schema',
      '# METADATA\n# schemas:\n#   - input.a: {type: number}\nx if startswith(input.a, "b")',
      'startswith',
    ],
    [
      'a member that a schema does not have',
      '# METADATA\n# schemas:\n#   - input: {type: object, properties: {a: {type: number}}, additionalProperties: false}\nx if input.b == 1',
      'input.b',
    ],
  ])(
    'that opa check refuses and opa build accepts is refused: %s',
    async (_, rule, named, code = 'policy_compile_failed') => {
      const dir = await directory({ 'a.rego': `${RULES}\n${rule}\n` });
      const e = await rejection(compile(dir));
      expect(e.code).toBe(code);
      expect(e.message).toContain(named);
    },
  );

  test('makes the compiler fetch nothing: a schema that refers to a URL is refused', async () => {
    const requested: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      requested.push(request.url);
      response.end('{"type": "number"}');
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as AddressInfo;
    const schema = `input: {type: object, properties: {a: {$ref: "http://127.0.0.1:${port}/a.json"}}}`;
    const dir = await directory({
      'a.rego': `${RULES}\n# METADATA\n# schemas:\n#   - ${schema}\nx if input.a == 1\n`,
    });
    try {
      expect((await rejection(compile(dir))).code).toBe('policy_compile_failed');
      expect(requested).toEqual([]);
    } finally {
      server.close();
    }
  });

  test.each(Object.keys(REFUSED))(
    'that is a call of %s names the rule, the place and the way out',
    async (builtin) => {
      const args: { readonly [name: string]: string } = {
        'http.send': '{"method": "get", "url": "http://x"}',
        'net.lookup_ip_addr': '"x"',
        'opa.runtime': '',
        'rego.parse_module': '"a", "b"',
        'providers.aws.sign_req': '{}, {}, 1',
      };
      const dir = await directory({
        'sluice/p.rego': `${RULES}\n# who\nsubject.fetched if {\n\tx := ${builtin}(${args[builtin]})\n\tx\n}\n`,
      });
      const e = await rejection(compile(dir));
      expect(e.code).toBe('policy_builtin_refused');
      expect(e.message).toBe(
        `${join(dir, 'sluice/p.rego')}:9:7: rule subject.fetched calls ${builtin}, which is refused: its answer cannot be replayed. Instead, ${REFUSED[builtin]}.`,
      );
    },
  );

  test('that is a missing entrypoint names it', async () => {
    const e = await rejection(policyOf('package sluice\n\ndecision := {}\n'));
    expect(e.code).toBe('bundle_entrypoint_missing');
    expect(e.message).toContain('data.sluice.disclosure');
  });

  test('of data is reported with the place', async () => {
    const dir = await directory({ 'p.rego': RULES, 'data/a.yaml': 'roles:\n  - [x\n' });
    const e = await rejection(compile(dir));
    expect(e.code).toBe('policy_data_invalid');
    expect(e.at).toMatchObject({ file: join(dir, 'data/a.yaml'), line: 3 });
  });

  test('that is a key written twice is reported, though OPA would take the last', async () => {
    const e = await rejection(policyOf(RULES, { data: 'a: 1\na: 2\n' }));
    expect(e.message).toMatch(/^policy\/data\/data\.yaml:2:1: /);
  });

  test('that is two files giving one key different values names a file', async () => {
    const dir = await directory({ 'p.rego': RULES, 'data/a.yaml': 'x: 1', 'data/b:c.yaml': 'x: 2' });
    const e = await rejection(compile(dir));
    expect(e.code).toBe('policy_data_invalid');
    expect(e.message).toContain('b:c.yaml');
  });

  test.each(['catalog', 'classes'])('that is data called %s is refused', async (key) => {
    expect((await rejection(policyOf(RULES, { data: `${key}: {}` }))).code).toBe('policy_data_invalid');
  });

  test('that is an empty or missing directory is reported', async () => {
    expect((await rejection(compile(await scratch()))).code).toBe('policy_compile_failed');
    expect((await rejection(compile('/nowhere/at/all'))).code).toBe('policy_unavailable');
  });
});
