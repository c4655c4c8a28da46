/** Finds, by querying the policy, what is never allowed. It may be intended or forgotten, so it is a warning. */
import { ACTIONS } from '../../../model/actions.ts';
import type { Catalog } from '../../../model/catalog.ts';
import { classOf } from '../../../model/catalog.ts';
import { didYouMean } from '../../../documents/near-name.ts';
import { OBLIGATIONS } from '../../../model/obligations.ts';
import { decide } from '../../../pipeline/authorize.ts';
import { isObject, type YamlDocument } from '../../../documents/yaml.ts';
import type { Fault } from '../../../documents/faults.ts';
import type { LivePolicy } from '../../../policy/snapshot/index.ts';
import { type Axes, type AxesOptions, axesOf } from '../matrix/axes.ts';
import { type Finding, findings } from './findings.ts';
import { type Cell, gridOf, inputOf, type Row } from '../matrix/grid.ts';

export interface CatalogAt {
  readonly catalog: Catalog;
  readonly document: YamlDocument;
}

/** Classes that no answer names; purposes and roles for which no request is allowed. */
export function unreached(
  policy: LivePolicy,
  documents: ReadonlyMap<string, readonly YamlDocument[]>,
  catalogs: readonly CatalogAt[],
): Finding[] {
  const options = optionsNow();
  const axes = axesOf([policy], options);
  if (axes.roles.length === 0 || axes.purposes.length === 0) return [];
  const rows = reached(policy, axes, options, catalogs);
  const found: Fault[] = [];
  const at = (schema: string, path: readonly string[], message: string): Fault =>
    documents.get(schema)?.[0]?.fault(path, message, 'key') ?? { message };
  const roles = new Set(rows.map((r) => r.role));
  const purposes = new Set(rows.map((r) => r.purpose));
  for (const role of axes.roles)
    if (!roles.has(role))
      found.push(
        at(
          'policy-roles.schema.json',
          ['roles', role],
          `role "${role}": every request is denied, with each purpose and each recipient`,
        ),
      );
  for (const purpose of axes.purposes)
    if (!purposes.has(purpose))
      found.push(
        at(
          'policy-purposes.schema.json',
          ['purposes', purpose],
          `purpose "${purpose}": every request of every role is denied`,
        ),
      );
  for (const { catalog, document } of catalogs) {
    const own = rows.filter((r) => r.resource === catalog.resource);
    if (own.length === 0) {
      found.push(
        document.fault(
          ['resource'],
          `resource "${catalog.resource}": every request is denied; name the resource in the roles that may ask for it (data/roles.yaml)`,
        ),
      );
      continue;
    }
    const told = new Set<string>();
    for (const [pointer, entry] of Object.entries(catalog.fields)) {
      if (!('category' in entry) || told.has(classOf(entry))) continue;
      const cls = classOf(entry);
      const cells = own.flatMap((r) => Object.values(r.states).map((s) => s[pointer]));
      if (cells.some(isAnswered)) continue;
      told.add(cls);
      found.push(
        document.fault(
          ['fields', pointer],
          `class ${cls}: no answer of the policy names it, so its fields are always dropped`,
          'key',
        ),
      );
    }
  }
  return findings(found, 'coverage', 'warning');
}

/**
 * Queries as many combinations as needed to reach every role, purpose and field that can be reached. A combination is skipped
 * if it can reach nothing new. Combinations in the data of the roles come first, since they are the likely ones.
 */
function reached(
  policy: LivePolicy,
  axes: Axes,
  options: AxesOptions,
  catalogs: readonly CatalogAt[],
): readonly Row[] {
  const rows: Row[] = [];
  const roles = new Set<string>();
  const purposes = new Set<string>();
  const resources = new Set<string>();
  /** resource → fields that no answer has named yet */
  const left = new Map(catalogs.map(({ catalog }) => [catalog.resource, new Set(classified(catalog))]));
  const { named, others } = pairsOf(policy, axes);
  const combinations = [named, others].flatMap((some) =>
    axes.recipients.flatMap((recipient) =>
      some.flatMap((pair) => axes.resources.map((resource) => [...pair, recipient, resource] as const)),
    ),
  );
  for (const [role, purpose, recipient, resource] of combinations) {
    const fields = left.get(resource) ?? new Set();
    const isCovered = fields.size === 0 && (resources.has(resource) || !left.has(resource));
    if (isCovered && roles.has(role) && purposes.has(purpose)) continue;
    const one = { roles: [role], purposes: [purpose], recipients: [recipient], resources: [resource] };
    for (const row of gridOf(policy, { ...axes, ...one }, options).rows) {
      rows.push(row);
      roles.add(role);
      purposes.add(purpose);
      resources.add(resource);
      for (const state of Object.values(row.states))
        for (const pointer of fields) if (isAnswered(state[pointer])) fields.delete(pointer);
    }
  }
  return rows;
}

type Pair = readonly [role: string, purpose: string];

/** Roles with purposes: those that the data of the roles names, and all others. */
function pairsOf(policy: LivePolicy, axes: Axes): { readonly named: Pair[]; readonly others: Pair[] } {
  const data = policy.data['roles'];
  const isNamed = ([role, purpose]: Pair): boolean => {
    const about = isObject(data) ? data[role] : undefined;
    const named = isObject(about) ? about['purposes'] : undefined;
    return Array.isArray(named) && named.includes(purpose);
  };
  const pairs = axes.roles.flatMap((role) => axes.purposes.map((purpose): Pair => [role, purpose]));
  return { named: pairs.filter(isNamed), others: pairs.filter((p) => !isNamed(p)) };
}

const classified = ({ fields }: Catalog): string[] =>
  Object.keys(fields).filter((pointer) => 'category' in fields[pointer]!);

const isAnswered = (cell: Cell | undefined): boolean =>
  cell !== undefined && cell.because !== 'class_not_named' && cell.do !== 'withheld';

/** A caller who lacks nothing. */
const optionsNow = () => ({
  clearance: 5,
  amr: ['pwd', 'otp', 'mfa'],
  justification: 'sluice check',
  at: new Date().toISOString(),
  // Include writes: a purpose may be only for them.
  action: ACTIONS,
});

/** Obligations that nothing fulfils: every request that they are demanded of is denied. */
export function obligationFindings(policy: LivePolicy, file: string): Finding[] {
  const options = optionsNow();
  const axes = axesOf([policy], options);
  /** what an obligation's reason says → the first request that it denied, and how many */
  const denied = new Map<string, { readonly example: string; count: number }>();
  // Tens of thousands of questions, so that pairs that the data does not name are asked only where it names none.
  const { named, others } = pairsOf(policy, axes);
  for (const [role, purpose] of named.length > 0 ? named : others)
    for (const recipient of axes.recipients)
      for (const subject of axes.subjects(role, recipient))
        for (const resource of axes.resources)
          for (const tier of axes.tiers)
            for (const action of axes.actions) {
              const asked = inputOf(subject, action, resource, purpose, recipient, tier, options);
              for (const { code, message = '' } of decide(policy, asked).answer.reasons) {
                if (code !== 'obligation_unfulfillable') continue;
                const example = `role ${role}, purpose ${purpose}, recipient ${recipient}, ${action} ${resource}`;
                denied.set(message, {
                  example: denied.get(message)?.example ?? example,
                  count: (denied.get(message)?.count ?? 0) + 1,
                });
              }
            }
  return findings(
    [...denied].map(([message, { example, count }]) => ({
      file,
      message: `${message.replace(/\.$/, '')}, so that ${count === 1 ? 'a request is' : `${count} kinds of request are`} denied that the rules allow, e.g. ${example}${hint(message)}`,
    })),
    'obligation',
  );
}

const hint = (message: string): string => {
  const [, name = '""'] = /obligation (".*")/.exec(message) ?? [];
  return didYouMean(
    JSON.parse(name) as string,
    Object.keys(OBLIGATIONS).filter((n) => OBLIGATIONS[n]?.fulfilledBy !== null),
  );
};
