/** Tier and grade of a request for access, by the policy in force; refuses what no grant can open. */
import { didYouMean } from '../documents/near-name.ts';
import { isObject } from '../documents/yaml.ts';
import { SluiceError } from '../errors.ts';
import { type PolicySnapshot, settingOf } from '../model/policy.ts';
import { gradeOf } from './grade.ts';

export interface Scope {
  readonly purpose: string;
  readonly resource: string | null;
  readonly categories: readonly string[];
}

/** @throws SluiceError `grant_invalid` */
export function scopeOf(
  { data, catalogs }: Pick<PolicySnapshot, 'data' | 'catalogs'>,
  { purpose, resource, categories }: Scope,
): { readonly tier: number | null; readonly grade: number } {
  const purposes = namesOf(data['purposes']);
  if (!purposes.includes(purpose)) throw unknown('purpose', purpose, purposes);
  if (resource !== null && !catalogs.has(resource)) throw unknown('resource', resource, [...catalogs.keys()]);
  const misnamed = categories.find((name) => gradeOf(catalogs, resource, [name]) === null);
  if (misnamed !== undefined)
    throw invalid(`No field of ${resource ?? 'any resource'} is of the category "${misnamed}".`);
  const tier = tierOf(data, purpose);
  if (tier !== null && settingOf(data, ['tiers', String(tier), 'grants']) === false)
    throw invalid(`The purpose "${purpose}" is of tier ${tier}, in which the policy heeds no grants.`);
  return { tier, grade: gradeOf(catalogs, resource, categories) ?? 5 };
}

function namesOf(document: unknown): readonly string[] {
  if (Array.isArray(document)) return document.filter((name): name is string => typeof name === 'string');
  return isObject(document) ? Object.keys(document) : [];
}

/** The first tier of a purpose is the one it has unless a request says otherwise. */
function tierOf(data: object, purpose: string): number | null {
  const tiers = settingOf(data, ['purposes', purpose, 'tiers']);
  const [tier] = Array.isArray(tiers) ? (tiers as unknown[]) : [];
  return typeof tier === 'number' ? tier : null;
}

const invalid = (message: string): SluiceError => new SluiceError('grant_invalid', message);

const unknown = (what: string, name: string, known: readonly string[]): SluiceError =>
  invalid(`The policy has no ${what} "${name}"${didYouMean(name, known) || '.'}`);
