/** Every rule of examples/insurer/rules.md has its line in the policy, scenarios that exist, and commands that exist. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { ScenarioFile } from '../../src/policy/schemas/scenario.ts';
import { ROOT, sluice } from '../cli/support.ts';

const page = readFileSync(join(ROOT, 'examples/insurer/rules.md'), 'utf8');
const scenarios = new Set(
  readdirSync(join(ROOT, 'policies/scenarios')).flatMap((file) =>
    (parse(readFileSync(join(ROOT, 'policies/scenarios', file), 'utf8')) as ScenarioFile).scenarios.map(
      ({ name }) => name,
    ),
  ),
);
/** rules without a scenario, and what tries them instead */
const WITHOUT: Readonly<Record<string, string>> = {
  'What is shared expires, and is destroyed or archived': 'policies/sluice/recipient/recipient_test.rego',
  'Leavers lose access the same minute, and their history is audited': 'examples/two-sidecars/run.sh',
};
const rules = page
  .split(/^## /m)
  .slice(1)
  .map((text) => ({ title: text.slice(0, text.indexOf('\n')), text }));

test('the page has the rules', () => expect(rules.length).toBeGreaterThanOrEqual(13));

describe.each(rules)('$title', ({ title, text }) => {
  test('has lines of the policy that are there', () => {
    const lines = [...text.matchAll(/^\| `(policies\/[^`]+)` \| `(.+)` \|$/gm)].map((m) => [m[1]!, m[2]!]);
    expect(lines.length).toBeGreaterThan(0);
    for (const [path, line] of lines) expect(readFileSync(join(ROOT, path!), 'utf8')).toContain(line);
  });

  test('has scenarios of the policy, or says what tries it instead', () => {
    const named = [...text.matchAll(/^- (.+)$/gm)].map((m) => m[1]!);
    expect(named.filter((name) => !scenarios.has(name))).toEqual([]);
    if (named.length === 0) expect(text).toContain(WITHOUT[title]);
  });

  test('has a command that sluice has, with its options', async () => {
    const commands = [...text.matchAll(/^sluice (.+)$/gm)].map((m) => m[1]!);
    expect(commands.length).toBeGreaterThan(0);
    for (const command of commands) {
      const words = command.split(' ');
      const names = words.slice(0, ['explain', 'matrix', 'check', 'test'].includes(words[0]!) ? 1 : 2);
      const { code, out } = await sluice([...names, '--help'], { cwd: ROOT });
      expect([command, code]).toEqual([command, 0]);
      for (const [option] of command.matchAll(/--[a-z-]+/g)) expect(out).toContain(option);
    }
  });
});
