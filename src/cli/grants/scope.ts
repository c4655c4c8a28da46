/** Tier and grade of a request for access, by the policy in force; refuses what no grant can open. */
import type { LoadedConfig } from '../../config/index.ts';
import { didYouMean } from '../../documents/near-name.ts';
import { isObject } from '../../documents/yaml.ts';
import { SluiceError } from '../../errors.ts';
import { gradeOf } from '../../grants/index.ts';
import { systemClock } from '../../observability/clock.ts';
import { silentLogger } from '../../observability/logger.ts';
import { createPolicyStore } from '../../policy/store.ts';
import { knownFrom } from '../../routing/index.ts';

interface Scope {
  readonly purpose: string;
  readonly resource: string | null;
  readonly categories: readonly string[];
}

/** @throws SluiceError `grant_invalid`; `policy_compile_failed` and others where the policy does not load */
export async function scopeIn(
  { config, directory }: LoadedConfig,
  { purpose, resource, categories }: Scope,
): Promise<{ readonly tier: number | null; readonly grade: number }> {
  const policy = await createPolicyStore(config.policy, {
    logger: silentLogger,
    clock: systemClock,
    baseDir: directory,
  });
  try {
    const { data, catalogs } = policy.current();
    const { purposes } = knownFrom(data);
    if (!purposes.has(purpose)) throw unknown('purpose', purpose, [...purposes]);
    if (resource !== null && !catalogs.has(resource))
      throw unknown('resource', resource, [...catalogs.keys()]);
    const misnamed = categories.find((name) => gradeOf(catalogs, resource, [name]) === null);
    if (misnamed !== undefined)
      throw invalid(`No field of ${resource ?? 'any resource'} is of the category "${misnamed}".`);
    const tier = tierOf(data, purpose);
    if (tier !== null && settingOf(data, ['tiers', String(tier), 'grants']) === false)
      throw invalid(`The purpose "${purpose}" is of tier ${tier}, in which the policy heeds no grants.`);
    return { tier, grade: gradeOf(catalogs, resource, categories) ?? 5 };
  } finally {
    await policy.close();
  }
}

/** The first tier of a purpose is the one it has unless a request says otherwise. */
function tierOf(data: object, purpose: string): number | null {
  const tiers = settingOf(data, ['purposes', purpose, 'tiers']);
  const [tier] = Array.isArray(tiers) ? (tiers as unknown[]) : [];
  return typeof tier === 'number' ? tier : null;
}

const settingOf = (data: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((at, key) => (isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined), data);

const invalid = (message: string): SluiceError => new SluiceError('grant_invalid', message);

const unknown = (what: string, name: string, known: readonly string[]): SluiceError =>
  invalid(`The policy has no ${what} "${name}"${didYouMean(name, known) || '.'}`);
