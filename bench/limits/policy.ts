/** Questions that run away: each is given up at the budget of an evaluation (100 ms), also within a built-in of the host. */
import { compileFiles } from '../../src/policy/compile.ts';
import { resolveOpa } from '../../src/policy/opa/opa.ts';
import { createRuntime, type Runtime } from '../../src/policy/runtime.ts';
import { DEFAULT_LIMITS } from '../../src/policy/settings.ts';
import type { Limit } from './run.ts';

const BUILT_INS: readonly (readonly [expression: string, input: unknown])[] = [
  ['regex.find_n("(a|b|ab)*c", input.v, -1)', 'ab'.repeat(120_000)],
  ['regex.split("(a|ab)(c|bcd)*", input.v)', 'ab'.repeat(120_000)],
  ['regex.replace(input.v, "(a*)*b", "")', 'a'.repeat(240_000)],
  ['regex.template_match("urn:{.*x.*y.*}", input.v, "{", "}")', `urn:${'x'.repeat(240_000)}`],
  ['yaml.unmarshal(input.v)', '- {a: [1, 2, "x"]}\n'.repeat(12_000)],
  ['yaml.is_valid(input.v)', '- {a: [1, 2, "x"]}\n'.repeat(12_000)],
  ['units.parse(input.v)', `${'9'.repeat(250_000)}.5Ki`],
  ['units.parse_bytes(input.v)', `${'9'.repeat(250_000)}KiB`],
  ['replace(input.v, "", input.v)', 'a'.repeat(60_000)],
  ['strings.replace_n({"": input.v}, input.v)', 'a'.repeat(60_000)],
];
const LIST = Array.from({ length: 2000 }, (_, i) => i);
const LOOPS: readonly (readonly [expression: string, input: unknown])[] = [
  ['count([1 | some i in input.v; some j in input.v; some k in input.v; i + j == k - 10000])', LIST],
  ['count([1 | some i in input.v; some j in input.v; count({[i, j, k] | some k in input.v}) == 1])', LIST],
  [
    'count([1 | some i in input.v; some j in input.v; json.marshal(input.v) == sprintf("%d%d", [i, j])])',
    LIST,
  ],
];

const outside = { nowNs: 0n, seed: () => 'limits' };

async function asked(
  questions: readonly (readonly [string, unknown])[],
): Promise<readonly (() => unknown)[]> {
  const rules = questions.map(([expression], i) => `decision := ${expression} if input.call == ${i}`);
  const text = `package sluice\n\n${rules.join('\n\n')}\n\ndisclosure := {}\n`;
  const none = { tests: [], data: [], catalogs: [], scenarios: [] };
  const bundle = await compileFiles(
    { dir: 'limits', rego: [{ path: 'sluice/limits.rego', text }], ...none },
    { opa: await resolveOpa() },
  );
  const runtime: Runtime = await createRuntime(bundle, DEFAULT_LIMITS);
  return questions.map(([, v], call) => {
    const input = JSON.stringify({ call, v });
    return () => {
      try {
        runtime.evaluate('sluice/decision', input, outside);
      } catch {
        // refused: the tests say with which code
      }
    };
  });
}

export const policy = async (): Promise<readonly Limit[]> => [
  { name: 'a built-in over a long text is given up', measured: await asked(BUILT_INS) },
  { name: 'a loop over a product of lists is given up', measured: await asked(LOOPS) },
];
