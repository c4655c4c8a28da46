/** What nothing gets through to, found out by asking the policy: each is either meant or forgotten, so it is a warning. */
import { ACTIONS } from '../../../model/actions.ts';
import type { Catalog } from '../../../model/catalog.ts';
import { classOf } from '../../../model/catalog.ts';
import { classesOf } from '../../../policy/catalog.ts';
import type { YamlDocument } from '../../../documents/yaml.ts';
import type { PolicyFault } from '../../../policy/opa/faults.ts';
import type { LivePolicy } from '../../../policy/snapshot.ts';
import { type Axes, type AxesOptions, axesOf } from '../matrix/axes.ts';
import { type Finding, findings } from './findings.ts';
import { gridOf, type Row } from '../matrix/grid.ts';

export interface CatalogAt {
  readonly catalog: Catalog;
  readonly document: YamlDocument;
}

/** Classes that no answer names, purposes and roles that nothing gets through with. */
export function unreached(
  policy: LivePolicy,
  documents: ReadonlyMap<string, readonly YamlDocument[]>,
  catalogs: readonly CatalogAt[],
): Finding[] {
  const options = {
    clearance: 5,
    amr: ['pwd', 'otp', 'mfa'],
    justification: 'sluice check',
    at: new Date().toISOString(),
    // Also what only writes: a purpose may be for that alone.
    action: ACTIONS,
  };
  const axes = axesOf([policy], options);
  if (axes.roles.length === 0 || axes.purposes.length === 0) return [];
  const rows = reached(policy, axes, options);
  const found: PolicyFault[] = [];
  const at = (schema: string, path: readonly string[], message: string): PolicyFault =>
    documents.get(schema)?.[0]?.fault(path, message, 'key') ?? { message };
  const roles = new Set(rows.map((r) => r.role));
  const purposes = new Set(rows.map((r) => r.purpose));
  for (const role of axes.roles)
    if (!roles.has(role))
      found.push(
        at(
          'policy-roles.schema.json',
          ['roles', role],
          `role "${role}" gets through with no purpose, for no recipient`,
        ),
      );
  for (const purpose of axes.purposes)
    if (!purposes.has(purpose))
      found.push(
        at(
          'policy-purposes.schema.json',
          ['purposes', purpose],
          `no role gets through with purpose "${purpose}"`,
        ),
      );
  for (const { catalog, document } of catalogs) {
    const own = rows.filter((r) => r.resource === catalog.resource);
    if (own.length === 0) {
      found.push(
        document.fault(
          ['resource'],
          `nobody gets through to the resource "${catalog.resource}": name it in the resources of the roles that may ask for it (data/roles.yaml)`,
        ),
      );
      continue;
    }
    const told = new Set<string>();
    for (const [pointer, entry] of Object.entries(catalog.fields)) {
      if (!('category' in entry) || told.has(classOf(entry))) continue;
      const cls = classOf(entry);
      const cells = own.flatMap((r) => Object.values(r.states).map((s) => s[pointer]));
      if (cells.some((c) => c !== undefined && c.because !== 'class_not_named' && c.do !== 'withheld'))
        continue;
      told.add(cls);
      found.push(
        document.fault(
          ['fields', pointer],
          `no answer of the policy names the class ${cls}: a field of it is always dropped`,
          'key',
        ),
      );
    }
  }
  return findings(found, 'coverage', 'warning');
}

/** Rows of as many combinations as it takes to reach every role, purpose and class that can be reached. */
function reached(policy: LivePolicy, axes: Axes, options: AxesOptions): readonly Row[] {
  const rows: Row[] = [];
  const roles = new Set<string>();
  const purposes = new Set<string>();
  const asked = new Set<string>();
  const ask = (role: string, purpose: string): void => {
    if (asked.has(`${role} ${purpose}`)) return;
    asked.add(`${role} ${purpose}`);
    const { rows: more } = gridOf(policy, { ...axes, roles: [role], purposes: [purpose] }, options);
    if (more.length === 0) return;
    rows.push(...more);
    roles.add(role);
    purposes.add(purpose);
  };
  const pairs = axes.roles.flatMap((role) => axes.purposes.map((purpose) => [role, purpose] as const));
  for (const [role, purpose] of pairs) if (!roles.has(role) || !purposes.has(purpose)) ask(role, purpose);
  const named = new Set(
    rows.flatMap((r) =>
      Object.values(r.states).flatMap((s) =>
        Object.values(s)
          .filter((c) => c.because !== 'class_not_named' && c.do !== 'withheld')
          .map((c) => `${r.resource} ${c.cls}`),
      ),
    ),
  );
  const missing = [...policy.catalogs].some(([resource, catalog]) =>
    classesOf(catalog).some(({ class: cls }) => !named.has(`${resource} ${cls}`)),
  );
  if (missing) for (const [role, purpose] of pairs) ask(role, purpose);
  return rows;
}
