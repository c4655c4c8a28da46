/** Commands on rules that were written for something else than Sluice: admission control, configuration checks, scans. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { opa, sluice } from './support.ts';

vi.setConfig({ testTimeout: 120_000 });

const FILES = {
  // in the manner of admission control
  'gate/src.rego': `package k8sallowedrepos

import data.lib.exempt

# METADATA
# entrypoint: true
violation contains {"msg": msg} if {
	container := input.review.object.spec.containers[_]
	not exempt.is_exempt(container)
	not strings.any_prefix_match(container.image, input.parameters.repos)
	msg := sprintf("%v comes from elsewhere than %v", [container.image, input.parameters.repos])
}

# refers to the entrypoint, and is a function
reported(review) := found if {
	found := violation with input as review
}
`,
  'gate/lib/exempt.rego':
    'package lib.exempt\n\nis_exempt(container) if container.image in data.exemptions.images\n',
  'gate/exemptions/data.json': '{"images": ["pause:3"]}',
  'gate/src_test.rego': `package k8sallowedrepos_test

import data.k8sallowedrepos

review(images) := {
	"review": {"object": {"spec": {"containers": [{"image": i} | some i in images]}}},
	"parameters": {"repos": ["ok/"]},
}

test_violations[name] if {
	some name, tc in {
		"allowed": {"images": ["ok/a"], "count": 0},
		"refused": {"images": ["bad/a", "ok/b"], "count": 1},
		"exempt": {"images": ["pause:3"], "count": 0},
	}
	count(k8sallowedrepos.violation) == tc.count with input as review(tc.images)
}

test_mocked_function if {
	count(k8sallowedrepos.violation) == 0 with data.lib.exempt.is_exempt as true with input as review(["bad/x"])
}
`,
  // in the manner of checks of configuration: a package of one name
  'check/policy.rego': `package main

deny contains msg if {
	input.kind == "Deployment"
	not input.spec.runAsNonRoot
	msg := "must not run as root"
}

deny contains sprintf("port %d", [p]) if some p in ports(input)

ports(d) := {p | some p in d.spec.ports; p < 1024}
`,
  'check/input.json': '{"kind": "Deployment", "spec": {"ports": [80, 8080]}}',
  // in the manner of scans, before OPA 1.0
  'old/a.rego':
    'package builtin.aws.s3\n\ndeny[res] {\n\tbucket := input.aws.s3.buckets[_]\n\tnot bucket.encryption\n\tres := bucket.name\n}\n',
  'old/b.rego': 'package builtin.aws.s3\n\nallow { input.x }\n\nother { input.y }\n',
  'deprecated/a.rego': 'package p\n\nx { re_match("a", input.x) }\n',
  'refused/a.rego':
    'package p\n\nx if input.y == 1 with http.send as {"a": 1}\n\nz if input.y == 1 with opa.runtime as {}\n',
  'faults/a.rego': `package p\n\n${Array.from({ length: 25 }, (_, i) => `r${i} := missing${i}(1)`).join('\n')}\n`,
};
let dir = '';
const at = (name: string): string => join(dir, name);
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-foreign-'));
  for (const [path, text] of Object.entries(FILES)) {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
  }
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const evaluated = async (...argv: readonly string[]): Promise<unknown> => {
  const said = await sluice(['eval', '--json', ...argv]);
  expect(said.err).toBe('');
  return said.json<{ result: unknown }>().result;
};

describe.runIf(opa !== null)('on rules of another make', () => {
  test('`test` runs unit tests, with the base documents that lie beside the rules', async () => {
    const said = await sluice(['test', at('gate'), '-v']);
    expect(said.out).toContain('test_violations: exempt');
    expect(said.out).toContain('4 passed: 4 unit tests, 0 scenarios');
  });

  test('`eval` asks a rule, a package, a function and an expression', async () => {
    const on = ['--policies', at('check'), '-i', at('check/input.json')];
    expect(await evaluated('data.main.deny', ...on)).toEqual(['must not run as root', 'port 80']);
    expect(await evaluated('data.main', ...on)).toEqual({ deny: ['must not run as root', 'port 80'] });
    expect(await evaluated('data.main.ports({"spec": {"ports": [22]}})', ...on)).toEqual([22]);
    expect(await evaluated('count(data.main.deny) > 1', ...on)).toBe(true);
    expect(await evaluated('data.lib', '--policies', at('gate'))).toEqual({ exempt: {} });
    // Without `--input` there is none.
    expect(await evaluated('object.get({}, "a", 1)', '--policies', at('check'))).toBe(1);
    expect((await sluice(['eval', 'input', '--policies', at('check')])).code).toBe(1);
  });

  test('`eval` says what is no question: a function that is not called, an expression that is none', async () => {
    const refused = async (query: string) => (await sluice(['eval', query, '--policies', at('check')])).err;
    expect(await refused('data.main.ports')).toContain(
      "is a function. Call it: sluice eval 'data.main.ports(…)'",
    );
    expect(await refused('data.main.ports(')).toContain('The query is no expression');
    expect(await refused('nonsense')).toContain(
      'sluice: The query is no expression that has a value: rego_unsafe_var_error: var nonsense',
    );
    expect(await refused('data.main.none')).toContain('no rule data.main.none');
  });

  test('`build` makes a bundle of the entrypoints that are named, which can be asked', async () => {
    for (const [entrypoint, level] of [
      ['k8sallowedrepos/violation', '1'],
      ['data.k8sallowedrepos.violation', '0'],
      ['k8sallowedrepos', '1'],
    ] as const) {
      const bundle = at('gate.tar.gz');
      const said = await sluice(['build', at('gate'), '-e', entrypoint, '--optimize', level, '-o', bundle]);
      expect(said.err).toBe('');
      expect(said.out).toContain('a sidecar refuses it');
      const path = entrypoint.replace('data.', '').replaceAll('.', '/');
      writeFileSync(
        at('in.json'),
        '{"review":{"object":{"spec":{"containers":[{"image":"bad"},{"image":"pause:3"}]}}},"parameters":{"repos":[]}}',
      );
      const result = await evaluated('-e', path, '--bundle', bundle, '-i', at('in.json'));
      expect(JSON.stringify(result)).toContain('bad comes from');
      expect(JSON.stringify(result)).not.toContain('pause');
    }
    const none = await sluice(['build', at('gate'), '-o', at('none.tar.gz')]);
    expect(none.err).toContain('name theirs with --entrypoint');
  });

  test('Rego v0 is recognised, once a file, and the command that rewrites it is named', async () => {
    const said = await sluice(['build', at('old'), '-e', 'builtin/aws/s3/deny']);
    expect(said.code).toBe(3);
    expect(said.err.match(/this is Rego v0/g)).toHaveLength(2);
    expect(said.err).toContain(`fmt --v0-v1 --write ${at('old')}`);
    expect(said.err).not.toContain('keyword is required');
    await opa!.run(['fmt', '--v0-v1', '--write', at('old')]);
    expect((await sluice(['build', at('old'), '-e', 'builtin/aws/s3/deny', '-o', at('o.tgz')])).code).toBe(0);
  });

  test('built-ins that are refused are named also where `with` puts something in their place', async () => {
    const { err } = await sluice(['build', at('refused'), '-e', 'p/x']);
    expect(err).toContain('refused/a.rego:3:24: rule x replaces http.send by `with`');
    expect(err).toContain('rule z replaces opa.runtime by `with`');
    expect(err).toContain('[policy_builtin_refused]');
  });

  test('all faults are told, not only the first ten', async () => {
    const { err } = await sluice(['build', at('faults'), '-e', 'p/r1']);
    expect(err.match(/undefined function missing\d+/g)).toHaveLength(25);
    expect(err).not.toContain('error limit reached');
  });
});
