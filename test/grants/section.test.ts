/** Rules of approval that nobody can satisfy, that everybody would, or that no request reaches, are refused with their place. */
import { expect, test } from 'vitest';
import { configSchema } from '../../src/config/schema.ts';
import type { Path } from '../../src/documents/faults.ts';
import { checkGrants, type GrantsConfig } from '../../src/grants/section.ts';
import { matched, ruleFor } from '../../src/grants/rules.ts';

const rule = (approved_by: string[], more: object = {}) => ({ approved_by, self_approval: false, ...more });

const faultsOf = (over: Partial<GrantsConfig>): string[] => {
  const found: string[] = [];
  const report = (path: Path, message: string): void => {
    found.push(`${path.join('.')}: ${message}`);
  };
  const config = {
    approvers: { lead: ['team_lead'], dpo: ['data_protection', 'team_lead'] },
    rules: [rule(['team_lead'])],
    duration: 1000,
    max_duration: 1000,
    ...over,
  };
  checkGrants(config as GrantsConfig, report);
  return found;
};

test('rules that people can satisfy are taken', () => {
  expect(faultsOf({})).toEqual([]);
  expect(faultsOf({ rules: [rule(['data_protection', 'team_lead'])] })).toEqual([]);
  expect(faultsOf({ rules: [rule(['team_lead', 'team_lead'])] })).toEqual([]);
  // A purpose without a tier needs the second rule.
  const rest = [rule(['team_lead'], { tiers: [1, 2, 3] }), rule(['data_protection'])];
  expect(faultsOf({ rules: rest })).toEqual([]);
  const stricter = [rule(['team_lead'], { max_grade: 2 }), rule(['data_protection'], { max_grade: 4 })];
  expect(faultsOf({ rules: stricter })).toEqual([]);
});

test.each<[string, Partial<GrantsConfig>, RegExp]>([
  [
    'a role that nobody has',
    { rules: [rule(['owner'])] },
    /^grants\.rules\.0\.approved_by: nobody .*"owner"/,
  ],
  [
    'two roles of one person',
    { approvers: { dpo: ['data_protection', 'team_lead'] }, rules: [rule(['team_lead', 'data_protection'])] },
    /^grants\.rules\.0\.approved_by: nobody .* two different people/,
  ],
  ['no approver', { approvers: {} }, /^grants\.rules\.0\.approved_by: nobody/],
  ['everybody as an approver', { approvers: { '*': ['team_lead'] } }, /^grants\.approvers\.\*: .*everybody/],
  [
    'a rule behind one that matches everything',
    { rules: [rule(['team_lead']), rule(['data_protection'], { tiers: [3] })] },
    /^grants\.rules\.1: never applies: grants\.rules\[0\]/,
  ],
  [
    'a rule behind one for all grades',
    { rules: [rule(['team_lead'], { max_grade: 5 }), rule(['data_protection'])] },
    /^grants\.rules\.1: never applies/,
  ],
  [
    'a rule for grades and tiers that an earlier one has already',
    {
      rules: [
        rule(['team_lead'], { tiers: [1] }),
        rule(['team_lead'], { tiers: [2, 3], max_grade: 3 }),
        rule(['data_protection'], { tiers: [3], max_grade: 2 }),
      ],
    },
    /^grants\.rules\.2: never applies: grants\.rules\[1\]/,
  ],
  ['a default that is too long', { duration: 1001 }, /^grants\.duration: is longer/],
])('%s is refused', (_name, over, wanted) => {
  const [fault, ...others] = faultsOf(over);
  expect(fault).toMatch(wanted);
  expect(others).toEqual([]);
});

test('a rule without an approver is refused by the schema', () => {
  const { approved_by } = configSchema.properties.grants.properties.rules.items.properties;
  expect(approved_by).toMatchObject({ minItems: 1, maxItems: 2 });
});

test('the first rule that matches is the one: an unknown tier matches no rule that names tiers', () => {
  const rules = [rule(['a'], { tiers: [2], max_grade: 3 }), rule(['b'], { max_grade: 4 })];
  const by = (tier: number | null, grade: number) => ruleFor(rules, { tier, grade })?.approved_by[0] ?? null;
  expect([by(2, 3), by(2, 4), by(null, 3), by(2, 5)]).toEqual(['a', 'b', 'b', null]);
});

test('different people fill the roles, in whichever order they come', () => {
  const fits = (held: string[], role: string) => held.includes(role);
  expect(matched([['a', 'b'], ['a']], ['a', 'b'], fits)).toBe(true);
  expect(matched([['a'], ['a']], ['a', 'b'], fits)).toBe(false);
  expect(matched([['a'], ['a'], ['b']], ['a', 'b'], fits)).toBe(false);
});
