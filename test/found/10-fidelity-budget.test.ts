/**
 * Class: host built-ins that run longer than the budget of an evaluation and block the event loop meanwhile. Root cause: the
 * budget was looked at before each call only. It is looked at within and after, and what cannot be interrupted is bounded.
 */
import { beforeAll, expect, test } from 'vitest';
import { isSluiceError } from '../../src/errors.ts';
import { DEFAULT_LIMITS } from '../../src/policy/settings.ts';
import { createRuntime, type Runtime } from '../../src/policy/runtime.ts';
import { policyOf } from '../policy/support.ts';

const CALLS: { readonly [name: string]: readonly [expression: string, input: unknown] } = {
  'a regular expression over a long text': ['regex.find_n("(a|b|ab)*c", input, -1)', 'ab'.repeat(120_000)],
  'a split of a long text': ['regex.split("(a|ab)(c|bcd)*", input)', 'ab'.repeat(120_000)],
  'a replacement in a long text': ['regex.replace(input, "(a*)*b", "")', 'a'.repeat(240_000)],
  'a template over a long text': [
    'regex.template_match("urn:{.*x.*y.*}", input, "{", "}")',
    `urn:${'x'.repeat(240_000)}`,
  ],
  'twenty thousand operations of a patch': [
    'json.patch(input.v, input.o)',
    {
      v: Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`k${i}`, i])),
      o: Array.from({ length: 6000 }, (_, i) => ({ op: 'add', path: `/k${i}`, value: i })),
    },
  ],
  'a long YAML document': ['yaml.unmarshal(input)', '- {a: [1, 2, "x"]}\n'.repeat(12_000)],
  'whether a long text is YAML': ['yaml.is_valid(input)', '- {a: [1, 2, "x"]}\n'.repeat(12_000)],
  'an amount of a quarter of a million digits': ['units.parse(input)', `${'9'.repeat(250_000)}.5Ki`],
  'bytes of a quarter of a million digits': ['units.parse_bytes(input)', `${'9'.repeat(250_000)}KiB`],
};

let runtime: Runtime;
const names = Object.keys(CALLS);
beforeAll(async () => {
  const rules = names.map(
    (name, i) => `decision := ${CALLS[name]![0].replaceAll('input', 'input.value')} if input.call == ${i}`,
  );
  const bundle = await policyOf(`package sluice\n\n${rules.join('\n\n')}\n\ndisclosure := {}\n`);
  runtime = await createRuntime(bundle, DEFAULT_LIMITS);
});

test.each(names)('%s is refused with the code of the deadline', (name) => {
  const input = JSON.stringify({ call: names.indexOf(name), value: CALLS[name]![1] });
  let code: string | undefined;
  try {
    runtime.evaluate('sluice/decision', input, { nowNs: 0n, seed: () => 'seed' });
  } catch (e) {
    code = isSluiceError(e) ? e.code : String(e);
  }
  expect(code).toBe('policy_deadline_exceeded');
});
