/** What docs/policy-guide.md shows of `sluice test`, `eval` and `build` is what comes: the console examples of those sections are run. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { scanQuery } from '../../src/decision-log/index/scan.ts';
import { Copy, opa, ROOT, sluice } from '../cli/support.ts';

vi.setConfig({ testTimeout: 240_000 });

const page = readFileSync(join(ROOT, 'docs/policy-guide.md'), 'utf8');
const dir = mkdtempSync(join(tmpdir(), 'sluice-guide-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const section = (title: string): string => page.split(`### ${title}\n`)[1]?.split(/^##/m)[0] ?? '';
const examples = ['sluice test', 'sluice eval, build and test on other rules'].flatMap((title) =>
  [...section(title).matchAll(/^```console\n([\s\S]*?)^```/gm)].flatMap((block) =>
    (block[1] ?? '')
      .split(/^\$ /m)
      .slice(1)
      .map((text) => {
        const [command = '', ...lines] = text.split('\n');
        return { command, output: lines.join('\n') };
      }),
  ),
);

/** What differs from machine to machine, or as the policy gains rules and tests. */
const settled = (text: string): string =>
  text
    .replaceAll(dir, '…')
    .replace(/\d+ a second/g, 'some a second')
    .replace(/^ +[\d.]+ ms {2}.*\n/gm, '')
    .replace(/\d+ bytes, revision [0-9a-f]+/g, 'some bytes, revision')
    .replace(/\d+ passed: \d+ unit tests, \d+ scenarios/g, 'all passed')
    .replace(/^(?:coverage of|.* % {2}policies).*\n/gm, '')
    .replace(/^.* µs the first time.*\n/gm, '')
    .replace(/:\d+\n/g, ':<line>\n')
    .replace(/01[0-9a-f]{6}-[0-9a-f-]{27}/g, '<id>');

const FILES = {
  'strange/strange.rego': `package strange

# the members of a text, with its separators
parts(text) := regex.split(\`[ ,;]+\`, text)

test_parts[name] if {
	some name, tc in {
		"short": {"text": "a, b;c", "count": 3},
		"long": {"text": concat(",", [sprintf("%d", [n]) | some n in numbers.range(1, 10000)]), "count": 10000},
	}
	count(parts(tc.text)) == tc.count
}

test_environment if opa.runtime().env.HOME
`,
  'conftest/policy.rego': `package main

deny contains "Containers must not run as root" if not input.spec.securityContext.runAsNonRoot

deny contains sprintf("port %d", [p]) if some p in ports(input)

ports(deployment) := {p | some c in deployment.spec.containers; some p in c.ports; p < 1024}
`,
  'deployment.json': '{"spec": {"containers": [{"ports": [80, 8080]}]}}',
  'gatekeeper/src.rego': `package k8sallowedrepos

violation contains {"msg": msg} if {
	container := input.review.object.spec.containers[_]
	not strings.any_prefix_match(container.image, input.parameters.repos)
	msg := sprintf("%v comes from elsewhere than %v", [container.image, input.parameters.repos])
}
`,
  'gatekeeper/src_test.rego': `package k8sallowedrepos_test

test_allowed if count(data.k8sallowedrepos.violation) == 0 with input as {}

test_refused if {
	review := {"object": {"spec": {"containers": [{"image": "elsewhere"}]}}}
	count(data.k8sallowedrepos.violation) == 1 with input as {"review": review, "parameters": {"repos": ["here"]}}
}
`,
  'before-1.0/a.rego': 'package p\nallow { input.x }\n',
};

describe.skipIf(opa === null)('docs/policy-guide.md on its commands', () => {
  let recorded = '';
  beforeAll(async () => {
    for (const [path, text] of Object.entries(FILES)) {
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      writeFileSync(join(dir, path), text);
    }
    const copyAs = (name: string): Copy => new Copy(join(ROOT, 'policies'), join(dir, name));
    copyAs('policies');
    copyAs('proposed').change('data/roles.yaml', 'purposes: [claims, emergency]', 'purposes: [claims]');
    const demo = join(dir, 'demo');
    expect((await sluice(['demo', '--once', '--customers', '50', '--dir', demo])).code).toBe(0);
    const { decisions } = await scanQuery(join(demo, 'journal')).query({ limit: 100 });
    recorded = decisions.find((d) => d.outcome === 'modified' && d.action === 'read')!.decision_id;
  });

  test('has examples', () => expect(examples.length).toBeGreaterThan(7));
  test.each(examples)('$command', async ({ command, output }) => {
    const [program, ...argv] = command
      .match(/'[^']*'|\S+/g)!
      .map((a) => a.replace(/^'(.*)'$/, '$1').replace(/^01[0-9a-f]{6}-.*/, recorded));
    expect(program).toBe('sluice');
    const said = await sluice(argv, { cwd: dir });
    expect(settled(`${said.out}${said.err}`)).toBe(settled(output));
  });
});
