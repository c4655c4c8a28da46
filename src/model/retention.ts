/**
 * How long categories of data may be disclosed: the obligation `retention`. A rule compares a date of the record (an attribute of the catalog) with
 * the request. Of a record that is older, the fields of the category are dropped; the record itself is not withheld.
 */
import type { Reason } from './answers.ts';
import type { Catalog } from './catalog.ts';
import type { PolicyInput } from './input.ts';
import {
  type FilterCondition,
  isRecordFilter,
  type RecordCondition,
  resolvedFilter,
} from './record-filter.ts';

/** One rule of an answer. */
export interface RetentionCondition
  extends Pick<RecordCondition, 'resource' | 'attribute' | 'offset' | 'order'> {
  /** ISO 8601 duration before the request: `P7Y` */
  readonly within: string;
  /** of the catalog's fields */
  readonly category: string;
}

/** A rule as it holds for one request. */
export interface RetentionRule {
  readonly category: string;
  /** without an upper bound: what lies in the future is not old */
  readonly condition: FilterCondition;
}

export const isRetention = (value: unknown): value is readonly RetentionCondition[] =>
  Array.isArray(value) &&
  value.every((rule: unknown) => {
    if (typeof rule !== 'object' || rule === null) return false;
    const { category, ...condition } = rule as { readonly category?: unknown; readonly within?: unknown };
    const isNamed = typeof category === 'string' && category !== '';
    return isNamed && condition.within !== undefined && isRecordFilter([condition]);
  });

/** @returns the reason to deny, where a rule cannot be applied: nobody may read this as no rule */
export function resolvedRetention(
  rules: readonly RetentionCondition[],
  input: Pick<PolicyInput, 'context' | 'resource' | 'subject'>,
  catalogs: ReadonlyMap<string, Catalog>,
): readonly RetentionRule[] | Reason {
  const resolved: RetentionRule[] = [];
  for (const { category, ...condition } of rules) {
    const found = resolvedFilter([condition], input, catalogs);
    if ('code' in found)
      return {
        code: 'retention_undetermined',
        message:
          `How long the category ${category} may be disclosed cannot be determined. ${found.message ?? ''}`.trim(),
      };
    for (const one of found) resolved.push({ category, condition: { ...one, at_most: null } });
  }
  return resolved;
}
