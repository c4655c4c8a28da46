/** The quotas that the policy's data define (`data/quotas.yaml`, schema in `policy/schemas/data.ts`). */
import { SluiceError } from '../errors.ts';
import { PERIODS, type Period } from './windows.ts';

export interface Quota {
  readonly name: string;
  readonly by: readonly ('subject' | 'agent' | 'role' | 'purpose')[];
  readonly of: 'records' | 'data_subjects';
  readonly per: Period;
  readonly limit: number;
  readonly over: 'deny' | 'cut';
  /** what a request for a list reserves */
  readonly reserve: number;
  /** share of the limit */
  readonly warn: number;
  /** null: whatever roles the caller has */
  readonly roles: readonly string[] | null;
  /** null: whatever the purpose */
  readonly purposes: readonly string[] | null;
}

const NONE: readonly Quota[] = Object.freeze([]);
const WARN = 0.8;
const read = new WeakMap<object, readonly Quota[]>();

/**
 * Sorted by name. Each base document is read once.
 * @throws SluiceError `quota_unavailable` for data that are no quotas: a limit that cannot be read is not passed over
 */
export function quotasOf(data: { readonly [name: string]: unknown }): readonly Quota[] {
  const defined = data['quotas'];
  if (defined === undefined) return NONE;
  let quotas = read.get(data);
  if (quotas === undefined) {
    if (!isObject(defined)) throw invalid('', 'is no mapping of names');
    quotas = Object.keys(defined)
      .sort()
      .map((name) => quotaOf(name, defined[name]));
    read.set(data, quotas);
  }
  return quotas;
}

/** @throws SluiceError `policy_data_invalid` */
export function checkQuotas(data: { readonly [name: string]: unknown }): void {
  try {
    quotasOf(data);
  } catch (cause) {
    throw new SluiceError('policy_data_invalid', { message: (cause as Error).message, cause });
  }
}

const MEMBERS = new Set([
  'title',
  'by',
  'of',
  'per',
  'limit',
  'over',
  'reserve',
  'warn',
  'roles',
  'purposes',
]);

function quotaOf(name: string, value: unknown): Quota {
  if (!isObject(value)) throw invalid(name, 'is no mapping');
  const unknown = Object.keys(value).find((member) => !MEMBERS.has(member));
  if (unknown !== undefined) throw invalid(name, `has the unknown member ${JSON.stringify(unknown)}`);
  const { by, of, per, limit, over, reserve, warn = WARN, roles = null, purposes = null } = value;
  if (!isNames(by) || by.some((one) => !['subject', 'agent', 'role', 'purpose'].includes(one)))
    throw invalid(name, 'counts `by` something other than subject, agent, role and purpose');
  if (of !== 'records' && of !== 'data_subjects') throw invalid(name, 'is not `of` records or data_subjects');
  if (!PERIODS.includes(per as Period)) throw invalid(name, 'is not `per` hour, day or month');
  if (!isCount(limit)) throw invalid(name, 'has a `limit` that is no whole number from 1');
  if (over !== 'deny' && over !== 'cut') throw invalid(name, 'does not say deny or cut for what is `over`');
  if (!isCount(reserve)) throw invalid(name, 'has a `reserve` that is no whole number from 1');
  if (typeof warn !== 'number' || !(warn > 0 && warn <= 1)) throw invalid(name, '`warn`s at no share of 1');
  // An empty list would be about nobody: a quota that protects nothing.
  for (const list of [roles, purposes])
    if (list !== null && !(isNames(list) && list.length > 0))
      throw invalid(name, 'has `roles` or `purposes` that are no lists of at least one name');
  return {
    name,
    by: by as Quota['by'],
    of,
    per: per as Period,
    limit,
    over,
    reserve: Math.min(reserve, limit),
    warn,
    roles: roles as Quota['roles'],
    purposes: purposes as Quota['purposes'],
  };
}

const isObject = (value: unknown): value is { readonly [member: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isNames = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string');
/** up to what a JSON number holds exactly, in Redis's Lua as well */
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 1;

const invalid = (name: string, fault: string): SluiceError =>
  new SluiceError(
    'quota_unavailable',
    `The policy's data/quotas.yaml cannot be used: quotas${name === '' ? '' : `.${name}`} ${fault}.`,
  );
