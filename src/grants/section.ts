/** Section `grants`: who approves access beyond the standing rules. */
import type { Report } from '../documents/faults.ts';
import { defaulted, duration, optional, section, type Static, table, Type } from '../documents/kinds.ts';
import { matched } from './rules.ts';

const roles = (description: string, most: number) =>
  Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: most, description });

const ruleSchema = section({
  tiers: optional(
    Type.Array(Type.Integer({ minimum: 1, maximum: 3 }), {
      minItems: 1,
      uniqueItems: true,
      description: 'only for purposes of these tiers; default: any',
    }),
  ),
  max_grade: optional(
    Type.Integer({
      minimum: 1,
      maximum: 5,
      description: 'only if no field of the requested categories has a higher grade; default: any',
    }),
  ),
  approved_by: roles('one role or two: each has to approve, by different people', 2),
  self_approval: defaulted(
    Type.Boolean({
      description: 'the requester may be one of them, with notice: a review is opened (`sluice reviews`)',
    }),
    false,
  ),
});

export const grantsSchema = section(
  {
    approvers: optional(
      table(roles('roles of this person, as `approved_by` names them', 16), {
        description:
          'who approves: name of a person (`sub`, with the realm of its issuer) → roles; absent: whoever has the roles by their credential, by the admin API alone',
      }),
    ),
    rules: Type.Array(ruleSchema, {
      minItems: 1,
      description: 'who has to approve a request: the first rule that matches it; if none does, nobody can',
    }),
    duration: defaulted(
      duration({ min: '1m', max: '3650d', description: 'how long a grant holds unless the request says' }),
      '30d',
    ),
    max_duration: defaulted(
      duration({ min: '1m', max: '3650d', description: 'the longest that a request may ask for' }),
      '90d',
    ),
    break_glass: optional(
      section(
        {
          duration: defaulted(
            duration({ min: '1m', max: '24h', description: 'how long such a grant holds' }),
            '1h',
          ),
        },
        { description: 'access without approval, reviewed afterwards; absent: there is none' },
      ),
    ),
  },
  { description: 'access requests and grants; absent: there are none' },
);

export type GrantsConfig = Static<typeof grantsSchema>;

type Scope = Pick<GrantsConfig['rules'][number], 'tiers' | 'max_grade'>;

const HIGHEST = 5;

/** Whether each request that `later` matches is matched by `earlier`. A purpose may have no tier, so that all tiers are not every purpose. */
const coversAll = (earlier: Scope, later: Scope): boolean =>
  (earlier.tiers === undefined || (later.tiers?.every((tier) => earlier.tiers?.includes(tier)) ?? false)) &&
  (earlier.max_grade ?? HIGHEST) >= (later.max_grade ?? HIGHEST);

/** Refuses rules that nobody can satisfy, that everybody would satisfy, or that no request reaches. */
export function checkGrants(
  { approvers, rules, duration, max_duration }: GrantsConfig,
  report: Report,
): void {
  const people = approvers && Object.values(approvers);
  if (approvers !== undefined && Object.hasOwn(approvers, '*'))
    report(['grants', 'approvers', '*'], 'would let everybody approve: name the people');
  for (const [i, rule] of rules.entries()) {
    const { approved_by } = rule;
    const missing = people && approved_by.find((role) => !people.some((held) => held.includes(role)));
    if (missing !== undefined)
      report(
        ['grants', 'rules', i, 'approved_by'],
        `nobody can satisfy it: no approver has the role "${missing}" (grants.approvers)`,
      );
    else if (people && !matched(approved_by, people, (role, held) => held.includes(role)))
      report(
        ['grants', 'rules', i, 'approved_by'],
        'nobody can satisfy it: it takes two different people (grants.approvers)',
      );
    const before = rules.slice(0, i).findIndex((earlier) => coversAll(earlier, rule));
    if (before >= 0)
      report(
        ['grants', 'rules', i],
        `never applies: grants.rules[${before}] matches every request that it matches; put it before that one`,
      );
  }
  if (duration > max_duration)
    report(
      ['grants', 'duration'],
      'is longer than the longest that a request may ask for (grants.max_duration)',
    );
}
