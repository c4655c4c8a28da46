/** The default policy, compiled once a test file, with what a test changes of its data, catalogs and rules. */
import type { PolicyBundle } from '../../src/policy/bundle/bundle.ts';
import { classesOf } from '../../src/policy/catalog/classes.ts';
import { parseCatalog } from '../../src/policy/catalog/read.ts';
import { compileFiles } from '../../src/policy/compile.ts';
import { readPolicyDirectory } from '../../src/policy/directory.ts';
import { resolveOpa } from '../../src/policy/opa/opa.ts';

const POLICIES = new URL('../../policies', import.meta.url).pathname;

export interface PolicyChanges {
  /** merged into the data: objects member by member, everything else replaced; null removes */
  readonly data?: Readonly<Record<string, unknown>>;
  /** YAML of catalogs, each in the place of the one of its resource */
  readonly catalogs?: readonly string[];
  /** in the place of the rules */
  readonly rego?: string | undefined;
}

const compiled = new Map<string, Promise<PolicyBundle>>();

async function compile(rego: string): Promise<PolicyBundle> {
  const files = await readPolicyDirectory(POLICIES);
  const rules = rego === '' ? files.rego : [{ path: 'sluice/rules.rego', text: rego }];
  return compileFiles({ ...files, rego: rules, tests: [], scenarios: [] }, { opa: await resolveOpa() });
}

export async function policyWith({
  data = {},
  catalogs = [],
  rego = '',
}: PolicyChanges): Promise<PolicyBundle> {
  const pending = compiled.get(rego) ?? compile(rego);
  compiled.set(rego, pending);
  const bundle = await pending;
  const parsed = catalogs.map((text, i) => parseCatalog(`catalog ${i + 1}`, text));
  const merged = merge(bundle.data, {
    ...data,
    catalog: undefined,
    classes: undefined,
  }) as Record<string, Record<string, unknown>>;
  for (const catalog of parsed) {
    merged['catalog'] = { ...merged['catalog'], [catalog.resource]: catalog };
    merged['classes'] = { ...merged['classes'], [catalog.resource]: classesOf(catalog) };
  }
  return {
    ...bundle,
    data: merged,
    dataJson: JSON.stringify(merged),
    catalogs: new Map([...bundle.catalogs, ...parsed.map((c) => [c.resource, c] as const)]),
    sources: {},
  };
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function merge(base: unknown, over: unknown): unknown {
  if (!isMap(base) || !isMap(over)) return over;
  const all = { ...base };
  for (const [key, value] of Object.entries(over))
    if (value === null) delete all[key];
    else if (value !== undefined) all[key] = merge(base[key], value);
  return all;
}
