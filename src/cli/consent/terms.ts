/** Terms of the W3C Data Privacy Vocabulary by purpose, where the policy is a directory that can be read. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../config/index.ts';
import { isObject, readYaml } from '../../documents/yaml.ts';

export function dpvTerms({ policy }: Pick<Config, 'policy'>): ReadonlyMap<string, string> {
  const terms = new Map<string, string>();
  if (policy.dir === undefined) return terms;
  const file = join(policy.dir, 'data/purposes.yaml');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return terms;
  }
  const yaml = readYaml(file, text, { dialect: 'sluice' });
  const value = 'faults' in yaml ? null : yaml.document.value;
  const purposes = isObject(value) && isObject(value['purposes']) ? value['purposes'] : value;
  for (const [name, settings] of Object.entries(isObject(purposes) ? purposes : {}))
    if (isObject(settings) && typeof settings['dpv'] === 'string') terms.set(name, settings['dpv']);
  return terms;
}
