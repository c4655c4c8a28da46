/** Who has to approve which request. */
import { mayBeSame } from '../model/realm.ts';
import type { GrantRow } from './tables.ts';

export interface ApprovalRule {
  readonly tiers?: readonly number[];
  readonly max_grade?: number;
  /** one role or two */
  readonly approved_by: readonly string[];
  readonly self_approval: boolean;
}

/** The first rule that matches. */
export const ruleFor = (
  rules: readonly ApprovalRule[],
  { tier, grade }: { readonly tier: number | null; readonly grade: number },
): ApprovalRule | null =>
  rules.find(
    ({ tiers, max_grade }) =>
      (tiers === undefined || (tier !== null && tiers.includes(tier))) &&
      (max_grade === undefined || grade <= max_grade),
  ) ?? null;

/** Whether each of `left` can have one of `right` that fits, and no two the same. */
export function matched<L, R>(
  left: readonly L[],
  right: readonly R[],
  fits: (left: L, right: R) => boolean,
): boolean {
  if (left.length === 0) return true;
  const [first, ...others] = left;
  return right.some((r, i) => fits(first as L, r) && matched(others, right.toSpliced(i, 1), fits));
}

/** Of whom it is: they may withdraw and end it. */
export const isOwn = (grant: GrantRow, who: string): boolean =>
  grant.subject === who || grant.requested_by === who;

/** Of whom it may be: they approve it only where a rule says so. */
export const mayBeOwn = ({ subject, requested_by }: GrantRow, who: string): boolean =>
  mayBeSame(subject, who) || mayBeSame(requested_by, who);
